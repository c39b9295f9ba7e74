// SPDX-License-Identifier: Apache-2.0
#include "platform/network/mixing.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace bvp {

namespace mixings {
#define BVP_ENTRY(name) MixingDeclaration name();
#include "platform_operators.list"
#undef BVP_ENTRY
}  // namespace mixings

namespace {

struct Entry {
  const char* name = "";
  MixingDeclaration declaration;
};

/// In the order of the enumeration.
const std::vector<Entry>& entries() {
  static const std::vector<Entry> all{
#define BVP_ENTRY(name) {#name, mixings::name()},
#include "platform_operators.list"
#undef BVP_ENTRY
  };
  return all;
}

const Entry& entry_of(Mixing mixing) { return entries().at(static_cast<std::size_t>(mixing)); }

}  // namespace

const MixingDeclaration& declaration_of(Mixing mixing) { return entry_of(mixing).declaration; }

const char* name_of(Mixing mixing) { return entry_of(mixing).name; }

const std::vector<Mixing>& all_mixings() {
  static const std::vector<Mixing> by_place = [] {
    std::vector<Mixing> all;
    for (std::size_t i = 0; i < entries().size(); ++i) all.push_back(static_cast<Mixing>(i));
    std::stable_sort(all.begin(), all.end(),
                     [](Mixing a, Mixing b) { return declaration_of(a).place < declaration_of(b).place; });
    return all;
  }();
  return by_place;
}

Mixing mixing_of(const std::string& name) {
  for (const Mixing mixing : all_mixings()) {
    if (name == name_of(mixing)) return mixing;
  }
  throw std::invalid_argument(fmt::format("there is no mixing '{}'", name));
}

bool attends(const EncoderLayer& layer) { return declaration_of(layer.mixing).attends; }

const ParamValue& mixing_value(const EncoderLayer& layer, const std::string& parameter) {
  const auto given = layer.values.find(parameter);
  if (given != layer.values.end()) return given->second;
  for (const MixingParameter& declared : declaration_of(layer.mixing).parameters) {
    if (declared.name == parameter) return declared.initial;
  }
  throw std::invalid_argument(fmt::format("{} has no parameter '{}'", name_of(layer.mixing), parameter));
}

u64 mixing_number(const EncoderLayer& layer, const std::string& parameter) {
  return static_cast<u64>(std::get<i64>(mixing_value(layer, parameter)));
}

const std::string& mixing_text(const EncoderLayer& layer, const std::string& parameter) {
  return std::get<std::string>(mixing_value(layer, parameter));
}

std::shared_ptr<const AttentionPattern> pattern_of(const EncoderLayer& layer, u64 tokens) {
  const auto make = declaration_of(layer.mixing).pattern;
  if (make == nullptr) throw std::invalid_argument(fmt::format("{} has no pattern", name_of(layer.mixing)));
  return make(layer, tokens);
}

void add_projections(std::vector<TensorSpec>& specs, const std::string& layer_name, const Network& network,
                     const EncoderLayer& layer) {
  for (const char* part : {"query", "key", "value", "output"}) {
    add_linear(specs, fmt::format("{}.attention.{}", layer_name, part), layer.projections, network.hidden,
               network.hidden);
  }
}

}  // namespace bvp
