// SPDX-License-Identifier: Apache-2.0
// Reads scenarios. Values go only into declared parameters. Mistakes are collected, so that the user sees all of them
// at once.
#include "platform/scenario/scenario.h"

#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "platform/config/describe_parameter.h"
#include "platform/config/yaml_document.h"
#include "platform/config/yaml_values.h"
#include "platform/network/mixing.h"
#include "platform/scenario/scenario_checks.h"
#include "platform/support/input_file.h"
#include "platform/support/nearest.h"
#include "platform/support/printable.h"
#include "platform/support/problems.h"
#include "platform/support/sha256.h"

namespace bvp {

Scenario::Scenario()
    : ParameterGroup("scenario", "everything that a run needs to know"),
      name(this, "name", "", {}, "Name of the run; empty: the file's name.", "choice of the user", Confidence::high),
      soc(this),
      network_parameters(this),
      compiler(this),
      run(this),
      energy(this),
      verify(this),
      record(this),
      baselines(this) {}

namespace {

namespace fs = std::filesystem;

constexpr int preset_depth_limit = 8;
constexpr std::size_t layer_limit = 1024;
constexpr std::size_t fault_limit = 256;
constexpr std::size_t entry_limit = 20000;  // of all maps

/// The place of a value: in a file, or in a `--set` of the command line.
struct Origin {
  std::string label;
  fs::path directory;
  bool is_file = true;

  [[nodiscard]] std::string at(const YAML::Mark& mark) const { return is_file ? yaml_place(label, mark) : label; }
  [[nodiscard]] std::string at(const YAML::Node& node) const { return at(node.Mark()); }
};

Origin origin_of(const Override& override) {
  std::string label = override.label;
  if (label.empty()) label = fmt::format("--set {}={}", printable(override.key), printable(override.value));
  return {std::move(label), ".", false};
}

std::string join_path(const std::string& path, const std::string& key) { return path.empty() ? key : path + "." + key; }

std::vector<std::string> split_key(const std::string& key) {
  std::vector<std::string> parts;
  std::stringstream stream(key);
  for (std::string part; std::getline(stream, part, '.');) parts.push_back(part);
  if (!key.empty() && key.back() == '.') parts.emplace_back();
  return parts;
}

class ScenarioReader {
 public:
  explicit ScenarioReader(const ScenarioOptions& options)
      : options_(options), scenario_(std::make_unique<Scenario>()) {}

  std::unique_ptr<Scenario> read(const std::string& text, const fs::path& file) {
    const Origin origin{file.string(), file.parent_path(), true};
    scenario_directory_ = origin.directory;
    scenario_->sources.push_back({file, sha256_of(text)});
    if (const YAML::Node root = parse_yaml(text, origin.label, problems_); root.IsMap()) {
      select_presets(root, origin);
      apply_map(root, *scenario_, "", origin);
      apply_overrides();
      apply_memory_standard();
      if (scenario_->name.get().empty()) scenario_->name = name_from(file);
      check_scenario(*scenario_, origin.label, sources_, problems_);
    }
    problems_.report();
    return std::move(scenario_);
  }

 private:
  /// The name of a scenario that has none is that of its file. The user has not chosen it as a name, so it is not
  /// refused: characters that are not printable become '_'.
  static std::string name_from(const fs::path& file) {
    std::string name = printable(file.stem().string(), longest_name);
    std::replace(name.begin(), name.end(), '?', '_');
    if (name.empty()) return "scenario";
    if (name.front() == '.') name.front() = '_';
    return name;
  }

  /// Presets are applied first, whatever the order of the keys; a preset that --set names replaces the file's.
  void select_presets(const YAML::Node& root, const Origin& origin) {
    select_preset(root, origin, "soc", "soc", scenario_->soc);
    select_preset(root, origin, "network", "networks", scenario_->network_parameters);
  }

  void select_preset(const YAML::Node& root, const Origin& origin, const std::string& key, const std::string& folder,
                     ParameterGroup& group) {
    for (auto override = options_.overrides.rbegin(); override != options_.overrides.rend(); ++override) {
      if (override->key != key + ".preset") continue;
      const Origin command_line = origin_of(*override);
      apply_preset(override->value, command_line.label, command_line, key, folder, group, 0);
      return;
    }
    if (const YAML::Node section = child(root, key); section && section.IsMap()) {
      apply_preset_of(section, origin, key, folder, group, 0);
    }
  }

  /// Node::operator[] of a const node, but without the exception for a key that is not a scalar.
  static YAML::Node child(const YAML::Node& map, const std::string& key) {
    for (const auto& pair : map) {
      if (pair.first.IsScalar() && pair.first.Scalar() == key) return pair.second;
    }
    return YAML::Node(YAML::NodeType::Undefined);
  }

  void apply_preset_of(const YAML::Node& section, const Origin& origin, const std::string& path,
                       const std::string& folder, ParameterGroup& group, int depth) {
    const YAML::Node preset = child(section, "preset");
    if (!preset) return;
    if (!preset.IsScalar() || preset.Scalar().empty()) {
      problems_.add(origin.at(preset), join_path(path, "preset"), "found {}, expected the name of a preset",
                    kind_of(preset));
      return;
    }
    apply_preset(preset.Scalar(), origin.at(preset), origin, path, folder, group, depth);
  }

  void apply_preset(const std::string& name, const std::string& where, const Origin& origin, const std::string& path,
                    const std::string& folder, ParameterGroup& group, int depth) {
    const std::string key = join_path(path, "preset");
    if (depth == preset_depth_limit) {
      return problems_.add(where, key, "presets refer to presets more than {} deep", preset_depth_limit);
    }
    std::vector<std::string> known;
    const std::optional<fs::path> file = find_preset(name, origin.directory, folder, known);
    if (!file && is_file_name(name)) {
      return problems_.add(where, key, "{}; expected the path of a .yaml file, or one of: {}",
                           why_no_file(origin.directory / name, name), fmt::join(known, ", "));
    }
    if (!file) {
      const std::string near = nearest_word(name, known);
      return problems_.add(where, key, "there is no preset '{}'{}; known are: {}", printable(name),
                           near.empty() ? "" : fmt::format(", did you mean '{}'?", near),
                           known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", ")));
    }
    const std::optional<std::string> text = read_text(*file, where, key);
    if (!text) return;
    scenario_->sources.push_back({*file, sha256_of(*text)});
    const Origin preset_origin{file->string(), file->parent_path(), true};
    const YAML::Node root = parse_yaml(*text, preset_origin.label, problems_);
    if (!root.IsMap()) return;
    apply_preset_of(root, preset_origin, path, folder, group, depth + 1);
    apply_map(root, group, path, preset_origin);
  }

  static bool is_file_name(const std::string& preset) {
    return preset.size() > 5 && preset.compare(preset.size() - 5, 5, ".yaml") == 0;
  }

  /// @param known  receives the existing names if none matches
  std::optional<fs::path> find_preset(const std::string& name, const fs::path& directory, const std::string& folder,
                                      std::vector<std::string>& known) const {
    std::error_code ignored;
    if (const fs::path file = directory / name; is_file_name(name) && fs::is_regular_file(file, ignored)) return file;
    std::vector<fs::path> directories{directory, directory / "..", scenario_directory_, scenario_directory_ / ".."};
    directories.insert(directories.end(), options_.directories.begin(), options_.directories.end());
    for (const fs::path& base : directories) {
      const fs::path file = (base / folder / (name + ".yaml")).lexically_normal();
      const bool of_folder = !is_file_name(name) && name.find('/') == std::string::npos;
      if (of_folder && fs::is_regular_file(file, ignored)) return file;
      for (const auto& entry : fs::directory_iterator(base / folder, ignored)) {
        if (entry.path().extension() == ".yaml") known.push_back(entry.path().stem().string());
      }
    }
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
    return std::nullopt;
  }

  std::optional<std::string> read_text(const fs::path& file, const std::string& where, const std::string& key) {
    try {
      return read_input_file(file, yaml_file_limit);
    } catch (const InputError& error) {
      problems_.add(where, key, "{}", error.what());
      return std::nullopt;
    }
  }

  [[nodiscard]] bool has_preset(const ParameterGroup& group) const {
    return &group == &scenario_->soc || &group == &scenario_->network_parameters;
  }

  [[nodiscard]] std::vector<std::string> known_keys(const ParameterGroup& group) const {
    std::vector<std::string> keys;
    if (has_preset(group)) keys.emplace_back("preset");
    for (const ParamBase* parameter : group.parameters()) keys.push_back(parameter->name());
    for (const ParameterGroup* child_group : group.groups()) keys.push_back(child_group->name());
    if (&group == &scenario_->network_parameters) keys.emplace_back("layers");
    if (&group == scenario_.get()) keys.emplace_back("faults");
    return keys;
  }

  /// Every key of the tree that ends in `name`, for the hint "you may have meant".
  static void find_elsewhere(const ParameterGroup& group, const std::string& path, const std::string& name,
                             std::vector<std::string>& found) {
    for (const ParamBase* parameter : group.parameters()) {
      if (parameter->name() == name) found.push_back(join_path(path, name));
    }
    for (const ParameterGroup* child_group : group.groups()) {
      const std::string child_path = join_path(path, child_group->name());
      if (child_group->name() == name) found.push_back(child_path);
      find_elsewhere(*child_group, child_path, name, found);
    }
  }

  void unknown_key(const std::string& where, const ParameterGroup& group, const std::string& path,
                   const std::string& key) {
    const std::vector<std::string> keys = known_keys(group);
    std::vector<std::string> elsewhere;
    find_elsewhere(*scenario_, "", key, elsewhere);
    const std::string near = nearest_word(key, keys);
    std::string hint;
    if (!elsewhere.empty()) {
      hint = fmt::format(", did you mean '{}'?", elsewhere.front());
    } else if (!near.empty()) {
      hint = fmt::format(", did you mean '{}'?", join_path(path, near));
    }
    if (key.empty()) return problems_.add(where, path, "an empty key; expected one of: {}", fmt::join(keys, ", "));
    if (key == "<<") hint = " ('<<' does not merge maps here: give their keys themselves)";
    problems_.add(where, join_path(path, key), "unknown key{}; expected one of: {}", hint, fmt::join(keys, ", "));
  }

  void apply_map(const YAML::Node& map, ParameterGroup& group, const std::string& path, const Origin& origin) {
    // A section without keys.
    if (map.IsNull() && origin.is_file) return;
    if (!map.IsMap()) {
      return problems_.add(origin.at(map), path, "found {}, expected a map with the keys: {}", kind_of(map),
                           fmt::join(known_keys(group), ", "));
    }
    std::set<std::string> seen;
    for (const auto& pair : map) {
      // With aliases a short file could become a long document.
      if (++entries_ >= entry_limit) {
        if (entries_ == entry_limit) problems_.add(origin.at(pair.first), path, "more than {} keys", entry_limit);
        return;
      }
      if (!pair.first.IsScalar()) {
        problems_.add(origin.at(pair.first), path, "found {} where a key is expected", kind_of(pair.first));
        continue;
      }
      const std::string& key = pair.first.Scalar();
      if (!seen.insert(key).second) {
        problems_.add(origin.at(pair.first), join_path(path, key), "the key appears twice in this map");
        continue;
      }
      if (ParamBase* parameter = group.find_parameter(key)) {
        apply_node(*parameter, pair.second, join_path(path, key), origin);
      } else if (ParameterGroup* child_group = group.find_group(key)) {
        apply_map(pair.second, *child_group, join_path(path, key), origin);
      } else if (&group == &scenario_->network_parameters && key == "layers") {
        apply_layers(pair.second, origin);
      } else if (&group == scenario_.get() && key == "faults") {
        apply_faults(pair.second, origin);
      } else if (has_preset(group) && key == "preset") {
        // A preset from a file was applied before all other keys.
        if (!origin.is_file)
          problems_.add(origin.label, "", "a preset is chosen by itself: --set {}.preset=NAME", path);
      } else {
        unknown_key(origin.at(pair.first), group, path, key);
      }
    }
  }

  void apply_node(ParamBase& parameter, const YAML::Node& node, const std::string& key, const Origin& origin) {
    if (!node.IsScalar()) {
      return problems_.add(origin.at(node), key, "found {}, expected {}", kind_of(node), expected_value(parameter));
    }
    apply_text(parameter, node.Scalar(), is_quoted(node), key, origin, origin.at(node));
  }

  void apply_text(ParamBase& parameter, const std::string& text, bool quoted, const std::string& key,
                  const Origin& origin, const std::string& where) {
    std::optional<ParamValue> value = parse_value(parameter, text, quoted);
    if (value && is_path(parameter, text) && !text.empty() && origin.is_file) {
      value = (origin.directory / text).lexically_normal().string();
    }
    try {
      if (value) {
        parameter.assign(*value);
        scenario_->given[key] = where;
        sources_[key] = source_of(origin);
        return;
      }
    } catch (const ParamError&) {
      // The declaration knows the accepted values; the reader reports every mistake in the same form.
    }
    const std::string near = nearest_word(text, parameter.choices());
    std::string remark;
    if (parameter.type() != ParamType::text) {
      if (quoted) remark = " (quoted, so text)";
      if (!quoted && has_leading_zero(text)) remark = " (with a leading zero, which may mean octal)";
    }
    problems_.add(where, key, "found '{}'{}, expected {}{}", printable(text), remark, expected_value(parameter),
                  near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
  }

  /// A file, or the command line as a whole.
  static std::string source_of(const Origin& origin) { return origin.is_file ? origin.label : command_line_source; }

  [[nodiscard]] bool is_path(const ParamBase& parameter, const std::string& text) const {
    const RunParameters& run = scenario_->run;
    if (&parameter == &scenario_->energy.profile) return is_energy_file(text);
    return &parameter == &run.firmware || &parameter == &run.weights || &parameter == &run.input ||
           &parameter == &run.dataset;
  }

  void apply_layers(const YAML::Node& list, const Origin& origin) {
    const std::string path = "network.layers";
    if (!list.IsSequence()) {
      return problems_.add(origin.at(list), path, "found {}, expected a list with one map a layer", kind_of(list));
    }
    scenario_->layers.clear();
    scenario_->given[path] = origin.at(list);
    // The layers in the file replace those that a preset of the network has made from its depth.
    const auto depth = sources_.find("network.depth");
    if (depth != sources_.end() && depth->second != source_of(origin)) sources_.erase(depth);
    std::size_t index = 0;
    for (const YAML::Node& item : list) {
      if (entries_ >= entry_limit) return;
      LayerParameters entry;
      apply_map(item, entry, fmt::format("{}.{}", path, index++), origin);
      const auto repeat = static_cast<std::size_t>(entry.repeat.get());
      if (scenario_->layers.size() + repeat > layer_limit) {
        return problems_.add(origin.at(item), path, "more than {} layers", layer_limit);
      }
      entry.repeat = 1;
      for (std::size_t copy = 0; copy < repeat; ++copy) {
        scenario_->layers.push_back(std::make_unique<LayerParameters>());
        scenario_->layers.back()->copy_values_from(entry);
      }
    }
  }

  void apply_faults(const YAML::Node& list, const Origin& origin) {
    const std::string path = "faults";
    if (list.IsNull() && origin.is_file) return;
    if (!list.IsSequence()) {
      return problems_.add(origin.at(list), path, "found {}, expected a list with one map a fault", kind_of(list));
    }
    scenario_->faults.clear();
    scenario_->given[path] = origin.at(list);
    for (const YAML::Node& item : list) {
      if (entries_ >= entry_limit) return;
      if (scenario_->faults.size() == fault_limit) {
        return problems_.add(origin.at(item), path, "more than {} faults", fault_limit);
      }
      const std::string key = fmt::format("{}.{}", path, scenario_->faults.size());
      scenario_->faults.push_back(std::make_unique<FaultParameters>());
      apply_map(item, *scenario_->faults.back(), key, origin);
      scenario_->given.emplace(key, origin.at(item));
    }
  }

  /// A variant may make the layers. Overrides may choose the variant, so this happens before overrides change single
  /// layers.
  void apply_overrides() {
    const auto of_layer = [](const Override& override) { return override.key.rfind("network.layers.", 0) == 0; };
    for (const Override& override : options_.overrides) {
      if (override.key == "soc.preset" || override.key == "network.preset" || of_layer(override)) continue;
      apply_override(override, origin_of(override));
    }
    make_variant_layers();
    for (const Override& override : options_.overrides) {
      if (of_layer(override)) apply_override(override, origin_of(override));
    }
  }

  /// Applies the values of the memory standard, except for those that the scenario sets itself, in any file or option.
  void apply_memory_standard() {
    DramParameters& dram = scenario_->soc.dram;
    const std::string path = "soc.dram.";
    const auto given = scenario_->given.find(path + dram.standard.name());
    if (given == scenario_->given.end()) return;
    const std::string where = fmt::format("the memory standard {} ({})", dram.standard.get(), given->second);
    for (const DramStandard::Value& value : dram_standard(dram.standard).values) {
      const std::string key = path + value.parameter;
      if (!scenario_->given.emplace(key, where).second) continue;
      dram.find_parameter(value.parameter)->assign(value.value);
      scenario_->origins[key] = {value.source, value.confidence};
    }
  }

  void make_variant_layers() {
    const NetworkParameters& network = scenario_->network_parameters;
    const std::string& variant = network.variant;
    if (variant == "custom" || !scenario_->layers.empty()) return;
    const i64 depth = network.depth;
    const i64 attention = network.attention_layers >= 0 ? network.attention_layers.get() : depth - depth / 2;
    for (i64 i = 0; i < depth; ++i) {
      const bool fft = variant == "butterfly" || (variant == "hybrid" && i < depth - attention);
      LayerParameters entry;
      // A variant is published as a network of these two.
      entry.mixing = std::string(name_of(fft ? Mixing::fft2d : Mixing::attention));
      const std::string kind = variant == "dense" ? "dense" : "butterfly";
      entry.projections = kind;
      entry.ffn = kind;
      scenario_->layers.push_back(std::make_unique<LayerParameters>());
      scenario_->layers.back()->copy_values_from(entry);
    }
  }

  void apply_override(const Override& override, const Origin& origin) {
    ParameterGroup* group = scenario_.get();
    const std::vector<std::string> parts = split_key(override.key);
    std::string path;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const bool last = i + 1 == parts.size();
      if (group == &scenario_->network_parameters && parts[i] == "layers") {
        if (last) return apply_yaml(override, origin, [&](const YAML::Node& node) { apply_layers(node, origin); });
        ++i;
        path = join_path(path, "layers." + parts[i]);
        const std::optional<i64> index = parse_integer(parts[i]);
        if (!index || *index < 0 || static_cast<std::size_t>(*index) >= scenario_->layers.size()) {
          return problems_.add(origin.label, "", "there is no layer '{}'; the network has {}, counted from 0",
                               printable(parts[i]), scenario_->layers.size());
        }
        group = scenario_->layers[static_cast<std::size_t>(*index)].get();
        if (i + 1 == parts.size()) break;
        continue;
      }
      if (group == scenario_.get() && parts[i] == "faults") {
        if (last) return apply_yaml(override, origin, [&](const YAML::Node& node) { apply_faults(node, origin); });
        return problems_.add(origin.label, "", "faults are set as a whole: --set 'faults=[{{kind: bus_error}}]'");
      }
      ParamBase* parameter = group->find_parameter(parts[i]);
      if (parameter != nullptr && last) {
        if (is_layer(*group) && parts[i] == "repeat") return refuse_repeat(origin);
        return apply_text(*parameter, override.value, false, override.key, origin, origin.label);
      }
      if (parameter != nullptr) {
        return problems_.add(origin.label, "", "'{}' is a value and has no keys below it", join_path(path, parts[i]));
      }
      ParameterGroup* next = group->find_group(parts[i]);
      if (next == nullptr) return unknown_key(origin.label, *group, path, parts[i]);
      path = join_path(path, parts[i]);
      group = next;
    }
    apply_yaml(override, origin, [&](const YAML::Node& node) {
      if (is_layer(*group) && node.IsMap() && child(node, "repeat")) return refuse_repeat(origin);
      apply_map(node, *group, path, origin);
    });
  }

  static bool is_layer(const ParameterGroup& group) { return dynamic_cast<const LayerParameters*>(&group) != nullptr; }

  /// The layers exist at this point.
  void refuse_repeat(const Origin& origin) {
    problems_.add(origin.label, "", "repeat is a key of the file; set network.layers as a whole");
  }

  template <class Apply>
  void apply_yaml(const Override& override, const Origin& origin, Apply apply) {
    try {
      apply(YAML::Load(override.value));
    } catch (const YAML::DeepRecursion&) {
      problems_.add(origin.label, "", "lists and maps are nested too deeply");
    } catch (const YAML::Exception& error) {
      problems_.add(origin.label, "", "the value is not YAML: {}", error.msg);
    }
  }

  const ScenarioOptions& options_;
  std::unique_ptr<Scenario> scenario_;
  Problems problems_;
  fs::path scenario_directory_;
  ValueSources sources_;
  std::size_t entries_ = 0;
};

}  // namespace

/// Reports every line of `what` for the key.
std::string about_key(const Scenario& scenario, const std::string& key, const std::string& what) {
  const auto given = scenario.given.find(key);
  const std::string where = given == scenario.given.end() ? file_of(scenario) : given->second;
  std::string text;
  std::istringstream lines(what);
  for (std::string line; std::getline(lines, line);) {
    text += (text.empty() ? "" : "\n") + problem_text(where, key, line);
  }
  return text;
}

std::string file_of(const Scenario& scenario) {
  return scenario.sources.empty() ? scenario.name.get() : scenario.sources.front().path.string();
}

Override parse_override(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) {
    throw InputError(fmt::format("--set {}: expected KEY=VALUE, for example soc.array.lanes=8", printable(text)));
  }
  return {text.substr(0, equals), text.substr(equals + 1), {}};
}

std::unique_ptr<Scenario> read_scenario_text(const std::string& text, const fs::path& origin,
                                             const ScenarioOptions& options) {
  return ScenarioReader(options).read(text, origin);
}

std::unique_ptr<Scenario> read_scenario(const fs::path& file, const ScenarioOptions& options) {
  return read_scenario_text(read_input_stream(file, yaml_file_limit), file, options);
}

}  // namespace bvp
