// SPDX-License-Identifier: Apache-2.0
// Memory of a size that need not fit the host: its pages exist once they are written.
#pragma once

#include "models/base/types.h"

namespace bvp {

/// Zeroed memory without a reservation, aligned to a page of the host.
class LazyMemory {
 public:
  /// `dense`: most of what is used lies together, and large pages spare the host most of its faults. `sparse`: a few
  /// bytes here and there, for which zeroing large pages would take longer.
  enum class Use { dense, sparse };
  /// @param owner  who is named when the host gives no such range of addresses, which is an error that is reported
  LazyMemory(const char* owner, u64 bytes, Use use = Use::dense);
  ~LazyMemory();
  LazyMemory(const LazyMemory&) = delete;
  LazyMemory& operator=(const LazyMemory&) = delete;

  [[nodiscard]] u8* data() { return data_; }
  [[nodiscard]] const u8* data() const { return data_; }
  [[nodiscard]] u64 size() const { return bytes_; }

 private:
  u64 bytes_;
  u8* data_;
};

}  // namespace bvp
