// SPDX-License-Identifier: Apache-2.0
#include "platform/import/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "platform/import/model_builder.h"
#include "platform/import/models/models.h"
#include "platform/import/onnx_files.h"
#include "platform/network/mixing.h"
#include "platform/network/network_json.h"
#include "platform/network/weights.h"
#include "platform/support/input_error.h"
#include "platform/support/printable.h"

namespace bvp {
namespace {

struct Model {
  const char* type;  // model_type in the configuration
  const char* name;
  void (*import)(ModelBuilder&);
};
constexpr std::array<Model, 8> models_known{{{"bert", "BERT", models::bert},
                                             {"roberta", "RoBERTa", models::bert},
                                             {"xlm-roberta", "XLM-RoBERTa", models::bert},
                                             {"camembert", "CamemBERT", models::bert},
                                             {"fnet", "FNet", models::bert},
                                             {"fabnet", "FABNet", models::bert},
                                             {"vit", "ViT", models::vit},
                                             {"transformer_encoder", "encoder", models::encoder}}};

const Model* model_of(ModelBuilder& builder) {
  const std::string type = builder.word("model_type", "");
  std::vector<std::string> names;
  for (const Model& model : models_known) {
    if (type == model.type) return &model;
    names.emplace_back(model.type);
  }
  if (type.empty() && builder.sound()) {
    builder.wrong("{}: 'model_type' is missing, expected one of: {}", builder.source().config_file().string(),
                  fmt::join(names, ", "));
  } else if (builder.sound()) {
    builder.unsupported("model_type '{}', expected one of: {}", printable(type), fmt::join(names, ", "));
  }
  return nullptr;
}

/// Tensors of the file by what their names begin with, so that a head is one line.
void note_left_out(ModelBuilder& builder) {
  std::map<std::string, std::vector<std::string>> groups;
  for (const std::string& name : builder.source().unused()) {
    groups[name.substr(0, name.find('.'))].push_back(name);
  }
  for (const auto& [group, names] : groups) {
    builder.result().left_out.push_back(names.size() == 1 ? fmt::format("tensor '{}'", printable(names.front()))
                                                          : fmt::format("{} tensors '{}.*', as '{}'", names.size(),
                                                                        printable(group), printable(names.front())));
  }
}

void note_rounding(ModelBuilder& builder) {
  std::set<std::string> types = builder.source().types();
  types.erase("F16");
  if (types.empty()) return;
  builder.result().approximate.push_back(fmt::format("parameters are rounded from {} to fp16", fmt::join(types, ", ")));
}

/// Every parameter of the network must have been set; what has been noted as a problem is not noted again.
void check_complete(ModelBuilder& builder) {
  if (!builder.sound()) return;
  for (const TensorSpec& spec : parameter_specs(builder.network())) {
    const auto found = builder.result().weights.find(spec.name);
    if (found == builder.result().weights.end() || found->second.shape != spec.shape) {
      builder.wrong("parameter '{}' [{}] of the network was not found in the model", spec.name,
                    fmt::join(spec.shape, ", "));
    }
  }
}

std::string kind_of_layer(const EncoderLayer& layer) {
  const std::string mixing = attends(layer) ? fmt::format("attention with {} projections", name_of(layer.projections))
                                            : declaration_of(layer.mixing).computes;
  return fmt::format("{}, {} feed-forward", mixing, name_of(layer.ffn));
}

/// A sentence for each run of layers that are alike.
std::vector<std::string> kinds_of(const std::vector<EncoderLayer>& layers) {
  std::vector<std::string> kinds;
  for (std::size_t i = 0, next = 0; i < layers.size(); i = next) {
    const std::string kind = kind_of_layer(layers[i]);
    while (next < layers.size() && kind_of_layer(layers[next]) == kind) ++next;
    kinds.push_back(next == i + 1 ? fmt::format("layer {}: {}", i, kind)
                                  : fmt::format("layers {} to {}: {}", i, next - 1, kind));
  }
  return kinds;
}

}  // namespace

ImportedNetwork import_network(const ImportOptions& options) {
  std::optional<OnnxFiles> onnx;
  if (options.source.extension() == ".onnx") {
    if (!options.config.empty()) throw InputError("--config: an ONNX model says itself what it is");
    onnx.emplace(options.source, options.tokens);
  }
  ModelSource source(onnx ? onnx->tensors() : options.source, onnx ? onnx->config() : options.config);
  ModelBuilder builder(source, options);
  const Model* const model = model_of(builder);
  builder.report();
  builder.network().batch = options.batch;
  model->import(builder);
  check_complete(builder);
  builder.report();
  note_rounding(builder);
  note_left_out(builder);
  ImportedNetwork result = std::move(builder.result());
  result.model = model->name;
  if (onnx) result.left_out.insert(result.left_out.end(), onnx->left_out().begin(), onnx->left_out().end());
  const std::vector<std::string> kinds = kinds_of(result.network.layers);
  result.mapped.insert(result.mapped.begin(), kinds.begin(), kinds.end());
  return result;
}

namespace {

std::string layer_text(const nlohmann::ordered_json& layer, u64 repeat) {
  std::string text;
  for (const auto& [key, value] : layer.items()) {
    if (key == "projections" && !declaration_of(mixing_of(layer["mixing"])).attends) continue;
    const bool word = value.is_string() && value.get<std::string>().find_first_of(",: ") == std::string::npos;
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", key, word ? value.get<std::string>() : value.dump());
  }
  if (repeat > 1) text += fmt::format(", repeat: {}", repeat);
  return fmt::format("    - {{{}}}\n", text);
}

}  // namespace

std::string network_text(const Network& network) {
  const nlohmann::ordered_json json = network_json(network);
  std::string text = "network:\n";
  for (const auto& [key, value] : json.items()) {
    if (key == "layers") continue;
    text += fmt::format("  {}: {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  text += "  layers:\n";
  const nlohmann::ordered_json& layers = json["layers"];
  const auto same = [&](std::size_t a, std::size_t b) { return layer_text(layers[a], 1) == layer_text(layers[b], 1); };
  for (std::size_t i = 0, next = 0; i < layers.size(); i = next) {
    while (next < layers.size() && same(i, next)) ++next;
    text += layer_text(layers[i], next - i);
  }
  return text;
}

std::string scenario_text(const ImportedNetwork& imported, const std::string& name) {
  return fmt::format("# What `butterfly-vp import` has made of a model ({}).\nname: {}\n{}", imported.model,
                     nlohmann::json(name).dump(), network_text(imported.network)) +
         "run: {weights: weights.safetensors}\n";
}

}  // namespace bvp
