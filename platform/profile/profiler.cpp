// SPDX-License-Identifier: Apache-2.0
#include "platform/profile/profiler.h"

#include <algorithm>
#include <set>
#include <utility>

#include "models/cpu/riscv_instruction.h"

namespace bvp {
namespace {

constexpr u32 deepest = 256;  // stacks that are told apart
constexpr std::size_t most_frames = 1 << 16;

bool is_link_register(u32 number) { return number == 1 || number == 5; }

}  // namespace

Profiler::Cost& Profiler::Cost::operator+=(const Cost& other) {
  instructions += other.instructions;
  busy += other.busy;
  asleep += other.asleep;
  return *this;
}

Profiler::Profiler(ProfiledCpu cpu, std::function<std::string(u64 pc)> name_of)
    : cpu_(std::move(cpu)), name_of_(std::move(name_of)), nodes_(1) {
  names_.emplace_back("?");
  numbers_["?"] = 0;
}

void Profiler::step(u64 pc) {
  if (before_ == 1) {
    settled_ = cpu_.time();
    settled_asleep_ = cpu_.asleep();
    node_ = child_of(0, place_of(pc).function);
    ++nodes_[node_].calls;
    tell(0);
  } else {
    settle();
    const Place& before = place_of(before_);
    const bool in_sequence = pc == before_ + before.bytes && before.kind != Kind::call;
    const u32 from = node_;
    if (!in_sequence || place_of(pc).function != before.function) follow(before_, pc);
    if (node_ != from) tell(from);
  }
  before_ = pc;
  ++unsettled_;
  ++nodes_[node_].self.instructions;
}

// Within a run of the engine the CPU's time stands still: of what it has advanced since, each instruction has had its
// part, and the last one has the rest.
void Profiler::settle() {
  const u64 now = cpu_.time();
  if (now == settled_) return;
  const u64 elapsed = now - settled_, slept = cpu_.asleep() - settled_asleep_;
  Cost& cost = nodes_[node_].self;
  cost.asleep += slept;
  const u64 regular = unsettled_ * cpu_.instruction_time, awake = elapsed - std::min(elapsed, slept);
  cost.busy += awake - std::min(awake, regular);
  settled_ = now;
  settled_asleep_ += slept;
  unsettled_ = 0;
}

const Profiler::Place& Profiler::place_of(u64 pc) {
  const auto [entry, is_new] = places_.try_emplace(pc);
  Place& place = entry->second;
  if (!is_new) return place;
  const u32 instruction = cpu_.fetch(pc);
  place.bytes = static_cast<u8>(riscv::instruction_bytes(instruction));
  place.kind = kind_of(instruction);
  std::string name = name_of_(pc);
  name = name.empty() ? "?" : name.substr(0, name.rfind('+'));
  const auto [number, is_new_name] = numbers_.try_emplace(name, static_cast<u32>(names_.size()));
  if (is_new_name) names_.push_back(name);
  place.function = number->second;
  return place;
}

Profiler::Kind Profiler::kind_of(u32 instruction) {
  if (instruction == riscv::instruction_mret) return Kind::trap_return;
  if (riscv::instruction_bytes(instruction) == 4) {
    const u32 opcode = instruction & 0x7f, destination = instruction >> 7 & 31;
    const bool jump = opcode == 0x6f || opcode == 0x67;  // jal, jalr
    if (jump && is_link_register(destination)) return Kind::call;
    return jump || opcode == 0x63 ? Kind::jump : Kind::other;
  }
  const u32 quadrant = instruction & 3, function = instruction >> 13 & 7;
  if (quadrant == 2 && function == 4 && (instruction & 0x7c) == 0 && (instruction >> 7 & 31) != 0) {
    return (instruction >> 12 & 1) != 0 ? Kind::call : Kind::jump;  // c.jalr, c.jr
  }
  return quadrant == 1 && function >= 5 ? Kind::jump : Kind::other;  // c.j, c.beqz, c.bnez
}

u32 Profiler::child_of(u32 parent, u32 function) {
  if (nodes_[parent].depth >= deepest) return parent;
  const auto [entry, is_new] = nodes_[parent].children.try_emplace(function, static_cast<u32>(nodes_.size()));
  const u32 child = entry->second;
  if (is_new) {
    Node node;
    node.function = function;
    node.parent = parent;
    node.depth = nodes_[parent].depth + 1;
    nodes_.push_back(std::move(node));
  }
  return child;
}

void Profiler::follow(u64 from, u64 to) {
  const Place before = place_of(from);
  const u64 next = from + before.bytes;
  // A trap comes between two instructions: what the one before does is followed first.
  if (to == cpu_.handler() && cpu_.trapped_from() != to) {
    const u64 back = cpu_.trapped_from();
    if (back != from && back % 2 == 0) {
      const bool in_sequence = back == next && before.kind != Kind::call;
      if (!in_sequence) follow(from, back);
    }
    return call(back, to, true);
  }
  if (before.kind == Kind::call) return call(next, to, false);
  if (before.kind == Kind::trap_return && unwind_to(to, true)) return continue_in(place_of(to).function);
  if (before.kind == Kind::jump && to != next && unwind_to(to, false)) return;
  continue_in(place_of(to).function);
}

void Profiler::call(u64 resume, u64 to, bool trap) {
  if (frames_.size() == most_frames) frames_.erase(frames_.begin(), frames_.begin() + most_frames / 2);
  frames_.push_back({resume, trap, node_});
  node_ = child_of(node_, place_of(to).function);
  ++nodes_[node_].calls;
}

/// Goes back to a caller who goes on there, or to where the last trap came from. Returns false if there is none.
bool Profiler::unwind_to(u64 pc, bool by_trap) {
  for (std::size_t i = frames_.size(); i > 0; --i) {
    const Frame& frame = frames_[i - 1];
    if (frame.trap != by_trap) {
      if (frame.trap) return false;  // only its own return leaves a trap
      continue;
    }
    if (!by_trap && frame.resume != pc) continue;
    node_ = frame.caller;
    frames_.resize(i - 1);
    return true;
  }
  return false;
}

/// The function that runs is another one, and its caller is the same.
void Profiler::continue_in(u32 function) {
  if (nodes_[node_].function == function) return;
  node_ = child_of(nodes_[node_].parent, function);
  ++nodes_[node_].calls;
}

/// The observer hears how the present stack differs from that of the node `from`.
void Profiler::tell(u32 from) const {
  if (!observer_.leave) return;
  std::vector<u32> entered;
  for (u32 to = node_; from != to;) {
    if (nodes_[from].depth >= nodes_[to].depth) {
      observer_.leave();
      from = nodes_[from].parent;
    } else {
      entered.push_back(nodes_[to].function);
      to = nodes_[to].parent;
    }
  }
  std::for_each(entered.rbegin(), entered.rend(), [this](u32 function) { observer_.enter(names_[function]); });
}

std::vector<Profiler::FunctionRow> Profiler::functions() const {
  std::vector<FunctionRow> rows(names_.size());
  for (std::size_t i = 0; i < names_.size(); ++i) rows[i].name = names_[i];
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    Cost cost = nodes_[i].self;
    cost.busy += cost.instructions * cpu_.instruction_time;
    rows[nodes_[i].function].self += cost;
    rows[nodes_[i].function].calls += nodes_[i].calls;
    // A function that has called itself is counted once.
    std::set<u32> counted;
    for (u32 node = static_cast<u32>(i); node != 0; node = nodes_[node].parent) {
      if (counted.insert(nodes_[node].function).second) rows[nodes_[node].function].with_callees += cost;
    }
  }
  rows.erase(std::remove_if(rows.begin(), rows.end(), [](const FunctionRow& row) { return row.calls == 0; }),
             rows.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const FunctionRow& a, const FunctionRow& b) { return a.self.busy > b.self.busy; });
  return rows;
}

std::vector<Profiler::StackRow> Profiler::stacks() const {
  std::vector<StackRow> rows;
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    StackRow row;
    row.self = nodes_[i].self;
    row.self.busy += row.self.instructions * cpu_.instruction_time;
    for (u32 node = static_cast<u32>(i); node != 0; node = nodes_[node].parent) {
      row.names.push_back(names_[nodes_[node].function]);
    }
    std::reverse(row.names.begin(), row.names.end());
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace bvp
