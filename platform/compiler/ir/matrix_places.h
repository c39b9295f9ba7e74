// SPDX-License-Identifier: Apache-2.0
// Places of matrices in DRAM. Matrices that are never in use at the same time share a place.
#pragma once

#include <functional>
#include <vector>

#include "platform/compiler/ir/task_builder.h"
#include "platform/program/compiled_network.h"

namespace bvp {

/// Matrices have provisional addresses while the network is planned, because only the complete list of tasks shows
/// which of them may share a place.
class MatrixPlaces {
 public:
  /// A provisional address, outside of all memories.
  u64 add(u64 bytes);
  /// The matrix at this address is in use from the beginning of the run to its end, so it gets a place of its own.
  /// @param at  that place; 0: one is allocated
  void keep(const MatrixPlace& place, u64 at = 0);
  /// Gives all matrices their places. Tasks run one after the other: a task writes only after the previous task has
  /// read everything.
  /// @param allocate  returns the address of so many bytes of DRAM
  void settle(const Tasks& tasks, const std::function<u64(u64)>& allocate);
  /// Returns the address in DRAM, after settle(); an address that is not provisional is returned unchanged.
  [[nodiscard]] u64 settled(u64 address) const;
  [[nodiscard]] MatrixPlace settled(MatrixPlace place) const;
  /// Both sides of a DMA step.
  [[nodiscard]] Step settled(Step step) const;

 private:
  struct Matrix {
    u64 provisional = 0, bytes = 0;
    bool kept = false;
    u64 kept_at = 0;  // 0: a place is allocated
    // The tasks from the first to the last that use the matrix; first > last: no task does.
    std::size_t first = ~std::size_t{0}, last = 0;
    u64 address = 0;
    [[nodiscard]] bool used() const { return kept || first <= last; }
  };

  /// The matrix that contains the address, or null.
  [[nodiscard]] const Matrix* find(u64 address) const;
  void use(u64 address, std::size_t task);

  std::vector<Matrix> matrices_;  // by provisional address
};

}  // namespace bvp
