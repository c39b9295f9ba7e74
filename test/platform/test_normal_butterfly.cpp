// SPDX-License-Identifier: Apache-2.0
// The normal form of butterfly matrices: it is the same matrix, and its numbers stay within their bounds.
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "platform/network/half.h"
#include "platform/network/normal_butterfly.h"

namespace {

using namespace bvp;

constexpr u16 swap_bit = 0x4000;

struct Matrix {
  u64 stacks;
  unsigned log_n;
  std::vector<u16> twiddle;
  [[nodiscard]] u64 points() const { return u64{1} << log_n; }
  [[nodiscard]] u16& at(u64 stack, unsigned factor, u64 pair, unsigned entry) {
    return twiddle[((stack * log_n + factor) * points() / 2 + pair) * 4 + entry];
  }
};

Matrix random_matrix(u64 stacks, unsigned log_n, double deviation, unsigned seed) {
  Matrix matrix{stacks, log_n, std::vector<u16>(stacks * log_n * (u64{1} << log_n) * 2)};
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, deviation);
  for (u16& word : matrix.twiddle) word = to_half(normal(random));
  return matrix;
}

/// Calls f(lower point, upper point, pair) for every pair of a factor.
template <class F>
void for_each_pair(u64 points, unsigned factor, const F& f) {
  const u64 stride = u64{1} << factor;
  for (u64 lower = 0, pair = 0; lower < points; ++lower) {
    if ((lower & stride) == 0) f(lower, lower + stride, pair++);
  }
}

std::vector<double> product(Matrix& matrix, u64 stack, std::vector<double> x) {
  for (unsigned factor = 0; factor < matrix.log_n; ++factor) {
    for_each_pair(matrix.points(), factor, [&](u64 lower, u64 upper, u64 pair) {
      const auto t = [&](unsigned entry) { return double{from_half(matrix.at(stack, factor, pair, entry))}; };
      const double a = x[lower], b = x[upper];
      x[lower] = t(0) * a + t(1) * b;
      x[upper] = t(2) * a + t(3) * b;
    });
  }
  return x;
}

/// The same by the normal form, without rounding of what is computed.
std::vector<double> normal_product(const NormalButterfly& form, u64 stack, u64 points, std::vector<double> x) {
  for (unsigned factor = 0; factor < form.factors(); ++factor) {
    for_each_pair(points, factor, [&](u64 lower, u64 upper, u64 pair) {
      const std::array<u16, 4> scalars = form.pair(stack, factor, pair);
      const double a = x[lower], b = x[upper];
      const auto output = [&](unsigned row) {
        if (form.pays(factor)) return from_half(scalars[2 * row]) * a + from_half(scalars[2 * row + 1]) * b;
        const u16 ratio = scalars[row];
        const double value = from_half(static_cast<u16>(ratio & ~swap_bit));
        REQUIRE(std::abs(value) <= 1);
        return (ratio & swap_bit) != 0 ? b + value * a : a + value * b;
      };
      x[lower] = output(0);
      x[upper] = output(1);
    });
  }
  for (u64 i = 0; i < points; ++i) x[i] *= form.owed(stack, i);
  return x;
}

double distance(const std::vector<double>& got, const std::vector<double>& want) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    difference += (got[i] - want[i]) * (got[i] - want[i]);
    norm += want[i] * want[i];
  }
  return std::sqrt(difference / norm);
}

std::vector<double> random_points(u64 points) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  std::vector<double> x(points);
  for (double& value : x) value = normal(random);
  return x;
}

bool any_pays(const NormalButterfly& form) {
  bool any = false;
  for (unsigned factor = 0; factor < form.factors(); ++factor) any = any || form.pays(factor);
  return any;
}

}  // namespace

TEST_CASE("normal form: it is the same matrix", "[network]") {
  for (const unsigned log_n : {1u, 2u, 5u, 9u, 12u}) {
    for (const double deviation : {0.7, 0.05, 5.0}) {
      INFO("2^" << log_n << " points, weights of " << deviation);
      Matrix matrix = random_matrix(3, log_n, deviation, log_n);
      const NormalButterfly form(matrix.twiddle.data(), 3, log_n, 1.0);
      CHECK(form.factors() == log_n);
      const std::vector<double> x = random_points(matrix.points());
      for (u64 stack = 0; stack < 3; ++stack) {
        // Each ratio is rounded to 11 bits.
        CHECK(distance(normal_product(form, stack, matrix.points(), x), product(matrix, stack, x)) < 1e-3);
        for (u64 i = 0; i < matrix.points(); ++i) {
          const double owed = std::abs(form.owed(stack, i));
          REQUIRE((owed >= NormalButterfly::least_owed && owed <= NormalButterfly::most_owed));
        }
      }
      // 0.7 keeps its size over all factors; the others shrink and grow beyond what may be owed.
      CHECK(any_pays(form) == (deviation != 0.7 && log_n >= 5));
    }
  }
}

TEST_CASE("normal form: what the inputs count more goes to the outputs", "[network]") {
  Matrix matrix = random_matrix(1, 6, 0.7, 1);
  const NormalButterfly plain(matrix.twiddle.data(), 1, 6, 1.0), more(matrix.twiddle.data(), 1, 6, 0.75);
  for (unsigned factor = 0; factor < 6; ++factor) {
    for (u64 pair = 0; pair < 32; ++pair) CHECK(plain.pair(0, factor, pair) == more.pair(0, factor, pair));
  }
  for (u64 i = 0; i < 64; ++i) CHECK(more.owed(0, i) == Approx(0.75 * plain.owed(0, i)));
}

TEST_CASE("normal form: rows of zeros", "[network]") {
  Matrix matrix = random_matrix(1, 3, 0.7, 2);
  // An output of the first factor and one of the last factor are 0; one of the second has one zero.
  matrix.at(0, 0, 1, 2) = matrix.at(0, 0, 1, 3) = 0;
  matrix.at(0, 2, 2, 0) = matrix.at(0, 2, 2, 1) = 0x8000;
  matrix.at(0, 1, 0, 0) = 0;
  const NormalButterfly form(matrix.twiddle.data(), 1, 3, 1.0);
  CHECK_FALSE(any_pays(form));
  CHECK(form.pair(0, 0, 1)[1] == 0);
  CHECK(form.owed(0, 2) == 0);
  CHECK(form.pair(0, 1, 0)[0] == swap_bit);
  const std::vector<double> x = random_points(8);
  CHECK(distance(normal_product(form, 0, 8, x), product(matrix, 0, x)) < 1e-3);
}

TEST_CASE("normal form: weights that are no numbers are passed on", "[network]") {
  for (const u16 word : {u16{0x7c00}, u16{0xfc00}, u16{0x7e00}}) {
    for (const unsigned entry : {0u, 1u, 2u, 3u}) {
      Matrix matrix = random_matrix(1, 4, 0.7, 5);
      matrix.at(0, 1, 3, entry) = word;
      const NormalButterfly form(matrix.twiddle.data(), 1, 4, 1.0);
      CHECK(form.pays(1));
      CHECK_FALSE((form.pays(0) || form.pays(2) || form.pays(3)));
      CHECK_FALSE(is_finite_half(form.pair(0, 1, 3)[entry]));
      for (u64 i = 0; i < 16; ++i) CHECK(std::isfinite(form.owed(0, i)));
    }
  }
}

TEST_CASE("normal form: without weights no factor pays", "[network]") {
  const NormalButterfly form(nullptr, 2, 5, 1.0);
  CHECK(form.factors() == 5);
  CHECK_FALSE(any_pays(form));
}
