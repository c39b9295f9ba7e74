// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/export.h"

#include <fmt/format.h>

#include <set>

#include "platform/explore/figure_values.h"
#include "platform/metrics/figures.h"
#include "platform/support/json_text.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

/// A cell as RFC 4180 has it.
std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string cell(const Json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return cell(value.get<std::string>());
  return cell(value.dump());
}

std::vector<std::string> axis_keys(const Json& definition) {
  std::vector<std::string> keys;
  for (const Json& axis : definition.at("axes")) {
    for (const Json& key : axis.at("keys")) keys.push_back(key.get<std::string>());
  }
  return keys;
}

std::vector<std::pair<std::string, Json>> figures_of(const PointRow& row) {
  return row.figures.empty() ? std::vector<std::pair<std::string, Json>>{} : flat_figures(Json::parse(row.figures));
}

/// All names, in the order of the figures and, within one, of the alphabet: points may have kernels of their own.
std::vector<std::string> columns_of(const SweepStore& store) {
  std::map<std::string, std::set<std::string>> by_figure;
  store.for_each(false, [&](const PointRow& row) {
    for (const auto& [name, value] : figures_of(row)) by_figure[name.substr(0, name.find('.'))].insert(name);
  });
  std::vector<std::string> columns;
  for (const Figure& figure : figures()) {
    const auto found = by_figure.find(figure.key);
    if (found != by_figure.end()) columns.insert(columns.end(), found->second.begin(), found->second.end());
  }
  return columns;
}

}  // namespace

void export_csv(const SweepStore& store, std::ostream& out) {
  const std::vector<std::string> keys = axis_keys(store.definition()), columns = columns_of(store);
  out << "point,outcome,reason";
  for (const std::string& key : keys) out << ',' << cell(key);
  for (const std::string& column : columns) out << ',' << cell(column);
  out << ",host_seconds,host_name,host_finished,host_command\n";
  store.for_each(false, [&](const PointRow& row) {
    out << row.point.number << ',' << outcome_name(row.point.outcome) << ',' << cell(row.point.reason);
    for (const std::string& key : keys) out << ',' << cell(row.point.values.value(key, std::string()));
    std::map<std::string, std::string> cells;
    for (const auto& [name, value] : figures_of(row)) cells[name] = cell(value);
    for (const std::string& column : columns) out << ',' << cells[column];
    out << fmt::format(",{},{},{},{}\n", row.finished.empty() ? "" : fmt::format("{}", row.host_seconds),
                       cell(row.host), row.finished, cell(command_of(row.point)));
  });
}

void export_json(const SweepStore& store, std::ostream& out) {
  Json units = Json::object();
  for (const Figure& figure : figures()) units[figure.key] = {{"unit", figure.unit}, {"sentence", figure.sentence}};
  Json provenance = store.provenance();
  const Json host_run = provenance["host_run"];
  provenance.erase("host_run");
  out << "{\n\"sweep\": " << json_text(store.definition(), -1) << ",\n\"build\": " << json_text(provenance, -1)
      << ",\n\"figures\": " << json_text(units, -1) << ",\n\"points\": [";
  const char* separator = "\n";
  store.for_each(true, [&](const PointRow& row) {
    Json point{{"point", row.point.number},
               {"outcome", outcome_name(row.point.outcome)},
               {"reason", row.point.reason},
               {"values", row.point.values}};
    Json all = row.figures.empty() ? Json(nullptr) : Json::parse(row.figures);
    if (!row.details.empty()) all.update(Json::parse(row.details));
    point["figures"] = std::move(all);
    point["host"] = {{"seconds", row.host_seconds},
                     {"name", row.host},
                     {"finished", row.finished},
                     {"command", command_of(row.point)}};
    std::string line = json_text(point, -1);
    line.pop_back();
    out << separator << line;
    separator = ",\n";
  });
  out << "\n],\n\"host\": " << json_text(host_run, -1) << "}\n";
}

}  // namespace bvp
