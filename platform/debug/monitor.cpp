// SPDX-License-Identifier: Apache-2.0
#include "platform/debug/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "models/isa/kernel.h"

namespace bvp {
namespace {

constexpr u32 largest_image = 1 << 20;

std::string unit_name(const Command& command) {
  switch (static_cast<CommandOpcode>(command.opcode)) {
    case CommandOpcode::dma:
      return fmt::format("DMA channel {}", command.unit);
    case CommandOpcode::launch:
      return "array";
    case CommandOpcode::sync:
      break;
  }
  return "sync";
}

/// What keeps a command that has not started: the semaphores that lack tokens. Empty: nothing of its own.
std::string lacking(const Soc& soc, const Command& command) {
  std::string text;
  const auto [first, second] = command.wait;
  const auto add = [&](u8 semaphore, u32 needed) {
    if (semaphore == semaphore_none || soc.sequencer.tokens(semaphore) >= needed) return;
    text += fmt::format("{}semaphore {} ({} tokens, needs {})", text.empty() ? "" : " and ", semaphore,
                        soc.sequencer.tokens(semaphore), needed);
  };
  add(first, first == second ? 2 : 1);
  if (second != first) add(second, 1);
  return text;
}

const char* stage_name(Sequencer::Outstanding::Stage stage) {
  switch (stage) {
    case Sequencer::Outstanding::Stage::dispatching:
      return "at the dispatcher";
    case Sequencer::Outstanding::Stage::queued:
      return "queued";
    case Sequencer::Outstanding::Stage::running:
      return "running";
  }
  return "";
}

std::string describe(const Soc& soc, const Sequencer::Outstanding& entry) {
  const bool started = entry.stage == Sequencer::Outstanding::Stage::running;
  std::string line =
      fmt::format("{}, tag {:#x}: {}", unit_name(entry.command), entry.command.tag, stage_name(entry.stage));
  const std::string waits = started ? std::string{} : lacking(soc, entry.command);
  if (!waits.empty()) line += ", waits for " + waits;
  if (entry.command.signal != semaphore_none) line += fmt::format(", will signal semaphore {}", entry.command.signal);
  return line + "\n";
}

std::optional<u32> number_of(const std::string& text) {
  u32 value = 0;
  if (text.empty() || text.size() > 6) return std::nullopt;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + static_cast<u32>(digit - '0');
  }
  return value;
}

void add_counters(const StatGroup& group, const std::string& path, const std::string& prefix, std::string& text) {
  for (const Counter* counter : group.counters()) {
    const std::string name = path + counter->name();
    if (name.compare(0, prefix.size(), prefix) != 0) continue;
    text += fmt::format("{} {} {}\n", name, counter->value(), counter->unit());
  }
  for (const StatGroup* child : group.children()) add_counters(*child, path + child->name() + ".", prefix, text);
}

}  // namespace

std::string describe_outstanding(const Soc& soc) {
  std::string text;
  for (const auto& entry : soc.sequencer.outstanding()) text += describe(soc, entry);
  if (text.empty()) text = "no command is outstanding\n";
  std::string tokens;
  for (u32 semaphore = 0; semaphore < semaphore_count; ++semaphore) {
    if (const u32 count = soc.sequencer.tokens(semaphore)) tokens += fmt::format(" {}: {}", semaphore, count);
  }
  return text + "tokens of semaphores:" + (tokens.empty() ? " none" : tokens) + "\n";
}

std::string describe_waiting(const Soc& soc) {
  std::string text;
  if (soc.cpu.sleeping()) {
    const u64 enabled = soc.cpu.csr(0x304).value_or(0);
    std::string names;
    if ((enabled & MachineCsrs::mie_timer) != 0) names += " timer";
    if ((enabled & MachineCsrs::mie_software) != 0) names += " software";
    if ((enabled & MachineCsrs::mie_external) != 0) names += " external";
    text += fmt::format("CPU: asleep in WFI, enabled interrupts:{}\n", names.empty() ? " none" : names);
  }
  for (const auto& entry : soc.sequencer.outstanding()) {
    const bool started = entry.stage == Sequencer::Outstanding::Stage::running;
    if (!started && !lacking(soc, entry.command).empty()) text += describe(soc, entry);
  }
  for (const PeStatus* pe : soc.cores) {
    if (!pe->error().empty()) text += fmt::format("{}: stopped: {}\n", pe->statistics().name(), pe->error());
    std::istringstream lines(pe->pending());
    for (std::string line; std::getline(lines, line);) text += fmt::format("{}\n", line);
  }
  return text.empty() ? "nobody waits\n" : text;
}

Monitor::Monitor(Soc& soc) : soc_(soc) {
  commands_["help"] = {"help", "this list", [this](const Words&) { return help(); }};
  commands_["time"] = {"time", "simulated time and cycles", [this](const Words&) { return time(); }};
  commands_["statistics"] = {"statistics [PREFIX]", "counters whose names begin so, as in dma. or pe0.",
                             [this](const Words& words) { return statistics(words); }};
  commands_["outstanding"] = {"outstanding", "commands and semaphores of the sequencer",
                              [this](const Words&) { return describe_outstanding(soc_); }};
  commands_["pe"] = {"pe ROW COLUMN", "what a PE waits for, and what it runs",
                     [this](const Words& words) { return pe(words); }};
  commands_["kernel"] = {"kernel", "disassembly of the kernel that runs", [this](const Words&) { return kernel(); }};
  commands_["commands"] = {"commands", "the same as outstanding",
                           [this](const Words&) { return describe_outstanding(soc_); }};
  commands_["waiting"] = {"waiting", "who waits for what", [this](const Words&) { return describe_waiting(soc_); }};
}

std::string Monitor::run(const std::string& line) {
  std::istringstream stream(line);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words.empty()) return help();
  const auto found = commands_.find(words[0]);
  if (found == commands_.end()) return "there is no such command; the commands are:\n" + help();
  words.erase(words.begin());
  return found->second.run(words);
}

std::string Monitor::help() const {
  std::string text;
  for (const auto& [name, command] : commands_) text += fmt::format("{:<22}{}\n", command.usage, command.help);
  return text;
}

std::string Monitor::time() const {
  const sc_core::sc_time now = sc_core::sc_time_stamp(), cpu = soc_.cpu.local_time();
  return fmt::format(
      "simulated time {:.9f} s, cycle {}\nthe CPU has computed up to {:.9f} s: mcycle {}, {} instructions{}\n",
      now.to_seconds(), soc_.clock().now(), cpu.to_seconds(), soc_.cpu.csr(0xb00).value_or(0), soc_.cpu.instructions(),
      soc_.cpu.sleeping() ? ", asleep in WFI" : "");
}

std::string Monitor::statistics(const Words& arguments) {
  soc_.settle_statistics();
  std::string text;
  const std::string prefix = arguments.empty() ? std::string{} : arguments[0];
  add_counters(soc_.statistics(), "", prefix, text);
  return text.empty() ? fmt::format("no counter's name begins with {}\n", prefix) : text;
}

std::string Monitor::instructions(const std::vector<u32>& segments, const std::optional<Running>& found) {
  std::string text;
  if (!found || !found->kernel) return text;
  const Kernel& kernel = *found->kernel;
  for (const u32 number : segments) {
    if (number >= kernel.segments.size()) continue;
    const Segment& segment = kernel.segments[number];
    text += fmt::format("segment {} runs", number);
    for (unsigned i = 0; i < segment.instruction_count; ++i) {
      const std::size_t at = std::size_t{segment.first_instruction} + i;
      const auto instruction = at < kernel.code.size() ? Instruction::decode(kernel.code[at]) : std::nullopt;
      text += fmt::format("{} {}", i == 0 ? ":" : ";", instruction ? instruction->disassemble() : "?");
    }
    text += "\n";
  }
  return text;
}

std::string Monitor::pe(const Words& arguments) {
  const auto row = arguments.size() == 2 ? number_of(arguments[0]) : std::nullopt;
  const auto column = arguments.size() == 2 ? number_of(arguments[1]) : std::nullopt;
  if (!row || !column || *row >= soc_.shape().rows || *column >= soc_.shape().columns) {
    return fmt::format("expected: pe ROW COLUMN, with rows 0 to {} and columns 0 to {}\n", soc_.shape().rows - 1,
                       soc_.shape().columns - 1);
  }
  const std::size_t index = *row * std::size_t{soc_.shape().columns} + *column;
  const bool one_for_all = soc_.cores.size() == 1 && soc_.shape().pes() != 1;
  const PeStatus& pe = *soc_.cores[one_for_all ? 0 : index];
  std::string text = one_for_all ? "fidelity fast: one model stands for all PEs\n" : "";
  if (!pe.error().empty()) text += "stopped by an error: " + pe.error() + "\n";
  const std::string pending = pe.pending();
  text += pending.empty() ? "no kernel runs\n" : pending;
  if (text.back() != '\n') text += '\n';
  text += instructions(pe.pending_segments(), running());
  for (std::size_t unit = 0; unit < unit_count; ++unit) {
    text += fmt::format("{}: {} issue slots used\n", unit_names[unit], pe.issue_slots(static_cast<Unit>(unit)));
  }
  return text;
}

std::optional<Monitor::Running> Monitor::running() {
  for (const auto& entry : soc_.sequencer.outstanding()) {
    const bool launch = static_cast<CommandOpcode>(entry.command.opcode) == CommandOpcode::launch;
    if (!launch || entry.stage != Sequencer::Outstanding::Stage::running) continue;
    std::vector<u8> image(std::min(entry.command.image_bytes, largest_image));
    Running found{entry.command.image, static_cast<u32>(image.size()), {}, {}};
    if (!soc_.read_memory(entry.command.image, image.data(), image.size())) {
      found.why = "nothing is there";
      return found;
    }
    try {
      found.kernel = Kernel::decode(image.data(), image.size());
    } catch (const KernelError& error) {
      found.why = error.what();
    }
    return found;
  }
  return std::nullopt;
}

std::string Monitor::kernel() {
  const std::optional<Running> found = running();
  if (!found) return "no kernel runs\n";
  if (!found->kernel) {
    return fmt::format("the memory at {:#x} has no kernel any more: {}\n", found->address, found->why);
  }
  return fmt::format("image at {:#x}, {} bytes\n{}", found->address, found->bytes, found->kernel->disassemble());
}

}  // namespace bvp
