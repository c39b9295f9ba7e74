// SPDX-License-Identifier: Apache-2.0
#include "models/base/lazy_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "models/base/report.h"

namespace bvp {

LazyMemory::LazyMemory(const char* owner, u64 bytes, Use use) : bytes_(bytes), data_(nullptr) {
  void* mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    report_error(owner, "the host gives no address range of {} bytes: {}", bytes, std::strerror(errno));
  }
  data_ = static_cast<u8*>(mapping);
  // This is only a hint: a host without it works too.
  if (use == Use::dense) madvise(mapping, bytes, MADV_HUGEPAGE);
}

LazyMemory::~LazyMemory() { munmap(data_, bytes_); }

}  // namespace bvp
