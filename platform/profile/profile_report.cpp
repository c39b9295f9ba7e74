// SPDX-License-Identifier: Apache-2.0
#include "platform/profile/profile_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "platform/support/json_text.h"
#include "platform/support/text_table.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;
using Cost = Profiler::Cost;

double share(u64 part, u64 whole) { return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole); }

}  // namespace

Cost ProfileReport::total() const {
  Cost sum;
  for (const Profiler::StackRow& stack : profiler.stacks()) sum += stack.self;
  return sum;
}

double ProfileReport::energy_share(const Cost& cost, const Cost& total) const {
  double all = 0, own = 0;
  for (const auto& [action, joules] : energy_j) {
    const bool by_instruction = action == "instruction";
    all += joules;
    own += joules * (by_instruction ? share(cost.instructions, total.instructions)
                                    : share(cost.busy + cost.asleep, total.busy + total.asleep));
  }
  return all == 0 ? 0 : own / all;
}

std::string ProfileReport::table(std::size_t width) const {
  constexpr std::size_t most_rows = 20;
  const Cost sum = total();
  std::vector<TextTable::Column> columns{{"function"},           {"self", "cycles"},      {"", "%", 1},
                                         {"all", "cycles", 2},   {"instructions", "", 3}, {"calls", "", 4},
                                         {"asleep", "cycles", 5}};
  if (!energy_j.empty()) columns.push_back({"energy", "%", 6});
  TextTable table(columns);
  const auto functions = profiler.functions();
  const auto add = [&](const std::string& name, const Cost& self, const Cost& all, const std::string& calls) {
    std::vector<std::string> row{name,
                                 fmt::format("{}", self.busy / cycle),
                                 fmt::format("{:.1f}", 100 * share(self.busy, sum.busy)),
                                 fmt::format("{}", all.busy / cycle),
                                 fmt::format("{}", self.instructions),
                                 calls,
                                 fmt::format("{}", self.asleep / cycle)};
    if (!energy_j.empty()) row.push_back(fmt::format("{:.1f}", 100 * energy_share(self, sum)));
    table.add(std::move(row));
  };
  Cost rest;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const Profiler::FunctionRow& row = functions[i];
    if (i < most_rows) {
      add(row.name, row.self, row.with_callees, fmt::format("{}", row.calls));
    } else {
      rest += row.self;
    }
  }
  if (functions.size() > most_rows) add(fmt::format("{} others", functions.size() - most_rows), rest, rest, "");
  return table.text(width);
}

std::string ProfileReport::json() const {
  const Cost sum = total();
  const auto cost_json = [&](const Cost& cost) {
    return Json{
        {"cycles", cost.busy / cycle}, {"asleep_cycles", cost.asleep / cycle}, {"instructions", cost.instructions}};
  };
  Json all{{"total", cost_json(sum)}, {"functions", Json::array()}, {"stacks", Json::array()}};
  for (const Profiler::FunctionRow& row : profiler.functions()) {
    Json function{{"name", row.name},
                  {"calls", row.calls},
                  {"self", cost_json(row.self)},
                  {"with_callees", cost_json(row.with_callees)}};
    if (!energy_j.empty()) function["energy_share"] = energy_share(row.self, sum);
    all["functions"].push_back(std::move(function));
  }
  for (const Profiler::StackRow& row : profiler.stacks()) {
    Json stack = cost_json(row.self);
    stack["functions"] = row.names;
    all["stacks"].push_back(std::move(stack));
  }
  return json_text(all);
}

std::string ProfileReport::folded() const {
  std::string text;
  for (const Profiler::StackRow& row : profiler.stacks()) {
    const std::string stack = fmt::format("{}", fmt::join(row.names, ";"));
    if (row.self.busy >= cycle) text += fmt::format("{} {}\n", stack, row.self.busy / cycle);
    if (row.self.asleep >= cycle) text += fmt::format("{};[asleep] {}\n", stack, row.self.asleep / cycle);
  }
  return text;
}

}  // namespace bvp
