// SPDX-License-Identifier: Apache-2.0
// The kernels of transforms whose lengths are no powers of two on the simulated array, against plain arithmetic.
#include <array>
#include <catch2/catch.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "platform/compiler/kernels/radix_kernels.h"
#include "platform/network/half.h"
#include "test/support/kernel_bench.h"

namespace {

using namespace bvp;

using Bench = test::KernelBench;
using Machine = Bench::Machine;
const std::array<Machine, 5> machines{
    {{4, 4, 32, 256, 32}, {4, 4, 16, 256, 32}, {2, 2, 8, 128, 12}, {1, 1, 4, 64, 4}, {3, 5, 16, 96, 32}}};

u16 rounded(float value) { return to_half(static_cast<double>(value)); }

struct Step {
  u32 points, parts;
  bool along_rows, real_input, real_output;
  std::optional<ResidualFactor> residual_factor;
};

/// Value `index` of the transform's dimension and `other` of the other one.
float value_of(const Bench::Matrix& matrix, bool along_rows, u64 index, u64 other) {
  return from_half(along_rows ? matrix.at(index, other) : matrix.at(other, index));
}

/// Compares a step with sums in fp32, one after the other. The function is long because it makes the matrices, runs the
/// kernel and writes the step out.
void check_step(const Machine& machine, const Step& step) {
  Bench bench(machine);
  const u32 n = step.points * step.parts, others = 2 * bench.lanes();
  INFO(machine.rows << " x " << machine.columns << " PEs, " << machine.lanes << " lanes, " << step.parts << " x "
                    << step.points << " points, along " << (step.along_rows ? "rows" : "columns"));
  const auto matrix = [&] { return step.along_rows ? bench.matrix(n, others) : bench.matrix(others, n); };
  const Bench::Matrix x_re = matrix(), x_im = matrix(), y_re = matrix(), y_im = matrix(), residual = matrix();
  RadixSpec spec;
  spec.points = step.points;
  spec.parts = step.parts;
  spec.real_input = step.real_input;
  spec.real_output = step.real_output;
  spec.x = spec.y = step.along_rows ? x_re.layout.by_row() : x_re.layout.by_column();
  const u16 factor = to_half(0.3);
  if (!step.real_output) spec.factor = factor;
  spec.residual = step.real_output;
  spec.residual_factor = step.residual_factor;
  const RadixKernel kernel = make_radix_kernel(bench.target(), spec, 2);
  std::vector<u16> weights;
  for (u32 i = 0; i < step.points * spec.results() * spec.terms(); ++i) weights.push_back(bench.random_value());
  const auto weight = [&](u32 position, u32 result, u32 term) {
    return weights[(position * spec.results() + result) * spec.terms() + term];
  };
  const std::vector<u16> words = kernel.words(weight);
  REQUIRE(words.size() == kernel.word_count());
  bench.launch(kernel, 2,
               {{radix_register::x_re, x_re.offset},
                {radix_register::x_im, x_im.offset},
                {radix_register::y_re, y_re.offset},
                {radix_register::y_im, y_im.offset},
                {radix_register::residual, residual.offset},
                {radix_register::weights, bench.words(words)},
                {radix_register::constants, bench.words(kernel.constants)}});
  const std::array<std::vector<u16>, 2> got{bench.read(y_re).values, bench.read(y_im).values};
  const u32 inputs = spec.terms() / step.parts, outputs = spec.results() / step.parts;
  u64 different = 0;
  for (u32 other = 0; other < others; ++other) {
    for (u32 position = 0; position < step.points; ++position) {
      for (u32 result = 0; result < spec.results(); ++result) {
        float sum = 0;
        for (u32 term = 0; term < spec.terms(); ++term) {
          const u32 index = term / inputs * step.points + position;
          sum += value_of(term % inputs == 0 ? x_re : x_im, step.along_rows, index, other) *
                 from_half(weight(position, result, term));
        }
        const u32 index = result / outputs * step.points + position;
        u16 want = rounded(step.real_output ? sum : sum * from_half(factor));
        if (spec.residual) {
          const float y = from_half(want), x = value_of(residual, step.along_rows, index, other);
          if (!step.residual_factor) {
            want = rounded(y + x);
          } else {
            const float by = from_half(step.residual_factor->value);
            want = rounded(step.residual_factor->of_residual ? x * by + y : y * by + x);
          }
        }
        const u64 at = step.along_rows ? u64{index} * others + other : u64{other} * n + index;
        different += got[result % outputs][at] != want ? 1 : 0;
      }
    }
  }
  CHECK(different == 0);
}

}  // namespace

TEST_CASE("parts of a transform are joined", "[kernels]") {
  const std::optional<ResidualFactor> none, of_result{ResidualFactor{to_half(0.7), false}},
      of_residual{ResidualFactor{to_half(0.01), true}};
  for (const Machine& machine : machines) {
    const auto lanes = static_cast<u32>(machine.lanes);
    check_step(machine, {lanes, 3, false, true, false, none});
    check_step(machine, {4 * lanes, 5, false, true, false, none});
    check_step(machine, {2, 3, true, false, true, none});
    check_step(machine, {4 * lanes, 3, true, false, true, of_result});
    check_step(machine, {8, 9, true, false, true, of_residual});
    check_step(machine, {lanes, 3, false, false, false, none});
    check_step(machine, {4, 5, true, false, false, none});
    check_step(machine, {2 * lanes, 3, false, false, true, of_result});
  }
}

TEST_CASE("a step with more parts than accumulators takes its results in blocks", "[kernels]") {
  for (const Machine& machine : {machines[0], machines[4]}) {
    check_step(machine, {2, 15, true, false, true, ResidualFactor{to_half(0.7), false}});
    check_step(machine, {32, 7, false, true, false, {}});
  }
}

TEST_CASE("columns of several parts are interleaved, or taken apart", "[kernels]") {
  struct Case {
    u32 parts, panels;
    bool apart;
  };
  for (const Machine& machine : machines) {
    for (const Case& c : {Case{3, 1, false}, {3, 4, false}, {5, 4, false}, {3, 1, true}, {5, 1, true}, {3, 4, true}}) {
      Bench bench(machine);
      const u32 points = c.panels * bench.lanes(), rows = 2 * bench.lanes();
      if (c.parts * bench.lanes() > bench.target().operand_vectors) continue;
      INFO(machine.lanes << " lanes, " << c.parts << " x " << points << " columns" << (c.apart ? ", apart" : ""));
      const auto x = bench.matrix(rows, u64{c.parts} * points), y = bench.matrix(rows, u64{c.parts} * points);
      InterleaveSpec spec;
      spec.points = points;
      spec.parts = c.parts;
      spec.apart = c.apart;
      spec.x = x.layout;
      spec.y = y.layout;
      bench.launch(make_interleave_kernel(bench.target(), spec, 2), 2,
                   {{interleave_register::x, x.offset}, {interleave_register::y, y.offset}});
      const std::vector<u16> got = bench.read(y).values;
      u64 different = 0;
      for (u32 row = 0; row < rows; ++row) {
        for (u32 column = 0; column < c.parts * points; ++column) {
          const u64 in_block = u64{column % c.parts} * points + column / c.parts;
          const u64 from = c.apart ? column : in_block, to = c.apart ? in_block : column;
          different += got[u64{row} * y.columns + to] != x.values[u64{row} * x.columns + from] ? 1 : 0;
        }
      }
      CHECK(different == 0);
    }
  }
}

TEST_CASE("a step or an interleaving that does not fit a PE says so", "[kernels]") {
  Bench bench({2, 2, 16, 32, 8});
  RadixSpec spec;
  spec.points = 16;
  spec.parts = 21;
  spec.x = spec.y = PanelLayout{16, 16 * 21}.by_row();
  CHECK_THROWS_AS(make_radix_kernel(bench.target(), spec, 1), CompileError);
  InterleaveSpec columns;
  columns.points = 16;
  columns.parts = 3;
  columns.x = columns.y = {16, 16};
  CHECK_THROWS_AS(make_interleave_kernel(bench.target(), columns, 1), CompileError);
}
