// SPDX-License-Identifier: Apache-2.0
// Decides when the writes that wait in a channel's queue are written. An implementation a file in write_drain/, found
// by its file's name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

struct DramParameters;

/// Contract: asked once for each write, after it has joined the queue. The answers depend on the arguments and the
/// implementation's own parameters alone. The channel writes the batch at once, bank by bank, and calls nothing
/// meanwhile.
class DramWriteDrain {
 public:
  virtual ~DramWriteDrain() = default;
  /// How many of the `waiting` writes, the oldest, are written now; 0: none.
  [[nodiscard]] virtual u32 batch(u32 waiting) const = 0;
  /// Clocks without traffic in the channel after which all writes that wait are written.
  [[nodiscard]] virtual Cycle idle_clocks() const = 0;
};

/// The parameter `write_drain` names it; its choices are dram_write_drain_names().
[[nodiscard]] std::unique_ptr<DramWriteDrain> make_dram_write_drain(const DramParameters& parameters);
[[nodiscard]] std::vector<std::string> dram_write_drain_names();

}  // namespace bvp
