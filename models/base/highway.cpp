// SPDX-License-Identifier: Apache-2.0
// What this project uses of Highway beside its headers: which vector instructions the host has, and aligned memory. Its
// shared library measures the host's clock whenever it is loaded, which takes longer than loading all other libraries.
// Names and signatures are those of the library.
#include <hwy/aligned_allocator.h>
#include <hwy/targets.h>

#include <cstdlib>

namespace {

/// The sets of instructions of the host, in groups as Highway compiles for them: each contains the one before it.
int64_t detect_targets() {
  int64_t targets = HWY_SCALAR | HWY_EMU128;
#if HWY_ARCH_X86
  __builtin_cpu_init();
  const bool ssse3 = __builtin_cpu_supports("ssse3");
  const bool sse4 = ssse3 && __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("sse4.2") &&
                    __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("aes");
  const bool avx2 = sse4 && __builtin_cpu_supports("avx") && __builtin_cpu_supports("avx2") &&
                    __builtin_cpu_supports("lzcnt") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx3 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  const bool avx3_dl = avx3 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("vpclmulqdq") &&
                       __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
                       __builtin_cpu_supports("vaes") && __builtin_cpu_supports("avx512vpopcntdq") &&
                       __builtin_cpu_supports("avx512bitalg");
  targets |= (ssse3 ? HWY_SSSE3 : 0) | (sse4 ? HWY_SSE4 : 0) | (avx2 ? HWY_AVX2 : 0) | (avx3 ? HWY_AVX3 : 0) |
             (avx3_dl ? HWY_AVX3_DL : 0);
#else
  targets |= HWY_ENABLED_BASELINE;
#endif
  return targets;
}

int64_t targets_for_test = 0;  // 0: those of the host

}  // namespace

namespace hwy {

int64_t SupportedTargets() {
  const int64_t targets = targets_for_test != 0 ? targets_for_test : detect_targets();
  GetChosenTarget().Update(targets);
  return targets;
}

void SetSupportedTargetsForTest(int64_t targets) {
  targets_for_test = targets;
  GetChosenTarget().DeInit();
}

ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

void* AllocateAlignedBytes(size_t payload_size, AllocPtr allocate, void* opaque) {
  if (allocate != nullptr) return allocate(opaque, payload_size);
  constexpr size_t alignment = HWY_ALIGNMENT;
  return std::aligned_alloc(alignment, (payload_size + alignment - 1) / alignment * alignment);
}

void FreeAlignedBytes(const void* aligned, FreePtr release, void* opaque) {
  if (release != nullptr) return release(opaque, const_cast<void*>(aligned));
  std::free(const_cast<void*>(aligned));
}

}  // namespace hwy
