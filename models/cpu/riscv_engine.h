// SPDX-License-Identifier: Apache-2.0
// Executes RV64IMAC instructions out of RAM with Unicorn; knows nothing of devices, traps and time.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "models/base/types.h"
#include "models/cpu/fast_stores.h"

struct uc_struct;

namespace bvp {

/// The guest runs in Unicorn's user mode, and physical memory protection admits only the mapped RAM. Hence everything
/// other than plain computing in RAM stops the guest at exactly that instruction, before it has an effect: any other
/// memory access, each CSR access, ECALL, EBREAK, MRET. The caller finishes such instructions.
class RiscvEngine {
 public:
  enum class Stop { budget, exception, wfi, probe };
  struct Result {
    Stop stop;
    u64 cause;     // of an exception: an mcause value
    u64 executed;  // instructions completed, WFI included, an instruction with an exception not
  };

  RiscvEngine();
  ~RiscvEngine();
  RiscvEngine(const RiscvEngine&) = delete;
  RiscvEngine& operator=(const RiscvEngine&) = delete;

  static constexpr u64 page_bytes = 4096;
  static constexpr unsigned max_regions = 8;

  /// Makes [base, base + bytes) of host memory the guest's RAM; only whole pages are taken. Returns false if no page
  /// could be taken, or if some of the memory is mapped already; accesses to it then still stop the engine.
  bool map(u64 base, u64 bytes, u8* data, bool writable);
  /// From now on the page of this address does not become RAM: map() takes the memory around it. Call it before map().
  void leave_out(u64 address) { left_out_ = address / page_bytes * page_bytes; }
  /// From now on, accesses to some of the RAM stop the engine, as if it were none.
  /// @param boundaries  addresses, multiples of page_bytes, between which `admits` gives the same answer
  /// @param admits  whether an address can be read, written and executed
  void protect(std::vector<u64> boundaries, std::function<bool(u64 address)> admits);
  /// Forgets all RAM that touches [first, last].
  void unmap(u64 first, u64 last);
  /// Whether `address` is RAM.
  [[nodiscard]] bool mapped(u64 address) const { return find_region(address) != nullptr; }

  /// Runs from pc() until an exception, a WFI, the probe, or the first block boundary after `budget` instructions (at
  /// least 1).
  Result run(u64 budget);
  /// Sets the function that is asked before each instruction whether to stop there; an empty one lets the guest run at
  /// full speed. It must not throw. A run that continues after a stop with what is left of its budget ends where it
  /// would have ended without the stop. Not to be called by the function itself.
  void set_probe(std::function<bool(u64 pc)> probe);

  [[nodiscard]] u64 pc() const { return pc_; }
  void set_pc(u64 pc) { pc_ = pc; }
  [[nodiscard]] u64 read_register(unsigned index) const;
  void write_register(unsigned index, u64 value);
  /// The instruction at `address`, 0 (which is illegal) if it is not in RAM.
  [[nodiscard]] u32 fetch(u64 address) const;
  /// Must be called when somebody other than the guest has changed the bytes there and the guest shall execute the new
  /// bytes without a FENCE.I of its own.
  void code_changed(u64 address, u64 bytes);

 private:
  struct Region {
    u64 base, bytes;
    u8* data;
    bool writable;
    [[nodiscard]] u64 end() const { return base + bytes; }
  };
  struct BasicBlock {
    u64 address = 1;  // odd: none
    u32 bytes = 0;
    u32 instructions = 0;
  };
  struct Site {
    u64 address;
    std::size_t hook;
  };
  /// A page with translated code.
  struct CodePage {
    std::array<u8, page_bytes> bytes;  // the bytes of the page when its first block was translated
    bool outdated = false;             // a block was translated from other bytes
  };
  struct EngineDeleter {
    void operator()(uc_struct* engine) const;
  };

  /// A part of a region to which all accesses are admitted.
  struct Segment {
    u64 base, end;
    bool writable;
  };

  bool map_part(u64 base, u64 bytes, u8* data, bool writable);
  [[nodiscard]] std::vector<Segment> segments() const;
  void open();
  void build();
  void enter_user_mode();
  void map_holes();
  void add_hooks();
  void add_probe();
  void forget_code();
  void note_code(u64 address, u64 bytes);
  [[nodiscard]] bool is_current(u64 address, const CodePage& page) const;
  [[nodiscard]] bool all_code_is_current() const;
  void forget_outdated_code();
  [[nodiscard]] const Region* find_region(u64 address) const;
  [[nodiscard]] u8* writable_memory(u64 address, u64 bytes) const;
  void scan(BasicBlock& block, u64 address, u32 bytes);
  [[nodiscard]] bool must_stop_at(u32 instruction) const;
  void uncount_from(u64 address);
  [[nodiscard]] bool may_pass(u32 instruction) const;
  [[nodiscard]] bool execute_site();
  [[nodiscard]] int start();
  [[nodiscard]] Result finish(int error);
  [[nodiscard]] bool asks_at(u64 address);
  [[nodiscard]] bool watched(u64 address) const;
  void watch_site(u64 address);
  void forget_site(u64 address);

  static void on_block(uc_struct* engine, u64 address, u32 bytes, void* self);
  static void on_new_block(uc_struct* engine, void* block, void* previous, void* self);
  static void on_instruction(uc_struct* engine, u64 address, u32 bytes, void* self);
  static void on_site(uc_struct* engine, u64 address, u32 bytes, void* self);
  static void on_exception(uc_struct* engine, u32 number, void* self);

  std::unique_ptr<uc_struct, EngineDeleter> engine_;
  FastStores stores_;
  bool in_use_ = false;  // holds the memory map, which Unicorn cannot change after the start
  u64 left_out_ = 1;     // a page; odd: none
  bool stale_ = true;    // the map has changed since the engine was built
  std::vector<Region> regions_;
  std::vector<u64> boundaries_;              // of the protection, in ascending order
  std::function<bool(u64 address)> admits_;  // empty: everything is admitted
  u64 pc_ = 0;

  std::vector<BasicBlock> blocks_;                // direct-mapped by address
  BasicBlock current_;                            // the block being executed, counted already
  std::deque<Site> sites_;                        // instructions that Unicorn may not execute without being asked
  std::unordered_map<u64, CodePage> code_pages_;  // by the address of the page

  std::function<bool(u64 pc)> probe_;
  std::size_t probe_hook_ = 0;
  bool probed_ = false;  // the probe has stopped this start
  u64 asked_at_ = 1;     // where the probe was asked last

  u64 budget_ = 0, executed_ = 0;
  bool budget_used_ = false, site_reached_ = false, exception_ = false;
  u64 cause_ = 0;
  // Odd: there is no such address.
  u64 changed_site_ = 1;  // a site that is not watched yet, or what is watched and no site any more
  u64 not_entered_ = 1;   // the block that was not entered because the engine was stopped
};

}  // namespace bvp
