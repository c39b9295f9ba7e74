// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/fast_stores.h"

#ifdef BVP_UNICORN_2_0

// Functions of Unicorn's, and what the linker calls in their stead (--wrap).
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {
void* qemu_map_ram_ptr_riscv64(void* engine, void* block, bvp::u64 place);
void tlb_set_dirty_riscv64(void* core, bvp::u64 address);
void tlb_reset_dirty_riscv64(void* core, bvp::u64 host_address, bvp::u64 bytes);

int __real_cpu_exec_riscv64(void* engine, void* core);
void __real_tlb_protect_code_riscv64(void* engine, bvp::u64 place);
void __real_tlb_unprotect_code_riscv64(void* engine, bvp::u64 place);
void* __real_page_collection_lock_riscv64(void* engine, bvp::u64 first, bvp::u64 end);
void __real_page_collection_unlock_riscv64(void* pages);
void __real_tb_invalidate_phys_page_fast_riscv64(void* engine, void* pages, bvp::u64 place, int bytes, bvp::u64 caller);

int __wrap_cpu_exec_riscv64(void* engine, void* core) {
  if (bvp::FastStores* const stores = bvp::FastStores::running()) stores->enter(core);
  return __real_cpu_exec_riscv64(engine, core);
}

// Unicorn calls this when the first code of a page has been translated.
void __wrap_tlb_protect_code_riscv64(void* engine, bvp::u64 place) {
  __real_tlb_protect_code_riscv64(engine, place);
  if (bvp::FastStores* const stores = bvp::FastStores::running()) stores->add_code(engine, place);
}

// Unicorn calls this when the last translated code of a page has been dropped.
void __wrap_tlb_unprotect_code_riscv64(void* engine, bvp::u64 place) {
  __real_tlb_unprotect_code_riscv64(engine, place);
  if (bvp::FastStores* const stores = bvp::FastStores::running()) stores->remove_code(place);
}

// A store calls the following three functions one after the other, unless its page has been released from checks.
void* __wrap_page_collection_lock_riscv64(void* engine, bvp::u64 first, bvp::u64 end) {
  const bvp::FastStores* const stores = bvp::FastStores::running();
  if (stores != nullptr && !stores->has_code(first) && !stores->has_code(end - 1)) return nullptr;
  return __real_page_collection_lock_riscv64(engine, first, end);
}

void __wrap_tb_invalidate_phys_page_fast_riscv64(void* engine, void* pages, bvp::u64 place, int bytes,
                                                 bvp::u64 caller) {
  if (pages != nullptr) return __real_tb_invalidate_phys_page_fast_riscv64(engine, pages, place, bytes, caller);
  bvp::FastStores::running()->let_pass(engine, place);
}

void __wrap_page_collection_unlock_riscv64(void* pages) {
  if (pages != nullptr) __real_page_collection_unlock_riscv64(pages);
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

#endif

namespace bvp {

namespace {

thread_local FastStores* running_stores = nullptr;

}  // namespace

FastStores::Running::Running(FastStores& stores) { running_stores = &stores; }
FastStores::Running::~Running() { running_stores = nullptr; }

FastStores* FastStores::running() { return running_stores; }

void FastStores::reset() {
  ranges_.clear();
  code_pages_.clear();
  core_ = nullptr;
}

#ifdef BVP_UNICORN_2_0

void FastStores::add_code(void* engine, u64 place) {
  code_pages_.insert(page_of(place));
  constexpr u64 page_bytes = 4096;
  const u64 page = place / page_bytes * page_bytes;
  tlb_reset_dirty_riscv64(core_, reinterpret_cast<u64>(qemu_map_ram_ptr_riscv64(engine, nullptr, page)), page_bytes);
}

void FastStores::let_pass(void* engine, u64 place) {
  const auto* const data = static_cast<const u8*>(qemu_map_ram_ptr_riscv64(engine, nullptr, place));
  for (const Range& range : ranges_) {
    const auto distance = static_cast<u64>(data - range.data);
    if (distance < range.bytes) tlb_set_dirty_riscv64(core_, range.base + distance);
  }
}

#endif

}  // namespace bvp
