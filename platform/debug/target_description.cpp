// SPDX-License-Identifier: Apache-2.0
#include "platform/debug/target_description.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "platform/debug/debug_target.h"

namespace bvp {
namespace {

constexpr std::array<std::pair<unsigned, const char*>, 31> single_csrs{
    {{0x300, "mstatus"},       {0x301, "misa"},      {0x304, "mie"},      {0x305, "mtvec"},   {0x306, "mcounteren"},
     {0x320, "mcountinhibit"}, {0x340, "mscratch"},  {0x341, "mepc"},     {0x342, "mcause"},  {0x343, "mtval"},
     {0x344, "mip"},           {0x7a0, "tselect"},   {0x7a1, "tdata1"},   {0x7a2, "tdata2"},  {0x7a3, "tdata3"},
     {0x7a4, "tinfo"},         {0xb00, "mcycle"},    {0xb02, "minstret"}, {0xc00, "cycle"},   {0xc01, "time"},
     {0xc02, "instret"},       {0xf11, "mvendorid"}, {0xf12, "marchid"},  {0xf13, "mimpid"},  {0xf14, "mhartid"},
     {0xf15, "mconfigptr"},    {0x180, "satp"},      {0x302, "medeleg"},  {0x303, "mideleg"}, {0x30a, "menvcfg"},
     {0x747, "mseccfg"}}};

struct CsrArray {
  unsigned first, last, first_index;
  const char* name;
};
constexpr std::array<CsrArray, 5> csr_arrays{{{0x323, 0x33f, 3, "mhpmevent"},
                                              {0x3a0, 0x3af, 0, "pmpcfg"},
                                              {0x3b0, 0x3ef, 0, "pmpaddr"},
                                              {0xb03, 0xb1f, 3, "mhpmcounter"},
                                              {0xc03, 0xc1f, 3, "hpmcounter"}}};

constexpr std::array<const char*, 32> general_names{
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "fp", "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
    "a6",   "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};

const char* type_of_general(unsigned index) {
  constexpr unsigned ra = 1, sp = 2, gp = 3, tp = 4, fp = 8;
  if (index == ra) return "code_ptr";
  return index == sp || index == gp || index == tp || index == fp ? "data_ptr" : "int";
}

}  // namespace

std::string csr_name(unsigned number) {
  for (const auto& [csr, name] : single_csrs) {
    if (csr == number) return name;
  }
  for (const CsrArray& array : csr_arrays) {
    if (number >= array.first && number <= array.last) {
      return fmt::format("{}{}", array.name, number - array.first + array.first_index);
    }
  }
  return {};
}

std::string registers_xml(const std::function<bool(unsigned csr)>& exists) {
  std::string xml =
      "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n"
      "<architecture>riscv:rv64</architecture>\n<feature name=\"org.gnu.gdb.riscv.cpu\">\n";
  for (unsigned i = 0; i < debug_register::general_count; ++i) {
    xml += fmt::format("<reg name=\"{}\" bitsize=\"64\" type=\"{}\" regnum=\"{}\"/>\n", general_names[i],
                       type_of_general(i), i);
  }
  xml += fmt::format("<reg name=\"pc\" bitsize=\"64\" type=\"code_ptr\" regnum=\"{}\"/>\n</feature>\n",
                     debug_register::pc);
  xml += "<feature name=\"org.gnu.gdb.riscv.csr\">\n";
  for (unsigned csr = 0; csr < debug_register::csr_count; ++csr) {
    const std::string name = exists(csr) ? csr_name(csr) : std::string{};
    if (name.empty()) continue;
    xml += fmt::format("<reg name=\"{}\" bitsize=\"64\" type=\"int\" regnum=\"{}\" group=\"csr\"/>\n", name,
                       debug_register::first_csr + csr);
  }
  return xml + "</feature>\n</target>\n";
}

std::string memory_map_xml(const std::vector<DebugRegion>& regions) {
  std::string xml =
      "<?xml version=\"1.0\"?>\n<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\" "
      "\"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n<memory-map>\n";
  for (const DebugRegion& region : regions) {
    xml += fmt::format("<memory type=\"ram\" start=\"{:#x}\" length=\"{:#x}\"/>\n", region.base, region.bytes);
  }
  return xml + "</memory-map>\n";
}

}  // namespace bvp
