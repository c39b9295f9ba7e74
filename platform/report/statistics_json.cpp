// SPDX-License-Identifier: Apache-2.0
#include "platform/report/statistics_json.h"

#include <fmt/format.h>

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

namespace {

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + '"';
}

void add_lines(const StatGroup& group, const std::string& path, std::string& out) {
  for (const Counter* counter : group.counters()) {
    out += fmt::format("{}{},{},{},{}\n", path, counter->name(), counter->value(), counter->unit(),
                       quoted(counter->description()));
  }
  for (const StatGroup* child : group.children()) add_lines(*child, path + child->name() + ".", out);
}

}  // namespace

std::string statistics_csv(const StatGroup& group) {
  std::string out = "counter,value,unit,description\n";
  add_lines(group, "", out);
  return out;
}

}  // namespace bvp
