// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/definition.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <set>
#include <sstream>

#include "platform/config/describe_parameter.h"
#include "platform/config/yaml_document.h"
#include "platform/config/yaml_values.h"
#include "platform/explore/axis_values.h"
#include "platform/explore/estimates.h"
#include "platform/explore/figure_values.h"
#include "platform/explore/point_source.h"
#include "platform/explore/search.h"
#include "platform/metrics/figures.h"
#include "platform/support/input_file.h"
#include "platform/support/nearest.h"
#include "platform/support/printable.h"
#include "platform/support/problems.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t most_axes = 64;

bool has_key(const YAML::Node& map, const char* key) {
  return map.IsMap() && std::any_of(map.begin(), map.end(), [&](const auto& pair) {
           return pair.first.IsScalar() && pair.first.Scalar() == key;
         });
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  if (!text.empty() && text.back() == at) parts.emplace_back();
  return parts;
}

/// Keys that choose a file of values or a list; the reader of scenarios checks their values.
bool is_special(const std::string& key) {
  return key == scenario_axis_key || key == "soc.preset" || key == "network.preset" ||
         key.rfind("network.layers", 0) == 0;
}

/// The text of a node: of a scalar its own; of a list or a map YAML on one line.
std::string text_of(const YAML::Node& node) {
  if (node.IsScalar()) return node.Scalar();
  YAML::Emitter out;
  out.SetSeqFormat(YAML::Flow);
  out.SetMapFormat(YAML::Flow);
  out << node;
  return out.c_str();
}

class Reader {
 public:
  Reader(const SweepArguments& arguments, const ScenarioOptions& options) : arguments_(arguments), options_(options) {}

  SweepDefinition read() {
    definition_.sets = arguments_.sets;
    const std::string file = arguments_.find_scenario(arguments_.file);
    label_ = file;
    read_file(file);
    problems_.report();
    for (const std::string& axis : arguments_.axes) read_argument(axis);
    read_formulas("--constraint", arguments_.constraints);
    for (const std::string& text : arguments_.minimise) add_objective("--minimise", text, true);
    for (const std::string& text : arguments_.maximise) add_objective("--maximise", text, false);
    if (arguments_.method) read_method("--sampling", *arguments_.method);
    if (arguments_.points) sampling_.points = arguments_.points;
    if (arguments_.seed) definition_.sampling.seed = *arguments_.seed;
    if (arguments_.population) sampling_.population = arguments_.population;
    if (arguments_.minutes) sampling_.minutes = arguments_.minutes;
    if (definition_.objectives.empty()) {
      add_objective(label_, "time_s", true);
      add_objective(label_, "energy_j", true);
    }
    if (definition_.axes.empty() && problems_.none()) {
      problems_.add(label_, "axes", "no axis; expected KEY=VALUES, for example soc.dma.outstanding=4,8,16");
    }
    check_axes();
    check_sampling();
    problems_.report();
    check_base();
    return std::move(definition_);
  }

 private:
  void read_file(const std::string& file) {
    const std::string text = read_input_stream(file, yaml_file_limit);
    const YAML::Node root = parse_yaml(text, label_, problems_);
    if (!root.IsMap()) return;
    definition_.name = fs::path(file).stem().string();
    if (!has_key(root, "axes") && !has_key(root, "base")) {
      definition_.base = arguments_.file;  // a scenario
      definition_.files[definition_.base] = file;
      return;
    }
    directory_ = fs::path(file).parent_path();
    read_map(root, "",
             {{"name", [&](const YAML::Node& node) { definition_.name = scalar(node, "name"); }},
              {"base", [&](const YAML::Node& node) { read_base(node); }},
              {"set", [&](const YAML::Node& node) { read_sets(node); }},
              {"axes", [&](const YAML::Node& node) { read_axes(node, "axes"); }},
              {"workloads", [&](const YAML::Node& node) { read_axes(node, "workloads"); }},
              {"constraints", [&](const YAML::Node& node) { read_constraints(node); }},
              {"objectives", [&](const YAML::Node& node) { read_objectives(node); }},
              {"sampling", [&](const YAML::Node& node) { read_sampling(node); }}});
    if (!has_key(root, "base"))
      problems_.add(label_, "base", "is missing; expected the file or the name of a scenario");
  }

  using Handlers = std::vector<std::pair<std::string, std::function<void(const YAML::Node&)>>>;

  [[nodiscard]] std::string at(const YAML::Node& node) const { return yaml_place(label_, node.Mark()); }

  void read_map(const YAML::Node& map, const std::string& path, const Handlers& handlers) {
    std::vector<std::string> known;
    for (const auto& [key, handler] : handlers) known.push_back(key);
    if (!map.IsMap()) {
      return problems_.add(at(map), path, "found {}, expected a map with the keys: {}", kind_of(map),
                           fmt::join(known, ", "));
    }
    std::set<std::string> seen;
    for (const auto& pair : map) {
      const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : kind_of(pair.first);
      const std::string full = path.empty() ? key : path + "." + key;
      if (!seen.insert(key).second) {
        problems_.add(at(pair.first), full, "the key appears twice in this map");
        continue;
      }
      const auto handler =
          std::find_if(handlers.begin(), handlers.end(), [&](const auto& h) { return h.first == key; });
      if (handler == handlers.end()) {
        const std::string near = nearest_word(key, known);
        problems_.add(at(pair.first), printable(full), "unknown key{}; expected one of: {}",
                      near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(known, ", "));
        continue;
      }
      handler->second(pair.second);
    }
  }

  std::string scalar(const YAML::Node& node, const std::string& key) {
    if (node.IsScalar() && !node.Scalar().empty()) return node.Scalar();
    problems_.add(at(node), key, "found {}, expected a text", kind_of(node));
    return {};
  }

  std::optional<double> number(const YAML::Node& node, const std::string& key) {
    double value = 0;
    if (node.IsScalar() && !is_quoted(node) && YAML::convert<double>::decode(node, value)) return value;
    problems_.add(at(node), key, "found {}, expected a number", kind_of(node));
    return std::nullopt;
  }

  std::optional<u64> count(const YAML::Node& node, const std::string& key) {
    if (node.IsScalar() && !is_quoted(node)) {
      if (const std::optional<i64> value = parse_integer(node.Scalar()); value && *value >= 0) {
        return static_cast<u64>(*value);
      }
    }
    problems_.add(at(node), key, "found {}, expected an integer of at least 0", kind_of(node));
    return std::nullopt;
  }

  std::vector<YAML::Node> list(const YAML::Node& node, const std::string& key) {
    if (!node.IsSequence()) {
      problems_.add(at(node), key, "found {}, expected a list", kind_of(node));
      return {};
    }
    return {node.begin(), node.end()};
  }

  /// A scenario is looked for beside the sweep first.
  void find_scenario(const std::string& given) {
    std::error_code ignored;
    const fs::path beside = directory_ / given;
    const bool is_beside = !directory_.empty() && fs::is_regular_file(beside, ignored);
    definition_.files[given] = is_beside ? beside.string() : arguments_.find_scenario(given);
  }

  /// The value of a key in the file. Files are looked for beside the sweep first, as scenarios are.
  [[nodiscard]] std::string value_of(const std::string& key, const YAML::Node& node) const {
    std::string text = text_of(node);
    constexpr std::array<const char*, 5> paths{"run.weights", "run.input", "run.dataset", "run.firmware",
                                               "energy.profile"};
    if (text.empty() || directory_.empty() || std::find(paths.begin(), paths.end(), key) == paths.end()) return text;
    std::error_code ignored;
    const fs::path beside = (directory_ / text).lexically_normal();
    return fs::is_regular_file(beside, ignored) ? beside.string() : text;
  }

  void read_base(const YAML::Node& node) {
    const std::string given = scalar(node, "base");
    if (given.empty()) return;
    try {
      find_scenario(given);
      definition_.base = given;
    } catch (const InputError& error) {
      problems_.add(at(node), "base", "{}", error.what());
    }
  }

  void read_sets(const YAML::Node& node) {
    if (!node.IsMap()) return problems_.add(at(node), "set", "found {}, expected a map of keys", kind_of(node));
    std::vector<Override> sets;
    for (const auto& pair : node) {
      const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
      Override override{key, value_of(key, pair.second), fmt::format("{}: set {}", at(pair.first), printable(key))};
      check_value(override.label, key, override.value);
      sets.push_back(std::move(override));
    }
    // The command line decides over the file.
    sets.insert(sets.end(), definition_.sets.begin(), definition_.sets.end());
    definition_.sets = std::move(sets);
  }

  void read_axes(const YAML::Node& node, const std::string& name) {
    for (const YAML::Node& entry : list(node, name)) read_axis(entry, name);
  }

  void read_axis(const YAML::Node& node, const std::string& name) {
    Axis axis;
    axis.place = at(node);
    axis.workload = name == "workloads";
    std::optional<YAML::Node> values, range, powers, log, linked, scenarios;
    const auto keep = [](std::optional<YAML::Node>& place) {
      return [&place](const YAML::Node& found) { place = found; };
    };
    std::string key;
    read_map(node, name,
             {{"key", [&](const YAML::Node& found) { key = scalar(found, name + ".key"); }},
              {"values", keep(values)},
              {"range", keep(range)},
              {"powers_of_two", keep(powers)},
              {"log", keep(log)},
              {"linked", keep(linked)},
              {"scenario", keep(scenarios)}});
    const int kinds = static_cast<int>(values.has_value()) + static_cast<int>(range.has_value()) +
                      static_cast<int>(powers.has_value()) + static_cast<int>(log.has_value()) +
                      static_cast<int>(linked.has_value()) + static_cast<int>(scenarios.has_value());
    if (kinds != 1) {
      return problems_.add(axis.place, name,
                           "found {} of values, range, powers_of_two, log, linked and scenario, expected one", kinds);
    }
    const bool needs_key = !linked && !scenarios;
    if (needs_key == key.empty()) {
      return problems_.add(axis.place, name, "{}", needs_key ? "no key; expected key: KEY" : "has a key of its own");
    }
    if (linked) return read_linked(*linked, std::move(axis));
    axis.keys = {scenarios ? scenario_axis_key : key};
    const ParamBase* parameter = scenarios ? nullptr : find_parameter(tree_, key);
    try {
      if (values || scenarios) {
        for (const YAML::Node& value : list(values ? *values : *scenarios, name + ".values")) {
          axis.positions.push_back({value_of(key, value)});
        }
      } else {
        read_range(range, powers, log, parameter, axis);
      }
    } catch (const InputError& error) {
      return problems_.add(axis.place, key, "{}", error.what());
    }
    add_axis(std::move(axis));
  }

  void read_range(const std::optional<YAML::Node>& range, const std::optional<YAML::Node>& powers,
                  const std::optional<YAML::Node>& log, const ParamBase* parameter, Axis& axis) {
    std::optional<double> from, to, step;
    std::optional<u64> points;
    const YAML::Node& node = range ? *range : powers ? *powers : *log;
    Handlers handlers{{"from", [&](const YAML::Node& found) { from = number(found, "axes.from"); }},
                      {"to", [&](const YAML::Node& found) { to = number(found, "axes.to"); }}};
    if (range) handlers.emplace_back("step", [&](const YAML::Node& found) { step = number(found, "axes.step"); });
    if (log) handlers.emplace_back("points", [&](const YAML::Node& found) { points = count(found, "axes.points"); });
    read_map(node, "axes", handlers);
    if (!from || !to) throw InputError("a range needs from and to, both numbers");
    std::vector<std::string> values;
    if (powers) {
      values = powers_of_two(*from, *to, parameter);
    } else if (log && points) {
      values = logarithmic(*from, *to, *points, parameter);
    } else if (step) {
      values = stepped(*from, *to, *step, parameter);
    } else {
      if (!(*from <= *to) || (log && !(*from > 0))) {
        throw InputError(fmt::format("the range from {} to {} is empty; expected the lower end first{}", *from, *to,
                                     log ? ", above 0" : ""));
      }
      axis.range = Axis::Range{*from, *to, log.has_value()};
    }
    for (const std::string& value : values) axis.positions.push_back({value});
  }

  void read_linked(const YAML::Node& node, Axis axis) {
    if (!node.IsMap()) {
      return problems_.add(at(node), "axes.linked", "found {}, expected a map of keys with lists of the same length",
                           kind_of(node));
    }
    std::optional<std::size_t> length;
    for (const auto& pair : node) {
      const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
      const std::vector<YAML::Node> values = list(pair.second, "axes.linked." + key);
      if (length && values.size() != *length) {
        return problems_.add(at(pair.first), "axes.linked." + printable(key), "found {} values, expected {} as above",
                             values.size(), *length);
      }
      length = values.size();
      axis.keys.push_back(key);
      axis.positions.resize(*length);
      for (std::size_t i = 0; i < *length; ++i) axis.positions[i].push_back(value_of(key, values[i]));
    }
    add_axis(std::move(axis));
  }

  /// Reads "KEY=VALUES", or "KEY+KEY=V:V,..." of keys that vary together.
  void read_argument(const std::string& text) {
    Axis axis;
    axis.place = fmt::format("axis {}", printable(text));
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return problems_.add(axis.place, "", "expected KEY=VALUES, for example soc.dma.outstanding=4,8,16");
    }
    axis.keys = split(text.substr(0, equals), '+');
    const std::string values = text.substr(equals + 1);
    try {
      if (axis.keys.size() == 1) {
        AxisValues found = parse_axis_values(values, find_parameter(tree_, axis.keys.front()));
        axis.range = found.range;
        for (std::string& value : found.list) axis.positions.push_back({std::move(value)});
      } else {
        for (const std::string& item : split(values, ',')) {
          std::vector<std::string> position = split(item, ':');
          if (position.size() == 1) position.resize(axis.keys.size(), position.front());
          if (position.size() != axis.keys.size()) {
            throw InputError(fmt::format("found {} values in '{}', expected one for all keys, or {} with ':' between",
                                         position.size(), printable(item), axis.keys.size()));
          }
          for (std::size_t i = 0; i < position.size(); ++i) {
            const AxisValues one = parse_axis_values(position[i], find_parameter(tree_, axis.keys[i]));
            if (one.list.size() != 1) throw InputError("keys that vary together take single values, not ranges");
            position[i] = one.list.front();
          }
          axis.positions.push_back(std::move(position));
        }
      }
    } catch (const InputError& error) {
      return problems_.add(axis.place, "", "{}", error.what());
    }
    add_axis(std::move(axis));
  }

  void add_axis(Axis axis) {
    if (axis.positions.empty() && !axis.range) {
      return problems_.add(axis.place, axis.name(), "the axis is empty; expected at least one value");
    }
    if (axis.workload && axis.range) {
      return problems_.add(axis.place, axis.name(),
                           "found a range of any number, expected values: each design runs all");
    }
    std::set<std::vector<std::string>> seen;
    for (const std::vector<std::string>& position : axis.positions) {
      if (!seen.insert(position).second) {
        return problems_.add(axis.place, axis.name(), "has the value {} twice", fmt::join(position, ":"));
      }
      for (std::size_t i = 0; i < axis.keys.size(); ++i) {
        if (axis.keys[i] == scenario_axis_key) {
          try {
            find_scenario(position[i]);
          } catch (const InputError& error) {
            problems_.add(axis.place, "scenario", "{}", error.what());
          }
        } else {
          check_value(axis.place, axis.keys[i], position[i]);
        }
      }
      // One mistake in the key would come back for every value.
      if (problems_.name(axis.keys.front())) break;
    }
    if (axis.range) check_range(axis);
    definition_.axes.push_back(std::move(axis));
  }

  void check_range(const Axis& axis) {
    const ParamBase* parameter = find_parameter(tree_, axis.keys.front());
    if (parameter == nullptr || (parameter->type() != ParamType::integer && parameter->type() != ParamType::real)) {
      return check_value(axis.place, axis.keys.front(), axis_text(axis.range->from, nullptr));
    }
    for (const double end : {axis.range->from, axis.range->to}) {
      check_value(axis.place, axis.keys.front(), axis_text(end, parameter));
    }
  }

  /// Checks a key and a value by themselves; whether they fit the rest of the scenario is a matter of each point.
  void check_value(const std::string& place, const std::string& key, const std::string& text) {
    if (is_special(key)) return;
    ParamBase* parameter = find_parameter(tree_, key);
    if (parameter == nullptr) return unknown_key(place, key);
    const std::optional<ParamValue> value = parse_value(*parameter, text, false);
    try {
      if (value) return parameter->assign(*value);
    } catch (const ParamError&) {
      // The message below says what is accepted.
    }
    const std::string near = nearest_word(text, parameter->choices());
    problems_.add(place, key, "found '{}', expected {}{}", printable(text), expected_value(*parameter),
                  near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
  }

  void unknown_key(const std::string& place, const std::string& key) {
    std::vector<std::string> known;
    collect_keys(tree_, "", known);
    std::string hint = nearest_word(key, known);
    // A key without its groups: lanes for soc.array.lanes.
    for (const std::string& candidate : known) {
      const std::string end = "." + key.substr(key.rfind('.') + 1);
      if (candidate.size() > end.size() && candidate.compare(candidate.size() - end.size(), end.size(), end) == 0) {
        hint = candidate;
        break;
      }
    }
    problems_.add(place, printable(key), "unknown key{}; `butterfly-vp describe` lists all keys",
                  hint.empty() ? "" : fmt::format(", did you mean '{}'?", hint));
  }

  static void collect_keys(const ParameterGroup& group, const std::string& path, std::vector<std::string>& keys) {
    for (const ParamBase* parameter : group.parameters()) keys.push_back(path + parameter->name());
    for (const ParameterGroup* child : group.groups()) collect_keys(*child, path + child->name() + ".", keys);
  }

  void read_constraints(const YAML::Node& node) {
    for (const YAML::Node& entry : list(node, "constraints")) {
      if (const std::string text = scalar(entry, "constraints"); !text.empty()) read_formulas(at(entry), {text});
    }
  }

  void read_formulas(const std::string& place, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      if (std::optional<Expression> formula = expression(place, "constraints", text)) {
        definition_.constraints.push_back(std::move(*formula));
      }
    }
  }

  void read_objectives(const YAML::Node& node) {
    for (const YAML::Node& entry : list(node, "objectives")) {
      const auto add = [&](bool minimise) {
        return [this, minimise](const YAML::Node& found) {
          if (const std::string text = scalar(found, "objectives"); !text.empty()) {
            add_objective(at(found), text, minimise);
          }
        };
      };
      read_map(entry, "objectives", {{"minimise", add(true)}, {"maximise", add(false)}});
    }
  }

  void add_objective(const std::string& place, const std::string& text, bool minimise) {
    if (std::optional<Expression> formula = expression(place, "objectives", text)) {
      definition_.objectives.push_back({std::move(*formula), minimise});
    }
  }

  std::optional<Expression> expression(const std::string& place, const std::string& key, const std::string& text) {
    try {
      Expression formula(text);
      for (const std::string& name : formula.names()) check_name(place, key, name);
      return formula;
    } catch (const ExpressionError& error) {
      problems_.add(place, key, "{}", error.what());
      return std::nullopt;
    }
  }

  void check_name(const std::string& place, const std::string& key, const std::string& name) {
    if (find_parameter(tree_, name) != nullptr || find_estimate(name) != nullptr || is_figure_name(name)) return;
    std::vector<std::string> known;
    collect_keys(tree_, "", known);
    for (const Estimate& estimate : estimates()) known.push_back(estimate.name);
    for (const Figure& figure : figures()) known.push_back(figure.key);
    const std::string near = nearest_word(name, known);
    problems_.add(place, key,
                  "unknown name '{}'{}; expected a key of the scenario, a figure of summary.json or one of: {}; words "
                  "stand in quotes",
                  printable(name), near.empty() ? "" : fmt::format(", did you mean '{}'?", near), names_of_estimates());
  }

  static std::string names_of_estimates() {
    std::vector<std::string> names;
    for (const Estimate& estimate : estimates()) names.push_back(estimate.name);
    return fmt::format("{}", fmt::join(names, ", "));
  }

  void read_sampling(const YAML::Node& node) {
    read_map(
        node, "sampling",
        {{"method", [&](const YAML::Node& found) { read_method(at(found), scalar(found, "sampling.method")); }},
         {"points", [&](const YAML::Node& found) { sampling_.points = count(found, "sampling.points"); }},
         {"seed",
          [&](const YAML::Node& found) { definition_.sampling.seed = count(found, "sampling.seed").value_or(1); }},
         {"population", [&](const YAML::Node& found) { sampling_.population = count(found, "sampling.population"); }},
         {"minutes", [&](const YAML::Node& found) { sampling_.minutes = number(found, "sampling.minutes"); }}});
  }

  void read_method(const std::string& place, const std::string& name) {
    const std::vector<std::string>& methods = sampling_methods();
    const auto found = std::find(methods.begin(), methods.end(), name);
    if (found == methods.end()) {
      return problems_.add(place, "sampling", "found '{}', expected one of: {}", printable(name),
                           fmt::join(methods, ", "));
    }
    definition_.sampling.method = static_cast<Sampling::Method>(found - methods.begin());
  }

  void check_axes() {
    if (definition_.axes.size() > most_axes) {
      problems_.add(label_, "axes", "found {} axes, expected at most {}", definition_.axes.size(), most_axes);
    }
    std::set<std::string> keys;
    for (const Axis& axis : definition_.axes) {
      for (const std::string& key : axis.keys) {
        if (!keys.insert(key).second) problems_.add(axis.place, key, "is on two axes");
        const bool is_set = std::any_of(definition_.sets.begin(), definition_.sets.end(),
                                        [&](const Override& set) { return set.key == key; });
        if (is_set) problems_.add(axis.place, key, "is on an axis and is set, too; expected one of them");
      }
    }
  }

  void check_sampling() {
    Sampling& sampling = definition_.sampling;
    sampling.points = sampling_.points.value_or(0);
    if (!problems_.none()) return;
    if (const SearchMethod* method = find_search_method(sampling.method)) return check_search(*method);
    const std::string& name = sampling_methods()[static_cast<std::size_t>(sampling.method)];
    if (sampling_.population || sampling_.minutes) {
      problems_.add(label_, sampling_.population ? "sampling.population" : "sampling.minutes",
                    "is for a search (nsga2, gaco) only; the method is {}", name);
    }
    if (sampling.method == Sampling::Method::grid) return check_grid();
    if (sampling.points == 0 || sampling.points > most_points) {
      problems_.add(label_, "sampling.points", "found {}, expected 1 to {} for the method {}", sampling.points,
                    most_points, name);
    }
  }

  void check_search(const SearchMethod& method) {
    Sampling& sampling = definition_.sampling;
    constexpr u64 usual_population = 20;
    constexpr double most_minutes = 1e6;
    sampling.population = sampling_.population.value_or(usual_population);
    sampling.minutes = sampling_.minutes.value_or(0);
    const bool has_points = sampling.points > 0 && sampling.points <= most_points;
    const bool has_minutes = sampling.minutes > 0 && sampling.minutes <= most_minutes;
    if (sampling_.points ? !has_points : !sampling_.minutes) {
      problems_.add(label_, "sampling.points", "found {}, expected 1 to {}, or sampling.minutes, for the search {}",
                    sampling_.points ? fmt::format("{}", sampling.points) : "none", most_points, method.name);
    }
    if (sampling_.minutes && !has_minutes) {
      problems_.add(label_, "sampling.minutes", "found {:g}, expected more than 0 and at most {:g}", sampling.minutes,
                    most_minutes);
    }
    if (sampling.population < method.least_population || sampling.population % method.population_step != 0) {
      problems_.add(label_, "sampling.population", "found {}, expected {}at least {} for the search {}",
                    sampling.population,
                    method.population_step == 1 ? "" : fmt::format("a multiple of {}, ", method.population_step),
                    method.least_population, method.name);
    } else if (const u64 most = has_points ? sampling.points : most_points; sampling.population > most) {
      problems_.add(label_, "sampling.population",
                    "found {}, expected at most the {} points of the search; give more points or a smaller population",
                    sampling.population, most);
    }
    const std::size_t objectives = definition_.objectives.size();
    if (objectives < method.least_objectives || objectives > method.most_objectives) {
      problems_.add(label_, "objectives", "found {}, expected {} for {}, {}; {}", objectives,
                    method.least_objectives == method.most_objectives
                        ? fmt::format("{}", method.least_objectives)
                        : fmt::format("{} to {}", method.least_objectives, method.most_objectives),
                    method.name, method.what,
                    objectives == 1 ? "take gaco for one" : "make one formula of several, or take another method");
    }
    const PointSource source(definition_);
    bool varies = false;
    for (const u64 values : source.space()) varies |= values != 1;
    if (!varies) problems_.add(label_, "axes", "every axis has one value; a search needs one with more");
  }

  void check_grid() {
    if (definition_.sampling.points != 0) {
      problems_.add(label_, "sampling.points", "is for {} only; a grid has all combinations",
                    fmt::join(sampling_methods().begin() + 1, sampling_methods().end(), ", "));
    }
    double points = 1;
    for (const Axis& axis : definition_.axes) {
      if (axis.range) {
        problems_.add(axis.place, axis.name(),
                      "a grid cannot take every number from {} to {}; expected a step (FROM..TO:STEP) or a number of "
                      "values (FROM..TO@N), or another method of sampling",
                      axis.range->from, axis.range->to);
      } else {
        points *= static_cast<double>(axis.positions.size());
      }
    }
    if (points > static_cast<double>(most_points)) {
      problems_.add(label_, "axes",
                    "the grid has {:.4g} points, expected at most {}; take fewer values, or sample: --sampling sobol "
                    "--points 1000",
                    points, most_points);
    }
  }

  /// The base must be a scenario by itself, with what is set.
  void check_base() const {
    ScenarioOptions options = options_;
    options.overrides = definition_.sets;
    static_cast<void>(read_scenario(definition_.files.at(definition_.base), options));
  }

  const SweepArguments& arguments_;
  const ScenarioOptions& options_;
  Scenario tree_;  // all keys; its values are those that were checked last
  SweepDefinition definition_;
  Problems problems_;
  struct {
    std::optional<u64> points, population;
    std::optional<double> minutes;
  } sampling_;  // as it is given
  std::string label_;
  fs::path directory_;
};

}  // namespace

std::string Axis::name() const { return fmt::format("{}", fmt::join(keys, "+")); }

const std::vector<std::string>& sampling_methods() {
  static const std::vector<std::string> all{"grid", "random", "latin_hypercube", "sobol", "nsga2", "gaco"};
  return all;
}

ParamBase* find_parameter(const ParameterGroup& root, const std::string& key) {
  const ParameterGroup* group = &root;
  std::size_t begin = 0;
  for (std::size_t dot = 0; (dot = key.find('.', begin)) != std::string::npos; begin = dot + 1) {
    group = group->find_group(key.substr(begin, dot - begin));
    if (group == nullptr) return nullptr;
  }
  return group->find_parameter(key.substr(begin));
}

bool is_sweep_file(const std::string& file) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return false;
  try {
    Problems problems;
    const YAML::Node root = parse_yaml(read_input_stream(file, yaml_file_limit), file, problems);
    return has_key(root, "axes") || has_key(root, "base");
  } catch (const InputError&) {
    return false;
  }
}

SweepDefinition read_sweep(const SweepArguments& arguments, const ScenarioOptions& options) {
  return Reader(arguments, options).read();
}

Json definition_json(const SweepDefinition& definition) {
  Json axes = Json::array(), constraints = Json::array(), objectives = Json::array(), sets = Json::object();
  for (const Axis& axis : definition.axes) {
    Json entry{{"keys", axis.keys}};
    if (axis.range) {
      entry["range"] = {{"from", axis.range->from}, {"to", axis.range->to}, {"log", axis.range->logarithmic}};
    } else {
      entry["positions"] = axis.positions;
    }
    if (axis.workload) entry["workload"] = true;
    axes.push_back(std::move(entry));
  }
  for (const Expression& constraint : definition.constraints) constraints.push_back(constraint.text());
  for (const Objective& objective : definition.objectives) {
    objectives.push_back({{objective.minimise ? "minimise" : "maximise", objective.expression.text()}});
  }
  for (const Override& set : definition.sets) sets[set.key] = set.value;
  Json sampling{{"method", sampling_methods()[static_cast<std::size_t>(definition.sampling.method)]},
                {"points", definition.sampling.points},
                {"seed", definition.sampling.seed}};
  if (find_search_method(definition.sampling.method) != nullptr) {
    sampling["population"] = definition.sampling.population;
    sampling["minutes"] = definition.sampling.minutes;
  }
  return {{"name", definition.name},
          {"base", definition.base},
          {"set", std::move(sets)},
          {"axes", std::move(axes)},
          {"constraints", std::move(constraints)},
          {"objectives", std::move(objectives)},
          {"sampling", std::move(sampling)}};
}

}  // namespace bvp
