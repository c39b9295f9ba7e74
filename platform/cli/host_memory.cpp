// SPDX-License-Identifier: Apache-2.0
// How butterfly-vp takes memory from the host: in large steps, of large pages where the host has them, and what it has
// it keeps. Faults on fresh small pages were half the time of a short run.
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <initializer_list>

// The address sanitizer has a heap of its own.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)

namespace {

constexpr std::uintptr_t large_page = std::uintptr_t{2} << 20;
constexpr int first_step = 256 << 20;  // of addresses: memory is taken page by page when it is touched
constexpr int further_step = 16 << 20;
constexpr int largest_in_heap = 32 << 20;  // the most that glibc accepts

void prefer_large_pages(int, char**, char**) {
  // Where addresses are scarce nothing is gained by taking many.
  for (const auto resource : {RLIMIT_AS, RLIMIT_DATA}) {
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) return;
  }
  mallopt(M_TOP_PAD, first_step);
  mallopt(M_TRIM_THRESHOLD, 2 * first_step - 1);
  mallopt(M_MMAP_THRESHOLD, largest_in_heap);
  // More than the heap can have by now: it grows.
  void* const probe = std::malloc(large_page);
  if (probe == nullptr) {
    mallopt(M_TOP_PAD, 0);
    return;
  }
  const auto begin = (reinterpret_cast<std::uintptr_t>(probe) + large_page - 1) / large_page * large_page;
  const auto end = reinterpret_cast<std::uintptr_t>(sbrk(0)) / large_page * large_page;
  std::free(probe);
  mallopt(M_TOP_PAD, further_step);
  // No matter if the host has none.
  if (begin < end) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

// Before the libraries' own initialisation, which takes memory too.
__attribute__((section(".preinit_array"), used)) void (*const at_start)(int, char**, char**) = prefer_large_pages;

}  // namespace

#endif
