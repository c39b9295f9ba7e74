// SPDX-License-Identifier: Apache-2.0
#include "platform/run/network_options.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "models/peripherals/access_windows.h"
#include "platform/compiler/target.h"
#include "platform/soc/memory_map.h"

namespace bvp {
namespace {

using Areas = MemoryUse::Areas;

/// Joins areas that touch or overlap, and then those that are nearest to each other, until there are at most `most`.
void join(Areas& areas, std::size_t most) {
  std::sort(areas.begin(), areas.end(), [](const MemoryArea& a, const MemoryArea& b) { return a.first < b.first; });
  Areas joined;
  for (const MemoryArea& area : areas) {
    if (!joined.empty() && area.first <= joined.back().end) {
      joined.back().end = std::max(joined.back().end, area.end);
    } else {
      joined.push_back(area);
    }
  }
  while (joined.size() > most) {
    std::size_t nearest = 0;
    const auto gap = [&](std::size_t i) { return joined[i + 1].first - joined[i].end; };
    for (std::size_t i = 1; i + 1 < joined.size(); ++i) {
      if (gap(i) < gap(nearest)) nearest = i;
    }
    joined[nearest].end = joined[nearest + 1].end;
    joined.erase(joined.begin() + static_cast<std::ptrdiff_t>(nearest) + 1);
  }
  areas = std::move(joined);
}

/// Records that lie in the memory contents.
template <class Record>
std::vector<Record> read_records(const CompiledNetwork& compiled, u64 address, std::size_t count) {
  std::vector<Record> records(count);
  for (const MemoryBlob& blob : compiled.blobs) {
    const u64 bytes = count * sizeof(Record);
    if (address < blob.address || address - blob.address > blob.bytes.size() ||
        bytes > blob.bytes.size() - (address - blob.address)) {
      continue;
    }
    std::memcpy(records.data(), blob.bytes.data() + (address - blob.address), bytes);
  }
  return records;
}

/// One side of a transfer, over all of its runs.
class Reach {
 public:
  Reach(u64 address, u32 length) : area_{address, address + length} {}
  /// The side is repeated at this distance.
  void repeat(i64 stride, u64 times) {
    if (times == 0) return;
    const i64 reach = stride * static_cast<i64>(times - 1);
    if (reach < 0) {
      area_.first -= static_cast<u64>(-reach);
    } else {
      area_.end += static_cast<u64>(reach);
    }
  }
  [[nodiscard]] const MemoryArea& area() const { return area_; }

 private:
  MemoryArea area_;
};

/// What the network's commands reach in the DRAM.
struct Needs {
  u64 half_bytes = 0;
  Areas images, reads, writes;
  Areas loads;             // of the scratchpad, in both halves
  u64 scratchpad_end = 0;  // bus address

  void add_step(const Task& task, const Step& step, bool input) {
    const Command& command = step.command;
    if (static_cast<CommandOpcode>(command.opcode) == CommandOpcode::launch) {
      images.push_back({command.image, command.image + command.image_bytes});
      return;
    }
    DmaDescriptor descriptor;
    std::memcpy(&descriptor, command.registers.data(), sizeof descriptor);
    Reach source(descriptor.source, descriptor.length), destination(descriptor.destination, descriptor.length);
    const bool gather = input && (step.flags & step_flag_gather) != 0;
    const bool chooses = gather && (step.flags & step_flag_choose) != 0;
    for (std::size_t i = 0; i < descriptor.count.size(); ++i) {
      source.repeat(descriptor.source_stride[i], gather && i == 2 ? command.image_bytes : descriptor.count[i]);
      destination.repeat(descriptor.destination_stride[i], descriptor.count[i]);
    }
    for (std::size_t level = 0; level < task.tiles.size(); ++level) {
      // A gather's stride moves its indices, or the scores that the CPU reads; the other one of a choosing gather moves
      // its table.
      if (!gather) source.repeat(step.source_stride[level], task.tiles[level]);
      (chooses ? source : destination).repeat(step.destination_stride[level], task.tiles[level]);
    }
    if (gather && !chooses) {
      Reach indices(command.image, descriptor.count[2] * sizeof(u32));
      for (std::size_t level = 0; level < task.tiles.size(); ++level) {
        indices.repeat(step.source_stride[level], task.tiles[level]);
      }
      reads.push_back(indices.area());
    }
    const auto in_dram = [](u64 address) { return address >= memory_map::dram_base; };
    if (descriptor.fill == 0 && in_dram(descriptor.source)) reads.push_back(source.area());
    if (in_dram(descriptor.destination)) {
      writes.push_back(destination.area());
    } else {
      loads.push_back(destination.area());
      if ((step.half_mask & 2) != 0) {
        loads.push_back({destination.area().first + half_bytes, destination.area().end + half_bytes});
      }
      scratchpad_end = std::max(scratchpad_end, destination.area().end);
    }
  }
};

MemoryWindow window(const MemoryArea& area, bool read, bool write, u32 sources) {
  MemoryWindow window{};
  window.base = area.first;
  window.size = area.end - area.first;
  window.config = WindowConfig::word(read, write, sources);
  return window;
}

}  // namespace

namespace {

Needs needs_of(const CompiledNetwork& compiled, const NetworkHeader& header) {
  const std::vector<Step> steps = read_records<Step>(compiled, header.steps, header.step_count);
  Needs needs;
  needs.half_bytes = header.half_bytes;
  for (const Task& task : read_records<Task>(compiled, header.tasks, header.task_count)) {
    const u32 inputs = task.first_step + task.weight_steps, launches = inputs + task.input_steps;
    const u32 end = launches + task.compute_steps + task.output_steps;
    for (u32 i = task.first_step; i < end; ++i) needs.add_step(task, steps.at(i), i >= inputs && i < launches);
  }
  return needs;
}

NetworkHeader header_at(const CompiledNetwork& compiled, u64 descriptor) {
  return read_records<NetworkHeader>(compiled, descriptor, 1).front();
}

}  // namespace

u64 scratchpad_reach(const CompiledNetwork& compiled, u64 scratchpad_bytes) {
  const NetworkHeader header = header_at(compiled, compiled.descriptor);
  const u64 end = std::max(needs_of(compiled, header).scratchpad_end, memory_map::scratchpad_base);
  return std::min(scratchpad_bytes, end - memory_map::scratchpad_base + header.half_bytes);
}

MemoryUse memory_use(const CompiledNetwork& compiled) {
  const NetworkHeader header = header_at(compiled, compiled.descriptor);
  Needs needs = needs_of(compiled, header);
  MemoryUse use;
  use.images = std::move(needs.images);
  use.tensors = std::move(needs.reads);
  use.scratchpad = std::move(needs.loads);
  use.ring = {{header.ring, header.ring + u64{header.ring_entries} * sizeof(Command)}};
  use.tables = {{compiled.descriptor, compiled.descriptor + sizeof(NetworkHeader)},
                {header.tasks, header.tasks + u64{header.task_count} * sizeof(Task)},
                {header.steps, header.steps + u64{header.step_count} * sizeof(Step)}};
  // What several commands read is one area.
  for (Areas* areas : {&use.images, &use.tensors, &use.scratchpad}) join(*areas, areas->size());
  return use;
}

std::vector<MemoryWindow> windows_of(const CompiledNetwork& compiled, u64 scratchpad_bytes, const DatasetPlace& dataset,
                                     u64 descriptor) {
  const NetworkHeader header = header_at(compiled, descriptor != 0 ? descriptor : compiled.descriptor);
  Needs needs = needs_of(compiled, header);
  // The network's commands name the first batch alone.
  if (dataset.header != 0) needs.reads.push_back({dataset.samples, dataset.read_end});
  // With the ring, the three windows of the scratchpad and the firmware's own they are as many as there are.
  constexpr std::size_t most_images = 2, most_reads = 5, most_writes = 4;
  static_assert(1 + 3 + 1 + most_images + most_reads + most_writes == AccessWindows::count);
  join(needs.images, most_images);
  join(needs.reads, most_reads);
  join(needs.writes, most_writes);

  const auto source = [](u32 unit) { return u32{1} << unit; };
  const u32 sequencer = source(0), pes = source(unit_index_array);
  const u32 in = source(unit_index_dma), out = source(unit_index_dma + header.output_channel);
  const MemoryArea ring{header.ring, header.ring + u64{header.ring_entries} * sizeof(Command)};
  const MemoryArea scratchpad{memory_map::scratchpad_base, memory_map::scratchpad_base + scratchpad_bytes};
  std::vector<MemoryWindow> windows{window(ring, true, false, sequencer), window(scratchpad, true, true, pes),
                                    window(scratchpad, false, true, in), window(scratchpad, true, false, out)};
  for (const MemoryArea& area : needs.images) windows.push_back(window(area, true, false, sequencer));
  for (const MemoryArea& area : needs.reads) windows.push_back(window(area, true, false, in));
  for (const MemoryArea& area : needs.writes) windows.push_back(window(area, false, true, out));
  return windows;
}

namespace {

/// The options of one network, as they lie in memory.
struct OptionsRecord {
  RunOptions options{};
  std::vector<MemoryWindow> windows;

  [[nodiscard]] std::vector<u8> bytes() const {
    std::vector<u8> bytes(sizeof options + windows.size() * sizeof(MemoryWindow));
    std::memcpy(bytes.data(), &options, sizeof options);
    if (!windows.empty()) {
      std::memcpy(bytes.data() + sizeof options, windows.data(), windows.size() * sizeof(MemoryWindow));
    }
    return bytes;
  }
};

OptionsRecord options_of(const Scenario& scenario, const RunInputs& inputs, u64 descriptor) {
  const RunParameters& run = scenario.run;
  OptionsRecord record;
  RunOptions& options = record.options;
  options.launch_limit = run.launch_limit.as<u32>();
  options.dma_limit = run.dma_limit.as<u32>();
  options.wait_limit_us = run.wait_limit_us.as<u32>();
  options.retries = run.retries.as<u32>();
  if (run.protection) {
    record.windows =
        windows_of(inputs.compiled, scenario.soc.scratchpad.size_bytes.as<u64>(), inputs.dataset_place, descriptor);
  }
  options.window_count = static_cast<u32>(record.windows.size());
  options.command_checks = run.protection ? 1 : 0;
  return record;
}

/// Puts a record behind all that is in memory, and lets the header of a network refer to it.
/// @param version  of the header from now on
void add_record(const OptionsRecord& record, CompiledNetwork& compiled, u64 descriptor, u32 version) {
  constexpr u64 alignment = 64;
  MemoryBlob blob{(compiled.end + alignment - 1) / alignment * alignment, record.bytes()};
  compiled.end = blob.address + blob.bytes.size();
  const auto offset = static_cast<u32>(blob.address - descriptor);
  for (MemoryBlob& contents : compiled.blobs) {
    if (contents.address != descriptor) continue;
    std::memcpy(contents.bytes.data() + offsetof(NetworkHeader, options), &offset, sizeof offset);
    std::memcpy(contents.bytes.data() + offsetof(NetworkHeader, version), &version, sizeof version);
  }
  compiled.blobs.push_back(std::move(blob));
}

/// The limit with half of the rows, on which a launch takes up to twice as long.
u32 doubled(u32 limit) { return static_cast<u32>(std::min<u64>(u64{limit} * 2, ~u32{0})); }

}  // namespace

void add_run_options(const Scenario& scenario, RunInputs& inputs) {
  CompiledNetwork& compiled = inputs.compiled;
  OptionsRecord record = options_of(scenario, inputs, compiled.descriptor);
  RunOptions& options = record.options;
  const bool any = options.launch_limit != 0 || options.dma_limit != 0 || options.wait_limit_us != 0 ||
                   options.retries != 0 || !record.windows.empty() || inputs.spare;
  if (!any) return;
  if (inputs.spare) {
    const MachineShape shape = scenario.soc.shape();
    options.array_rows = shape.rows;
    options.rows = CompilerTarget::floor_power_of_two(shape.rows);
    options.spare = static_cast<u32>(inputs.spare->descriptor - compiled.descriptor);
    OptionsRecord of_spare = options_of(scenario, inputs, inputs.spare->descriptor);
    of_spare.options.launch_limit = doubled(options.launch_limit);
    of_spare.options.wait_limit_us = doubled(options.wait_limit_us);
    of_spare.options.array_rows = options.array_rows;
    of_spare.options.rows = options.rows / 2;
    of_spare.options.first_tag = static_cast<u32>(compiled.tasks.size());
    // The firmware has runtimes of its own for networks of these versions.
    add_record(of_spare, compiled, inputs.spare->descriptor, network_version + 3);
  }
  const u32 version =
      options.command_checks != 0 ? network_version + 2 : header_at(compiled, compiled.descriptor).version;
  add_record(record, compiled, compiled.descriptor, version);
  if (compiled.end > memory_map::dram_base + scenario.soc.dram.geometry.size_bytes.as<u64>()) {
    throw InputError(about_key(scenario, "soc.dram.size_bytes",
                               "the network leaves no room for the options of the run; expected a larger DRAM"));
  }
}

}  // namespace bvp
