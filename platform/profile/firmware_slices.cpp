// SPDX-License-Identifier: Apache-2.0
#include "platform/profile/firmware_slices.h"

#include <utility>

namespace bvp {

FirmwareSlices::FirmwareSlices(ObservedCpu cpu, RegisterName register_name, Sinks sinks)
    : cpu_(std::move(cpu)),
      register_name_(std::move(register_name)),
      sinks_(std::move(sinks)),
      clock_(cpu_),
      accesses_(cpu_, [this](u64 address, bool write) { return !register_name_(address, write).empty(); }) {}

void FirmwareSlices::step(u64 pc) {
  now_s_ = clock_.begin();
  if (const auto access = accesses_.ended(pc)) {
    const bool write = access->decoded.writes();
    sinks_.access((write ? "write " : "read ") + register_name_(access->address, write), access->begin_s, now_s_);
  }
  accesses_.begin(pc, cpu_.fetch(pc), now_s_);
}

void FirmwareSlices::leave() {
  if (open_.empty()) return;
  sinks_.function(open_.back().function, open_.back().begin_s, now_s_);
  open_.pop_back();
}

void FirmwareSlices::finish() {
  now_s_ = clock_.begin();
  while (!open_.empty()) leave();
}

}  // namespace bvp
