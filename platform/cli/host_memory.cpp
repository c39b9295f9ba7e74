// SPDX-License-Identifier: Apache-2.0
// How butterfly-vp allocates memory of the host: in large steps, with large pages if the host has them, and without
// giving memory back. Page faults on small pages took half the time of a short run.
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <initializer_list>

// The address sanitizer has its own heap.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)

namespace {

constexpr std::uintptr_t large_page = std::uintptr_t{2} << 20;
constexpr int first_step = 256 << 20;  // bytes of address space: a page takes memory only when it is touched
constexpr int further_step = 16 << 20;
constexpr int largest_in_heap = 32 << 20;  // the most that glibc accepts

void prefer_large_pages(int, char**, char**) {
  // If address space is scarce, reserving much of it gains nothing.
  for (const auto resource : {RLIMIT_AS, RLIMIT_DATA}) {
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) return;
  }
  mallopt(M_TOP_PAD, first_step);
  mallopt(M_TRIM_THRESHOLD, 2 * first_step - 1);
  mallopt(M_MMAP_THRESHOLD, largest_in_heap);
  // More than the heap can have at this point; it grows later.
  void* const probe = std::malloc(large_page);
  if (probe == nullptr) {
    mallopt(M_TOP_PAD, 0);
    return;
  }
  const auto begin = (reinterpret_cast<std::uintptr_t>(probe) + large_page - 1) / large_page * large_page;
  const auto end = reinterpret_cast<std::uintptr_t>(sbrk(0)) / large_page * large_page;
  std::free(probe);
  mallopt(M_TOP_PAD, further_step);
  // This is only a hint: a host without it works too.
  if (begin < end) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

// Runs before the initialisation of the libraries, which allocates memory too.
__attribute__((section(".preinit_array"), used)) void (*const at_start)(int, char**, char**) = prefer_large_pages;

}  // namespace

#endif
