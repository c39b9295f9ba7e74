// SPDX-License-Identifier: Apache-2.0
// What C++ programs need that use neither exceptions nor the standard library.
#include <stddef.h>
#include <stdlib.h>

void* operator new(size_t bytes) {
  void* const memory = malloc(bytes);
  if (memory == nullptr) abort();
  return memory;
}
void* operator new[](size_t bytes) { return operator new(bytes); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }

extern "C" {
void* __dso_handle = nullptr;
void __cxa_pure_virtual() { abort(); }
}
