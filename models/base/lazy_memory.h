// SPDX-License-Identifier: Apache-2.0
// A memory that may be larger than the host's: a page takes host memory only after it has been written.
#pragma once

#include "models/base/types.h"

namespace bvp {

/// Zeroed memory for which the host reserves nothing, aligned to a page of the host.
class LazyMemory {
 public:
  /// `dense`: most of the used bytes lie together, so that large pages save the host most page faults. `sparse`: the
  /// used bytes are few and far apart, so that zeroing large pages would cost more time than it saves.
  enum class Use { dense, sparse };
  /// @param owner  the name in the error that is reported when the host cannot give such a range of addresses
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
