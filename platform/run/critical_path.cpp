// SPDX-License-Identifier: Apache-2.0
#include "platform/run/critical_path.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "models/sequencer/command_queue.h"
#include "platform/soc/memory_map.h"

namespace bvp {

CriticalPath::CriticalPath(Tokens tokens, TransferTime transfer_time, const CompiledNetwork& network)
    : tokens_(std::move(tokens)), transfer_time_(std::move(transfer_time)), tags_(network.tasks.size()) {
  for (const KernelInfo& kernel : network.kernels) by_step_[kernel.step] = &kernel;
}

CriticalPath::Node CriticalPath::describe(const Command& command) {
  Node node;
  const std::optional<TaskStep> step = tags_.read(command.tag);
  if (step) node.part.task = step->task;
  switch (static_cast<CommandOpcode>(command.opcode)) {
    case CommandOpcode::sync:
      break;
    case CommandOpcode::launch: {
      node.part.work = Work::kernel;
      const auto kernel = step ? by_step_.find(*step) : by_step_.end();
      if (kernel != by_step_.end()) node.part.kernel = kernel->second;
      break;
    }
    case CommandOpcode::dma: {
      DmaDescriptor descriptor;
      std::memcpy(&descriptor, command.registers.data(), sizeof descriptor);
      const bool from_dram = descriptor.source >= memory_map::dram_base &&
                             descriptor.source - memory_map::dram_base < memory_map::dram_span;
      node.part.work = descriptor.fill != 0 ? Work::dma_fill : from_dram ? Work::dma_read : Work::dma_write;
      break;
    }
  }
  return node;
}

u32 CriticalPath::later(u32 a, u32 b) const {
  if (a == none || b == none) return a == none ? b : a;
  return nodes_[b].completed > nodes_[a].completed ? b : a;
}

u32 CriticalPath::take(u32 semaphore, u32 tokens) {
  std::deque<u32>& givers = givers_[semaphore];
  // Firmware can take tokens away, and give some, which then are the older ones.
  while (givers.size() > tokens) givers.pop_front();
  if (givers.size() < tokens || givers.empty()) return none;
  const u32 giver = givers.front();
  givers.pop_front();
  return giver;
}

void CriticalPath::command_started(const Command& command, Cycle cycle) {
  Node node = describe(command);
  node.from = cycle;
  const auto [first, second] = command.wait;
  if (first != semaphore_none) {
    const u32 tokens = tokens_(first);  // what the command has left
    node.before = later(node.before, take(first, tokens + (first == second ? 2 : 1)));
    if (first == second) node.before = later(node.before, take(second, tokens + 1));
  }
  if (second != semaphore_none && second != first) {
    node.before = later(node.before, take(second, tokens_(second) + 1));
  }
  OfUnit& unit = units_[unit_of(command)];
  node.before = later(node.before, unit.last);
  // Only launches overlap. Whatever else is open has failed.
  if (unit_of(command) != unit_index_array) unit.open.clear();
  unit.open.push_back(static_cast<u32>(nodes_.size()));
  nodes_.push_back(node);
}

void CriticalPath::kernel_launched(const Command& command, const LaunchPhases& phases, Cycle) {
  const std::vector<u32>& open = units_[unit_of(command)].open;
  if (!open.empty()) nodes_[open.back()].configuration = phases.exposed_cycles;
}

u32 CriticalPath::close(const Command& command, Cycle cycle) {
  OfUnit& unit = units_[unit_of(command)];
  if (unit.open.empty()) return none;
  // Commands of a unit end in the order in which they start.
  const u32 index = unit.open.front();
  unit.open.erase(unit.open.begin());
  Node& node = nodes_[index];
  node.completed = cycle;
  // A launch that follows another one on the PEs holds up nothing before that one has ended.
  if (unit.last != none && nodes_[unit.last].completed > node.from) {
    node.before = unit.last;
    node.from = nodes_[unit.last].completed;
  }
  unit.last = index;
  last_ = later(last_, index);
  return index;
}

void CriticalPath::command_completed(const Command& command, Cycle cycle) {
  const u32 index = close(command, cycle);
  if (index != none && command.opcode == static_cast<u32>(CommandOpcode::dma)) {
    nodes_[index].transfer = transfer_time_(unit_of(command) - unit_index_dma);
  }
  if (command.signal != semaphore_none && index != none) givers_[command.signal].push_back(index);
}

void CriticalPath::kernel_failed(const Command& command, Cycle cycle) { close(command, cycle); }

std::map<CriticalPath::Part, CriticalPath::Cycles> CriticalPath::to(Cycle end) const {
  std::map<Part, Cycles> sums;
  Cycle at = end;  // the path from here on is booked
  const Node* next = nullptr;
  const auto book = [&](const Part& part, Cycle since) -> Cycle {
    if (since >= at) return 0;
    const Cycle booked = at - since;
    sums[part].all += booked;
    at = since;
    return booked;
  };
  // What lies between the end of `before` and the start of `next`.
  const auto book_gap = [&](Cycle since, u32 task) {
    if (next != nullptr) {
      const Cycle configured = std::min(at - std::min(at, since), next->configuration);
      book({Work::configuration, next->part.task, nullptr}, at - configured);
    }
    book({Work::firmware, next != nullptr ? next->part.task : task, nullptr}, since);
  };
  for (u32 index = last_; index != none; index = nodes_[index].before) {
    const Node& node = nodes_[index];
    book_gap(node.completed, node.part.task);
    if (const Cycle booked = book(node.part, node.from); booked != 0) {
      const double share = static_cast<double>(booked) / static_cast<double>(node.completed - node.from);
      sums[node.part].transfers += node.transfer * share;
    }
    next = &node;
  }
  book_gap(0, none);
  return sums;
}

}  // namespace bvp
