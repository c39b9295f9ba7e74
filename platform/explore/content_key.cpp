// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/content_key.h"

#include <fmt/format.h>

#include <array>

#include "platform/config/describe_parameter.h"
#include "platform/run/machine.h"
#include "platform/run/run.h"
#include "platform/support/input_error.h"
#include "platform/support/sha256.h"

namespace bvp {
namespace {

/// Keys on which no figure depends. Files are in the key by their content.
bool is_outside(const std::string& key) {
  for (const char* outside :
       {"name", "record.tensors", "record.statistics", "record.trace", "record.trace_bytes", "record.vcd",
        "run.firmware", "run.weights", "run.input", "run.dataset", "energy.profile"}) {
    if (key == outside) return true;
  }
  return key.rfind("baselines.", 0) == 0;
}

void append_parameters(const ParameterGroup& group, const std::string& path, std::string& text) {
  for (const ParamBase* parameter : group.parameters()) {
    const std::string key = path + parameter->name();
    if (!is_outside(key)) text += fmt::format("{}={}\n", key, value_text(parameter->value()));
  }
  for (const ParameterGroup* child : group.groups()) append_parameters(*child, path + child->name() + ".", text);
}

}  // namespace

std::string build_identity(const BuildInfo& build) {
  std::string identity = fmt::format("{} {}", build.version, build.commit);
  if (build.dirty || build.commit == "unknown") identity += " " + sha256_of_file("/proc/self/exe");
  return identity;
}

std::string ContentKeys::of(const Scenario& scenario) {
  std::string text = "point 1\nbuild " + build_ + "\n";
  append_parameters(scenario, "", text);
  for (std::size_t i = 0; i < scenario.layers.size(); ++i) {
    append_parameters(*scenario.layers[i], fmt::format("network.layers.{}.", i), text);
  }
  for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
    append_parameters(*scenario.faults[i], fmt::format("faults.{}.", i), text);
  }
  text += fmt::format("energy.profile={}\n", energy_profile(scenario));
  const std::array<std::pair<const char*, std::filesystem::path>, 6> files{{{"firmware", firmware_of(scenario)},
                                                                            {"weights", scenario.run.weights.get()},
                                                                            {"input", scenario.run.input.get()},
                                                                            {"dataset", scenario.run.dataset.get()},
                                                                            {"energy", energy_table_file(scenario)},
                                                                            {"area", area_table_file()}}};
  for (const auto& [what, file] : files) text += fmt::format("{} {}\n", what, file.empty() ? "" : hash_of(file));
  return sha256_of(text);
}

const std::string& ContentKeys::hash_of(const std::filesystem::path& file) {
  std::string& hash = hashes_[file.string()];
  if (hash.empty()) {
    try {
      hash = sha256_of_file(file);
    } catch (const std::runtime_error& error) {
      throw InputError(error.what());
    }
  }
  return hash;
}

}  // namespace bvp
