// SPDX-License-Identifier: Apache-2.0
#include "platform/codegen/register_banks.h"

#include <map>
#include <type_traits>
#include <utility>

#include "models/base/registers.h"
#include "models/base/simulation_context.h"
#include "platform/soc/memory_map.h"
#include "platform/soc/soc.h"

namespace bvp {
namespace {

RegisterBankView view_of(const RegisterBank& bank, const MemoryRegion& region) {
  RegisterBankView view{region.name, region.base, region.description, bank.register_bytes(), {}};
  for (const Register* reg : bank.registers()) {
    RegisterView entry{
        reg->name(), reg->offset(), reg->count(), reg->reset_value(), to_string(reg->access()), reg->description(), {}};
    for (const RegisterField* field : reg->fields()) {
      entry.fields.push_back({field->name(), field->lsb(), field->width(), field->description()});
    }
    view.registers.push_back(std::move(entry));
  }
  return view;
}

template <class Block, class = void>
struct has_registers : std::false_type {};
template <class Block>
struct has_registers<Block, std::void_t<decltype(std::declval<const Block&>().register_bank())>> : std::true_type {};

/// Null if the block has no registers.
template <class Block>
const RegisterBank* bank_of(const Block& block) {
  if constexpr (has_registers<Block>::value) {
    return &block.register_bank();
  } else {
    return nullptr;
  }
}

}  // namespace

std::vector<RegisterBankView> register_banks() {
  const SimulationContext context;
  ParameterGroup root("codegen");
  const SocParameters parameters(&root);
  Soc::Mode mode;
  mode.fast = true;  // one module for all PEs
  mode.data = mode.power = false;
  const Soc soc("soc", parameters, mode);
  const std::map<std::string, const RegisterBank*> banks{
#define BVP_TARGET(name, socket, base, span, description) {#name, bank_of(soc.name)},
#include "platform/soc/blocks.def"
  };
  std::vector<RegisterBankView> views;
  for (const MemoryRegion& region : memory_regions()) {
    if (const RegisterBank* const bank = banks.at(region.name)) views.push_back(view_of(*bank, region));
  }
  return views;
}

}  // namespace bvp
