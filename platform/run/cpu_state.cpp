// SPDX-License-Identifier: Apache-2.0
#include "platform/run/cpu_state.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "platform/debug/monitor.h"

namespace bvp {

std::string describe_cpu(const Soc& soc, const SymbolTable& symbols) {
  const Cpu& cpu = soc.cpu;
  std::string text = fmt::format("the CPU when the run ended:\n  pc       {}\n  ra       {}\n", symbols.place(cpu.pc()),
                                 symbols.place(cpu.read_register(1)));
  constexpr std::array<std::pair<unsigned, const char*>, 5> csrs{
      {{0x300, "mstatus"}, {0x304, "mie"}, {0x305, "mtvec"}, {0x342, "mcause"}, {0x343, "mtval"}}};
  for (const auto& [number, name] : csrs) text += fmt::format("  {:<8} {:#x}\n", name, cpu.csr(number).value_or(0));
  text += fmt::format("  mepc     {}\n", symbols.place(cpu.csr(0x341).value_or(0)));
  constexpr unsigned columns = 4, registers = 32;
  for (unsigned i = 0; i < registers; ++i) {
    text += fmt::format("  x{:<2} {:016x}{}", i, cpu.read_register(i), i % columns == columns - 1 ? "\n" : "");
  }
  return text + "who waits:\n" + describe_waiting(soc);
}

}  // namespace bvp
