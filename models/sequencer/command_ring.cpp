// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/command_ring.h"

#include <algorithm>

namespace bvp {
namespace {

constexpr u32 entries_min = 2, entries_max = 65536;
constexpr u64 alignment = 64;

bool is_power_of_two(u64 value) { return value != 0 && (value & (value - 1)) == 0; }

}  // namespace

u32 CommandRing::head(Cycle elapsed) const {
  const auto in_flight = std::count_if(fetched_.begin(), fetched_.end(),
                                       [elapsed](const Fetched& entry) { return entry.ready > elapsed; });
  return entries_ == 0 ? 0 : (next_ - static_cast<u32>(in_flight)) & (entries_ - 1);
}

bool CommandRing::set_base(u64 base) {
  if (base % alignment != 0) return false;
  base_ = base;
  next_ = tail_ = 0;
  return true;
}

bool CommandRing::set_entries(u32 entries) {
  if (!is_power_of_two(entries) || entries < entries_min || entries > entries_max) return false;
  entries_ = entries;
  next_ = tail_ = 0;
  return true;
}

bool CommandRing::set_tail(u32 tail) {
  if (tail >= entries_) return false;
  tail_ = tail;
  return true;
}

void CommandRing::clear() {
  fetched_.clear();
  next_ = tail_ = 0;
}

bool CommandRing::fetch(Cycle now, SequencerPorts& ports) {
  bool progress = false;
  while (now >= not_before_ && has_more() && fetched_.size() < ahead_) {
    Fetched entry;
    entry.address = base_ + u64{next_} * sizeof(Command);
    const std::optional<Cycle> arrival = ports.read_memory(entry.address, &entry.command, sizeof(Command));
    entry.failed = !arrival;
    entry.ready = std::max(arrival.value_or(now), fetched_.empty() ? now : fetched_.back().ready);
    fetched_.push_back(entry);
    next_ = (next_ + 1) & (entries_ - 1);
    bytes_read_ += sizeof(Command);
    progress = true;
  }
  return progress;
}

std::optional<CommandRing::Fetched> CommandRing::take(Cycle now) {
  if (fetched_.empty() || fetched_.front().ready > now) return std::nullopt;
  const Fetched entry = fetched_.front();
  fetched_.pop_front();
  return entry;
}

Cycle CommandRing::next_arrival() const { return fetched_.empty() ? never : fetched_.front().ready; }

Cycle CommandRing::next_fetch() const { return has_more() ? not_before_ : never; }

}  // namespace bvp
