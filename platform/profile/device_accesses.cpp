// SPDX-License-Identifier: Apache-2.0
#include "platform/profile/device_accesses.h"

#include <algorithm>
#include <utility>

#include "platform/profile/trap_entry.h"

namespace bvp {
namespace {

constexpr unsigned csr_mtvec = 0x305, csr_mepc = 0x341, csr_mcause = 0x342;

u64 low_bytes(u64 value, unsigned bytes) { return bytes < 8 ? value & ((u64{1} << (8 * bytes)) - 1) : value; }

}  // namespace

double InstructionClock::begin() {
  const u64 time = cpu_.time();
  since_ = time == time_ ? since_ + 1 : 0;
  time_ = time;
  last_s_ = std::max(last_s_, static_cast<double>(time + since_ * cpu_.instruction_time) * cpu_.unit_s);
  return last_s_;
}

void DeviceAccesses::begin(u64 pc, u32 instruction, double begin_s) {
  const auto access = riscv::decode_memory_access(instruction);
  if (!access) return;
  const u64 address = cpu_.general_register(access->base_register) + static_cast<u64>(access->offset);
  if (!is_wanted_(address, access->writes())) return;
  const u64 value = access->writes() ? cpu_.general_register(access->data_register) : 0;
  open_ = Access{*access, address, low_bytes(value, access->bytes), pc, begin_s, false};
}

std::optional<DeviceAccesses::Access> DeviceAccesses::ended(u64 pc) {
  if (!open_) return std::nullopt;
  Access access = *std::exchange(open_, std::nullopt);
  access.refused = pc == trap_entry(cpu_.csr(csr_mtvec), cpu_.csr(csr_mcause)) && cpu_.csr(csr_mepc) == access.pc;
  if (!access.decoded.writes()) {
    access.value = low_bytes(cpu_.general_register(access.decoded.data_register), access.decoded.bytes);
  }
  return access;
}

}  // namespace bvp
