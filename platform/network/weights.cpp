// SPDX-License-Identifier: Apache-2.0
#include "platform/network/weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "platform/network/half.h"
#include "platform/network/mixing.h"
#include "platform/network/random.h"
#include "platform/network/safetensors.h"
#include "platform/support/input_error.h"
#include "platform/support/printable.h"

namespace bvp {
namespace {

void add_norm(std::vector<TensorSpec>& specs, const std::string& name, u64 width) {
  specs.push_back({name + ".weight", {width}, TensorRole::norm_weight, width});
  specs.push_back({name + ".bias", {width}, TensorRole::norm_bias, width});
}

/// A rotation by a random angle, from the rational parametrisation of the circle. It uses only operations that IEEE 754
/// rounds the same way everywhere, unlike sin and cos.
void draw_rotation(Random& random, double gain, u16* matrix) {
  const double t = 2 * random.uniform() - 1;
  double cosine = (1 - t * t) / (1 + t * t);
  double sine = 2 * t / (1 + t * t);
  const u64 quadrant = random.bits() >> 62;
  if ((quadrant & 1) != 0) std::swap(cosine, sine);
  if ((quadrant & 2) != 0) cosine = -cosine;
  constexpr double perturbation = 0.01;
  const double entries[] = {cosine, -sine, sine, cosine};
  for (std::size_t i = 0; i < 4; ++i) matrix[i] = to_half(gain * (entries[i] + perturbation * random.normal()));
}

Tensor draw(const TensorSpec& spec, u64 seed) {
  Random random(seed, spec.name);
  Tensor tensor{spec.shape, std::vector<u16>(Tensor::elements(spec.shape))};
  switch (spec.role) {
    case TensorRole::dense: {
      const double scale = 1 / std::sqrt(static_cast<double>(spec.inputs));
      for (u16& value : tensor.data) value = to_half(scale * random.normal());
      break;
    }
    case TensorRole::twiddle: {
      // Zero-padding spreads the energy of the inputs over n points. The first factor compensates for that.
      const u64 n = 2 * spec.shape[2];
      const double padding_gain = std::sqrt(static_cast<double>(n) / static_cast<double>(spec.inputs));
      const u64 matrices_per_factor = spec.shape[2];
      for (u64 i = 0; i * 4 < tensor.data.size(); ++i) {
        const u64 factor = i / matrices_per_factor % spec.shape[1];
        draw_rotation(random, factor == 0 ? padding_gain : 1.0, &tensor.data[4 * i]);
      }
      break;
    }
    case TensorRole::norm_weight:
      for (u16& value : tensor.data) value = to_half(1 + 0.1 * random.normal());
      break;
    case TensorRole::bias:
    case TensorRole::norm_bias:
      for (u16& value : tensor.data) value = to_half(0.02 * random.normal());
      break;
    case TensorRole::embedding: {
      // Tokens and positions together have the scale of an input that is drawn.
      const double scale = std::sqrt(0.5);
      for (u16& value : tensor.data) value = to_half(scale * random.normal());
      break;
    }
  }
  return tensor;
}

std::string check_tensor(const std::string& name, const Tensor& tensor, const std::vector<u64>& shape) {
  if (tensor.shape != shape) {
    return fmt::format("'{}' has shape [{}], expected [{}]", name, fmt::join(tensor.shape, ", "),
                       fmt::join(shape, ", "));
  }
  const auto bad = std::find_if_not(tensor.data.begin(), tensor.data.end(), is_finite_half);
  if (bad != tensor.data.end()) {
    return fmt::format("'{}' has an element that is not a finite fp16 number, at flat index {}", name,
                       bad - tensor.data.begin());
  }
  return {};
}

[[noreturn]] void refuse(const std::filesystem::path& file, std::vector<std::string> problems) {
  constexpr std::size_t shown = 20;
  if (problems.size() > shown) {
    const std::size_t more = problems.size() - shown;
    problems.resize(shown);
    problems.push_back(fmt::format("and {} more", more));
  }
  throw InputError(fmt::format("{}: {}", file.string(), fmt::join(problems, fmt::format("\n{}: ", file.string()))));
}

/// The prefix that the names of all of the network's parameters have in the file, as in "model.layers.0.norm1.weight":
/// frameworks export a module that is part of another one in this way. Empty if the names have no prefix, or if not all
/// parameters have the same one.
std::string common_prefix(const FloatTensors& found, const std::vector<TensorSpec>& specs) {
  const auto is_there = [&](const std::string& name) {
    return found.tensors.count(name) + found.others.count(name) > 0;
  };
  const std::string& first = specs.front().name;
  for (const auto& [name, tensor] : found.tensors) {
    if (name.size() <= first.size() + 1 || name.compare(name.size() - first.size(), first.size(), first) != 0) continue;
    const std::string prefix = name.substr(0, name.size() - first.size());
    if (prefix.back() != '.') continue;
    if (std::all_of(specs.begin(), specs.end(), [&](const TensorSpec& spec) { return is_there(prefix + spec.name); })) {
      return prefix;
    }
  }
  return {};
}

template <class Map>
std::string some_names(const Map& found) {
  constexpr std::size_t shown = 3;
  std::vector<std::string> names;
  for (const auto& entry : found) {
    if (names.size() == shown) break;
    names.push_back(fmt::format("'{}'", printable(entry.first)));
  }
  return fmt::format("{}{}", fmt::join(names, ", "), found.size() > shown ? ", ..." : "");
}

/// Takes the network's parameters from the tensors of a file. Without data only their shapes are checked.
TensorMap weights_of(FloatTensors found, const std::filesystem::path& file, const Network& network,
                     std::vector<std::string>* notes) {
  TensorMap weights;
  std::vector<std::string> problems;
  const auto note = [&](std::string text) {
    if (notes != nullptr) notes->push_back(fmt::format("{}: {}", file.string(), text));
  };
  const std::vector<TensorSpec> specs = parameter_specs(network);
  const std::string first_name = found.tensors.empty() ? "" : found.tensors.begin()->first;
  const std::string prefix = found.tensors.count(specs.front().name) != 0 ? "" : common_prefix(found, specs);
  for (const TensorSpec& spec : specs) {
    const std::string name = prefix + spec.name;
    const auto entry = found.tensors.find(name);
    if (entry == found.tensors.end()) {
      const auto other = found.others.find(name);
      problems.push_back(other == found.others.end()
                             ? fmt::format("'{}' [{}] is missing", spec.name, fmt::join(spec.shape, ", "))
                             : fmt::format("'{}' has type {}, expected F16, BF16, F32 or F64", name, other->second));
      continue;
    }
    if (std::string problem = check_tensor(name, entry->second, spec.shape); !problem.empty()) {
      problems.push_back(std::move(problem));
    }
    weights.emplace(spec.name, std::move(entry->second));
    found.tensors.erase(entry);
  }
  const std::size_t missing = specs.size() - weights.size();
  for (const auto& [name, tensor] : found.tensors) {
    problems.push_back(fmt::format("'{}' is not part of the network", printable(name)));
  }
  if (missing == specs.size() && !first_name.empty()) {
    problems.insert(problems.begin(),
                    fmt::format("no tensor has a name of the network: found '{}' and the like, expected names like "
                                "'{}' (docs/scenario.md has them all; a prefix that all have is left off)",
                                printable(first_name), specs.front().name));
  }
  if (!problems.empty()) refuse(file, std::move(problems));
  if (!prefix.empty()) note(fmt::format("the names' prefix '{}' is left off", printable(prefix)));
  if (found.bfloat16 > 0) note(fmt::format("{} tensors of type BF16 are rounded to fp16", found.bfloat16));
  if (!found.others.empty()) {
    note(fmt::format("{} tensors that are not of floats are not part of the network and not read: {}",
                     found.others.size(), some_names(found.others)));
  }
  return weights;
}

Tensor input_of(FloatTensors found, const std::filesystem::path& file, const Network& network) {
  const InputSpec spec = input_spec(network);
  const auto entry = found.tensors.find(spec.name);
  if (entry == found.tensors.end()) {
    const auto other = found.others.find(spec.name);
    if (other == found.others.end()) refuse(file, {fmt::format("there is no tensor '{}'", spec.name)});
    refuse(file, {fmt::format("tensor '{}': type {} is not supported, expected F16, BF16, F32 or F64", spec.name,
                              other->second)});
  }
  if (std::string problem = check_tensor(spec.name, entry->second, spec.shape); !problem.empty()) {
    refuse(file, {std::move(problem)});
  }
  return std::move(entry->second);
}

}  // namespace

void add_linear(std::vector<TensorSpec>& specs, const std::string& name, LinearKind kind, u64 inputs, u64 outputs) {
  if (kind == LinearKind::dense) {
    specs.push_back({name + ".weight", {outputs, inputs}, TensorRole::dense, inputs});
  } else {
    const u64 n = next_power_of_two(inputs);
    const u64 stacks = (outputs + n - 1) / n;
    specs.push_back({name + ".twiddle", {stacks, log2_of(n), n / 2, 2, 2}, TensorRole::twiddle, inputs});
  }
  specs.push_back({name + ".bias", {outputs}, TensorRole::bias, inputs});
}

std::vector<TensorSpec> parameter_specs(const Network& network) {
  std::vector<TensorSpec> specs;
  if (network.vocabulary > 0) {
    specs.push_back({"embedding.token", {network.vocabulary, network.hidden}, TensorRole::embedding, network.hidden});
  }
  if (network.patch_values > 0) {
    add_linear(specs, "embedding.patch", LinearKind::dense, network.patch_values, network.hidden);
  }
  if (has_embedding(network)) {
    specs.push_back({"embedding.position", {network.tokens, network.hidden}, TensorRole::embedding, network.hidden});
  }
  if (network.embedding_norm) add_norm(specs, "embedding.norm", network.hidden);
  if (network.embedding_projection) {
    add_linear(specs, "embedding.projection", LinearKind::dense, network.hidden, network.hidden);
  }
  for (std::size_t index = 0; index < network.layers.size(); ++index) {
    const EncoderLayer& layer = network.layers[index];
    const std::string name = fmt::format("layers.{}", index);
    add_norm(specs, name + ".norm1", network.hidden);
    if (const auto add_tensors = declaration_of(layer.mixing).add_tensors) add_tensors(specs, name, network, layer);
    add_norm(specs, name + ".norm2", network.hidden);
    add_linear(specs, name + ".ffn.up", layer.ffn, network.hidden, network.ffn);
    add_linear(specs, name + ".ffn.down", layer.ffn, network.ffn, network.hidden);
  }
  if (has_final_norm(network)) add_norm(specs, "final_norm", network.hidden);
  if (network.pooler) add_linear(specs, "pooler", LinearKind::dense, network.hidden, network.hidden);
  if (network.classes > 0) add_linear(specs, "classifier", LinearKind::dense, network.hidden, network.classes);
  return specs;
}

TensorMap random_weights(const Network& network, u64 seed) {
  TensorMap weights;
  for (const TensorSpec& spec : parameter_specs(network)) weights.emplace(spec.name, draw(spec, seed));
  return weights;
}

TensorMap weight_shapes(const Network& network) {
  TensorMap weights;
  for (const TensorSpec& spec : parameter_specs(network)) weights.emplace(spec.name, Tensor{spec.shape, {}});
  return weights;
}

InputSpec input_spec(const Network& network) {
  if (network.patch_values > 0) return {"patches", {network.batch, network.tokens, network.patch_values}};
  return {"input", {network.batch, network.tokens, network.hidden}};
}

Tensor random_input(const Network& network, u64 seed) {
  Random random(seed, "input");
  Tensor input{input_spec(network).shape, {}};
  input.data.resize(Tensor::elements(input.shape));
  for (u16& value : input.data) value = to_half(random.normal());
  return input;
}

std::vector<u32> random_tokens(const Network& network, u64 seed) {
  Random random(seed, "tokens");
  std::vector<u32> tokens(network.batch * network.tokens);
  for (u32& token : tokens) token = static_cast<u32>(random.uniform() * static_cast<double>(network.vocabulary));
  return tokens;
}

Tensor random_mask(const Network& network, u64 seed) {
  Random random(seed, "mask");
  Tensor mask{{network.batch, network.tokens}, {}};
  for (u64 element = 0; element < network.batch; ++element) {
    const u64 length = 1 + static_cast<u64>(random.uniform() * static_cast<double>(network.tokens));
    for (u64 token = 0; token < network.tokens; ++token) mask.data.push_back(token < length ? u16{0} : masked_score);
  }
  return mask;
}

TensorMap load_weights(const std::filesystem::path& file, const Network& network, std::vector<std::string>* notes) {
  return weights_of(read_safetensors(file), file, network, notes);
}

TensorMap load_weight_shapes(const std::filesystem::path& file, const Network& network,
                             std::vector<std::string>* notes) {
  return weights_of(read_safetensors_shapes(file), file, network, notes);
}

Tensor load_input(const std::filesystem::path& file, const Network& network) {
  return input_of(read_safetensors(file), file, network);
}

void check_input_shape(const std::filesystem::path& file, const Network& network) {
  static_cast<void>(input_of(read_safetensors_shapes(file), file, network));
}

std::vector<u32> load_tokens(const std::filesystem::path& file, const Network& network) {
  const IntegerTensor found = read_integers(file, "tokens");
  const std::vector<u64> shape{network.batch, network.tokens};
  if (found.shape != shape) {
    refuse(file, {fmt::format("'tokens' has shape [{}], expected [{}]", fmt::join(found.shape, ", "),
                              fmt::join(shape, ", "))});
  }
  std::vector<u32> tokens;
  for (const i64 token : found.data) {
    if (token < 0 || static_cast<u64>(token) >= network.vocabulary) {
      refuse(file,
             {fmt::format("'tokens': found {} at index [{}, {}], expected 0 to {} (network.vocabulary)", token,
                          tokens.size() / network.tokens, tokens.size() % network.tokens, network.vocabulary - 1)});
    }
    tokens.push_back(static_cast<u32>(token));
  }
  return tokens;
}

Tensor load_mask(const std::filesystem::path& file, const Network& network) {
  const std::vector<u64> shape{network.batch, network.tokens};
  FloatTensors found = read_safetensors(file);
  Tensor mask;
  if (const auto entry = found.tensors.find("mask"); entry != found.tensors.end()) {
    mask = std::move(entry->second);
  } else {
    const IntegerTensor integers = read_integers(file, "mask");
    mask.shape = integers.shape;
    for (const i64 value : integers.data) mask.data.push_back(to_half(static_cast<double>(value)));
  }
  if (mask.shape != shape) {
    refuse(file,
           {fmt::format("'mask' has shape [{}], expected [{}]", fmt::join(mask.shape, ", "), fmt::join(shape, ", "))});
  }
  for (u64 element = 0; element < network.batch; ++element) {
    bool any = false;
    for (u64 token = 0; token < network.tokens; ++token) {
      u16& value = mask.data[element * network.tokens + token];
      const float given = from_half(value);
      if (given != 0 && given != 1) {
        refuse(file, {fmt::format("'mask': found {} at index [{}, {}], expected 1, or 0 for a token that is left out",
                                  given, element, token)});
      }
      any = any || given != 0;
      value = given != 0 ? u16{0} : masked_score;
    }
    if (!any) refuse(file, {fmt::format("'mask': sequence {} has no token, expected at least one 1", element)});
  }
  return mask;
}

Tensor mask_of_scores(Tensor mask) {
  for (u16& value : mask.data) value = value == masked_score ? u16{0} : to_half(1.0);
  return mask;
}

}  // namespace bvp
