// SPDX-License-Identifier: Apache-2.0
// Where matrices lie in DRAM: those that are never in use at the same time share their places.
#pragma once

#include <functional>
#include <vector>

#include "platform/compiler/task_builder.h"
#include "platform/program/compiled_network.h"

namespace bvp {

/// While the network is planned, matrices have provisional addresses; which of them may share a place shows only when
/// all tasks are known.
class MatrixPlaces {
 public:
  /// A provisional address, outside of all memories.
  u64 add(u64 bytes);
  /// The matrix there is in use from the beginning of the run to its end: it gets a place of its own.
  void keep(const MatrixPlace& place);
  /// Gives all of them places. Tasks run one after the other: none begins to write before the one before has read all.
  /// @param allocate  address of so many bytes of DRAM
  void settle(const std::vector<TaskBuilder>& tasks, const std::function<u64(u64)>& allocate);
  /// After settle(): the address in DRAM; an address that is not provisional stays.
  [[nodiscard]] u64 settled(u64 address) const;
  [[nodiscard]] MatrixPlace settled(MatrixPlace place) const;
  /// Both sides of a DMA step.
  [[nodiscard]] Step settled(Step step) const;

 private:
  struct Matrix {
    u64 provisional = 0, bytes = 0;
    bool kept = false;
    // Tasks from the first that uses it to the last; first > last: none does.
    std::size_t first = ~std::size_t{0}, last = 0;
    u64 address = 0;
    [[nodiscard]] bool used() const { return kept || first <= last; }
  };

  /// That which holds the address, or null.
  [[nodiscard]] const Matrix* find(u64 address) const;
  void use(u64 address, std::size_t task);

  std::vector<Matrix> matrices_;  // by provisional address
};

}  // namespace bvp
