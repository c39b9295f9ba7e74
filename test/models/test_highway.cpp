// SPDX-License-Identifier: Apache-2.0
// The host's vector instructions, as Highway's own library finds them.
#include <dlfcn.h>
#include <hwy/aligned_allocator.h>
#include <hwy/targets.h>

#include <catch2/catch.hpp>
#include <cstdint>

TEST_CASE("the host's vector instructions are those that Highway's library finds", "[highway]") {
  void* const library = dlopen("libhwy.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    WARN("there is no libhwy.so.1 to compare with");
    return;
  }
  const auto theirs = reinterpret_cast<int64_t (*)()>(dlsym(library, "_ZN3hwy16SupportedTargetsEv"));
  REQUIRE(theirs != nullptr);
  REQUIRE(theirs != &hwy::SupportedTargets);
  CHECK(hwy::SupportedTargets() == theirs());
  dlclose(library);
}

TEST_CASE("memory of Highway's allocator is aligned", "[highway]") {
  for (const std::size_t count : {1U, 63U, 64U, 1000U}) {
    const auto memory = hwy::AllocateAligned<uint16_t>(count);
    REQUIRE(memory);
    CHECK(reinterpret_cast<std::uintptr_t>(memory.get()) % HWY_ALIGNMENT == 0);
    memory[count - 1] = 7;
  }
}
