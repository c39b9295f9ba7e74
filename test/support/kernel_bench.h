// SPDX-License-Identifier: Apache-2.0
// Runs single kernels of the compiler on a simulated array, with matrices of random values in its scratchpad.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "models/base/simulation_context.h"
#include "platform/network/half.h"
#include "platform/program/layout.h"
#include "test/support/array_bench.h"

namespace bvp::test {

/// An array, and matrices one behind the other in its scratchpad.
class KernelBench {
 public:
  struct Machine {
    i64 rows, columns, lanes, operand_vectors;
    std::optional<i64> accumulators = {};  // of a PE; absent: the default
  };
  explicit KernelBench(const Machine& machine) {
    config_.array.rows = machine.rows;
    config_.array.columns = machine.columns;
    config_.array.lanes = machine.lanes;
    config_.pe.operand_vectors = machine.operand_vectors;
    if (machine.accumulators) config_.pe.accumulators = *machine.accumulators;
    array_ = std::make_unique<ArrayBench>("bench", config_);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }

  [[nodiscard]] CompilerTarget target() const { return config_.target(); }
  [[nodiscard]] u32 lanes() const { return target().lanes; }
  u16 random_value() { return to_half(normal_(random_)); }

  struct Matrix {
    u32 offset = 0;
    PanelLayout layout;
    u64 rows = 0, columns = 0;
    std::vector<u16> values;  // row after row
    [[nodiscard]] u16 at(u64 row, u64 column) const { return values[row * columns + column]; }
  };
  /// A matrix of random values.
  Matrix matrix(u32 rows, u64 columns) {
    Matrix result{end_, {lanes(), (rows + lanes() - 1) / lanes() * lanes()}, rows, columns, {}};
    end_ += result.layout.bytes(columns);
    for (u64 i = 0; i < rows * columns; ++i) result.values.push_back(random_value());
    array_->write_matrix(result.offset, result.layout, columns, result.values);
    return result;
  }
  /// Whole vectors of these words; returns their offset.
  u32 words(std::vector<u16> words) {
    words.resize((words.size() + lanes() - 1) / lanes() * lanes());
    const u32 offset = end_;
    array_->write(offset, words);
    end_ += static_cast<u32>(words.size() * 2);
    return offset;
  }
  /// @param groups  the launch count of level 0; the kernel has those of the other levels
  template <class MadeKernel>
  void launch(const MadeKernel& kernel, u32 groups, const std::vector<std::pair<unsigned, u32>>& registers) {
    REQUIRE(array_->configure(kernel.kernel.encode()));
    array_->launch({groups, kernel.counts[0], kernel.counts[1], kernel.counts[2]}, registers);
    REQUIRE(array_->run() > 0);
    REQUIRE(array_->failures == 0);
  }
  /// What the matrix holds now.
  [[nodiscard]] Matrix read(const Matrix& matrix) const {
    Matrix result = matrix;
    result.values = array_->read_matrix(matrix.offset, matrix.layout, matrix.rows, matrix.columns);
    return result;
  }

 private:
  SimulationContext context_;
  ArrayConfig config_;
  std::unique_ptr<ArrayBench> array_;
  std::mt19937 random_{1};
  std::normal_distribution<double> normal_;
  u32 end_ = 0;
};

}  // namespace bvp::test
