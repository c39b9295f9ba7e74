// SPDX-License-Identifier: Apache-2.0
// Memory of a size that need not fit the host: pages exist once they are written.
#pragma once

#include "models/common/types.h"

namespace bvp {

/// Zeroed memory without a reservation; reports an error when the host refuses the address range.
class DramStorage {
 public:
  explicit DramStorage(u64 bytes);
  ~DramStorage();
  DramStorage(const DramStorage&) = delete;
  DramStorage& operator=(const DramStorage&) = delete;

  [[nodiscard]] u8* data() { return data_; }
  [[nodiscard]] const u8* data() const { return data_; }
  [[nodiscard]] u64 size() const { return bytes_; }

 private:
  u64 bytes_;
  u8* data_;
};

}  // namespace bvp
