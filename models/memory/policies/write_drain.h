// SPDX-License-Identifier: Apache-2.0
// Decides when the waiting writes of a channel are written. Each implementation is a file in write_drain/, found by the
// name of the file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

struct DramParameters;

/// Contract: the channel asks once for each write, after the write has joined the queue. The answers depend on the
/// arguments and on the implementation's own parameters alone. The channel writes the batch at once, bank by bank, and
/// does not ask again during a batch.
class DramWriteDrain {
 public:
  virtual ~DramWriteDrain() = default;
  /// The number of the oldest of the `waiting` writes that are written now; 0: none.
  [[nodiscard]] virtual u32 batch(u32 waiting) const = 0;
  /// After this many clocks without traffic, the channel writes all waiting writes.
  [[nodiscard]] virtual Cycle idle_clocks() const = 0;
};

/// The parameter `write_drain` names it; its choices are dram_write_drain_names().
[[nodiscard]] std::unique_ptr<DramWriteDrain> make_dram_write_drain(const DramParameters& parameters);
[[nodiscard]] std::vector<std::string> dram_write_drain_names();

}  // namespace bvp
