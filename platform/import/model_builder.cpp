// SPDX-License-Identifier: Apache-2.0
#include "platform/import/model_builder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "platform/network/half.h"
#include "platform/support/input_error.h"
#include "platform/support/input_file.h"
#include "platform/support/printable.h"

namespace bvp {
namespace {

std::string shape_text(const std::vector<u64>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::string found_text(const nlohmann::json& value) {
  return value.is_object() || value.is_array() ? kind_of(value) : printable(value.dump());
}

}  // namespace

// ---------------------------------------------------------------- problems

void ModelBuilder::add_problem(std::string text) {
  if (std::find(problems_.begin(), problems_.end(), text) == problems_.end()) problems_.push_back(std::move(text));
}

void ModelBuilder::report() const {
  if (problems_.empty()) return;
  constexpr std::size_t shown = 50;
  std::vector<std::string> lines(problems_.begin(),
                                 problems_.begin() + static_cast<std::ptrdiff_t>(std::min(shown, problems_.size())));
  if (problems_.size() > shown) lines.push_back(fmt::format("and {} more", problems_.size() - shown));
  for (std::string& line : lines) line = fmt::format("{}: {}", options_.source.string(), line);
  throw InputError(fmt::format("{}", fmt::join(lines, "\n")));
}

// ---------------------------------------------------------------- configuration

std::optional<nlohmann::json> ModelBuilder::value(const std::string& key, bool required) {
  if (given(key)) return source_.config().at(key);
  if (required) wrong("{}: '{}' is missing", source_.config_file().string(), key);
  return std::nullopt;
}

u64 ModelBuilder::count(const std::string& key, std::optional<u64> otherwise) {
  const auto found = value(key, !otherwise);
  if (!found) return otherwise.value_or(1);
  constexpr u64 most = u64{1} << 20;
  if (found->is_number_unsigned() && found->get<u64>() >= 1 && found->get<u64>() <= most) return found->get<u64>();
  wrong("{}: {}: found {}, expected an integer from 1 to {}", source_.config_file().string(), key, found_text(*found),
        most);
  return otherwise.value_or(1);
}

double ModelBuilder::number(const std::string& key, double otherwise) {
  const auto found = value(key, false);
  if (!found) return otherwise;
  if (found->is_number()) return found->get<double>();
  wrong("{}: {}: found {}, expected a number", source_.config_file().string(), key, found_text(*found));
  return otherwise;
}

bool ModelBuilder::flag(const std::string& key, bool otherwise) {
  const auto found = value(key, false);
  if (!found) return otherwise;
  if (found->is_boolean()) return found->get<bool>();
  wrong("{}: {}: found {}, expected true or false", source_.config_file().string(), key, found_text(*found));
  return otherwise;
}

std::string ModelBuilder::word(const std::string& key, const std::string& otherwise) {
  const auto found = value(key, false);
  if (!found) return otherwise;
  if (found->is_string()) return found->get<std::string>();
  wrong("{}: {}: found {}, expected text", source_.config_file().string(), key, found_text(*found));
  return otherwise;
}

Activation ModelBuilder::activation(const std::string& key, const std::string& otherwise) {
  const std::string name = word(key, otherwise);
  if (name == "gelu") return Activation::gelu;
  if (name == "relu") return Activation::relu;
  if (name == "tanh") return Activation::tanh;
  for (const char* tanh : {"gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_tanh"}) {
    if (name == tanh) return Activation::gelu_tanh;
  }
  unsupported("{} '{}', the platform has gelu, gelu_new (gelu_pytorch_tanh, gelu_fast), relu and tanh", key,
              printable(name));
  return Activation::gelu;
}

// ---------------------------------------------------------------- tensors

std::optional<FloatTensor> ModelBuilder::read(const std::string& name, const std::vector<u64>& shape) {
  if (!source_.has(name)) {
    wrong("tensor '{}' {} is missing", printable(name), shape_text(shape));
    return std::nullopt;
  }
  if (source_.shape(name) != shape) {
    source_.use(name);
    wrong("tensor '{}' has shape {}, expected {}", printable(name), shape_text(source_.shape(name)), shape_text(shape));
    return std::nullopt;
  }
  return source_.read(name);
}

std::optional<FloatTensor> ModelBuilder::read_or_zeros(const std::string& name, const std::vector<u64>& shape) {
  if (source_.has(name)) return read(name, shape);
  return FloatTensor{shape, std::vector<float>(Tensor::elements(shape))};
}

void ModelBuilder::set(const std::string& name, const std::vector<u64>& shape, const std::vector<float>& values,
                       const std::string& origin) {
  Tensor tensor{shape, {}};
  tensor.data.reserve(values.size());
  for (const float value : values) {
    tensor.data.push_back(to_half(static_cast<double>(value)));
    if (is_finite_half(tensor.data.back())) continue;
    wrong("tensor '{}': {} is beyond the range of fp16", printable(origin), value);
    return;
  }
  result_.weights[name] = std::move(tensor);
}

void ModelBuilder::norm(const std::string& name, const std::string& from) {
  const bool old = !source_.has(from + ".weight") && source_.has(from + ".gamma");
  const std::string weight = from + (old ? ".gamma" : ".weight"), bias = from + (old ? ".beta" : ".bias");
  const std::vector<u64> shape{network().hidden};
  if (const auto values = read(weight, shape)) set(name + ".weight", shape, values->data, weight);
  if (const auto values = read_or_zeros(bias, shape)) set(name + ".bias", shape, values->data, bias);
}

void ModelBuilder::dense(const std::string& name, const std::string& from, u64 inputs, u64 outputs) {
  const Linear layer{name, from, inputs, outputs};
  set_dense(layer);
  set_bias(layer);
}

void ModelBuilder::set_bias(const Linear& layer) {
  const std::vector<u64> shape{layer.outputs};
  if (const auto bias = read_or_zeros(layer.from + ".bias", shape)) {
    set(layer.name + ".bias", shape, bias->data, layer.from + ".bias");
  }
}

void ModelBuilder::set_dense(const Linear& layer) {
  const std::vector<u64> shape{layer.outputs, layer.inputs};
  if (!has_twiddle(layer)) {
    if (const auto weight = read(layer.from + ".weight", shape)) {
      set(layer.name + ".weight", shape, weight->data, layer.from + ".weight");
    }
    return;
  }
  const auto twiddle = read_twiddle(layer);
  if (!twiddle) return;
  const bool increasing = flag("increasing_stride", true);
  set(layer.name + ".weight", shape, matrix_of_butterfly(*twiddle, layer.inputs, layer.outputs, increasing),
      layer.from + ".twiddle");
}

std::optional<FloatTensor> ModelBuilder::read_twiddle(const Linear& layer) {
  const std::string name = layer.from + ".twiddle";
  const u64 n = std::max<u64>(2, next_power_of_two(layer.inputs)), stacks = (layer.outputs + n - 1) / n;
  std::vector<u64> found = source_.shape(name);
  if (found.size() == 5) found.insert(found.begin() + 1, 1);
  const u64 blocks = found.size() == 6 ? found[1] : 1;
  const std::vector<u64> expected{stacks, blocks, log2_of(n), n / 2, 2, 2};
  if (found != expected || blocks == 0) {
    source_.use(name);
    wrong(
        "tensor '{}' has shape {}, expected [{}, blocks, {}, {}, 2, 2]: stacks, blocks, log2 n, n/2, 2, 2 of {} "
        "inputs and {} outputs{}",
        printable(name), shape_text(source_.shape(name)), stacks, log2_of(n), n / 2, layer.inputs, layer.outputs,
        found.size() == 7 ? " (one more axis: complex numbers are not supported)" : "");
    return std::nullopt;
  }
  FloatTensor twiddle = source_.read(name);
  twiddle.shape = expected;
  return twiddle;
}

LinearKind ModelBuilder::linears(const std::vector<Linear>& layers) {
  const bool increasing = flag("increasing_stride", true);
  const auto in_form = [&](const Linear& layer) {
    if (!has_twiddle(layer)) return false;
    const std::vector<u64>& shape = source_.shape(layer.from + ".twiddle");
    return increasing && (shape.size() == 5 || (shape.size() == 6 && shape[1] == 1));
  };
  const bool butterflies = std::all_of(layers.begin(), layers.end(), in_form);
  std::vector<std::string> expanded;
  for (const Linear& layer : layers) {
    set_bias(layer);
    if (!butterflies) {
      if (has_twiddle(layer)) expanded.push_back(layer.from);
      set_dense(layer);
      continue;
    }
    if (const auto twiddle = read_twiddle(layer)) {
      std::vector<u64> shape = twiddle->shape;
      shape.erase(shape.begin() + 1);
      set(layer.name + ".twiddle", shape, twiddle->data, layer.from + ".twiddle");
    }
  }
  if (!expanded.empty()) {
    const bool all_there = expanded.size() == layers.size();
    result_.approximate.push_back(fmt::format(
        "{}: multiplied out to dense matrices, the same function with more operations, because {}",
        fmt::join(expanded, ", "),
        all_there ? "the platform's butterflies have one block of increasing strides"
                  : fmt::format("the platform wants {} linear layers of one kind here, and the others are dense",
                                layers.size())));
  }
  return butterflies ? LinearKind::butterfly : LinearKind::dense;
}

// ---------------------------------------------------------------- butterflies

std::vector<float> matrix_of_butterfly(const FloatTensor& twiddle, u64 inputs, u64 outputs, bool increasing) {
  const u64 stacks = twiddle.shape[0], blocks = twiddle.shape[1], layers = twiddle.shape[2], pairs = twiddle.shape[3];
  const u64 n = 2 * pairs;
  std::vector<float> matrix(outputs * inputs);
  std::vector<double> points(n);
  for (u64 stack = 0; stack < stacks; ++stack) {
    for (u64 input = 0; input < inputs; ++input) {
      std::fill(points.begin(), points.end(), 0.0);
      points[input] = 1;
      const float* t = twiddle.data.data() + stack * blocks * layers * pairs * 4;
      for (u64 layer = 0; layer < blocks * layers; ++layer) {
        const bool grows = increasing == (layer / layers % 2 == 0);
        const u64 stride = u64{1} << (grows ? layer % layers : layers - 1 - layer % layers);
        for (u64 pair = 0; pair < pairs; ++pair, t += 4) {
          double& low = points[pair / stride * 2 * stride + pair % stride];
          double& high = *(&low + stride);
          const double a = low, b = high;
          low = static_cast<double>(t[0]) * a + static_cast<double>(t[1]) * b;
          high = static_cast<double>(t[2]) * a + static_cast<double>(t[3]) * b;
        }
      }
      for (u64 i = 0; i < n && stack * n + i < outputs; ++i) {
        matrix[(stack * n + i) * inputs + input] = static_cast<float>(points[i]);
      }
    }
  }
  return matrix;
}

}  // namespace bvp
