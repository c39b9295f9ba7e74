// SPDX-License-Identifier: Apache-2.0
// Makes stores fast with Unicorn 2.0. That version looks for translated code in the page at each store, which takes a
// hundred times longer than the store itself (github.com/unicorn-engine/unicorn/issues/1970). Here, as in Unicorn 2.1,
// only a page that has translated code is searched. CMakeLists.txt lets the linker put our functions in front of
// Unicorn's; they decide whether Unicorn searches.
#pragma once

#include <unordered_set>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// The state for one engine. It has no effect if Unicorn has another version or is not linked statically.
class FastStores {
 public:
  /// Starts anew for a new engine: nothing is mapped, and no page has translated code.
  void reset();
  /// Tells that [base, base + bytes) of the guest is memory of the host at `data`.
  void map(u64 base, u64 bytes, const u8* data) { ranges_.push_back({base, bytes, data}); }

  /// While an object of this class lives, this engine runs, and no other engine runs in the same thread.
  class Running {
   public:
    explicit Running(FastStores& stores);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
  };

  // Unicorn calls these functions. Addresses are offsets in its RAM; pages have 4 KiB.
  static FastStores* running();
  void enter(void* core) { core_ = core; }
  [[nodiscard]] bool has_code(u64 place) const { return code_pages_.count(page_of(place)) != 0; }
  void add_code(void* engine, u64 place);
  void remove_code(u64 place) { code_pages_.erase(page_of(place)); }
  /// This page has no translated code: Unicorn will not report further stores to it.
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
