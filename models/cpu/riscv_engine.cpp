// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/riscv_engine.h"

#include <sys/mman.h>
#include <unicorn/unicorn.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "models/cpu/riscv_instruction.h"

namespace bvp {
namespace {

constexpr u64 nowhere = 1;  // no instruction lies at an odd address
constexpr std::size_t block_table_entries = 1 << 14;
constexpr std::size_t max_sites = 256;
constexpr u32 max_block_bytes = RiscvEngine::page_bytes + 2;
constexpr u32 unreported_bytes = 8;
constexpr u64 protectable_end = u64{1} << 54;

void check(uc_err error, const char* what) {
  if (error != UC_ERR_OK)
    throw std::runtime_error(std::string("instruction set engine: ") + what + ": " + uc_strerror(error));
}

std::size_t block_index(u64 address) { return address >> 1 & (block_table_entries - 1); }

/// Whether Unicorn executes the instruction if on_site() finds no reason to stop there.
bool may_be_passed(u32 instruction) {
  return riscv::is_fence_i(instruction) || riscv::is_store_conditional(instruction);
}

// Unicorn never calls these, because memory protection stops each access before; but it demands an entry for each
// mapped address.
u64 read_hole(uc_engine*, u64, unsigned, void*) { return 0; }
void write_hole(uc_engine*, u64, unsigned, u64, void*) {}

}  // namespace

void RiscvEngine::EngineDeleter::operator()(uc_struct* engine) const { uc_close(engine); }

RiscvEngine::RiscvEngine() : blocks_(block_table_entries) { open(); }
RiscvEngine::~RiscvEngine() = default;

bool RiscvEngine::map(u64 base, u64 bytes, u8* data, bool writable) {
  const u64 before = left_out_ - base, after = before + page_bytes;
  if (left_out_ % 2 != 0 || before >= bytes) return map_part(base, bytes, data, writable);
  const bool first = before != 0 && map_part(base, before, data, writable);
  const bool second = after < bytes && map_part(base + after, bytes - after, data + after, writable);
  return first || second;
}

bool RiscvEngine::map_part(u64 base, u64 bytes, u8* data, bool writable) {
  const u64 skipped = (page_bytes - base % page_bytes) % page_bytes;
  if (bytes < skipped + page_bytes || base >= protectable_end || bytes > protectable_end - base) return false;
  Region region{base + skipped, (bytes - skipped) / page_bytes * page_bytes, data + skipped, writable};
  for (const Region& other : regions_) {
    if (region.base < other.end() && other.base < region.end()) return false;
    // The same memory at a second guest address is refused: Unicorn would not see a change of code that is made through
    // the other address.
    if (region.data < other.data + other.bytes && other.data < region.data + region.bytes) return false;
  }
  if (regions_.size() == max_regions) return false;
  regions_.push_back(region);
  std::sort(regions_.begin(), regions_.end(), [](const Region& a, const Region& b) { return a.base < b.base; });
  stale_ = true;
  return true;
}

void RiscvEngine::protect(std::vector<u64> boundaries, std::function<bool(u64 address)> admits) {
  boundaries_ = std::move(boundaries);
  std::sort(boundaries_.begin(), boundaries_.end());
  admits_ = std::move(admits);
  stale_ = true;
}

std::vector<RiscvEngine::Segment> RiscvEngine::segments() const {
  std::vector<Segment> parts;
  for (const Region& region : regions_) {
    for (u64 base = region.base; base < region.end();) {
      const auto next = std::upper_bound(boundaries_.begin(), boundaries_.end(), base);
      const u64 end = next == boundaries_.end() ? region.end() : std::min(*next, region.end());
      const bool admitted = !admits_ || admits_(base);
      const bool joins = !parts.empty() && parts.back().end == base && parts.back().writable == region.writable;
      if (admitted && joins) {
        parts.back().end = end;
      } else if (admitted) {
        parts.push_back({base, end, region.writable});
      }
      base = end;
    }
  }
  return parts;
}

void RiscvEngine::unmap(u64 first, u64 last) {
  const auto touched = std::remove_if(regions_.begin(), regions_.end(), [&](const Region& region) {
    return region.base <= last && first <= region.end() - 1;
  });
  if (touched == regions_.end()) return;
  regions_.erase(touched, regions_.end());
  stale_ = true;
}

const RiscvEngine::Region* RiscvEngine::find_region(u64 address) const {
  for (const Region& region : regions_) {
    if (address - region.base < region.bytes) return &region;
  }
  return nullptr;
}

u64 RiscvEngine::read_register(unsigned index) const {
  u64 value = 0;
  uc_reg_read(engine_.get(), UC_RISCV_REG_X0 + static_cast<int>(index), &value);
  return value;
}

void RiscvEngine::write_register(unsigned index, u64 value) {
  if (index != 0) uc_reg_write(engine_.get(), UC_RISCV_REG_X0 + static_cast<int>(index), &value);
}

u32 RiscvEngine::fetch(u64 address) const {
  const Region* region = find_region(address);
  if (region == nullptr || region->end() - address < 2) return 0;
  u32 instruction = 0;
  std::memcpy(&instruction, region->data + (address - region->base), 2);
  if (riscv::instruction_bytes(instruction) == 2) return instruction;
  const Region* second = find_region(address + 2);
  if (second == nullptr) return 0;
  u16 upper = 0;
  std::memcpy(&upper, second->data + (address + 2 - second->base), 2);
  return instruction | static_cast<u32>(upper) << 16;
}

// ---------------------------------------------------------------------------------------------------------
// Building

namespace {

/// Unicorn ends the process, without an error that could be caught, if it does not get the addresses that it translates
/// code into. @throws std::bad_alloc
void require_addresses() {
  constexpr std::size_t needed = (std::size_t{1} << 30) + (std::size_t{64} << 20);
  void* const probe = mmap(nullptr, needed, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (probe == MAP_FAILED) throw std::bad_alloc();
  munmap(probe, needed);
}

}  // namespace

void RiscvEngine::open() {
  require_addresses();
  uc_engine* engine = nullptr;
  check(uc_open(UC_ARCH_RISCV, UC_MODE_RISCV64, &engine), "cannot be opened");
  engine_.reset(engine);
  check(uc_ctl_set_cpu_model(engine, UC_CPU_RISCV64_SIFIVE_E51), "no RV64IMAC core");
  const u64 zero = 0;
  check(uc_reg_write(engine, UC_RISCV_REG_X1, &zero), "no core");  // creates the core, which takes milliseconds
  stores_.reset();
  in_use_ = false;
}

void RiscvEngine::build() {
  std::array<u64, 32> registers{};
  for (unsigned i = 1; i < 32; ++i) registers[i] = read_register(i);
  if (in_use_) open();
  in_use_ = true;
  sites_.clear();
  code_pages_.clear();
  blocks_.assign(block_table_entries, BasicBlock{});
  for (const Region& region : regions_) {
    check(uc_mem_map_ptr(engine_.get(), region.base, region.bytes, UC_PROT_ALL, region.data), "RAM cannot be mapped");
    stores_.map(region.base, region.bytes, region.data);
  }
  enter_user_mode();
  map_holes();
  add_hooks();
  for (unsigned i = 1; i < 32; ++i) write_register(i, registers[i]);
  stale_ = false;
}

// Unicorn has no interface to the protection registers and the mode, so a few guest instructions set them.
void RiscvEngine::enter_user_mode() {
  u64 stub = 0;
  while (find_region(stub) != nullptr) stub += page_bytes;
  std::array<u64, 2> configuration{};
  std::vector<u32> code;
  const auto write_csr = [&](unsigned csr, u64 value) {
    const unsigned source = static_cast<unsigned>(code.size()) + 1;
    uc_reg_write(engine_.get(), UC_RISCV_REG_X0 + static_cast<int>(source), &value);
    code.push_back(csr << 20 | source << 15 | 0x1073);
  };
  constexpr unsigned most_entries = 16;
  unsigned entry = 0;
  u64 top = 0;
  const auto add_entry = [&](u64 address, u64 setting) {
    if (entry == most_entries) throw std::runtime_error("instruction set engine: protection has too many parts");
    write_csr(0x3b0 + entry, address >> 2);
    configuration[entry / 8] |= setting << (entry % 8 * 8);
    ++entry;
    top = address;
  };
  for (const Segment& segment : segments()) {
    const u64 top_of_range = u64{1} << 3, rights = segment.writable ? 7 : 5;
    if (segment.base != top || entry == 0) add_entry(segment.base, 0);
    add_entry(segment.end, top_of_range | rights);
  }
  write_csr(0x3a0, configuration[0]);
  write_csr(0x3a2, configuration[1]);
  write_csr(0x341, stub);      // mepc
  code.push_back(0x30001073);  // csrw mstatus, zero
  code.push_back(riscv::instruction_mret);
  check(uc_mem_map(engine_.get(), stub, page_bytes, UC_PROT_ALL), "no room to start");
  check(uc_mem_write(engine_.get(), stub, code.data(), code.size() * sizeof(u32)), "no room to start");
  {
    const FastStores::Running running(stores_);
    uc_emu_start(engine_.get(), stub, nowhere, 0, 0);  // ends with an exception: user mode may not execute here
  }
  check(uc_mem_unmap(engine_.get(), stub, page_bytes), "cannot start");
}

void RiscvEngine::map_holes() {
  const auto map_hole = [this](u64 first, u64 end) {
    if (first != end)
      check(uc_mmio_map(engine_.get(), first, end - first, read_hole, nullptr, write_hole, nullptr), "no hole");
  };
  u64 end = 0;
  for (const Region& region : regions_) {
    map_hole(end, region.base);
    end = region.end();
  }
  const u64 middle = u64{1} << 63;
  map_hole(end, middle);
  map_hole(middle, 0);
}

void RiscvEngine::add_hooks() {
  uc_hook hook = 0;
  const auto add = [&](int type, void* callback) {
    check(uc_hook_add(engine_.get(), &hook, type, callback, this, 1, 0), "cannot be observed");
  };
  add(UC_HOOK_BLOCK, reinterpret_cast<void*>(&RiscvEngine::on_block));
  add(UC_HOOK_EDGE_GENERATED, reinterpret_cast<void*>(&RiscvEngine::on_new_block));
  add(UC_HOOK_INTR, reinterpret_cast<void*>(&RiscvEngine::on_exception));
  if (probe_) add_probe();
}

void RiscvEngine::add_probe() {
  uc_hook hook = 0;
  check(uc_hook_add(engine_.get(), &hook, UC_HOOK_CODE, reinterpret_cast<void*>(&RiscvEngine::on_instruction), this, 1,
                    0),
        "cannot be observed");
  probe_hook_ = hook;
}

void RiscvEngine::set_probe(std::function<bool(u64 pc)> probe) {
  const bool was_asked = static_cast<bool>(probe_);
  probe_ = std::move(probe);
  if (stale_ || was_asked == static_cast<bool>(probe_)) return;
  if (probe_) {
    add_probe();
  } else {
    uc_hook_del(engine_.get(), probe_hook_);
  }
  // What was translated asks nobody, or somebody who is not there any more.
  forget_code();
}

void RiscvEngine::code_changed(u64 address, u64 bytes) {
  if (stale_ || bytes == 0 || !mapped(address) || !mapped(address + bytes - 1)) return;
  uc_ctl_remove_cache(engine_.get(), address, address + bytes);
  blocks_.assign(block_table_entries, BasicBlock{});
}

void RiscvEngine::forget_code() {
  for (const Region& region : regions_) uc_ctl_remove_cache(engine_.get(), region.base, region.end());
  code_pages_.clear();
  blocks_.assign(block_table_entries, BasicBlock{});
}

// ---------------------------------------------------------------------------------------------------------
// FENCE.I. Unicorn sees the stores of the guest to its own code, but not what other bus masters write. Therefore the
// engine keeps a copy of each page as it was when its code was translated, and FENCE.I drops code that was translated
// from other bytes.

void RiscvEngine::note_code(u64 address, u64 bytes) {
  const u64 end = address + bytes;
  for (u64 page_address = address / page_bytes * page_bytes; page_address < end; page_address += page_bytes) {
    const Region* const region = find_region(page_address);
    if (region == nullptr) continue;
    const u8* const memory = region->data + (page_address - region->base);
    const auto [found, is_new] = code_pages_.try_emplace(page_address);
    CodePage& page = found->second;
    if (is_new) {
      std::memcpy(page.bytes.data(), memory, page_bytes);
      continue;
    }
    const u64 first = std::max(address, page_address) - page_address, last = std::min(end - page_address, page_bytes);
    if (std::memcmp(page.bytes.data() + first, memory + first, last - first) != 0) page.outdated = true;
  }
}

bool RiscvEngine::is_current(u64 address, const CodePage& page) const {
  const Region* const region = find_region(address);
  return region != nullptr && !page.outdated &&
         std::memcmp(page.bytes.data(), region->data + (address - region->base), page_bytes) == 0;
}

bool RiscvEngine::all_code_is_current() const {
  return std::all_of(code_pages_.begin(), code_pages_.end(),
                     [this](const auto& entry) { return is_current(entry.first, entry.second); });
}

void RiscvEngine::forget_outdated_code() {
  for (auto entry = code_pages_.begin(); entry != code_pages_.end();) {
    const u64 address = entry->first;
    if (is_current(address, entry->second)) {
      ++entry;
      continue;
    }
    uc_ctl_remove_cache(engine_.get(), address, address + page_bytes);
    entry = code_pages_.erase(entry);
  }
}

// ---------------------------------------------------------------------------------------------------------
// Blocks

// Several instructions must not reach Unicorn. Its counters would show the host's clock. It executes some
// floating-point instructions that this core does not have, and treats compressed floating-point accesses and reserved
// compressed instructions as if they were valid. Its AMOMIN.W and the other 32-bit minima and maxima compare a
// zero-extended word with a sign-extended register. Its store conditional without a reservation does not check the
// address. Its FENCE.I does nothing.
bool RiscvEngine::must_stop_at(u32 instruction) const {
  if (riscv::instruction_bytes(instruction) == 2) {
    const u32 quadrant = instruction & 3, function = instruction >> 13 & 7;
    const bool floating_point = quadrant != 1 && (function == 1 || function == 5);
    const bool reserved = quadrant == 0 && function == 4;
    const bool reserved_arithmetic =
        quadrant == 1 && function == 4 && (instruction >> 10 & 7) == 7 && (instruction >> 6 & 1) == 1;
    return floating_point || reserved || reserved_arithmetic;
  }
  const u32 opcode = instruction & 0x7f;
  const bool floating_point = opcode == 0x07 || opcode == 0x27 || opcode == 0x53 || (opcode & 0x73) == 0x43;
  if (floating_point || may_be_passed(instruction)) return true;
  if (riscv::decode_word_extremum(instruction)) return true;
  const auto csr = riscv::decode_csr_access(instruction);
  return csr && (csr->csr >> 8) == 0xc;
}

u8* RiscvEngine::writable_memory(u64 address, u64 bytes) const {
  const Region* const region = find_region(address);
  const bool inside = region != nullptr && region->writable && address % bytes == 0 &&
                      region->end() - address >= bytes && (!admits_ || admits_(address));
  return inside ? region->data + (address - region->base) : nullptr;
}

// Called while Unicorn runs.
bool RiscvEngine::may_pass(u32 instruction) const {
  if (riscv::is_fence_i(instruction)) return all_code_is_current();
  if (!riscv::is_store_conditional(instruction)) return false;
  const riscv::MemoryAccess access = *riscv::decode_memory_access(instruction);
  return writable_memory(read_register(access.base_register), access.bytes) != nullptr;
}

/// Executes the instruction at pc() in place of Unicorn, if the engine can execute it.
bool RiscvEngine::execute_site() {
  const u32 instruction = fetch(pc_);
  if (riscv::is_fence_i(instruction)) {
    forget_outdated_code();
  } else if (const auto extremum = riscv::decode_word_extremum(instruction)) {
    u8* const memory = writable_memory(read_register(extremum->base_register), sizeof(u32));
    if (memory == nullptr) return false;
    u32 word = 0;
    std::memcpy(&word, memory, sizeof word);
    const u32 chosen = extremum->choose(word, static_cast<u32>(read_register(extremum->source)));
    std::memcpy(memory, &chosen, sizeof chosen);
    write_register(extremum->destination, static_cast<u64>(i64{static_cast<i32>(word)}));
  } else {
    return false;
  }
  uncount_from(pc_);
  ++executed_;
  pc_ += 4;
  return true;
}

void RiscvEngine::scan(BasicBlock& block, u64 address, u32 bytes) {
  block = {address, bytes, 0};
  // If a block ends with an illegal instruction, Unicorn reports a wrong size: the size leaves out the instruction
  // before as well, or is negative.
  const u64 end = address + std::min(bytes, max_block_bytes);
  for (u64 at = address; at < end + unreported_bytes;) {
    const u32 instruction = fetch(at);
    const bool stops = must_stop_at(instruction);
    if (at < end ? stops != watched(at) : stops && !watched(at)) {
      changed_site_ = at;
      block.address = nowhere;
      return;
    }
    at += riscv::instruction_bytes(instruction);
    if (at <= end) ++block.instructions;
    // An instruction that always stops ends the block: the instructions after it are not reached.
    if (stops && !may_be_passed(instruction)) return;
  }
}

bool RiscvEngine::watched(u64 address) const {
  return std::any_of(sites_.begin(), sites_.end(), [&](const Site& site) { return site.address == address; });
}

void RiscvEngine::forget_site(u64 address) {
  const auto site =
      std::find_if(sites_.begin(), sites_.end(), [&](const Site& each) { return each.address == address; });
  uc_hook_del(engine_.get(), site->hook);
  sites_.erase(site);
  uc_ctl_remove_cache(engine_.get(), pc_, address + 4);
}

void RiscvEngine::watch_site(u64 address) {
  if (sites_.size() == max_sites) {
    for (const Site& site : sites_) uc_hook_del(engine_.get(), site.hook);
    sites_.clear();
    forget_code();
  }
  uc_hook hook = 0;
  check(uc_hook_add(engine_.get(), &hook, UC_HOOK_CODE, reinterpret_cast<void*>(&RiscvEngine::on_site), this, address,
                    address),
        "cannot be observed");
  sites_.push_back({address, hook});
  // pc_ is the start of the block that was not entered because of the site.
  uc_ctl_remove_cache(engine_.get(), pc_, address + 4);
}

void RiscvEngine::on_block(uc_struct* engine, u64 address, u32 bytes, void* self_pointer) {
  auto& self = *static_cast<RiscvEngine*>(self_pointer);
  BasicBlock& block = self.blocks_[block_index(address)];
  if (block.address != address || block.bytes != bytes) self.scan(block, address, bytes);
  if (self.executed_ >= self.budget_ || block.address != address) {
    // Unicorn does not update its PC here while instruction hooks are installed.
    self.not_entered_ = address;
    self.budget_used_ = self.executed_ >= self.budget_;
    uc_emu_stop(engine);
  } else {
    self.current_ = block;
    self.executed_ += block.instructions;
  }
}

void RiscvEngine::on_new_block(uc_struct*, void* block, void*, void* self_pointer) {
  auto& self = *static_cast<RiscvEngine*>(self_pointer);
  const auto& translated = *static_cast<const uc_tb*>(block);
  self.blocks_[block_index(translated.pc)].address = nowhere;
  self.note_code(translated.pc, std::min<u64>(translated.size, max_block_bytes) + unreported_bytes);
}

bool RiscvEngine::asks_at(u64 address) {
  asked_at_ = address;
  return probe_(address);
}

void RiscvEngine::on_instruction(uc_struct* engine, u64 address, u32, void* self_pointer) {
  auto& self = *static_cast<RiscvEngine*>(self_pointer);
  if (!self.probe_ || self.probed_ || !self.asks_at(address)) return;
  self.probed_ = true;
  uc_emu_stop(engine);
}

void RiscvEngine::on_site(uc_struct* engine, u64 address, u32, void* self_pointer) {
  auto& self = *static_cast<RiscvEngine*>(self_pointer);
  if (self.may_pass(self.fetch(address))) return;
  self.site_reached_ = true;
  uc_emu_stop(engine);
}

void RiscvEngine::on_exception(uc_struct* engine, u32 number, void* self_pointer) {
  auto& self = *static_cast<RiscvEngine*>(self_pointer);
  self.exception_ = true;
  self.cause_ = number;
  uc_emu_stop(engine);
}

// ---------------------------------------------------------------------------------------------------------
// Running

// A block is counted as a whole when it begins, before its instructions have run.
void RiscvEngine::uncount_from(u64 address) {
  if (address - current_.address > max_block_bytes) return;
  executed_ -= current_.instructions;
  for (u64 at = current_.address; at < address; at += riscv::instruction_bytes(fetch(at))) ++executed_;
}

int RiscvEngine::start() {
  const FastStores::Running running(stores_);
  return uc_emu_start(engine_.get(), pc_, nowhere, 0, 0);
}

RiscvEngine::Result RiscvEngine::run(u64 budget) {
  if (stale_ && !mapped(pc_)) return {Stop::exception, riscv::instruction_access_fault, 0};
  if (stale_) build();
  budget_ = std::max<u64>(budget, 1);
  executed_ = 0;
  for (;;) {
    budget_used_ = site_reached_ = exception_ = probed_ = false;
    changed_site_ = not_entered_ = nowhere;
    current_ = BasicBlock{};
    const int error = start();
    uc_reg_read(engine_.get(), UC_RISCV_REG_PC, &pc_);
    if (not_entered_ != nowhere && !exception_) pc_ = not_entered_;
    // Unicorn may leave out the probe's hook where a site has stopped it.
    if (site_reached_ && !exception_ && probe_ && asked_at_ != pc_) probed_ = asks_at(pc_);
    if (probed_ && !exception_) return finish(error);
    if (site_reached_ && !exception_ && execute_site()) continue;
    if (changed_site_ == nowhere || budget_used_) return finish(error);
    if (watched(changed_site_)) {
      forget_site(changed_site_);
    } else {
      watch_site(changed_site_);
    }
  }
}

RiscvEngine::Result RiscvEngine::finish(int error) {
  if (budget_used_ && !exception_) return {Stop::budget, 0, executed_};
  if (probed_ && !exception_) {
    uncount_from(pc_);
    return {Stop::probe, 0, executed_};
  }
  u64 cause = 0;
  if (exception_) {
    cause = cause_;
    pc_ -= 4;  // Unicorn reports the address to which a system call would return.
  } else if (site_reached_) {
    const auto access = riscv::decode_memory_access(fetch(pc_));
    cause = access && access->writes() ? riscv::store_access_fault : riscv::illegal_instruction;
  } else if (error == UC_ERR_OK) {
    const bool slept = pc_ >= 4 && fetch(pc_ - 4) == riscv::instruction_wfi;
    uncount_from(pc_);
    return {slept ? Stop::wfi : Stop::budget, 0, executed_};
  } else if (error == UC_ERR_INSN_INVALID || error == UC_ERR_EXCEPTION) {
    const u32 instruction = fetch(pc_);
    const bool is_ebreak = instruction == riscv::instruction_ebreak || instruction == riscv::instruction_c_ebreak;
    cause = is_ebreak ? riscv::breakpoint : riscv::illegal_instruction;
  } else if (error == UC_ERR_FETCH_UNMAPPED || error == UC_ERR_FETCH_PROT) {
    cause = riscv::instruction_access_fault;
  } else {
    throw std::runtime_error(std::string("instruction set engine: ") + uc_strerror(static_cast<uc_err>(error)));
  }
  // A block whose code cannot be fetched was not counted.
  if (cause != riscv::instruction_access_fault) uncount_from(pc_);
  return {Stop::exception, cause, executed_};
}

}  // namespace bvp
