// SPDX-License-Identifier: Apache-2.0
// Places in DRAM, and what lies there when the run begins.
#pragma once

#include <functional>
#include <vector>

#include "platform/compiler/ir/matrix_places.h"
#include "platform/compiler/ir/task_builder.h"
#include "platform/compiler/target.h"
#include "platform/network/tensors.h"
#include "platform/program/compiled_network.h"

namespace bvp {

class DramPlan {
 public:
  /// @param beside  a network that is in the same DRAM, and whose inputs and outputs are those of this one; null: none
  explicit DramPlan(const CompilerTarget& target, const CompiledNetwork* beside = nullptr)
      : target_(target), beside_(beside), end_(beside != nullptr ? whole_pages(beside->end) : target.dram_base) {}

  /// @throws CompileError  the DRAM is full
  u64 allocate(u64 bytes);
  /// Allocates memory that tasks write before they read it; the address is provisional until settle().
  u64 scratch(u64 bytes) { return matrices_.add(bytes); }
  /// Allocates a matrix in the same way. Rows are padded to whole vectors, and readers may go one row beyond the last
  /// one.
  MatrixPlace matrix(u64 rows, u64 columns);
  /// Marks a matrix that is read or written from outside, or inspected after the run. `of`: the matrix in the network
  /// beside this one. @throws CompileError  that one has another shape
  void keep(const MatrixPlace& place, const MatrixPlace* of = nullptr);
  /// Allocates memory for token ids, or takes that of the network beside.
  u64 token_ids(u64 bytes) { return beside_ != nullptr ? beside_->tokens.address : allocate(bytes); }
  [[nodiscard]] const CompiledNetwork* beside() const { return beside_; }
  /// Must be called when all tasks are known: gives the matrices their places. @throws CompileError  the DRAM is full
  const MatrixPlaces& settle(const Tasks& tasks);
  /// A tensor of one or two dimensions, or its transpose, rows padded with zeros to whole vectors and to a multiple of
  /// `lanes` rows. The tensor must be there until take_blobs().
  MatrixPlace constant(const Tensor& tensor, bool transposed = false);
  /// A matrix of computed values, padded alike. `value` is called by take_blobs().
  MatrixPlace constant(u64 rows, u64 columns, std::function<u16(u64 row, u64 column)> value);
  /// Gives the task's own constants their addresses.
  void place_constants(TaskBuilder& task);
  /// Contents of allocated memory, made by take_blobs().
  void blob(u64 address, std::function<std::vector<u8>()> bytes) { contents_.push_back({address, std::move(bytes)}); }
  /// Adds contents that exist already as bytes.
  void blob(u64 address, const void* bytes, std::size_t size);

  /// Makes all contents. Weights are left out where the target has no data.
  [[nodiscard]] std::vector<MemoryBlob> take_blobs();
  [[nodiscard]] u64 end() const { return end_; }

 private:
  [[nodiscard]] u64 padded(u64 columns) const { return (columns + target_.lanes - 1) / target_.lanes * target_.lanes; }

  struct Contents {
    u64 address = 0;
    std::function<std::vector<u8>()> bytes;
  };
  static u64 whole_pages(u64 bytes) { return (bytes + 4095) / 4096 * 4096; }

  const CompilerTarget& target_;
  const CompiledNetwork* beside_;
  u64 end_;
  MatrixPlaces matrices_;
  std::vector<Contents> contents_;
};

/// The bytes of little-endian words.
[[nodiscard]] std::vector<u8> bytes_of(const std::vector<u16>& words);

}  // namespace bvp
