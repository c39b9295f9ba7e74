// SPDX-License-Identifier: Apache-2.0
// Defines the command `butterfly-vp project`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <variant>

#include "platform/cli/commands.h"
#include "platform/cli/new_directory.h"
#include "platform/import/butterfly_projection.h"
#include "platform/import/import.h"
#include "platform/network/half.h"
#include "platform/network/safetensors.h"
#include "platform/network/weights.h"
#include "platform/run/scenario_files.h"
#include "platform/support/input_error.h"
#include "platform/support/output_file.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

constexpr const char* scenario_name = "scenario.yaml";
constexpr const char* weights_name = "weights.safetensors";

struct Given {
  std::string scenario;
  std::vector<std::string> sets;
  fs::path output;
  std::vector<u64> layers;  // empty: all
  std::set<std::string> parts{"projections", "ffn"};
};

/// What was given of the group, but for the keys `left_out`, as the lines of a YAML map.
std::string given_text(const ParameterGroup& group, const std::string& path,
                       const GivenKeys& given,  // NOLINT(misc-no-recursion): as deep as the tree
                       const std::set<std::string>& left_out, const std::string& indentation) {
  std::string text;
  for (const ParamBase* parameter : group.parameters()) {
    const std::string key = path + parameter->name();
    if (given.count(key) == 0 || left_out.count(key) != 0) continue;
    const std::string value =
        std::visit([](const auto& held) { return nlohmann::json(held).dump(); }, parameter->value());
    text += fmt::format("{}{}: {}\n", indentation, parameter->name(), value);
  }
  for (const ParameterGroup* child : group.groups()) {
    const std::string key = path + child->name();
    if (left_out.count(key) != 0) continue;
    const std::string inner = given_text(*child, key + ".", given, left_out, indentation + "  ");
    if (!inner.empty()) text += fmt::format("{}{}:\n{}", indentation, child->name(), inner);
  }
  return text;
}

/// Replaces the matrix of a linear layer. Returns the error.
double project_linear(TensorMap& weights, const std::string& name) {
  const auto node = weights.extract(name + ".weight");
  const Tensor& weight = node.mapped();
  std::vector<float> matrix;
  matrix.reserve(weight.data.size());
  for (const u16 value : weight.data) matrix.push_back(static_cast<float>(from_half(value)));
  ButterflyProjection projection = nearest_butterfly(matrix, weight.shape[0], weight.shape[1]);
  for (const u16 value : projection.twiddle.data) {
    if (!is_finite_half(value)) throw InputError(fmt::format("'{}': its butterfly is beyond the range of fp16", name));
  }
  weights[name + ".twiddle"] = std::move(projection.twiddle);
  return projection.error;
}

/// Linear layers of one kind.
struct Part {
  std::string name;
  std::vector<std::string> linears;
  LinearKind* kind = nullptr;
};

/// What is dense and was asked for.
std::vector<Part> dense_parts(const Given& given, Network& network) {
  std::vector<Part> parts;
  for (u64 i = 0; i < network.layers.size(); ++i) {
    if (!given.layers.empty() && std::find(given.layers.begin(), given.layers.end(), i) == given.layers.end()) continue;
    EncoderLayer& layer = network.layers[i];
    const std::string name = fmt::format("layers.{}.", i);
    if (attends(layer) && given.parts.count("projections") != 0) {
      parts.push_back({name + "attention", {"query", "key", "value", "output"}, &layer.projections});
    }
    if (given.parts.count("ffn") != 0) parts.push_back({name + "ffn", {"up", "down"}, &layer.ffn});
  }
  const auto is_butterfly = [](const Part& part) { return *part.kind == LinearKind::butterfly; };
  parts.erase(std::remove_if(parts.begin(), parts.end(), is_butterfly), parts.end());
  if (parts.empty()) throw InputError(fmt::format("{}: there are no dense matrices to project", given.scenario));
  return parts;
}

int project_command(const Given& given) {
  const auto scenario = read_scenario(scenario_file(given.scenario), scenario_options(parse_overrides(given.sets)));
  Network network = scenario->network;
  for (const u64 layer : given.layers) {
    if (layer < network.layers.size()) continue;
    throw InputError(fmt::format("--layers {}: the network has the layers 0 to {}", layer, network.layers.size() - 1));
  }
  const std::string& file = scenario->run.weights;
  TensorMap weights = file.empty()
                          ? random_weights(network, static_cast<u64>(scenario->run.seed.get()))
                          : read_file_of(*scenario, "run.weights", [&] { return load_weights(file, network); });
  const std::vector<Part> parts = dense_parts(given, network);
  NewDirectory directory(given.output, {scenario_name, weights_name});
  fmt::print("error of each matrix, the norm of the difference over its norm:\n");
  for (const Part& part : parts) {
    std::string line = fmt::format("  {:<26}", part.name);
    for (const std::string& linear : part.linears) {
      line += fmt::format("  {} {:.3f}", linear, project_linear(weights, part.name + "." + linear));
    }
    *part.kind = LinearKind::butterfly;
    fmt::print("{}\n", line);
    std::fflush(stdout);
  }
  const std::string run = given_text(scenario->run, "run.", scenario->given,
                                     {"run.weights", "run.input", "run.dataset", "run.firmware"}, "  ");
  const std::string text =
      fmt::format("# What `butterfly-vp project` has made of {}.\nname: {}\n{}{}run:\n  weights: {}\n{}",
                  nlohmann::json(given.scenario).dump(), nlohmann::json(directory.name()).dump(), network_text(network),
                  given_text(*scenario, "", scenario->given, {"name", "network", "run"}, ""), weights_name, run);
  write_file(directory.staging() / scenario_name, text);
  write_safetensors(directory.staging() / weights_name, weights);
  directory.commit();
  if (file.empty()) say("note: the weights are those that the platform draws: run.weights names no file\n");
  fmt::print("\nbutterfly-vp run {}\n", (given.output / scenario_name).string());
  return exit_passed;
}

}  // namespace

void add_project_command(CommandLine& line) {
  const auto given = std::make_shared<Given>();
  CLI::App& app =
      *line.app.add_subcommand("project", "Replace dense matrices by the butterflies that are near to them");
  app.add_option("scenario", given->scenario, scenario_help)->required()->type_name("SCENARIO");
  app.add_option("--output", given->output, "New directory for scenario.yaml and weights.safetensors")
      ->required()
      ->check(not_empty())
      ->type_name("DIR");
  app.add_option("--layers", given->layers, "Layers, as 0,1,5; default: all")->delimiter(',')->type_name("LIST");
  app.add_option("--parts", given->parts, "projections, ffn; default: both")
      ->delimiter(',')
      ->check(CLI::IsMember({"projections", "ffn"}))
      ->type_name("LIST");
  add_set_option(app, given->sets);
  app.final_callback([&line, given] { line.selected = [given] { return project_command(*given); }; });
}

}  // namespace bvp
