// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/image_loader.h"

#include <algorithm>
#include <cstring>

#include "models/abi/image_checksum.h"
#include "models/isa/launch.h"

namespace bvp {
namespace {

/// Bytes sent over the configuration network: the common part once, to all PEs, and each PE's own part.
u64 configuration_bytes(const ImageHeader& header) {
  return header.common_bytes + u64{header.pe_rows} * header.pe_columns * header.per_pe_bytes;
}

constexpr u64 quotient_up(u64 dividend, u64 divisor) { return (dividend + divisor - 1) / divisor; }

constexpr u64 config_word_bytes = 8;

}  // namespace

ImageLoader::ImageLoader(const SequencerParameters& parameters, const ArrayShape& array, const RowMap& rows,
                         SequencerPorts& ports, CommandReports& reports, SequencerStatistics& statistics)
    : parameters_(parameters), array_(array), rows_(rows), ports_(ports), reports_(reports), statistics_(statistics) {}

bool ImageLoader::advance(const Command& command, Cycle now, Cycle array_busy) {
  switch (stage_) {
    case Stage::none:
      return begin(command, now, array_busy);
    case Stage::fetching:
      return fetch(command, now);
    case Stage::configuring:
      if (preparation_.configured > now) return false;
      configure(command, now, array_busy);
      return true;
    case Stage::ready:
      break;
  }
  return false;
}

bool ImageLoader::begin(const Command& command, Cycle now, Cycle array_busy) {
  waiting_.begin(now);
  preparation_.phases = {};
  if (in_pes(command)) {
    stage_ = Stage::ready;
    return true;
  }
  if ((command.flags & command_flag_resident) != 0) {
    reports_.raise(SequencerError::not_resident, command.tag, command.image);
    return true;
  }
  stage_ = Stage::fetching;
  preparation_.begin = now;
  preparation_.busy_before = array_busy;
  preparation_.image.assign(command.image_bytes, 0);
  preparation_.requested = 0;
  preparation_.arrivals.clear();
  fetching_.begin(now);
  exposed_.begin(0);
  return true;
}

bool ImageLoader::fetch(const Command& command, Cycle now) {
  std::vector<Cycle>& arrivals = preparation_.arrivals;
  arrivals.erase(std::remove_if(arrivals.begin(), arrivals.end(), [now](Cycle arrival) { return arrival <= now; }),
                 arrivals.end());
  bool progress = false;
  u32& requested = preparation_.requested;
  while (requested < command.image_bytes && arrivals.size() < static_cast<u64>(parameters_.outstanding_bursts.get())) {
    const u32 bytes = std::min(static_cast<u32>(parameters_.burst_bytes.get()), command.image_bytes - requested);
    const u64 address = command.image + requested;
    const std::optional<Cycle> arrival = ports_.read_memory(address, preparation_.image.data() + requested, bytes);
    if (!arrival) {
      reports_.raise(SequencerError::image_fetch_failed, command.tag, address, address);
      return true;
    }
    requested += bytes;
    statistics_.image_bytes += bytes;
    if (*arrival > now) arrivals.push_back(*arrival);
    progress = true;
  }
  if (requested < command.image_bytes || !arrivals.empty()) return progress;
  preparation_.phases.fetch_cycles = now - preparation_.begin;
  fetching_.end(statistics_.image_fetch_cycles, now);
  check(command, now);
  return true;
}

void ImageLoader::check(const Command& command, Cycle now) {
  ArrayShape usable = array_;
  usable.rows = rows_.count();
  if (const std::optional<CommandFault> fault = check_image(header(), command.image_bytes, usable)) {
    return reports_.raise(fault->error, command.tag, fault->info);
  }
  const u32 checksum = image_checksum(preparation_.image.data(), preparation_.image.size());
  if (checksum != header().checksum) {
    return reports_.raise(SequencerError::image_corrupt, command.tag, checksum, command.image);
  }
  const Cycle cycles = quotient_up(configuration_bytes(header()), static_cast<u64>(parameters_.config_bytes_per_cycle));
  preparation_.phases.config_cycles = cycles;
  preparation_.configured = now + cycles;
  configuring_.begin(now);
  stage_ = Stage::configuring;
}

void ImageLoader::configure(const Command& command, Cycle now, Cycle array_busy) {
  const ImageHeader image = header();
  LaunchPhases& phases = preparation_.phases;
  const Cycle end = preparation_.configured;
  configuring_.end(statistics_.config_cycles, end);
  statistics_.config_words.add(quotient_up(configuration_bytes(image), config_word_bytes), end - phases.config_cycles,
                               end);
  phases.exposed_cycles = exposed(now, array_busy);
  exposed_.end(statistics_.exposed_cycles, phases.exposed_cycles);
  for (u32 y = 0; y < image.pe_rows; ++y) {
    for (u32 x = 0; x < image.pe_columns; ++x) {
      const u32 pe = rows_.in_array(y) * array_.columns + x;
      if (ports_.write_pe(pe, configure_address, preparation_.image.data(), command.image_bytes)) continue;
      configured_.reset();
      return reports_.raise(SequencerError::configure_refused, command.tag, pe, 0, u32{1} << rows_.in_array(y));
    }
  }
  configured_ = Image{command.image, command.image_bytes, image.pe_rows, image.pe_columns, ++generation_};
  stage_ = Stage::ready;
}

LaunchPhases ImageLoader::release(Cycle now) {
  waiting_.end(statistics_.launch_wait_cycles, now);
  stage_ = Stage::none;
  return preparation_.phases;
}

void ImageLoader::cancel(Cycle now, Cycle array_busy) {
  exposed_.end(statistics_.exposed_cycles, exposed(now, array_busy));
  fetching_.end(statistics_.image_fetch_cycles, now);
  configuring_.end(statistics_.config_cycles, std::min(now, preparation_.configured));
  stage_ = Stage::none;
  preparation_.arrivals.clear();
}

void ImageLoader::forget(Cycle now, Cycle array_busy) {
  cancel(now, array_busy);
  configured_.reset();
}

Cycle ImageLoader::next(Cycle now) const {
  Cycle next = never;
  if (stage_ == Stage::configuring && preparation_.configured > now) next = preparation_.configured;
  for (const Cycle arrival : preparation_.arrivals) {
    if (arrival > now) next = std::min(next, arrival);
  }
  return next;
}

void ImageLoader::settle(Cycle now, Cycle array_busy) {
  waiting_.settle(statistics_.launch_wait_cycles, now);
  fetching_.settle(statistics_.image_fetch_cycles, now);
  configuring_.settle(statistics_.config_cycles, std::min(now, preparation_.configured));
  exposed_.settle(statistics_.exposed_cycles, exposed(now, array_busy));
}

void ImageLoader::end_waits(Cycle now) { waiting_.end(statistics_.launch_wait_cycles, now); }

ImageHeader ImageLoader::header() const {
  ImageHeader header;
  std::memcpy(&header, preparation_.image.data(), sizeof(header));
  return header;
}

Cycle ImageLoader::exposed(Cycle now, Cycle array_busy) const {
  if (!exposed_.open()) return 0;
  return now - preparation_.begin - (array_busy - preparation_.busy_before);
}

}  // namespace bvp
