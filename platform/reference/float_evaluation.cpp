// SPDX-License-Identifier: Apache-2.0
#include "platform/reference/float_evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "platform/network/half.h"
#include "platform/reference/kernels.h"
#include "platform/reference/tensor_lookup.h"

namespace bvp {

namespace float_references {
#define BVP_ENTRY(name) FloatPanels name(const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer);
#include "platform_operators.list"
#undef BVP_ENTRY
}  // namespace float_references

FloatPanels mix_floats(const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer) {
  using Mix = FloatPanels (*)(const FloatEvaluation&, const FloatPanels&, u64);
  // In the order of the enumeration.
  static constexpr Mix of_mixing[] = {
#define BVP_ENTRY(name) float_references::name,
#include "platform_operators.list"
#undef BVP_ENTRY
  };
  return of_mixing[static_cast<std::size_t>(evaluation.network().layers[layer].mixing)](evaluation, x, layer);
}

namespace {

void add_to(const FloatPanels& x, FloatPanels& y) {
  const std::size_t count = y.panels() * y.features() * panel_width;
  for (std::size_t i = 0; i < count; ++i) y.row(0, 0)[i] += x.row(0, 0)[i];
}

}  // namespace

/// The sums of tokens and positions as the first layer takes them.
FloatPanels FloatEvaluation::embedded(FloatPanels x) const {
  if (network_.embedding_norm) x = norm(x, "embedding.norm");
  if (network_.embedding_projection) {
    x = linear(x, LinearKind::dense, "embedding.projection", network_.hidden);
  }
  return x;
}

/// Tokens of patches, with their positions.
FloatPanels FloatEvaluation::of_patches(const FloatPanels& patches) const {
  const u64 tokens = network_.tokens;
  FloatPanels x = linear(patches, LinearKind::dense, "embedding.patch", network_.hidden);
  const std::vector<float> position = parameter("embedding.position", tokens * network_.hidden);
  for (u64 row = 0; row < network_.batch * tokens; ++row) {
    const u64 token = row % tokens, panel = row / tokens * panels_for(tokens) + token / panel_width;
    for (u64 i = 0; i < network_.hidden; ++i) {
      x.row(panel, i)[token % panel_width] += position[token * network_.hidden + i];
    }
  }
  return x;
}

FloatPanels FloatEvaluation::layer(const FloatPanels& x, u64 index) const {
  const EncoderLayer& layer = network_.layers[index];
  const std::string name = fmt::format("layers.{}", index);
  const bool post = network_.norm == NormPlacement::post;
  FloatPanels h = mix_floats(*this, post ? x : norm(x, name + ".norm1"), index);
  add_to(x, h);
  if (post) h = norm(h, name + ".norm1");
  FloatPanels y = feed_forward(post ? h : norm(h, name + ".norm2"), layer, name);
  add_to(h, y);
  return post ? norm(y, name + ".norm2") : y;
}

FloatPanels FloatEvaluation::norm(const FloatPanels& x, const std::string& name) const {
  const std::size_t features = x.features();
  const std::vector<float> weight = parameter(name + ".weight", features);
  const std::vector<float> bias = parameter(name + ".bias", features);
  FloatPanels y(x.panels(), features);
  const auto count = static_cast<double>(features);
  using Columns = std::array<double, panel_width>;
  for (std::size_t panel = 0; panel < x.panels(); ++panel) {
    Columns mean{}, scale{};
    for (std::size_t i = 0; i < features; ++i) {
      for (std::size_t lane = 0; lane < panel_width; ++lane) mean[lane] += static_cast<double>(x.row(panel, i)[lane]);
    }
    for (double& value : mean) value /= count;
    for (std::size_t i = 0; i < features; ++i) {
      for (std::size_t lane = 0; lane < panel_width; ++lane) {
        const double difference = static_cast<double>(x.row(panel, i)[lane]) - mean[lane];
        scale[lane] += difference * difference;
      }
    }
    for (double& value : scale) value = 1 / std::sqrt(value / count + network_.epsilon);
    for (std::size_t i = 0; i < features; ++i) {
      for (std::size_t lane = 0; lane < panel_width; ++lane) {
        const double normal = (static_cast<double>(x.row(panel, i)[lane]) - mean[lane]) * scale[lane];
        y.row(panel, i)[lane] = static_cast<float>(normal) * weight[i] + bias[i];
      }
    }
  }
  return y;
}

std::vector<float> FloatEvaluation::parameter(const std::string& name, u64 elements) const {
  const u16* data = find_tensor(parameters_, name, elements);
  std::vector<float> values(elements);
  std::transform(data, data + elements, values.begin(), from_half);
  return values;
}

FloatPanels FloatEvaluation::feed_forward(const FloatPanels& x, const EncoderLayer& layer,
                                          const std::string& name) const {
  FloatPanels up = linear(x, layer.ffn, name + ".ffn.up", network_.ffn);
  float* values = up.row(0, 0);
  const std::size_t count = up.panels() * up.features() * panel_width;
  std::transform(values, values + count, values, [&](float v) { return activated(v); });
  return linear(up, layer.ffn, name + ".ffn.down", network_.hidden);
}

float FloatEvaluation::activated(float v) const {
  constexpr double pi = 3.14159265358979323846;
  switch (network_.activation) {
    case Activation::gelu:
      return 0.5F * v * (1 + std::erf(v * std::sqrt(0.5F)));
    case Activation::gelu_tanh:
      return 0.5F * v * (1 + std::tanh(static_cast<float>(std::sqrt(2 / pi)) * (v + 0.044715F * v * v * v)));
    case Activation::tanh:
      return std::tanh(v);
    case Activation::relu:
      break;
  }
  return std::max(v, 0.0F);
}

FloatPanels FloatEvaluation::linear(const FloatPanels& x, LinearKind kind, const std::string& name, u64 outputs) const {
  FloatPanels y = kind == LinearKind::dense ? dense(x, name, outputs) : butterfly(x, name, outputs);
  const std::vector<float> bias = parameter(name + ".bias", outputs);
  for (std::size_t panel = 0; panel < y.panels(); ++panel) {
    for (std::size_t i = 0; i < outputs; ++i) {
      for (std::size_t lane = 0; lane < panel_width; ++lane) y.row(panel, i)[lane] += bias[i];
    }
  }
  return y;
}

FloatPanels FloatEvaluation::dense(const FloatPanels& x, const std::string& name, u64 outputs) const {
  const std::size_t inputs = x.features();
  const std::vector<float> weight = parameter(name + ".weight", outputs * inputs);
  FloatPanels y(x.panels(), outputs);
  constexpr u64 block = 64;  // outputs whose weights stay in the cache for all tokens
  for (u64 first = 0; first < outputs; first += block) {
    for (std::size_t panel = 0; panel < x.panels(); ++panel) {
      reference_kernels().multiply(std::min(block, outputs - first), inputs, weight.data() + first * inputs, inputs,
                                   x.row(panel, 0), y.row(panel, first));
    }
  }
  return y;
}

FloatPanels FloatEvaluation::butterfly(const FloatPanels& x, const std::string& name, u64 outputs) const {
  const u64 n = next_power_of_two(x.features());
  const u64 stacks = (outputs + n - 1) / n;
  const u64 factors = log2_of(n) * n / 2 * 4;
  const std::vector<float> twiddle = parameter(name + ".twiddle", stacks * factors);
  FloatPanels y(x.panels(), outputs);
  std::vector<float> points(n * panel_width);
  for (std::size_t panel = 0; panel < x.panels(); ++panel) {
    for (u64 stack = 0; stack < stacks; ++stack) {
      std::fill(points.begin(), points.end(), 0.0F);
      std::copy_n(x.row(panel, 0), x.features() * panel_width, points.begin());
      reference_kernels().butterfly_float(log2_of(n), twiddle.data() + stack * factors, points.data());
      std::copy_n(points.begin(), std::min(n, outputs - stack * n) * panel_width, y.row(panel, stack * n));
    }
  }
  return y;
}

}  // namespace bvp
