// SPDX-License-Identifier: Apache-2.0
// A CPU with everything around it, and an assembler for the instructions that tests are made of.
#pragma once

#include <tlm_utils/simple_target_socket.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <systemc>
#include <utility>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/cpu/cpu.h"

namespace bvp::cpu_test {

using sc_core::SC_NS;
using sc_core::sc_time;

inline constexpr u64 ram_base = 0x20000000, ram_bytes = 1 << 20;
inline constexpr u64 rom_base = 0x30000000, rom_bytes = 1 << 12;
inline constexpr u64 device_base = 0x10000000, device_bytes = 0x1000;
inline constexpr u64 slow_base = 0x50000000, slow_bytes = 0x1000;  // memory without direct access
inline constexpr u64 handler_address = ram_base + 0x8000;
inline constexpr u64 unmapped = 0x60000000;

enum : unsigned { zero = 0, ra = 1, sp = 2, t0 = 5, t1 = 6, t2 = 7, s0 = 8, a0 = 10, a1 = 11, a2 = 12, a3 = 13 };
enum : unsigned {
  mstatus = 0x300,
  misa = 0x301,
  mie = 0x304,
  mtvec = 0x305,
  mscratch = 0x340,
  mepc = 0x341,
  mcause = 0x342,
  mtval = 0x343,
  mip = 0x344,
  mcycle = 0xb00,
  minstret = 0xb02,
  cycle = 0xc00,
  time_csr = 0xc01,
  instret = 0xc02,
  mhartid = 0xf14
};

inline u32 i_type(u32 opcode, u32 function, unsigned rd, unsigned rs1, i64 immediate) {
  return opcode | rd << 7 | function << 12 | rs1 << 15 | static_cast<u32>(immediate & 0xfff) << 20;
}
inline u32 r_type(u32 opcode, u32 function, unsigned rd, unsigned rs1, unsigned rs2, u32 upper) {
  return opcode | rd << 7 | function << 12 | rs1 << 15 | rs2 << 20 | upper << 25;
}
inline u32 addi(unsigned rd, unsigned rs1, i64 immediate) { return i_type(0x13, 0, rd, rs1, immediate); }
inline u32 lui(unsigned rd, u64 upper) { return 0x37 | rd << 7 | static_cast<u32>(upper) << 12; }
inline u32 load(unsigned width, unsigned rd, unsigned base, i64 offset) {
  return i_type(0x03, width, rd, base, offset);
}
inline u32 lw(unsigned rd, unsigned base, i64 offset) { return load(2, rd, base, offset); }
inline u32 ld(unsigned rd, unsigned base, i64 offset) { return load(3, rd, base, offset); }
inline u32 store(unsigned width, unsigned rs2, unsigned base, i64 offset) {
  const auto bits = static_cast<u32>(offset & 0xfff);
  return 0x23 | (bits & 31) << 7 | width << 12 | base << 15 | rs2 << 20 | bits >> 5 << 25;
}
inline u32 sw(unsigned rs2, unsigned base, i64 offset) { return store(2, rs2, base, offset); }
inline u32 sd(unsigned rs2, unsigned base, i64 offset) { return store(3, rs2, base, offset); }
inline u32 branch(u32 function, unsigned rs1, unsigned rs2, i64 offset) {
  const auto bits = static_cast<u32>(offset);
  return 0x63 | (bits >> 11 & 1) << 7 | (bits >> 1 & 15) << 8 | function << 12 | rs1 << 15 | rs2 << 20 |
         (bits >> 5 & 63) << 25 | (bits >> 12 & 1) << 31;
}
inline u32 bne(unsigned rs1, unsigned rs2, i64 offset) { return branch(1, rs1, rs2, offset); }
inline u32 jal(unsigned rd, i64 offset) {
  const auto bits = static_cast<u32>(offset);
  return 0x6f | rd << 7 | (bits >> 12 & 0xff) << 12 | (bits >> 11 & 1) << 20 | (bits >> 1 & 0x3ff) << 21 |
         (bits >> 20 & 1) << 31;
}
inline u32 jalr(unsigned rd, unsigned rs1) { return i_type(0x67, 0, rd, rs1, 0); }
inline u32 csrrw(unsigned rd, unsigned csr, unsigned rs1) { return i_type(0x73, 1, rd, rs1, csr); }
inline u32 csrr(unsigned rd, unsigned csr) { return i_type(0x73, 2, rd, zero, csr); }
inline u32 csrw(unsigned csr, unsigned rs1) { return csrrw(zero, csr, rs1); }
inline u32 csrsi(unsigned csr, unsigned bits) { return i_type(0x73, 6, zero, bits, csr); }
inline u32 csrci(unsigned csr, unsigned bits) { return i_type(0x73, 7, zero, bits, csr); }
inline constexpr u32 nop = 0x13, wfi = 0x10500073, mret = 0x30200073, ecall = 0x73, ebreak = 0x00100073,
                     fence_i = 0x100f;
inline constexpr u32 illegal = 0xffffffff;

using Code = std::vector<u32>;
inline Code operator+(Code left, const Code& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
/// Two instructions; values below 2^31 - 2^11.
inline Code li(unsigned rd, u64 value) {
  return {lui(rd, (value + 0x800) >> 12), addi(rd, rd, static_cast<i64>(value & 0xfff))};
}
/// Three instructions.
inline Code set_handler(u64 address) { return li(t0, address) + Code{csrw(mtvec, t0)}; }
inline Code finish() { return {wfi, jal(zero, -4)}; }

struct Access {
  sc_time time;
  bool write;
  u64 offset;
  unsigned bytes;
  u64 value;
  bool operator==(const Access& o) const {
    return time == o.time && write == o.write && offset == o.offset && bytes == o.bytes && value == o.value;
  }
};
inline std::ostream& operator<<(std::ostream& out, const Access& a) {
  return out << a.time << (a.write ? " write " : " read ") << a.offset << "/" << a.bytes << " = " << a.value;
}

/// Everything around the CPU: RAM and ROM with direct access, memory without, a device that takes 20 ns.
struct Surroundings : sc_core::sc_module {
  explicit Surroundings(sc_core::sc_module_name name) : sc_module(name), socket("socket") {
    socket.register_b_transport(this, &Surroundings::b_transport);
    socket.register_get_direct_mem_ptr(this, &Surroundings::get_direct_mem_ptr);
  }

  void b_transport(tlm::tlm_generic_payload& payload, sc_time& delay) {
    const u64 address = payload.get_address();
    const unsigned bytes = payload.get_data_length();
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    u8* data = payload.get_data_ptr();
    if (u8* memory = find(address); memory != nullptr) {
      if (payload.is_read()) {
        std::memcpy(data, memory, bytes);
      } else if (address - rom_base >= rom_bytes) {
        std::memcpy(memory, data, bytes);
      } else {
        payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
      }
      return;
    }
    if (address - device_base >= device_bytes) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return;
    }
    u64 value = payload.is_read() ? answer : 0;
    if (payload.is_write()) std::memcpy(&value, data, bytes);
    log.push_back({sc_core::sc_time_stamp() + delay, payload.is_write(), address - device_base, bytes, value});
    if (payload.is_write() && on_write) on_write(address - device_base, delay);
    if (payload.is_read()) std::memcpy(data, &value, bytes);
    delay += sc_time(20, SC_NS);
  }
  bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
    const u64 address = payload.get_address();
    dmi.init();
    if (address - ram_base < ram_bytes && ram_allowed) {
      dmi.set_dmi_ptr(ram.data());
      dmi.set_start_address(ram_base);
      dmi.set_end_address(ram_base + ram_bytes - 1);
      dmi.allow_read_write();
      return true;
    }
    if (address - rom_base < rom_bytes) {
      dmi.set_dmi_ptr(rom.data());
      dmi.set_start_address(rom_base);
      dmi.set_end_address(rom_base + rom_bytes - 1);
      dmi.allow_read();
      return true;
    }
    return false;
  }
  u8* find(u64 address) {
    if (address - ram_base < ram_bytes) return &ram[address - ram_base];
    if (address - rom_base < rom_bytes) return &rom[address - rom_base];
    if (address - slow_base < slow_bytes) return &slow[address - slow_base];
    return nullptr;
  }
  void place(u64 address, const Code& code) {
    if (!code.empty()) std::memcpy(find(address), code.data(), code.size() * sizeof(u32));
  }

  tlm_utils::simple_target_socket<Surroundings> socket;
  std::vector<u8> ram = std::vector<u8>(ram_bytes), rom = std::vector<u8>(rom_bytes),
                  slow = std::vector<u8>(slow_bytes);
  bool ram_allowed = true;
  std::function<void(u64 offset, const sc_time& delay)> on_write;  // of the device
  u64 answer = 0;
  std::vector<Access> log;
};

/// Raises lines at given times.
struct Lines : sc_core::sc_module {
  SC_HAS_PROCESS(Lines);
  explicit Lines(sc_core::sc_module_name name) : sc_module(name) { SC_THREAD(run); }
  void run() {
    for (const auto& [time, action] : script) {
      wait(time - sc_core::sc_time_stamp());
      action();
    }
  }
  std::vector<std::pair<sc_time, std::function<void()>>> script;
};

struct Bench {
  SimulationContext context;
  ParameterGroup root{"test"};
  CpuParameters parameters{&root};
  StatGroup statistics{"test"};
  std::unique_ptr<Surroundings> around;
  std::unique_ptr<Lines> lines;
  std::unique_ptr<sc_core::sc_signal<bool>> timer, software, external;
  std::unique_ptr<Cpu> cpu;
  Connection halts;
  std::string halted;

  explicit Bench(const std::function<void(CpuParameters&)>& change = {}) {
    if (change) change(parameters);
    around = std::make_unique<Surroundings>("around");
    lines = std::make_unique<Lines>("lines");
    timer = std::make_unique<sc_core::sc_signal<bool>>("timer");
    software = std::make_unique<sc_core::sc_signal<bool>>("software");
    external = std::make_unique<sc_core::sc_signal<bool>>("external");
    cpu = std::make_unique<Cpu>("cpu", parameters, statistics);
    cpu->data.bind(around->socket);
    cpu->timer_irq.bind(*timer);
    cpu->software_irq.bind(*software);
    cpu->external_irq.bind(*external);
    cpu->set_reset_pc(ram_base);
    halts = cpu->halts.connect([this](const std::string& reason) { halted = reason; });
  }
  ~Bench() {
    cpu.reset();
    external.reset();
    software.reset();
    timer.reset();
    lines.reset();
    around.reset();
  }
  void run(const Code& code, double microseconds = 100) {
    around->place(ram_base, code);
    sc_core::sc_start(sc_time(microseconds, sc_core::SC_US));
  }
  [[nodiscard]] u64 x(unsigned index) const { return cpu->read_register(index); }
};

inline sc_time ns(u64 count) { return {static_cast<double>(count), SC_NS}; }

}  // namespace bvp::cpu_test
