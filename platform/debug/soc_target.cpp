// SPDX-License-Identifier: Apache-2.0
#include "platform/debug/soc_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "models/cpu/riscv_instruction.h"
#include "platform/debug/target_description.h"
#include "platform/soc/memory_map.h"

namespace bvp {
namespace {

constexpr u64 nowhere = 1;  // no instruction lies at an odd address

bool is_breakpoint(StopPoint kind) { return kind == StopPoint::software || kind == StopPoint::hardware; }

}  // namespace

SocTarget::SocTarget(Soc& soc) : soc_(soc), monitor_(soc) {}

std::optional<u64> SocTarget::read_register(unsigned number) const {
  if (number < debug_register::general_count) return soc_.cpu.read_register(number);
  if (number == debug_register::pc) return soc_.cpu.pc();
  const unsigned csr = number - debug_register::first_csr;
  return csr < debug_register::csr_count ? soc_.cpu.csr(csr) : std::nullopt;
}

bool SocTarget::write_register(unsigned number, u64 value) {
  if (number < debug_register::general_count) {
    soc_.cpu.write_register(number, value);
    return true;
  }
  if (number == debug_register::pc) {
    if (value % 2 != 0) return false;
    soc_.cpu.set_pc(value);
    return true;
  }
  const unsigned csr = number - debug_register::first_csr;
  return csr < debug_register::csr_count && soc_.cpu.set_csr(csr, value);
}

std::string SocTarget::read_memory(u64 address, std::size_t bytes) {
  std::string found(bytes, '\0');
  std::size_t count = 0;
  // Each block says itself where it ends; the next one may begin there.
  while (count < bytes && address + count >= address) {
    const std::size_t more =
        soc_.read_some(address + count, reinterpret_cast<u8*>(found.data()) + count, bytes - count);
    if (more == 0) break;
    count += more;
  }
  found.resize(count);
  return found;
}

bool SocTarget::write_memory(u64 address, std::string_view bytes) {
  // Nothing is written if not everything can be.
  if (read_memory(address, bytes.size()).size() != bytes.size()) return false;
  if (!soc_.write_memory(address, reinterpret_cast<const u8*>(bytes.data()), bytes.size())) return false;
  soc_.cpu.code_changed(address, bytes.size());
  return true;
}

bool SocTarget::set(StopPoint kind, u64 address, u64 bytes) {
  remove(kind, address, bytes);
  if (is_breakpoint(kind)) {
    if (address % 2 != 0) return false;
    breakpoints_.push_back({kind, address});
  } else {
    if (bytes == 0 || address + (bytes - 1) < address) return false;
    watchpoints_.push_back({kind, address, bytes});
  }
  refresh();
  return true;
}

void SocTarget::remove(StopPoint kind, u64 address, u64 bytes) {
  if (is_breakpoint(kind)) {
    breakpoints_.erase(std::remove_if(breakpoints_.begin(), breakpoints_.end(),
                                      [&](const Breakpoint& b) { return b.kind == kind && b.address == address; }),
                       breakpoints_.end());
  } else {
    watchpoints_.erase(
        std::remove_if(watchpoints_.begin(), watchpoints_.end(),
                       [&](const Watchpoint& w) { return w.kind == kind && w.address == address && w.bytes == bytes; }),
        watchpoints_.end());
  }
  refresh();
}

void SocTarget::refresh() {
  addresses_.clear();
  for (const Breakpoint& breakpoint : breakpoints_) addresses_.insert(breakpoint.address);
  writes_.disconnect();
  vectors_.disconnect();
  if (watchpoints_.empty()) return;
  writes_ = soc_.bus.written.connect([this](u64 address, u64 bytes) { note_write(address, bytes); });
  if (watchpoint_at(memory_map::scratchpad_base, soc_.scratchpad.size(), true) == nullptr) return;
  vectors_ =
      soc_.scratchpad.vectors_written.connect([this](u32 pe, const VectorAccess& access) { note_vectors(pe, access); });
}

void SocTarget::forget_all() {
  breakpoints_.clear();
  watchpoints_.clear();
  hit_.reset();
  step_.reset();
  stop_asked_.reset();
  refresh();
}

std::string SocTarget::description() const {
  return registers_xml([this](unsigned csr) { return soc_.cpu.csr(csr).has_value(); });
}

std::string SocTarget::memory_map() const {
  std::vector<DebugRegion> regions;
  for (const MemoryRegion& region : memory_regions()) regions.push_back({region.base, region.span});
  return memory_map_xml(regions);
}

bool SocTarget::stops_before(u64 pc) {
  const bool passes = std::exchange(passes_, nowhere) == pc;
  if (wants_to_stop()) return true;
  if (!passes) {
    if (addresses_.count(pc) != 0) return true;
    if (step_ && pc - step_->begin >= step_->end - step_->begin) return true;
    if (!watchpoints_.empty() && accesses_watched(pc)) return true;
  }
  return false;
}

// gdb expects of a RISC-V core that it stops before the access, and compares the values itself behind it.
bool SocTarget::accesses_watched(u64 pc) {
  const auto access = riscv::decode_memory_access(soc_.cpu.instruction_at(pc));
  if (!access) return false;
  const u64 address = soc_.cpu.read_register(access->base_register) + static_cast<u64>(access->offset);
  const Watchpoint* found = nullptr;
  if (access->kind != riscv::MemoryAccess::Kind::store) found = watchpoint_at(address, access->bytes, false);
  if (found == nullptr && access->writes()) found = watchpoint_at(address, access->bytes, true);
  if (found == nullptr) return false;
  hit_ = StopReason{StopReason::Signal::trap, found->kind, std::max(address, found->address), {}};
  return true;
}

void SocTarget::note_write(u64 address, u64 bytes) {
  const auto* const writer = sc_core::sc_get_current_process_handle().get_parent_object();
  if (hit_ || writer == &soc_.cpu) return;
  const Watchpoint* const found = watchpoint_at(address, bytes, true);
  if (found == nullptr) return;
  stop_for(std::max(address, found->address), writer == nullptr ? "somebody" : writer->basename());
}

void SocTarget::note_vectors(u32 pe, const VectorAccess& access) {
  if (hit_) return;
  const u64 row = u64{access.lanes} * 2;
  for (std::size_t i = 0; i < access.entries(); ++i) {
    const u32 entry = access.addresses[i];
    const bool column = (entry & VectorAccess::column_flag) != 0;
    const u64 first = memory_map::scratchpad_base + (entry & ~VectorAccess::column_flag);
    const u64 pieces = column ? access.lanes : 1, bytes = column ? 2 : row;
    for (u64 piece = 0; piece < pieces; ++piece) {
      const u64 address = first + piece * row;
      const Watchpoint* const found = watchpoint_at(address, bytes, true);
      if (found == nullptr) continue;
      const u32 columns = soc_.shape().columns;
      return stop_for(std::max(address, found->address),
                      access.untimed_copies > 1 ? "a PE" : fmt::format("PE ({}, {})", pe % columns, pe / columns));
    }
  }
}

void SocTarget::stop_for(u64 address, const std::string& writer) {
  // gdb would let the CPU execute an instruction before it reports a watchpoint, and so miss the time of the write.
  hit_ = StopReason{StopReason::Signal::trap, std::nullopt, address,
                    fmt::format("watchpoint: {} has written {:#x} at {:.9f} s\n", writer, address,
                                sc_core::sc_time_stamp().to_seconds())};
  // A CPU that sleeps does not come to its next instruction by itself.
  if (soc_.cpu.sleeping()) sc_core::sc_pause();
}

const SocTarget::Watchpoint* SocTarget::watchpoint_at(u64 address, u64 bytes, bool write) const {
  const StopPoint deaf = write ? StopPoint::read : StopPoint::write;
  const auto found = std::find_if(watchpoints_.begin(), watchpoints_.end(), [&](const Watchpoint& watchpoint) {
    return watchpoint.kind != deaf &&
           (address - watchpoint.address < watchpoint.bytes || watchpoint.address - address < bytes);
  });
  return found == watchpoints_.end() ? nullptr : &*found;
}

StopReason SocTarget::take_reason() {
  StopReason reason;
  if (hit_) {
    reason = *hit_;
  } else if (stop_asked_) {
    reason.signal = *stop_asked_;
  }
  hit_.reset();
  step_.reset();
  stop_asked_.reset();
  return reason;
}

void SocTarget::resume(const Resumption& how, bool here) {
  if (how.step) step_ = how;
  passes_ = here ? soc_.cpu.pc() : nowhere;
}

}  // namespace bvp
