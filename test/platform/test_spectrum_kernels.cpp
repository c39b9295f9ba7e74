// SPDX-License-Identifier: Apache-2.0
// The kernels of the real two-dimensional FFT on the simulated array, against plain arithmetic.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <utility>
#include <vector>

#include "platform/compiler/kernels/spectrum_kernels.h"
#include "platform/network/half.h"
#include "test/support/kernel_bench.h"

namespace {

using namespace bvp;

using Bench = test::KernelBench;
using Machine = Bench::Machine;
const std::array<Machine, 6> machines{
    {{4, 4, 32, 256}, {4, 4, 16, 256}, {2, 2, 8, 64}, {1, 1, 4, 64}, {3, 5, 16, 96}, {8, 8, 2, 32}}};

u16 add(u16 a, u16 b) { return to_half(from_half(a) + from_half(b)); }
u16 subtract(u16 a, u16 b) { return to_half(from_half(a) - from_half(b)); }

}  // namespace

TEST_CASE("the spectra of two real columns are separated", "[kernels]") {
  for (const Machine& machine : machines) {
    for (const u32 points : {3u, 4u, 32u, 45u, 98u, 256u}) {
      for (const u32 panels : {1u, 3u}) {
        Bench bench(machine);
        INFO(machine.rows << " x " << machine.columns << " PEs, " << machine.lanes << " lanes, " << points
                          << " points, " << panels << " panels");
        const u32 columns = panels * bench.lanes();
        const auto p = bench.matrix(points, columns), q = bench.matrix(points, columns);
        std::vector<Bench::Matrix> results;
        for (unsigned i = 0; i < 4; ++i) results.push_back(bench.matrix(points / 2 + 1, columns));
        bench.launch(make_separation_kernel(bench.target(), {points, p.layout, results[0].layout}, panels), panels,
                     {{separation_register::p, p.offset},
                      {separation_register::q, q.offset},
                      {separation_register::x_re, results[0].offset},
                      {separation_register::x_im, results[1].offset},
                      {separation_register::y_re, results[2].offset},
                      {separation_register::y_im, results[3].offset}});
        for (auto& result : results) result = bench.read(result);
        u64 different = 0;
        for (u32 u = 0; u <= points / 2; ++u) {
          for (u32 c = 0; c < columns; ++c) {
            const u32 m = (points - u) % points, row = points / 2 - u;
            different += results[0].at(row, c) != add(p.at(u, c), p.at(m, c)) ? 1 : 0;
            different += results[1].at(row, c) != subtract(q.at(u, c), q.at(m, c)) ? 1 : 0;
            different += results[2].at(row, c) != add(q.at(u, c), q.at(m, c)) ? 1 : 0;
            different += results[3].at(row, c) != subtract(p.at(m, c), p.at(u, c)) ? 1 : 0;
          }
        }
        CHECK(different == 0);
      }
    }
  }
}

TEST_CASE("a spectrum is mirrored", "[kernels]") {
  for (const Machine& machine : machines) {
    for (const auto& [groups, whole] : std::array<std::pair<u32, bool>, 3>{{{1, false}, {3, false}, {3, true}}}) {
      Bench bench(machine);
      const u32 lanes = bench.lanes(), points = whole ? 6 * lanes : 8 * lanes, columns = 6 * lanes,
                rows = groups * lanes;
      INFO(machine.rows << " x " << machine.columns << " PEs, " << lanes << " lanes, " << groups << " groups");
      const auto x = bench.matrix(rows, points), y = bench.matrix(rows, columns), behind = bench.matrix(rows, lanes);
      bench.launch(make_mirror_kernel(bench.target(), {points, columns, x.layout, y.layout}, groups), groups,
                   {{mirror_register::x, x.offset}, {mirror_register::y, y.offset}});
      const auto mirrored = bench.read(y);
      u64 different = 0;
      for (u32 row = 0; row < rows; ++row) {
        for (u32 k = 0; k < columns; ++k) different += mirrored.at(row, k) != x.at(row, (points - k) % points) ? 1 : 0;
      }
      CHECK(different == 0);
      CHECK(bench.read(x).values == x.values);
      CHECK(bench.read(behind).values == behind.values);
    }
  }
}

TEST_CASE("a residual is added to a scaled matrix", "[kernels]") {
  for (const Machine& machine : machines) {
    for (const u32 groups : {1u, 5u}) {
      Bench bench(machine);
      const u32 columns = 3 * bench.lanes(), rows = groups * bench.lanes();
      INFO(machine.rows << " x " << machine.columns << " PEs, " << machine.lanes << " lanes, " << groups << " groups");
      // The matrices may have other rows behind those of the tile. The second sum takes the place of its x.
      const auto s = bench.matrix(rows, columns), x = bench.matrix(rows + bench.lanes(), columns),
                 y = bench.matrix(rows + 2 * bench.lanes(), columns);
      const u16 factor = to_half(0.7071);
      const u32 constant = bench.words({factor});
      for (const auto& sum : {y, x}) {
        bench.launch(make_scaled_sum_kernel(bench.target(), {columns, s.layout, x.layout, sum.layout}, groups), groups,
                     {{scaled_sum_register::s, s.offset},
                      {scaled_sum_register::x, x.offset},
                      {scaled_sum_register::y, sum.offset},
                      {scaled_sum_register::constant, constant}});
        const auto sums = bench.read(sum);
        u64 different = 0;
        for (u32 row = 0; row < sum.layout.rows; ++row) {
          for (u32 column = 0; column < columns; ++column) {
            const float expected = from_half(factor) * from_half(s.at(std::min(row, rows - 1), column)) +
                                   from_half(x.at(std::min(row, rows - 1), column));
            const u16 value = row < rows ? to_half(expected) : sum.at(row, column);
            different += sums.at(row, column) != value ? 1 : 0;
          }
        }
        CHECK(different == 0);
        CHECK(bench.read(s).values == s.values);
      }
    }
  }
}
