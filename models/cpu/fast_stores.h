// SPDX-License-Identifier: Apache-2.0
// Stores at full speed with Unicorn 2.0, which at each store looks for translated code in the page; that takes a
// hundred times longer than the store (github.com/unicorn-engine/unicorn/issues/1970). As in 2.1, only a page that has
// such code is treated so. The linker puts functions in front of Unicorn's own (CMakeLists.txt) that decide it.
#pragma once

#include <unordered_set>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Of one engine. Where Unicorn is of another version or not linked statically, it has no effect.
class FastStores {
 public:
  /// The engine is a new one: nothing is mapped, no page has code.
  void reset();
  /// [base, base + bytes) of the guest is memory of the host at `data`.
  void map(u64 base, u64 bytes, const u8* data) { ranges_.push_back({base, bytes, data}); }

  /// While it lives, the engine runs, and no other one in this thread.
  class Running {
   public:
    explicit Running(FastStores& stores);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
  };

  // Called by Unicorn. Places are those of its RAM, pages of 4 KiB.
  static FastStores* running();
  void enter(void* core) { core_ = core; }
  [[nodiscard]] bool has_code(u64 place) const { return code_pages_.count(page_of(place)) != 0; }
  void add_code(void* engine, u64 place);
  void remove_code(u64 place) { code_pages_.erase(page_of(place)); }
  /// Further stores to this page, which has no code, will not be reported.
  void let_pass(void* engine, u64 place);

 private:
  struct Range {
    u64 base, bytes;
    const u8* data;
  };
  static constexpr u64 page_of(u64 place) { return place >> 12; }

  std::vector<Range> ranges_;
  std::unordered_set<u64> code_pages_;
  void* core_ = nullptr;
};

}  // namespace bvp
