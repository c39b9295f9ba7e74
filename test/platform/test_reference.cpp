// SPDX-License-Identifier: Apache-2.0
// The native reference against the same definition written out token by token, value by value.
#include <hwy/targets.h>
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/arith/special_functions.h"
#include "platform/network/half.h"
#include "platform/network/weights.h"
#include "platform/reference/float_reference.h"
#include "platform/reference/functions.h"
#include "platform/reference/reference.h"

namespace {

using namespace bvp;

/// One fp16 value; every operation rounds.
class Half {
 public:
  Half() = default;
  explicit Half(u16 bits) : bits_(bits) {}
  static Half of(double value) { return Half(std::isnan(value) ? u16{0x7e00} : to_half(value)); }
  static Half of(float value) { return of(static_cast<double>(value)); }

  [[nodiscard]] u16 bits() const { return bits_; }
  [[nodiscard]] float value() const { return from_half(bits_); }

  friend Half operator+(Half a, Half b) { return of(a.value() + b.value()); }
  friend Half operator-(Half a, Half b) { return of(a.value() - b.value()); }
  friend Half operator*(Half a, Half b) { return of(a.value() * b.value()); }

 private:
  u16 bits_ = 0;
};

Half fma(Half a, Half b, Half c) { return Half::of(a.value() * b.value() + c.value()); }
Half fnma(Half a, Half b, Half c) { return Half::of(c.value() - a.value() * b.value()); }
Half special(double (*function)(double), Half x) { return Half::of(function(static_cast<double>(x.value()))); }

using Row = std::vector<Half>;
using Matrix = std::vector<Row>;  // [token][feature]

/// One batch element, computed from the definition.
class Definition {
 public:
  Definition(const Network& network, const TensorMap& parameters, bool normalised)
      : network_(network), parameters_(parameters), normalised_(normalised), ratios_(normalised) {}

  [[nodiscard]] Matrix layer(const Matrix& x, u64 index) const {
    const std::string name = "layers." + std::to_string(index);
    const EncoderLayer& layer = network_.layers[index];
    const bool post = network_.norm == NormPlacement::post;
    const Matrix mixed = mix(post ? x : norm(x, name + ".norm1"), layer, name);
    Matrix h = plus(mixed, x);
    if (post) h = norm(h, name + ".norm1");
    // Where the activation lies between two butterflies in normal form, it takes a share and leaves a multiple.
    const bool between = normalised_ && layer.ffn == LinearKind::butterfly && network_.activation == Activation::gelu;
    const double share = between ? std::sqrt(0.5) : 1;
    Matrix up = linear(post ? h : norm(h, name + ".norm2"), layer.ffn, name + ".ffn.up", network_.ffn, 1, share);
    for (Row& row : up) {
      for (Half& v : row) v = between ? fma(v, special([](double t) { return std::erf(t); }, v), v) : activated(v);
    }
    const Matrix y = plus(linear(up, layer.ffn, name + ".ffn.down", network_.hidden, share, 1), h);
    return post ? norm(y, name + ".norm2") : y;
  }

  [[nodiscard]] Matrix norm(const Matrix& x, const std::string& name) const {
    const Row weight = parameter(name + ".weight");
    const Row bias = parameter(name + ".bias");
    const auto size = static_cast<double>(network_.hidden);
    Matrix y = x;
    for (Row& row : y) {
      float sum = 0;
      for (const Half v : row) sum += v.value();
      const float mean = sum * static_cast<float>(1 / size);
      float squares = 0;
      for (Half& v : row) {
        v = Half::of(v.value() - mean);
        squares += v.value() * v.value();
      }
      squares += static_cast<float>(size * network_.epsilon);
      const auto root = static_cast<float>(1 / std::sqrt(static_cast<double>(squares)));
      const float s = root * static_cast<float>(std::sqrt(size));
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = fma(Half::of(row[i].value() * s), weight[i], bias[i]);
    }
    return y;
  }

  [[nodiscard]] Matrix linear(const Matrix& x, LinearKind kind, const std::string& name, u64 outputs,
                              double owed_by_input = 1, double share = 1) const {
    if (kind == LinearKind::butterfly && normalised_) return normal_butterfly(x, name, outputs, owed_by_input, share);
    const Row bias = parameter(name + ".bias");
    Matrix y;
    for (const Row& row : x) {
      Row out = kind == LinearKind::dense ? dense(row, parameter(name + ".weight"), outputs)
                                          : butterfly(row, parameter(name + ".twiddle"), outputs);
      for (u64 i = 0; i < outputs; ++i) out[i] = out[i] + bias[i];
      y.push_back(out);
    }
    return y;
  }

 private:
  [[nodiscard]] Row parameter(const std::string& name) const {
    Row row;
    for (const u16 bits : parameters_.at(name).data) row.emplace_back(bits);
    return row;
  }

  static Matrix plus(const Matrix& a, const Matrix& b) {
    Matrix y = a;
    for (std::size_t t = 0; t < y.size(); ++t) {
      for (std::size_t i = 0; i < y[t].size(); ++i) y[t][i] = a[t][i] + b[t][i];
    }
    return y;
  }

  [[nodiscard]] Half activated(Half x) const {
    const auto tanh = [](double v) { return std::tanh(v); };
    if (network_.activation == Activation::relu) return x.value() > 0 ? x : Half();
    if (network_.activation == Activation::tanh) return special(tanh, x);
    if (network_.activation == Activation::gelu_tanh) {
      const Half inner = fma(Half::of(0.044715 * std::sqrt(2 / M_PI)), x * x, Half::of(std::sqrt(2 / M_PI)));
      const Half half = Half::of(0.5) * x;
      return fma(half, special(tanh, inner * x), half);
    }
    const Half e = special([](double v) { return std::erf(v); }, x * Half::of(0.70710678));
    const Half h = Half::of(0.5) * x;
    return fma(h, e, h);
  }

  [[nodiscard]] Matrix normal_butterfly(const Matrix& x, const std::string& name, u64 outputs, double owed_by_input,
                                        double share) const {
    const Row bias = parameter(name + ".bias"), twiddle = parameter(name + ".twiddle");
    const u64 n = next_power_of_two(x.front().size()), layers = log2_of(n), stacks = (outputs + n - 1) / n;
    Matrix points(x.size(), Row(stacks * n));
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (u64 stack = 0; stack < stacks; ++stack) {
        std::copy(x[t].begin(), x[t].end(), points[t].begin() + static_cast<std::ptrdiff_t>(stack * n));
      }
    }
    std::vector<double> owed(stacks * n, owed_by_input);
    for (u64 k = 0; k < layers; ++k) {
      // Of each output: what its inputs count, that of the lower point first.
      std::vector<std::array<double, 2>> rows;
      bool pays = false;
      for (u64 i = 0; i < stacks * n; ++i) {
        const u64 s = u64{1} << k, stack = i / n, low = i - (i % n / s % 2) * s, p = low % n / (2 * s) * s + low % s;
        const Half* t = &twiddle[((stack * layers + k) * n / 2 + p) * 4 + (i == low ? 0 : 2)];
        rows.push_back({double{t[0].value()} * owed[low], double{t[1].value()} * owed[low + s]});
        const double large = std::max(std::abs(rows[i][0]), std::abs(rows[i][1]));
        if (large > 256 || (large > 0 && large < std::ldexp(1.0, -13))) pays = true;
      }
      for (Row& row : points) {
        const Row from = row;
        for (u64 i = 0; i < stacks * n; ++i) {
          const u64 s = u64{1} << k, low = i - (i % n / s % 2) * s;
          const Half a = from[low], b = from[low + s];
          const auto [of_a, of_b] = rows[i];
          if (pays) {
            row[i] = fma(Half::of(of_b), b, Half::of(of_a) * a);
          } else if (std::abs(of_b) > std::abs(of_a)) {
            row[i] = fma(Half::of(of_a / of_b), a, b);
          } else {
            row[i] = fma(of_a == 0 ? Half() : Half::of(of_b / of_a), b, a);
          }
        }
      }
      for (u64 i = 0; i < stacks * n; ++i) {
        owed[i] = pays ? 1 : std::abs(rows[i][1]) > std::abs(rows[i][0]) ? rows[i][1] : rows[i][0];
      }
    }
    for (Row& row : points) {
      row.resize(outputs);
      for (u64 i = 0; i < outputs; ++i) {
        row[i] = fma(row[i], Half::of(owed[i] * share), Half::of(double{bias[i].value()} * share));
      }
    }
    return points;
  }

  static Row dense(const Row& x, const Row& weight, u64 outputs) {
    Row y;
    for (u64 o = 0; o < outputs; ++o) {
      float sum = 0;
      for (std::size_t k = 0; k < x.size(); ++k) sum += x[k].value() * weight[o * x.size() + k].value();
      y.push_back(Half::of(sum));
    }
    return y;
  }

  static Row butterfly(const Row& x, const Row& twiddle, u64 outputs) {
    const u64 n = next_power_of_two(x.size());
    const u64 layers = log2_of(n);
    Row all;
    for (u64 stack = 0; all.size() < outputs; ++stack) {
      Row y = x;
      y.resize(n);
      for (u64 k = 0; k < layers; ++k) {
        const u64 s = u64{1} << k;
        for (u64 p = 0; p < n / 2; ++p) {
          const u64 low = 2 * (p / s) * s + p % s;
          const Half* t = &twiddle[((stack * layers + k) * n / 2 + p) * 4];
          const Half a = y[low];
          const Half b = y[low + s];
          y[low] = fma(t[1], b, t[0] * a);
          y[low + s] = fma(t[3], b, t[2] * a);
        }
      }
      all.insert(all.end(), y.begin(), y.end());
    }
    all.resize(outputs);
    return all;
  }

  [[nodiscard]] Matrix mix(const Matrix& x, const EncoderLayer& layer, const std::string& name) const {
    if (layer.mixing == Mixing::fft2d) return fft2d(x);
    const Matrix q = linear(x, layer.projections, name + ".attention.query", network_.hidden);
    const Matrix k = linear(x, layer.projections, name + ".attention.key", network_.hidden);
    const Matrix v = linear(x, layer.projections, name + ".attention.value", network_.hidden);
    const u64 width = network_.hidden / network_.heads;
    const Half factor = Half::of(1 / std::sqrt(static_cast<double>(width)));
    Matrix mixed(x.size(), Row(network_.hidden));
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (u64 first = 0; first < network_.hidden; first += width) {
        Row scores;
        for (const Row& key : k) {
          float sum = 0;
          for (u64 d = first; d < first + width; ++d) sum += q[t][d].value() * key[d].value();
          scores.push_back(Half::of(sum * factor.value()));
        }
        Half largest = scores[0];
        for (const Half s : scores) largest = s.value() > largest.value() ? s : largest;
        float total = 0;
        for (Half& s : scores) {
          s = special([](double value) { return std::exp(value); }, s - largest);
          total += s.value();
        }
        const Half inverse = special([](double value) { return 1 / value; }, Half::of(total));
        for (u64 d = first; d < first + width; ++d) {
          float sum = 0;
          for (std::size_t j = 0; j < k.size(); ++j) sum += scores[j].value() * v[j][d].value();
          mixed[t][d] = Half::of(sum * inverse.value());
        }
      }
    }
    return linear(mixed, layer.projections, name + ".attention.output", network_.hidden);
  }

  void fft(Row& real, Row& imaginary, bool ortho) const {
    const std::size_t n = real.size();
    if (ortho) {
      const Half scale = Half::of(1 / std::sqrt(static_cast<double>(n)));
      for (Half& v : real) v = v * scale;
      for (Half& v : imaginary) v = v * scale;
    }
    for (std::size_t i = 0, j = 0; i < n; ++i) {
      if (i < j) {
        std::swap(real[i], real[j]);
        std::swap(imaginary[i], imaginary[j]);
      }
      std::size_t bit = n / 2;
      for (; bit != 0 && (j & bit) != 0; bit /= 2) j ^= bit;
      j |= bit;
    }
    for (std::size_t s = 1; s < n; s *= 2) {
      for (std::size_t i = 0; i < n; ++i) {
        if ((i & s) != 0) continue;
        const double angle = 2 * std::acos(-1.0) * static_cast<double>(i % s) / static_cast<double>(2 * s);
        const Half wr = Half::of(std::cos(angle));
        const Half wi = Half::of(-std::sin(angle));
        const Half br = real[i + s];
        const Half bi = imaginary[i + s];
        if (ratios_) {
          // The larger part of the factor is taken out of it.
          const bool swapped = std::abs(std::sin(angle)) > std::abs(std::cos(angle)) + 1e-9;
          const double tangent = std::tan(angle);
          const Half ratio = Half::of(swapped ? -1 / tangent : -tangent), large = swapped ? wi : wr;
          const Half turned_re = swapped ? Half::of(ratio.value() * br.value() - bi.value()) : fnma(ratio, bi, br);
          const Half turned_im = swapped ? fma(ratio, bi, br) : fma(ratio, br, bi);
          real[i + s] = fnma(large, turned_re, real[i]);
          imaginary[i + s] = fnma(large, turned_im, imaginary[i]);
          real[i] = fma(large, turned_re, real[i]);
          imaginary[i] = fma(large, turned_im, imaginary[i]);
          continue;
        }
        const Half tr = fnma(wi, bi, wr * br);
        const Half ti = fma(wi, br, wr * bi);
        real[i + s] = real[i] - tr;
        imaginary[i + s] = imaginary[i] - ti;
        real[i] = real[i] + tr;
        imaginary[i] = imaginary[i] + ti;
      }
    }
  }

  [[nodiscard]] Matrix fft2d(const Matrix& x) const {
    const bool ortho = network_.fft_norm == FftNorm::ortho;
    const u64 width = next_power_of_two(network_.hidden);
    const u64 height = next_power_of_two(network_.tokens);
    Matrix real = x;
    for (Row& row : real) row.resize(width);
    real.resize(height, Row(width));
    Matrix imaginary(height, Row(width));
    for (u64 t = 0; t < height; ++t) {
      // Only the real plane is scaled here; the other one is +0 and stays so.
      fft(real[t], imaginary[t], ortho);
    }
    Matrix y(x.size(), Row(network_.hidden));
    for (u64 c = 0; c < network_.hidden; ++c) {
      Row re;
      Row im;
      for (u64 t = 0; t < height; ++t) {
        re.push_back(real[t][c]);
        im.push_back(imaginary[t][c]);
      }
      fft(re, im, ortho);
      for (std::size_t t = 0; t < x.size(); ++t) y[t][c] = re[t];
    }
    return y;
  }

  const Network& network_;
  const TensorMap& parameters_;
  const bool normalised_;
  const bool ratios_;  // the factors of the FFT are taken apart
};

std::vector<u16> batch_of(const Network& network, const std::vector<u16>& values,
                          const std::function<Matrix(const Matrix&)>& compute) {
  std::vector<u16> result;
  std::size_t at = 0;
  for (u64 element = 0; element < network.batch; ++element) {
    Matrix x(network.tokens, Row(network.hidden));
    for (Row& row : x) {
      for (Half& v : row) v = Half(values[at++]);
    }
    for (const Row& row : compute(x)) {
      for (const Half v : row) result.push_back(v.bits());
    }
  }
  return result;
}

void check_against_definition(const Network& network, const TensorMap& weights, const Tensor& input, bool normalised) {
  ReferenceOptions options;
  options.normalised = options.twiddle_ratios = normalised;
  const TensorMap got = reference_network(network, weights, input, options);
  const Definition definition(network, weights, normalised);
  std::vector<u16> x = input.data;
  for (u64 index = 0; index < network.layers.size(); ++index) {
    x = batch_of(network, x, [&](const Matrix& m) { return definition.layer(m, index); });
    INFO("layer " << index);
    REQUIRE(got.at("layers." + std::to_string(index) + ".output").data == x);
  }
  if (network.norm == NormPlacement::pre) {
    x = batch_of(network, x, [&](const Matrix& m) { return definition.norm(m, "final_norm"); });
  }
  REQUIRE(got.at("output").data == x);
  REQUIRE(got.at("output").shape == std::vector<u64>{network.batch, network.tokens, network.hidden});
}

Network network_of(u64 tokens, u64 hidden, u64 heads, u64 ffn, u64 batch) {
  Network network;
  network.tokens = tokens;
  network.hidden = hidden;
  network.heads = heads;
  network.ffn = ffn;
  network.batch = batch;
  network.fft_length = FftLength::power_of_two;
  network.layers = {{Mixing::fft2d, LinearKind::butterfly, LinearKind::butterfly},
                    {Mixing::attention, LinearKind::dense, LinearKind::butterfly},
                    {Mixing::attention, LinearKind::butterfly, LinearKind::dense}};
  return network;
}

}  // namespace

TEST_CASE("reference: bit-exact to its definition", "[reference]") {
  for (Network network : {network_of(16, 16, 2, 64, 1), network_of(21, 24, 3, 40, 2), network_of(5, 33, 1, 20, 3),
                          network_of(1, 8, 8, 3, 1), network_of(3, 1, 1, 2, 1)}) {
    for (const NormPlacement norm : {NormPlacement::post, NormPlacement::pre}) {
      network.norm = norm;
      network.fft_norm = norm == NormPlacement::post ? FftNorm::ortho : FftNorm::none;
      network.activation = norm == NormPlacement::post ? Activation::gelu : Activation::relu;
      INFO(network.tokens << " tokens, hidden " << network.hidden);
      for (const bool normalised : {false, true}) {
        TensorMap weights = random_weights(network, 7);
        check_against_definition(network, weights, random_input(network, 7), normalised);
        // Some pairs so small that what is owed has to be paid, one row of zeros, and one pair that swaps.
        for (auto& [name, tensor] : weights) {
          if (name.find("twiddle") == std::string::npos) continue;
          for (std::size_t i = 0; i < tensor.data.size(); i += 12) {
            tensor.data[i] = to_half(from_half(tensor.data[i]) * 1e-3);
            tensor.data[i + 1] = to_half(from_half(tensor.data[i + 1]) * 1e-3);
          }
          if (tensor.data.size() >= 8) tensor.data[4] = tensor.data[5] = tensor.data[6] = 0;
        }
        check_against_definition(network, weights, random_input(network, 7), normalised);
      }
    }
  }
}

TEST_CASE("reference: activations with tanh are bit-exact to their definition", "[reference]") {
  Network network = network_of(21, 24, 3, 40, 2);
  for (const Activation activation : {Activation::gelu_tanh, Activation::tanh}) {
    network.activation = activation;
    const TensorMap weights = random_weights(network, 7);
    for (const bool normalised : {false, true}) {
      check_against_definition(network, weights, random_input(network, 7), normalised);
    }
    Tensor large = random_input(network, 5);
    for (u16& value : large.data) value = static_cast<u16>((value & 0x83ff) | 0x7800);
    check_against_definition(network, weights, large, true);
  }
}

TEST_CASE("reference: tokens that a mask leaves out change nothing", "[reference]") {
  // A sequence of 21 tokens, of which 13 count, against one of these 13.
  Network whole = network_of(21, 24, 3, 40, 1);
  whole.layers.erase(whole.layers.begin());
  whole.padding_mask = true;
  Network part = whole;
  part.tokens = 13;
  part.padding_mask = false;
  const TensorMap weights = random_weights(whole, 5);
  const Tensor input = random_input(whole, 5);
  Tensor mask{{1, 21}, std::vector<u16>(21)}, few{{1, 13, 24}, input.data};
  few.data.resize(13 * 24);
  std::fill(mask.data.begin() + 13, mask.data.end(), masked_score);
  ReferenceOptions options;
  for (const u64 block : {u64{0}, u64{8}}) {
    options.key_block = block;
    const std::vector<u16> got = reference_network(whole, weights, input, options, mask).at("output").data;
    options.key_block = block == 0 ? 0 : 8;
    const std::vector<u16> want = reference_network(part, weights, few, options).at("output").data;
    CHECK(std::equal(want.begin(), want.end(), got.begin()));
    CHECK(got != reference_network(whole, weights, input, options).at("output").data);
  }
  const std::vector<float> got = reference_float_network(whole, weights, widened(input.data), 0, mask).output;
  const std::vector<float> want = reference_float_network(part, weights, widened(few.data)).output;
  for (std::size_t i = 0; i < want.size(); ++i) REQUIRE(got[i] == Approx(want[i]).margin(1e-5));
}

TEST_CASE("reference: what follows an embedding and a pooling is what its definition says", "[reference]") {
  Network network = network_of(10, 24, 3, 40, 2);
  network.vocabulary = 30;
  const std::vector<u32> tokens = random_tokens(network, 3);
  network.embedding_norm = network.embedding_projection = network.pooler = true;
  network.classes = 5;
  const TensorMap weights = random_weights(network, 3);
  Network sums = network;
  sums.embedding_norm = sums.embedding_projection = false;
  const Definition definition(network, weights, false);
  const std::vector<u16> want =
      batch_of(network, reference_embedding(sums, weights, tokens).data, [&](const Matrix& x) {
        return definition.linear(definition.norm(x, "embedding.norm"), LinearKind::dense, "embedding.projection", 24);
      });
  const Tensor embedded = reference_embedding(network, weights, tokens);
  CHECK(embedded.data == want);
  CHECK(relative_error(want, reference_float_embedding(network, weights, tokens), 24).whole < 2e-3);

  const TensorMap got = reference_network(network, weights, embedded);
  for (u64 element = 0; element < network.batch; ++element) {
    Row first;
    for (u64 i = 0; i < 24; ++i) first.emplace_back(got.at("output").data[element * 10 * 24 + i]);
    Matrix pooled = definition.linear({first}, LinearKind::dense, "pooler", 24);
    for (Half& value : pooled.front()) value = special([](double v) { return std::tanh(v); }, value);
    const Matrix logits = definition.linear(pooled, LinearKind::dense, "classifier", 5);
    for (u64 j = 0; j < 5; ++j) CHECK(got.at("logits").data[element * 5 + j] == logits.front()[j].bits());
  }
  const FloatLogits exact = reference_float_logits(network, weights, widened(got.at("output").data));
  CHECK(relative_error(got.at("logits").data, exact.values, 5, exact.sizes).whole < 3e-3);
}

TEST_CASE("reference: patches become tokens by a dense layer and their positions", "[reference]") {
  Network network = network_of(10, 24, 3, 40, 2);
  network.patch_values = 30;
  const TensorMap weights = random_weights(network, 3);
  const Tensor patches = random_input(network, 3);
  REQUIRE(patches.shape == std::vector<u64>{2, 10, 30});
  const Definition definition(network, weights, false);
  const Tensor got = reference_patch_embedding(network, weights, patches);
  REQUIRE(got.shape == std::vector<u64>{2, 10, 24});
  for (u64 row = 0; row < 20; ++row) {
    Row x;
    for (u64 i = 0; i < 30; ++i) x.emplace_back(patches.data[row * 30 + i]);
    const Matrix y = definition.linear({x}, LinearKind::dense, "embedding.patch", 24);
    for (u64 i = 0; i < 24; ++i) {
      const Half sum = y.front()[i] + Half(weights.at("embedding.position").data[row % 10 * 24 + i]);
      REQUIRE(got.data[row * 24 + i] == sum.bits());
    }
  }
  CHECK(relative_error(got.data, reference_float_patch_embedding(network, weights, patches), 24).whole < 2e-3);
}

TEST_CASE("reference: infinities, NaN and subnormals go the same way", "[reference]") {
  const Network network = network_of(18, 16, 2, 32, 1);
  const TensorMap weights = random_weights(network, 3);
  Tensor input = random_input(network, 3);
  for (const u16 value : {0x7c00, 0xfc00, 0x7e00, 0xfe01, 0x7bff, 0x0001, 0x83ff, 0x8000}) {
    input.data[37] = value;
    for (const bool normalised : {false, true}) check_against_definition(network, weights, input, normalised);
  }
  // Values so small that the whole computation is subnormal, and so large that sums overflow.
  Tensor small = random_input(network, 4);
  for (u16& value : small.data) value &= 0x83ff;
  for (const bool normalised : {false, true}) check_against_definition(network, weights, small, normalised);
  Tensor large = random_input(network, 5);
  for (u16& value : large.data) value = static_cast<u16>((value & 0x83ff) | 0x7800);
  for (const bool normalised : {false, true}) check_against_definition(network, weights, large, normalised);
}

TEST_CASE("reference: the same bits with every instruction set of this host", "[reference]") {
  const Network network = network_of(40, 48, 4, 100, 1);
  const TensorMap weights = random_weights(network, 9);
  const Tensor input = random_input(network, 9);
  const int64_t supported = hwy::SupportedTargets();
  for (const bool normalised : {false, true}) {
    ReferenceOptions options;
    options.normalised = normalised;
    const std::vector<u16> expected = reference_network(network, weights, input, options).at("output").data;
    for (int64_t rest = supported; rest != 0; rest &= rest - 1) {
      hwy::SetSupportedTargetsForTest(rest & -rest);
      const std::vector<u16> got = reference_network(network, weights, input, options).at("output").data;
      hwy::SetSupportedTargetsForTest(0);
      INFO("target " << hwy::TargetName(rest & -rest));
      CHECK(got == expected);
    }
  }
}

TEST_CASE("reference: its special functions and the lanes' agree on all arguments", "[reference]") {
  const ReferenceFunctions functions;
  CHECK(std::equal(functions.exp.begin(), functions.exp.end(), exp_table().begin()));
  CHECK(std::equal(functions.erf.begin(), functions.erf.end(), erf_table().begin()));
  CHECK(std::equal(functions.tanh.begin(), functions.tanh.end(), tanh_table().begin()));
  CHECK(std::equal(functions.reciprocal.begin(), functions.reciprocal.end(), reciprocal_table().begin()));
}

TEST_CASE("reference: fp16 stays close to fp32", "[reference]") {
  for (Network network :
       {network_of(64, 64, 4, 256, 1), network_of(49, 96, 12, 384, 2), network_of(100, 40, 5, 72, 1)}) {
    for (const NormPlacement norm : {NormPlacement::post, NormPlacement::pre}) {
      network.norm = norm;
      const TensorMap weights = random_weights(network, 11);
      Tensor x = random_input(network, 11);
      const TensorMap got = reference_network(network, weights, x);
      for (u64 index = 0; index < network.layers.size(); ++index) {
        const Tensor& y = got.at("layers." + std::to_string(index) + ".output");
        const RelativeError error = relative_error(y.data, reference_float(network, weights, index, x), network.hidden);
        CHECK(error.whole < 4e-3);
        CHECK(error.whole > 1e-5);
        CHECK(error.largest_of_row < 2e-2);
        x = y;
      }
      if (norm == NormPlacement::pre) {
        CHECK(relative_error(got.at("output").data, reference_float_final_norm(network, weights, x), network.hidden)
                  .whole < 2e-3);
      }
      const FloatResult end = reference_float_network(network, weights, widened(random_input(network, 11).data));
      const RelativeError error = relative_error(got.at("output").data, end.output, network.hidden);
      CHECK(error.whole < 1e-2);
      CHECK(error.largest_of_row < 5e-2);
    }
  }
}

TEST_CASE("reference: embedding and classifier head are what their definition says", "[reference]") {
  struct Case {
    u64 tokens, batch, vocabulary, classes;
    Pooling pooling;
  };
  for (const Case& ends : {Case{1, 1, 1, 1, Pooling::mean}, Case{150, 3, 40, 5, Pooling::mean},
                           Case{128, 18, 300, 33, Pooling::mean}, Case{33, 20, 7, 2, Pooling::first}}) {
    Network network = network_of(ends.tokens, 12, 2, 16, ends.batch);
    network.vocabulary = ends.vocabulary;
    network.classes = ends.classes;
    network.pooling = ends.pooling;
    const TensorMap weights = random_weights(network, 3);
    const std::vector<u32> tokens = random_tokens(network, 3);
    const auto value = [](const Tensor& tensor, u64 index) { return Half(tensor.data[index]); };

    const Tensor embedded = reference_embedding(network, weights, tokens);
    for (u64 i = 0; i < embedded.data.size(); ++i) {
      const Half sum = value(weights.at("embedding.token"), tokens[i / 12] * 12 + i % 12) +
                       value(weights.at("embedding.position"), i / 12 % ends.tokens * 12 + i % 12);
      REQUIRE(embedded.data[i] == sum.bits());
    }
    CHECK(relative_error(embedded.data, reference_float_embedding(network, weights, tokens), 12).whole < 1e-3);

    const TensorMap got = reference_network(network, weights, embedded);
    const Tensor& output = got.at("output");
    const Tensor& logits = got.at("logits");
    REQUIRE(logits.shape == std::vector<u64>{ends.batch, ends.classes});
    const double power = std::exp2(std::floor(std::log2(static_cast<double>(ends.tokens))));
    const Half share = Half::of(power / static_cast<double>(ends.tokens));
    for (u64 element = 0; element < ends.batch; ++element) {
      Row pooled;
      for (u64 i = 0; i < 12; ++i) {
        const auto token = [&](u64 t) { return value(output, (element * ends.tokens + t) * 12 + i); };
        float total = 0;
        for (u64 block = 0; block < ends.tokens; block += 64) {
          float sum = 0;
          for (u64 t = block; t < ends.tokens && t < block + 64; ++t) sum += token(t).value() * share.value();
          total += sum;
        }
        const auto inverse = static_cast<float>(1 / power);
        pooled.push_back(ends.pooling == Pooling::mean ? Half::of(total * inverse) : token(0));
      }
      for (u64 j = 0; j < ends.classes; ++j) {
        float sum = 0;
        for (u64 i = 0; i < 12; ++i)
          sum += pooled[i].value() * value(weights.at("classifier.weight"), j * 12 + i).value();
        const Half logit = Half::of(sum) + value(weights.at("classifier.bias"), j);
        REQUIRE(logits.data[element * ends.classes + j] == logit.bits());
      }
    }
    const FloatLogits exact = reference_float_logits(network, weights, widened(output.data));
    const RelativeError error = relative_error(logits.data, exact.values, ends.classes, exact.sizes);
    CHECK(error.whole < 2e-3);
    CHECK(error.largest_of_row < 3e-3);
  }
}

TEST_CASE("reference: the relative error", "[reference]") {
  const u16 one = to_half(1.0);
  CHECK(relative_error({one, one}, {1.0F, 1.0F}, 2).whole == 0);
  CHECK(relative_error({one, 0}, {0.0F, 2.0F}, 2).whole == Approx(std::sqrt(5.0) / 2));
  CHECK(relative_error({one, 0}, {0.0F, 2.0F}, 2, {10}).whole == Approx(std::sqrt(5.0) / 10));
  CHECK(std::isinf(relative_error({one}, {1.0F, 1.0F}, 1).whole));
  CHECK(std::isinf(relative_error({0x7e00}, {1.0F}, 1).whole));
  CHECK(std::isinf(relative_error({0x7c00}, {1.0F}, 1).largest_of_row));
}

TEST_CASE("reference: a row that is wrong as a whole shows, however many are right", "[reference]") {
  constexpr std::size_t rows = 5000, columns = 4;
  const u16 one = to_half(1.0);
  std::vector<u16> got(rows * columns, one);
  const std::vector<float> want(rows * columns, 1.0F);
  for (std::size_t i = 0; i < columns; ++i) got[4321 * columns + i] = 0;
  const RelativeError error = relative_error(got, want, columns);
  CHECK(error.whole < 2e-2);
  CHECK(error.largest_of_row == Approx(1.0));
  CHECK(error.row == 4321);
  // A row of next to nothing is measured against the median row, the logits of a sequence against their terms.
  std::vector<float> small = want;
  for (std::size_t i = 0; i < columns; ++i) small[4321 * columns + i] = 1e-3F;
  CHECK(relative_error(got, small, columns).largest_of_row == Approx(1e-3));
  CHECK(relative_error({one, 0}, {2.0F, 0.1F}, 1, {4, 2}).largest_of_row == Approx(0.25));
}

TEST_CASE("reference: exact and padded transforms are the same where sizes are powers of two", "[reference]") {
  Network network = network_of(16, 32, 2, 8, 1);
  const TensorMap other = random_weights(network, 1);
  const Tensor other_input = random_input(network, 1);
  const TensorMap padded = reference_network(network, other, other_input);
  network.fft_length = FftLength::exact;
  CHECK(reference_network(network, other, other_input).at("output").data == padded.at("output").data);
}

TEST_CASE("reference: layer norm keeps mean and variance in fp32", "[reference]") {
  // Rows whose variance is beyond fp16, whose mean fp16 does not resolve, and whose variance is below it.
  Network network = network_of(3, 64, 1, 4, 1);
  network.norm = NormPlacement::pre;
  network.layers = {{Mixing::attention, LinearKind::dense, LinearKind::dense}};
  const TensorMap weights = random_weights(network, 2);
  Tensor input = random_input(network, 2);
  for (u64 i = 0; i < network.hidden; ++i) {
    const auto value = static_cast<double>(from_half(input.data[i]));
    input.data[i] = to_half(value * 9000);
    input.data[network.hidden + i] = to_half(2000 + std::round(value * 4));
    input.data[2 * network.hidden + i] = to_half(value * 1e-3);
  }
  TensorMap only_norm = weights;
  for (auto& [name, tensor] : only_norm) {
    if (name.find("down") != std::string::npos || name.find("attention.output") != std::string::npos) {
      std::fill(tensor.data.begin(), tensor.data.end(), u16{0});
    }
  }
  const TensorMap got = reference_network(network, only_norm, input);
  const FloatResult want = reference_float_network(network, only_norm, widened(input.data));
  const RelativeError error = relative_error(got.at("output").data, want.output, network.hidden);
  CHECK(error.whole < 1e-3);
  CHECK(error.largest_of_row < 1e-3);
}

TEST_CASE("reference: wrong tensors are named", "[reference]") {
  const Network network = network_of(4, 8, 2, 16, 1);
  TensorMap weights = random_weights(network, 1);
  Tensor input = random_input(network, 1);
  CHECK_THROWS_AS(reference_float(network, weights, 3, input), std::invalid_argument);
  weights.at("layers.0.ffn.up.bias").data.pop_back();
  CHECK_THROWS_WITH(reference_network(network, weights, input), Catch::Contains("layers.0.ffn.up.bias"));
  weights.erase("layers.0.norm1.weight");
  CHECK_THROWS_WITH(reference_network(network, weights, input), Catch::Contains("layers.0.norm1.weight is missing"));
  CHECK_THROWS_WITH(reference_float(network, weights, 0, input), Catch::Contains("layers.0.norm1.weight is missing"));
  input.data.pop_back();
  CHECK_THROWS_WITH(reference_network(network, weights, input), Catch::Contains("input"));
  Network odd = network;
  odd.heads = 3;
  CHECK_THROWS_WITH(reference_network(odd, weights, random_input(network, 1)), Catch::Contains("heads"));
  // Without attention there are no heads.
  for (EncoderLayer& layer : odd.layers) layer.mixing = Mixing::fft2d;
  const TensorMap of_odd = random_weights(odd, 1);
  CHECK_NOTHROW(reference_network(odd, of_odd, random_input(odd, 1)));
  CHECK_NOTHROW(reference_float(odd, of_odd, 0, random_input(odd, 1)));
  Network text = network;
  text.vocabulary = 5;
  weights = random_weights(text, 1);
  CHECK_THROWS_WITH(reference_embedding(text, weights, {1, 2, 3}), Catch::Contains("tokens has 3 elements"));
  CHECK_THROWS_WITH(reference_embedding(text, weights, {1, 2, 5, 0}), Catch::Contains("token 5 is not below"));
}
