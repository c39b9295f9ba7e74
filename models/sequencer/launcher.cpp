// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/launcher.h"

#include <algorithm>

namespace bvp {

Launcher::Launcher(const SequencerParameters& parameters, const ArrayShape& array, const RowMap& rows,
                   SequencerPorts& ports, Semaphores& semaphores, CommandReports& reports,
                   SequencerStatistics& statistics)
    : parameters_(parameters),
      columns_(array.columns),
      pes_(array.pes()),
      rows_(rows),
      ports_(ports),
      semaphores_(semaphores),
      reports_(reports),
      statistics_(statistics) {}

bool Launcher::may_follow(const ImageLoader::Image& image) const {
  return launches_.empty() || (launches_.back().generation == image.generation &&
                               launches_.size() < static_cast<u64>(parameters_.launch_queue.get()));
}

std::vector<Command> Launcher::commands() const {
  std::vector<Command> commands;
  for (const OpenLaunch& launch : launches_) commands.push_back(launch.command);
  if (starting_) commands.push_back(starting_->command);
  return commands;
}

u32 Launcher::unfinished_rows() const {
  u32 rows = 0;
  for (u32 pe = 0; !launches_.empty() && pe < pes_; ++pe) {
    if (!launches_.front().reported[pe]) rows |= u32{1} << pe / columns_;
  }
  return rows;
}

bool Launcher::start(CommandQueue& queue, ImageLoader& loader, Cycle now) {
  if (starting_ || !loader.ready() || !may_follow(loader.image())) return false;
  if (!semaphores_.acquire(queue.front(), queue.blocked, now)) return false;
  const Command command = queue.pop();
  const ImageLoader::Image image = loader.image();
  LaunchPhases phases = loader.release(now);
  phases.launch_cycles = static_cast<u64>(parameters_.launch_cycles.get());
  if (image.generation == generation_) ++statistics_.launches_same_image;
  generation_ = image.generation;
  starting_ = Starting{command, now + phases.launch_cycles, image, phases};
  starting_state_.begin(now);
  reports_.started(command, now);
  return true;
}

bool Launcher::send(Cycle now) {
  if (!starting_ || starting_->done > now) return false;
  Starting sent = *starting_;
  starting_.reset();
  starting_state_.end(statistics_.launch_cycles, sent.done);
  sent.phases.launch_number = ++number_;
  sent.phases.overlapped = !launches_.empty();
  if (sent.phases.overlapped) {
    ++statistics_.launches_overlapped;
  } else {
    working_.begin(now);
  }
  reports_.launched(sent.command, sent.phases, now);
  OpenLaunch& launch = expect(sent);
  if (launches_.size() == 1) set_deadline(now);
  tell_pes(launch, sent.image);
  if (launch.failed) {
    stop(now);
  } else if (launch.remaining == 0) {
    retire(launches_.end() - 1, now);
  }
  return true;
}

Launcher::OpenLaunch& Launcher::expect(const Starting& sent) {
  OpenLaunch& launch = launches_.emplace_back();
  launch.command = sent.command;
  launch.number = sent.phases.launch_number;
  launch.generation = sent.image.generation;
  launch.reported.assign(pes_, true);
  launch.remaining = sent.image.rows * sent.image.columns;
  for (u32 y = 0; y < sent.image.rows; ++y) {
    for (u32 x = 0; x < sent.image.columns; ++x) launch.reported[rows_.in_array(y) * columns_ + x] = false;
  }
  return launch;
}

void Launcher::tell_pes(OpenLaunch& launch, const ImageLoader::Image& image) {
  LaunchRecord record{};
  record.launch_number = launch.number;
  record.flags = launch.command.flags & command_flag_resident;
  record.counts = launch.command.counts;
  record.registers = launch.command.registers;
  record.tag = launch.command.tag;
  for (u32 y = 0; y < image.rows; ++y) {
    for (u32 x = 0; x < image.columns; ++x) {
      const u32 pe = rows_.in_array(y) * columns_ + x;
      LaunchRecord copy = record;
      if (ports_.write_pe(pe, launch_address, &copy, sizeof(copy))) continue;
      reports_.raise(SequencerError::launch_refused, launch.command.tag, pe, 0, u32{1} << rows_.in_array(y));
      launch.failed = true;
    }
  }
}

bool Launcher::take_completion(u32 pe, u32 launch_number) {
  const auto launch = std::find_if(launches_.begin(), launches_.end(), [&](const OpenLaunch& candidate) {
    return candidate.number == launch_number && !candidate.reported[pe];
  });
  if (launch == launches_.end()) return false;
  launch->reported[pe] = true;
  return true;
}

void Launcher::finish(u32 pe, u32 launch_number, u32 status, Cycle now) {
  const auto launch = std::find_if(launches_.begin(), launches_.end(),
                                   [&](const OpenLaunch& candidate) { return candidate.number == launch_number; });
  if (launch == launches_.end()) return;
  if (status != 0) {
    reports_.raise(SequencerError::kernel_failed, launch->command.tag, join_words(pe, status), 0,
                   u32{1} << pe / columns_);
    return stop(now);
  }
  if (--launch->remaining == 0) retire(launch, now);
}

void Launcher::retire(Launches::iterator launch, Cycle now) {
  const Command command = launch->command;
  launches_.erase(launch);
  set_deadline(now);
  if (launches_.empty()) working_.end(statistics_.array_busy, now);
  reports_.completed(command, now);
}

bool Launcher::expire(Cycle now) {
  if (deadline_ > now) return false;
  const OpenLaunch& first = launches_.front();
  const auto pe = std::find(first.reported.begin(), first.reported.end(), false) - first.reported.begin();
  reports_.raise(SequencerError::launch_timeout, first.command.tag, static_cast<u64>(pe), 0, unfinished_rows());
  stop(now);
  return true;
}

void Launcher::stop(Cycle now) {
  if (starting_) starting_state_.end(statistics_.launch_cycles, std::min(now, starting_->done));
  starting_.reset();
  if (launches_.empty()) return;
  u32 word = 0;
  for (u32 pe = 0; pe < pes_; ++pe) ports_.write_pe(pe, stop_address, &word, sizeof word);
  working_.end(statistics_.array_busy, now);
  for (const OpenLaunch& launch : launches_) reports_.kernel_failed(launch.command, now);
  launches_.clear();
  deadline_ = never;
}

void Launcher::settle(Cycle now) {
  working_.settle(statistics_.array_busy, now);
  if (starting_) starting_state_.settle(statistics_.launch_cycles, std::min(now, starting_->done));
}

}  // namespace bvp
