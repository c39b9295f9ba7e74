// SPDX-License-Identifier: Apache-2.0
// The lanes' arithmetic against one plain scalar operation after the other, on every instruction set of this host.
#include <hwy/targets.h>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/arith/lanes.h"
#include "models/arith/special_functions.h"

namespace {

using namespace bvp;

float widened(u16 half) {
  const int exponent = (half >> 10) & 0x1f;
  const int fraction = half & 0x3ff;
  double magnitude = 0;
  if (exponent == 31) {
    magnitude = fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  } else {
    magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
  }
  return static_cast<float>((half & 0x8000) != 0 ? -magnitude : magnitude);
}

// Rounds by searching the neighbours among all finite values: slow, but simple enough to be evidently right.
u16 rounded(float value) {
  if (std::isnan(value)) return 0x7e00;
  const u16 sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(static_cast<double>(value));
  if (magnitude >= 65520) return static_cast<u16>(sign | 0x7c00);
  static const std::vector<double> values = [] {
    std::vector<double> all;
    for (u32 half = 0; half < 0x7c00; ++half) all.push_back(static_cast<double>(widened(static_cast<u16>(half))));
    all.push_back(65536);
    return all;
  }();
  u32 low = 0;
  u32 high = 0x7c00;  // values[low] <= magnitude < values[high]
  while (high - low > 1) {
    const u32 middle = (low + high) / 2;
    (values[middle] <= magnitude ? low : high) = middle;
  }
  const double below = magnitude - values[low];
  const double above = values[high] - magnitude;
  const u32 nearest = below < above || (below == above && low % 2 == 0) ? low : high;
  return static_cast<u16>(sign | nearest);
}

struct Operands {
  float a, b, c, w, s;
};

struct Operation {
  const char* name;
  std::function<float(const Operands&)> exact;  // before rounding to fp16
  std::function<void(const Lanes&, u64, LaneVectors, ConstLaneVectors, ConstLaneVectors, ConstLaneVectors, LaneScalars,
                     LaneScalars)>
      run;
};

float larger(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<float>::quiet_NaN();
  return a > b ? a : b;
}

#define BVP_RUN(call)                                                                                      \
  [](const Lanes& lanes, u64 n, LaneVectors d, ConstLaneVectors a, ConstLaneVectors b, ConstLaneVectors c, \
     LaneScalars w, LaneScalars s) {                                                                       \
    (void)b, (void)c, (void)w, (void)s;                                                                    \
    lanes.call;                                                                                            \
  }

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all{
      {"mul_scalar", [](const Operands& o) { return o.a * o.w; }, BVP_RUN(mul_scalar(n, d, a, w))},
      {"fma_scalar", [](const Operands& o) { return o.w * o.a + o.c; }, BVP_RUN(fma_scalar(n, d, a, w, c))},
      {"fnma_scalar", [](const Operands& o) { return o.c - o.w * o.a; }, BVP_RUN(fnma_scalar(n, d, a, w, c))},
      {"fma_scalar_scalar", [](const Operands& o) { return o.a * o.w + o.s; },
       BVP_RUN(fma_scalar_scalar(n, d, a, w, s))},
      {"add_scalar", [](const Operands& o) { return o.a + o.s; }, BVP_RUN(add_scalar(n, d, a, s))},
      {"max_scalar", [](const Operands& o) { return larger(o.a, o.s); }, BVP_RUN(max_scalar(n, d, a, s))},
      {"mul", [](const Operands& o) { return o.a * o.b; }, BVP_RUN(mul(n, d, a, b))},
      {"fma", [](const Operands& o) { return o.a * o.b + o.c; }, BVP_RUN(fma(n, d, a, b, c))},
      {"add", [](const Operands& o) { return o.a + o.b; }, BVP_RUN(add(n, d, a, b))},
      {"sub", [](const Operands& o) { return o.a - o.b; }, BVP_RUN(sub(n, d, a, b))},
      {"max", [](const Operands& o) { return larger(o.a, o.b); }, BVP_RUN(max(n, d, a, b))},
  };
  return all;
}

#undef BVP_RUN

/// Zeros, subnormals, the smallest normal, ones, large values, infinities, NaNs of both signs and several payloads.
constexpr std::array<u16, 24> special_values{0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x0400, 0x83ff, 0x8400,
                                             0x3c00, 0xbc00, 0x3c01, 0x3bff, 0x1400, 0x7bff, 0xfbff, 0x7800,
                                             0x5bff, 0x7c00, 0xfc00, 0x7e00, 0xfe00, 0x7c01, 0xffff, 0x3555};

template <class Body>
void on_every_target(const Body& body) {
  const int64_t supported = hwy::SupportedTargets();
  for (int64_t rest = supported; rest != 0; rest &= rest - 1) {
    hwy::SetSupportedTargetsForTest(rest & -rest);
    INFO("target " << hwy::TargetName(rest & -rest));
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
}

std::vector<u16> random_words(std::size_t count, std::mt19937& generator) {
  std::vector<u16> words(count);
  for (u16& word : words) {
    const u32 bits = generator();
    // Every eighth a special value, half of the rest of the size that activations have.
    if (bits % 8 == 0) {
      word = special_values[(bits >> 8) % special_values.size()];
    } else {
      word = static_cast<u16>((bits & 0x10000) != 0 ? bits >> 17 : 0x3000 + (bits >> 19) % 0x1400 + (bits & 0x8000));
    }
  }
  return words;
}

std::vector<u16> ordinary_words(std::size_t count, std::mt19937& generator) {
  std::vector<u16> words(count);
  std::normal_distribution<float> normal;
  for (u16& word : words) word = rounded(normal(generator));
  return words;
}

u32 bits_of(float value) {
  if (std::isnan(value)) return 0x7fc00000;
  u32 bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

const u16* start(const std::vector<u16>& words, i64 stride, u64 count, u32 pitch) {
  return words.data() + (stride < 0 ? static_cast<i64>(count - 1) * -stride * pitch : 0);
}

struct Geometry {
  u32 lanes, pitch;
};
constexpr std::array<Geometry, 8> geometries{
    {{1, 16}, {8, 16}, {16, 16}, {16, 48}, {32, 32}, {33, 48}, {32, 40}, {64, 64}}};

}  // namespace

TEST_CASE("arith: every fp16 value meets every special value", "[arith]") {
  constexpr u32 lanes = 64;
  constexpr u64 vectors = 65536 / lanes;
  std::vector<u16> all(65536);
  for (u32 i = 0; i < all.size(); ++i) all[i] = static_cast<u16>(i);
  std::vector<u16> result(all.size());
  std::vector<u16> expected(all.size());
  for (const Operation& operation : operations()) {
    for (std::size_t i = 0; i < special_values.size(); ++i) {
      const u16 one = special_values[i];
      const u16 other = special_values[(i * 7 + 3) % special_values.size()];
      const std::vector<u16> ones(lanes, one);
      const std::vector<u16> others(lanes, other);
      for (u32 a = 0; a < all.size(); ++a) {
        expected[a] =
            rounded(operation.exact({widened(all[a]), widened(one), widened(other), widened(one), widened(other)}));
      }
      on_every_target([&] {
        INFO(operation.name << " with " << one << " and " << other);
        operation.run(Lanes(lanes, lanes), vectors, {result.data(), 1}, {all.data(), 1}, {ones.data(), 0},
                      {others.data(), 0}, {&one, 0}, {&other, 0});
        REQUIRE(result == expected);
      });
    }
  }
}

TEST_CASE("arith: random operands in every geometry, with strides of either sign", "[arith]") {
  std::mt19937 generator(1);
  constexpr u64 count = 37;
  for (const Geometry g : geometries) {
    for (const auto& strides : {std::array<i64, 6>{1, 1, 1, 1, 1, 1}, {2, -1, 0, 3, -2, 0}, {-1, 2, 1, -1, 0, 5}}) {
      const std::size_t words = count * 3 * g.pitch;
      const auto a = random_words(words, generator);
      const auto b = random_words(words, generator);
      const auto c = random_words(words, generator);
      const auto scalars = random_words(count * 6, generator);
      const u16* const middle = scalars.data() + scalars.size() / 2 - (strides[4] < 0 ? 0 : count);
      for (const Operation& operation : operations()) {
        on_every_target([&] {
          INFO(operation.name << " on " << g.lanes << " lanes, pitch " << g.pitch << ", stride " << strides[0]);
          std::vector<u16> d(words, 0x1234);
          u16* const d_first = d.data() + (start(d, strides[0], count, g.pitch) - d.data());
          const u16* a_first = start(a, strides[1], count, g.pitch);
          const u16* b_first = start(b, strides[2], count, g.pitch);
          const u16* c_first = start(c, strides[3], count, g.pitch);
          operation.run(Lanes(g.lanes, g.pitch), count, {d_first, strides[0]}, {a_first, strides[1]},
                        {b_first, strides[2]}, {c_first, strides[3]}, {middle, strides[4]},
                        {scalars.data(), strides[5]});
          u64 wrong = 0;
          for (i64 i = 0; i < static_cast<i64>(count); ++i) {
            for (u32 lane = 0; lane < g.lanes; ++lane) {
              const auto at = [&](const u16* first, i64 stride) {
                return widened(first[i * stride * static_cast<i64>(g.pitch) + lane]);
              };
              const Operands operands{at(a_first, strides[1]), at(b_first, strides[2]), at(c_first, strides[3]),
                                      widened(middle[i * strides[4]]),
                                      widened(scalars[static_cast<std::size_t>(i * strides[5])])};
              wrong += d_first[i * strides[0] * static_cast<i64>(g.pitch) + lane] != rounded(operation.exact(operands));
            }
          }
          REQUIRE(wrong == 0);
          // No word after the lanes' groups of 16 may be changed.
          const u32 width = (g.lanes + 15) / 16 * 16;
          for (std::size_t word = 0; word < words; ++word) {
            if (word % g.pitch >= width) wrong += d[word] != 0x1234;
          }
          REQUIRE(wrong == 0);
        });
      }
    }
  }
}

TEST_CASE("arith: halves of lane groups keep their bits, whatever lies where", "[arith]") {
  std::mt19937 generator(3);
  constexpr u64 count = 7;
  for (const Geometry g : {Geometry{2, 16}, {4, 32}, {8, 16}, {16, 48}, {32, 32}, {64, 80}}) {
    for (u32 distance = 1; distance < g.lanes; distance *= 2) {
      const auto a = random_words(count * g.pitch, generator), b = random_words(count * g.pitch, generator);
      const auto expected = [&](bool upper, std::size_t vector, u32 lane) {
        const bool second = (lane & distance) != 0;
        const u32 from = (lane & ~distance) | (upper ? distance : 0);
        return (second ? b : a)[vector * g.pitch + from];
      };
      on_every_target([&] {
        const Lanes lanes(g.lanes, g.pitch);
        for (const bool upper : {false, true}) {
          // Into vectors of their own, over a, over b; a from the last vector to the first.
          for (const int place : {0, 1, 2}) {
            INFO(g.lanes << " lanes, distance " << distance << ", upper " << upper << ", place " << place);
            std::vector<u16> d(count * g.pitch, 0x1234);
            auto x = a, y = b;
            std::vector<u16>& out = place == 0 ? d : place == 1 ? x : y;
            const std::size_t last = (count - 1) * g.pitch;
            const auto run = upper ? &Lanes::upper_halves : &Lanes::lower_halves;
            (lanes.*run)(count, {out.data() + last, -1}, {x.data() + last, -1}, {y.data() + last, -1}, distance);
            u64 wrong = 0;
            for (std::size_t vector = 0; vector < count; ++vector) {
              for (u32 lane = 0; lane < g.lanes; ++lane) {
                wrong += out[vector * g.pitch + lane] != expected(upper, vector, lane);
              }
              for (u32 word = (g.lanes + 15) / 16 * 16; word < g.pitch && place == 0; ++word) {
                wrong += d[vector * g.pitch + word] != 0x1234;
              }
            }
            REQUIRE(wrong == 0);
          }
        }
      });
    }
  }
}

TEST_CASE("arith: a run sees what its earlier vectors wrote", "[arith]") {
  std::mt19937 generator(2);
  constexpr u32 lanes = 32;
  constexpr u64 count = 20;
  const auto initial = ordinary_words((count + 1) * lanes, generator);
  on_every_target([&] {
    // Vector i + 1 = vector i * (first word of vector i) + vector i.
    auto words = initial;
    Lanes(lanes, lanes)
        .fma_scalar(count, {words.data() + lanes, 1}, {words.data(), 1}, {words.data(), lanes}, {words.data(), 1});
    auto expected = initial;
    for (u64 i = 0; i < count; ++i) {
      const float w = widened(expected[i * lanes]);
      for (u32 lane = 0; lane < lanes; ++lane) {
        const float x = widened(expected[i * lanes + lane]);
        expected[(i + 1) * lanes + lane] = rounded(w * x + x);
      }
    }
    REQUIRE(words == expected);
    // A sum over all vectors, kept in one.
    words = initial;
    Lanes(lanes, lanes).add(count, {words.data(), 0}, {words.data(), 0}, {words.data() + lanes, 1});
    for (u32 lane = 0; lane < lanes; ++lane) {
      u16 sum = initial[lane];
      for (u64 i = 1; i <= count; ++i) sum = rounded(widened(sum) + widened(initial[i * lanes + lane]));
      REQUIRE(words[lane] == sum);
    }
  });
}

TEST_CASE("arith: special functions are correctly rounded for every argument", "[arith]") {
  struct Function {
    const char* name;
    const SpecialFunctionTable& table;
    long double (*exact)(long double);
    void (Lanes::*run)(u64, LaneVectors, ConstLaneVectors) const;
  };
  const std::array<Function, 5> functions{
      {{"exp", exp_table(), [](long double x) { return std::exp(x); }, &Lanes::exp},
       {"erf", erf_table(), [](long double x) { return std::erf(x); }, &Lanes::erf},
       {"reciprocal", reciprocal_table(), [](long double x) { return 1 / x; }, &Lanes::reciprocal},
       {"rsqrt", rsqrt_table(), [](long double x) { return 1 / std::sqrt(x); }, &Lanes::rsqrt},
       {"tanh", tanh_table(), [](long double x) { return std::tanh(x); }, &Lanes::tanh}}};
  std::vector<u16> all(65536);
  for (u32 i = 0; i < all.size(); ++i) all[i] = static_cast<u16>(i);
  for (const Function& function : functions) {
    INFO(function.name);
    u64 wrong = 0;
    u64 undecided = 0;
    for (const u16 half : all) {
      const long double value = function.exact(static_cast<long double>(widened(half)));
      const u16 result = function.table[half];
      if (std::isnan(value)) {
        wrong += result != 0x7e00;
        continue;
      }
      wrong += std::signbit(value) != ((result & 0x8000) != 0);
      const auto magnitude_bits = static_cast<u16>(result & 0x7fff);
      const long double magnitude = std::fabs(value);
      const auto half_way = [](u16 low) {  // between this magnitude and the next
        const auto next = static_cast<u16>(low + 1);
        const long double upper = next == 0x7c00 ? 65536 : static_cast<long double>(widened(next));
        return (static_cast<long double>(widened(low)) + upper) / 2;
      };
      if (magnitude_bits > 0) {
        const long double middle = half_way(static_cast<u16>(magnitude_bits - 1));
        wrong += magnitude < middle;
        undecided += std::fabs(magnitude - middle) <= middle * 1e-17L;
      }
      if (magnitude_bits < 0x7c00) {
        const long double middle = half_way(magnitude_bits);
        wrong += magnitude > middle;
        undecided += std::fabs(magnitude - middle) <= middle * 1e-17L;
      }
    }
    CHECK(wrong == 0);
    CHECK(undecided == 0);
    std::vector<u16> result(all.size());
    (Lanes(32, 32).*function.run)(65536 / 32, {result.data(), 1}, {all.data(), 1});
    CHECK(std::equal(result.begin(), result.end(), function.table.begin()));
  }
}

TEST_CASE("arith: accumulators add in fp32 and round once", "[arith]") {
  std::mt19937 generator(3);
  constexpr u64 count = 50;
  for (const Geometry g : geometries) {
    for (const bool special : {false, true}) {
      const std::size_t words = count * g.pitch;
      const auto a = special ? random_words(words, generator) : ordinary_words(words, generator);
      const auto b = special ? random_words(words, generator) : ordinary_words(words, generator);
      const auto w = special ? random_words(count, generator) : ordinary_words(count, generator);
      for (const i64 stride : {0, 1}) {
        on_every_target([&] {
          INFO(g.lanes << " lanes, pitch " << g.pitch << ", accumulator stride " << stride);
          const Lanes lanes(g.lanes, g.pitch);
          std::vector<float> sums(words, 7.0F);
          std::vector<float> expected(words, 0.0F);
          lanes.acc_zero(count, {sums.data(), 1});
          lanes.acc_add(count, {sums.data(), stride}, {a.data(), 1});
          lanes.acc_mac(count, {sums.data(), stride}, {a.data(), 1}, {b.data(), 1});
          lanes.acc_mac_scalar(count, {sums.data(), stride}, {b.data(), 1}, {w.data(), 1});
          for (int pass = 0; pass < 3; ++pass) {
            for (std::size_t i = 0; i < count; ++i) {
              for (std::size_t lane = 0; lane < g.lanes; ++lane) {
                const float x = widened(a[i * g.pitch + lane]);
                const float y = widened(b[i * g.pitch + lane]);
                float& sum = expected[i * static_cast<std::size_t>(stride) * g.pitch + lane];
                sum += pass == 0 ? x : pass == 1 ? x * y : y * widened(w[i]);
              }
            }
          }
          std::vector<u16> plain(words);
          std::vector<u16> by_vector(words);
          std::vector<u16> by_scalar(words);
          lanes.acc_round(count, {plain.data(), 1}, {sums.data(), 1});
          lanes.acc_round_vector(count, {by_vector.data(), 1}, {sums.data(), 1}, {b.data(), 1});
          lanes.acc_round_scalar(count, {by_scalar.data(), 1}, {sums.data(), 1}, {w.data(), 1});
          std::vector<u16> difference(words);
          lanes.acc_subtract(count, {difference.data(), 1}, {sums.data(), 1}, {b.data(), 1});
          u64 wrong = 0;
          for (std::size_t i = 0; i < count; ++i) {
            for (std::size_t lane = 0; lane < g.lanes; ++lane) {
              const std::size_t at = i * g.pitch + lane;
              wrong += bits_of(sums[at]) != bits_of(expected[at]);
              wrong += plain[at] != rounded(expected[at]);
              wrong += by_vector[at] != rounded(expected[at] * widened(b[at]));
              wrong += by_scalar[at] != rounded(expected[at] * widened(w[i]));
              wrong += difference[at] != rounded(widened(b[at]) - expected[at]);
            }
          }
          REQUIRE(wrong == 0);
        });
      }
    }
  }
}

TEST_CASE("arith: accumulators are scaled by an fp32 scalar in halves, and inverted, in fp32", "[arith]") {
  std::mt19937 generator(8);
  constexpr std::size_t count = 30;
  const auto word = [&] {
    const u32 bits = generator();
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  };
  for (const Geometry g : geometries) {
    const Lanes lanes(g.lanes, g.pitch);
    std::vector<float> sums(count * g.pitch);
    for (float& sum : sums) sum = word();
    sums[0] = 0.0F, sums[1] = -0.0F, sums[2] = 1e-40F, sums[3] = std::numeric_limits<float>::infinity();
    std::vector<u16> low(count), high(count);
    std::vector<float> factors(count);
    for (std::size_t i = 0; i < count; ++i) {
      factors[i] = i == 0 ? 0.1F : word();
      u32 bits = 0;
      std::memcpy(&bits, &factors[i], sizeof bits);
      low[i] = static_cast<u16>(bits);
      high[i] = static_cast<u16>(bits >> 16);
    }
    std::vector<float> scaled(sums.size()), inverse(sums.size());
    lanes.acc_scale(count, {scaled.data(), 1}, {sums.data(), 1}, {low.data(), 1}, {high.data(), 1});
    lanes.acc_rsqrt(count, {inverse.data(), 1}, {sums.data(), 1});
    u64 wrong = 0;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t lane = 0; lane < g.lanes; ++lane) {
        const std::size_t at = i * g.pitch + lane;
        wrong += bits_of(scaled[at]) != bits_of(sums[at] * factors[i]);
        const long double exact = 1 / std::sqrt(static_cast<long double>(sums[at]));
        wrong += bits_of(inverse[at]) != bits_of(static_cast<float>(exact));
      }
    }
    CHECK(wrong == 0);
    // In place, one after the other.
    lanes.acc_scale(1, {sums.data(), 0}, {sums.data(), 0}, {low.data(), 0}, {high.data(), 0});
    CHECK(bits_of(sums[4]) == bits_of(scaled[4]));
  }
}

TEST_CASE("arith: the fp32 reciprocal square root is correctly rounded for every significand", "[arith]") {
  // Another even exponent only shifts the result, so one even and one odd exponent cover all cases.
  constexpr u32 block = 1024;
  const Lanes lanes(64, 64);
  std::vector<float> arguments(std::size_t{block} * 64), results(arguments.size());
  u64 wrong = 0, undecided = 0;
  for (u32 first = 0x3f800000; first < 0x40800000; first += block * 64) {
    for (u32 i = 0; i < arguments.size(); ++i) {
      const u32 bits = first + i;
      std::memcpy(&arguments[i], &bits, sizeof bits);
    }
    lanes.acc_rsqrt(block, {results.data(), 1}, {arguments.data(), 1});
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      // Twice the distance to the exact value, over the spacing of fp32 numbers: at most 1 where nothing is nearer.
      const long double exact = 1 / std::sqrt(static_cast<long double>(arguments[i]));
      const auto result = static_cast<long double>(results[i]);
      const long double spacing = results[i] >= 1 ? 0x1p-23L : 0x1p-24L;
      const long double distance = 2 * std::fabs(exact - result) / spacing;
      wrong += distance > 1;
      undecided += std::fabs(distance - 1) < 1e-10L;
    }
  }
  CHECK(wrong == 0);
  CHECK(undecided == 0);
}

TEST_CASE("arith: a block product adds in the order of its columns", "[arith]") {
  std::mt19937 generator(4);
  struct Block {
    u64 rows, columns;
  };
  for (const Geometry g : geometries) {
    for (const Block block : {Block{1, 1}, {3, 5}, {16, 64}, {7, 65}, {21, 130}, {2, 0}}) {
      const auto a = random_words((block.columns + 1) * g.pitch, generator);
      const auto w = ordinary_words((block.rows + 1) * (block.columns + 1) * 2, generator);
      const auto columns = static_cast<i64>(block.columns);
      const auto rows = static_cast<i64>(block.rows);
      // Row-major, column-major, the same scalar for all columns, with gaps.
      for (const auto& step : {std::array<i64, 2>{columns, 1}, {1, rows}, {1, 0}, {2 * columns, 2}}) {
        on_every_target([&] {
          INFO(g.lanes << " lanes, " << rows << " x " << columns << ", steps " << step[0] << ", " << step[1]);
          std::vector<float> sums(block.rows * g.pitch, 0.25F);
          Lanes(g.lanes, g.pitch)
              .acc_mac_block(block.rows, block.columns, {sums.data(), 1}, {a.data(), 1}, w.data(), step[0], step[1]);
          u64 wrong = 0;
          for (i64 j = 0; j < rows; ++j) {
            for (u32 lane = 0; lane < g.lanes; ++lane) {
              float sum = 0.25F;
              for (i64 k = 0; k < columns; ++k) {
                sum += widened(a[static_cast<std::size_t>(k) * g.pitch + lane]) *
                       widened(w[static_cast<std::size_t>(j * step[0] + k * step[1])]);
              }
              wrong += bits_of(sum) != bits_of(sums[static_cast<std::size_t>(j) * g.pitch + lane]);
            }
          }
          REQUIRE(wrong == 0);
        });
      }
    }
  }
}

TEST_CASE("arith: the fused butterfly rounds like the four instructions it stands for", "[arith]") {
  std::mt19937 generator(5);
  constexpr u64 count = 24;
  for (const Geometry g : geometries) {
    const auto initial = random_words(2 * count * g.pitch, generator);
    const auto w = random_words(4 * count, generator);
    const LaneScalars w00{w.data(), 4}, w01{w.data() + 1, 4}, w10{w.data() + 2, 4}, w11{w.data() + 3, 4};
    on_every_target([&] {
      const Lanes lanes(g.lanes, g.pitch);
      auto fused = initial;
      const auto pitch = static_cast<std::ptrdiff_t>(g.pitch);
      lanes.butterfly(count, {fused.data(), 2}, {fused.data() + pitch, 2}, w00, w01, w10, w11);
      auto stepwise = initial;
      std::vector<u16> m0(count * g.pitch);
      std::vector<u16> m1(count * g.pitch);
      const LaneVectors lo{stepwise.data(), 2}, hi{stepwise.data() + pitch, 2};
      const ConstLaneVectors a{lo.first, 2}, b{hi.first, 2};
      lanes.mul_scalar(count, {m0.data(), 1}, a, w00);
      lanes.mul_scalar(count, {m1.data(), 1}, a, w10);
      lanes.fma_scalar(count, lo, b, w01, {m0.data(), 1});
      lanes.fma_scalar(count, hi, b, w11, {m1.data(), 1});
      u64 wrong = 0;
      for (std::size_t i = 0; i < initial.size(); ++i) wrong += i % g.pitch < g.lanes && fused[i] != stepwise[i];
      REQUIRE(wrong == 0);
    });
  }
}

TEST_CASE("arith: the fused complex butterfly rounds like the eight instructions it stands for", "[arith]") {
  std::mt19937 generator(6);
  for (const u64 count : {1, 8, 21}) {
    for (const Geometry g : geometries) {
      const auto initial = random_words(4 * count * g.pitch, generator);
      const auto w = random_words(2 * count, generator);
      for (const bool interleaved : {false, true}) {
        // Scalars one behind the other, or not.
        const LaneScalars w_re{w.data(), interleaved ? 2 : 1}, w_im{w.data() + (interleaved ? 1 : count), w_re.stride};
        on_every_target([&] {
          const Lanes lanes(g.lanes, g.pitch);
          const auto pitch = static_cast<std::ptrdiff_t>(g.pitch);
          const auto part = [&](std::vector<u16>& words, std::ptrdiff_t i) {
            return LaneVectors{words.data() + i * pitch, 4};
          };
          const auto read = [](LaneVectors v) { return ConstLaneVectors{v.first, v.stride}; };
          auto fused = initial;
          lanes.complex_butterfly(count, part(fused, 0), part(fused, 1), part(fused, 2), part(fused, 3), w_re, w_im);
          auto stepwise = initial;
          std::vector<u16> re(count * g.pitch);
          std::vector<u16> im(count * g.pitch);
          const LaneVectors m_re{re.data(), 1}, m_im{im.data(), 1};
          const LaneVectors lo_re = part(stepwise, 0), lo_im = part(stepwise, 1);
          const LaneVectors hi_re = part(stepwise, 2), hi_im = part(stepwise, 3);
          lanes.mul_scalar(count, m_re, read(hi_re), w_re);
          lanes.mul_scalar(count, m_im, read(hi_im), w_re);
          lanes.fnma_scalar(count, m_re, read(hi_im), w_im, read(m_re));
          lanes.fma_scalar(count, m_im, read(hi_re), w_im, read(m_im));
          lanes.sub(count, hi_re, read(lo_re), read(m_re));
          lanes.sub(count, hi_im, read(lo_im), read(m_im));
          lanes.add(count, lo_re, read(lo_re), read(m_re));
          lanes.add(count, lo_im, read(lo_im), read(m_im));
          u64 wrong = 0;
          for (std::size_t i = 0; i < initial.size(); ++i) wrong += i % g.pitch < g.lanes && fused[i] != stepwise[i];
          REQUIRE(wrong == 0);
        });
      }
    }
  }
}

namespace {

/// r(a + b * w); where the bit of weight 2^14 is set in w, it is taken off, and a and b change places.
u16 swapped(u16 a, u16 b, u16 w) {
  const bool exchange = w / 0x4000 % 2 == 1;
  if (exchange) w = static_cast<u16>(w - 0x4000);
  const float large = widened(exchange ? b : a), small = widened(exchange ? a : b);
  return rounded(small * widened(w) + large);
}

/// Ratios of magnitude at most 1 of both signs, half of them with the bit that exchanges.
std::vector<u16> random_ratios(std::size_t count, std::mt19937& generator) {
  std::vector<u16> words(count);
  for (u16& word : words) word = static_cast<u16>((generator() % 0x3c01) | (generator() & 0xc000));
  return words;
}

}  // namespace

TEST_CASE("arith: the swapping multiply-add for every scalar", "[arith]") {
  constexpr u32 lanes = 24, pitch = 32;
  std::mt19937 generator(9);
  std::vector<u16> scalars(65536);
  for (u32 i = 0; i < scalars.size(); ++i) scalars[i] = static_cast<u16>(i);
  const auto a = random_words(scalars.size() * pitch, generator), b = random_words(scalars.size() * pitch, generator);
  std::vector<u16> expected(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) expected[i] = swapped(a[i], b[i], scalars[i / pitch]);
  on_every_target([&] {
    std::vector<u16> got(a.size());
    Lanes(lanes, pitch)
        .fma_swapping(scalars.size(), {got.data(), 1}, {a.data(), 1}, {b.data(), 1}, {scalars.data(), 1});
    u64 wrong = 0;
    for (std::size_t i = 0; i < got.size(); ++i) wrong += i % pitch < lanes && got[i] != expected[i];
    CHECK(wrong == 0);
  });
  // What a reader of the definition expects: 3 + 0.5 * 8, and with the bit 8 + 0.5 * 3.
  const std::vector<u16> three(16, 0x4200), eight(16, 0x4800), halves{0x3800, 0x7800};
  std::vector<u16> results(2 * 16);
  Lanes(16, 16).fma_swapping(2, {results.data(), 1}, {three.data(), 0}, {eight.data(), 0}, {halves.data(), 1});
  CHECK(results.front() == 0x4700);
  CHECK(results.back() == 0x48c0);
}

TEST_CASE("arith: the swapping multiply-subtract for every scalar", "[arith]") {
  constexpr u32 lanes = 24, pitch = 32;
  std::mt19937 generator(11);
  std::vector<u16> scalars(65536);
  for (u32 i = 0; i < scalars.size(); ++i) scalars[i] = static_cast<u16>(i);
  const auto a = random_words(scalars.size() * pitch, generator), b = random_words(scalars.size() * pitch, generator);
  // With the bit clear (-b) * w + a, with it a * w + (-b).
  std::vector<u16> expected(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) expected[i] = swapped(a[i], b[i] ^ 0x8000, scalars[i / pitch]);
  on_every_target([&] {
    std::vector<u16> got(a.size());
    Lanes(lanes, pitch)
        .fnma_swapping(scalars.size(), {got.data(), 1}, {a.data(), 1}, {b.data(), 1}, {scalars.data(), 1});
    u64 wrong = 0;
    for (std::size_t i = 0; i < got.size(); ++i) wrong += i % pitch < lanes && got[i] != expected[i];
    CHECK(wrong == 0);
  });
  // What a reader of the definition expects: 3 - 0.5 * 8, and with the bit 0.5 * 3 - 8.
  const std::vector<u16> three(16, 0x4200), eight(16, 0x4800), halves{0x3800, 0x7800};
  std::vector<u16> results(2 * 16);
  Lanes(16, 16).fnma_swapping(2, {results.data(), 1}, {three.data(), 0}, {eight.data(), 0}, {halves.data(), 1});
  CHECK(results.front() == 0xbc00);
  CHECK(results.back() == 0xc680);
}

TEST_CASE("arith: the fused butterfly by ratios rounds like the six instructions it stands for", "[arith]") {
  std::mt19937 generator(12);
  for (const u64 count : {1, 8, 21}) {
    for (const Geometry g : geometries) {
      const auto initial = random_words(4 * count * g.pitch, generator);
      const auto ratios = random_ratios(count, generator), large = random_words(count, generator);
      const LaneScalars r{ratios.data(), 1}, k{large.data(), 1};
      on_every_target([&] {
        const Lanes lanes(g.lanes, g.pitch);
        const auto pitch = static_cast<std::ptrdiff_t>(g.pitch);
        const auto part = [&](std::vector<u16>& words, std::ptrdiff_t i) {
          return LaneVectors{words.data() + i * pitch, 4};
        };
        const auto read = [](LaneVectors v) { return ConstLaneVectors{v.first, v.stride}; };
        auto fused = initial;
        lanes.ratio_butterfly(count, part(fused, 0), part(fused, 1), part(fused, 2), part(fused, 3), r, k);
        auto stepwise = initial;
        std::vector<u16> re(count * g.pitch), im(count * g.pitch);
        const LaneVectors t_re{re.data(), 1}, t_im{im.data(), 1};
        const LaneVectors lo_re = part(stepwise, 0), lo_im = part(stepwise, 1);
        const LaneVectors hi_re = part(stepwise, 2), hi_im = part(stepwise, 3);
        lanes.fnma_swapping(count, t_re, read(hi_re), read(hi_im), r);
        lanes.fma_swapping(count, t_im, read(hi_im), read(hi_re), r);
        lanes.fnma_scalar(count, hi_re, read(t_re), k, read(lo_re));
        lanes.fnma_scalar(count, hi_im, read(t_im), k, read(lo_im));
        lanes.fma_scalar(count, lo_re, read(t_re), k, read(lo_re));
        lanes.fma_scalar(count, lo_im, read(t_im), k, read(lo_im));
        u64 wrong = 0;
        for (std::size_t i = 0; i < initial.size(); ++i) wrong += i % g.pitch < g.lanes && fused[i] != stepwise[i];
        REQUIRE(wrong == 0);
      });
    }
  }
}

TEST_CASE("arith: butterflies in normal form are two swapping multiply-adds each", "[arith]") {
  std::mt19937 generator(10);
  constexpr u64 count = 24;
  for (const Geometry g : geometries) {
    const auto initial = random_words(3 * count * g.pitch, generator);
    const auto ratios = random_ratios(2 * count, generator);
    on_every_target([&] {
      const auto pitch = static_cast<std::ptrdiff_t>(g.pitch);
      auto fused = initial;
      // Lower outputs go elsewhere, upper ones stay.
      const auto part = [&](std::ptrdiff_t i) { return LaneVectors{fused.data() + i * pitch, 3}; };
      const auto read = [](LaneVectors v) { return ConstLaneVectors{v.first, v.stride}; };
      Lanes(g.lanes, g.pitch)
          .normal_butterfly(count, part(2), part(1), read(part(0)), read(part(1)), {ratios.data(), 2},
                            {ratios.data() + 1, 2});
      u64 wrong = 0;
      for (std::size_t pair = 0; pair < count; ++pair) {
        for (std::size_t lane = 0; lane < g.lanes; ++lane) {
          const auto at = [&](std::size_t i) { return (3 * pair + i) * g.pitch + lane; };
          const u16 a = initial[at(0)], b = initial[at(1)];
          wrong += fused[at(0)] != a;
          wrong += fused[at(1)] != swapped(a, b, ratios[2 * pair + 1]);
          wrong += fused[at(2)] != swapped(a, b, ratios[2 * pair]);
        }
      }
      REQUIRE(wrong == 0);
    });
  }
}

TEST_CASE("arith: impossible geometries are refused", "[arith]") {
  CHECK_THROWS_AS(Lanes(0, 16), std::invalid_argument);
  CHECK_THROWS_AS(Lanes(65, 80), std::invalid_argument);
  CHECK_THROWS_AS(Lanes(17, 31), std::invalid_argument);
  CHECK_NOTHROW(Lanes(17, 32));
}
