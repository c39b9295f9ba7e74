// SPDX-License-Identifier: Apache-2.0
#include "platform/cli/register_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "platform/soc/memory_map.h"
#include "platform/support/input_error.h"
#include "platform/support/printable.h"

namespace bvp {
namespace {

u64 end_of(const RegisterBankView& bank) {
  for (const MemoryRegion& region : memory_regions()) {
    if (region.base == bank.base) return region.base + region.span;
  }
  return bank.base;
}

}  // namespace

RegisterNames::RegisterNames(const std::vector<std::string>& modules) : banks_(register_banks()) {
  std::vector<std::string> names;
  for (const RegisterBankView& bank : banks_) names.push_back(bank.name);
  for (const std::string& module : modules) {
    if (std::find(names.begin(), names.end(), module) != names.end()) continue;
    throw InputError(
        fmt::format("--log-modules: found '{}', expected some of {}", printable(module), fmt::join(names, ", ")));
  }
  if (modules.empty()) return;
  const auto unwanted = [&](const RegisterBankView& bank) {
    return std::find(modules.begin(), modules.end(), bank.name) == modules.end();
  };
  banks_.erase(std::remove_if(banks_.begin(), banks_.end(), unwanted), banks_.end());
}

RegisterNames::Place RegisterNames::place(u64 address, bool write) const {
  for (const RegisterBankView& bank : banks_) {
    if (address < bank.base || address >= end_of(bank)) continue;
    const u64 offset = address - bank.base;
    for (const RegisterView& reg : bank.registers) {
      if (offset < reg.offset || offset >= reg.offset + u64{reg.elements} * bank.register_bytes) continue;
      if (reg.access == (write ? "r" : "w")) continue;
      std::string name = fmt::format("{}.{}", bank.name, reg.name);
      if (reg.elements > 1) name += fmt::format("[{}]", (offset - reg.offset) / bank.register_bytes);
      return {&bank, &reg, std::move(name)};
    }
    return {&bank, nullptr, fmt::format("{}+{:#x}", bank.name, offset)};
  }
  return {};
}

std::string RegisterNames::name(u64 address, bool write) const { return place(address, write).name; }

std::string RegisterNames::text(u64 address, u64 value, bool write) const {
  const Place there = place(address, write);
  if (there.bank == nullptr) return {};
  const std::string text = fmt::format("{} = {:#x}", there.name, value);
  if (there.reg == nullptr) return text;
  std::vector<std::string> fields;
  for (const FieldView& field : there.reg->fields) {
    const u64 part = value >> field.lsb & ((u64{1} << field.width) - 1);
    if (part != 0) fields.push_back(fmt::format("{}={}", field.name, part));
  }
  return fields.empty() ? text : fmt::format("{} ({})", text, fmt::join(fields, " "));
}

}  // namespace bvp
