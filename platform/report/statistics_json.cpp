// SPDX-License-Identifier: Apache-2.0
#include "platform/report/statistics_json.h"

namespace bvp {

nlohmann::json statistics_json(const StatGroup& group) {
  nlohmann::json tree = nlohmann::json::object();
  for (const Counter* counter : group.counters()) tree[counter->name()] = counter->value();
  for (const StatGroup* child : group.children()) {
    std::string name = child->name();
    while (tree.contains(name)) name += '_';
    tree[name] = statistics_json(*child);
  }
  return tree;
}

}  // namespace bvp
