// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/passes/lay_out.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "platform/compiler/kernels/row_passes.h"

namespace bvp {

namespace {

/// Longest name of a task in its record, where a NUL ends it.
constexpr std::size_t printed_name_bytes = sizeof(Task::name) - 1;

/// Returns the name if it fits a task's record, otherwise its beginning and its end with three dots between. Tasks of
/// one network differ in the ends of their names; a range of operators, "FIRST .. LAST", keeps LAST whole.
std::string printed_name(const std::string& name) {
  if (name.size() <= printed_name_bytes) return name;
  const std::string between = " .. ", dots = "...";
  const std::size_t kept = printed_name_bytes - dots.size(), range = name.rfind(between);
  const std::size_t last = range == std::string::npos ? kept : name.size() - range - between.size();
  const std::size_t end = last < kept ? last : kept / 2;
  return name.substr(0, kept - end) + dots + name.substr(name.size() - end);
}

class Layout {
 public:
  Layout(const TaskPlanner& planner, u64 weight_area, DramPlan& dram, const EncoderPlan& plan)
      : planner_(planner), target_(planner.target()), weight_area_(weight_area), dram_(dram), plan_(plan) {}

  CompiledNetwork make(u64 header_address, u64 ring_address) {
    const MatrixPlaces& matrices = dram_.settle(plan_.tasks);
    set_places(matrices);
    for (u32 index = 0; index < plan_.tasks.size(); ++index) add_task(index, matrices);
    write_tables(header_address, ring_address);
    result_.descriptor = header_address;
    result_.end = dram_.end();
    result_.blobs = dram_.take_blobs();
    return std::move(result_);
  }

 private:
  [[nodiscard]] u64 half_bytes() const { return target_.half_bytes(); }

  void set_places(const MatrixPlaces& matrices) {
    const auto settled = [&](const MatrixPlace& place) { return matrices.settled(place); };
    result_.tokens = plan_.tokens;
    if (plan_.patches.rows != 0) result_.patches = settled(plan_.patches);
    if (plan_.mask.rows != 0) result_.mask = settled(plan_.mask);
    result_.input = settled(plan_.input);
    std::transform(plan_.layer_outputs.begin(), plan_.layer_outputs.end(), std::back_inserter(result_.layer_outputs),
                   settled);
    result_.output = settled(plan_.output);
    if (plan_.logits.rows != 0) result_.logits = settled(plan_.logits);
    result_.key_block = plan_.key_block;
    result_.query_blocks = plan_.query_blocks;
    result_.fft = plan_.fft;
    result_.not_real_because = plan_.not_real_because;
    result_.resident_token_bytes = plan_.tokens_stay ? target_.token_bytes : 0;
    result_.exact = plan_.exact;
    result_.sum_ways = sum_ways(target_);
    result_.predicted_firmware_cycles = static_cast<u64>(target_.firmware.start_cycles + target_.firmware.end_cycles);
  }

  /// Appends a task: its record, its steps, what reports say about it, and its kernels.
  void add_task(u32 index, const MatrixPlaces& matrices) {
    const auto settled = [&](const Step& step) { return matrices.settled(step); };
    const TaskBuilder& builder = plan_.tasks[index];
    const u64 area = half_bytes() - weight_area_ + (index % 2) * half_bytes();
    Task task = record_of(builder);
    task.flags = index == 0 || builder.independent() ? 0 : task_flag_depends;
    task.first_step = static_cast<u32>(steps_.size());
    TaskInfo info = info_of(builder);
    if (info.weight_bytes > 0) {
      add_weight_step(builder, area);
      task.weight_steps = 1;
    }
    std::transform(builder.inputs().begin(), builder.inputs().end(), std::back_inserter(steps_), settled);
    task.input_steps = static_cast<u32>(builder.inputs().size());
    const std::size_t first_launch = steps_.size();
    for (const LaunchStep& launch : builder.launches()) {
      const TaskStep step{index, static_cast<u32>(steps_.size() - task.first_step)};
      steps_.push_back(launch_step(launch, area));
      result_.kernels.push_back(info_of(launch, step));
    }
    task.compute_steps = static_cast<u32>(builder.launches().size());
    info.dram_read_bytes += fetched_image_bytes(first_launch, info.tiles);
    std::transform(builder.outputs().begin(), builder.outputs().end(), std::back_inserter(steps_), settled);
    task.output_steps = static_cast<u32>(builder.outputs().size());
    tasks_.push_back(task);
    result_.tasks.push_back(std::move(info));
  }

  /// The record of a task, as far as it follows from the task alone.
  [[nodiscard]] static Task record_of(const TaskBuilder& builder) {
    Task task{};
    task.layer = builder.layer();
    task.tiles = builder.tiles();
    std::strncpy(reinterpret_cast<char*>(task.name.data()), printed_name(builder.name()).c_str(), printed_name_bytes);
    return task;
  }

  /// What reports say about a task; kernel images are not yet counted among the bytes that it reads.
  [[nodiscard]] TaskInfo info_of(const TaskBuilder& builder) const {
    const std::array<u32, 3>& tiles = builder.tiles();
    TaskInfo info;
    info.name = builder.name();
    info.layer = builder.layer();
    info.tiles = u64{tiles[0]} * tiles[1] * tiles[2];
    info.tile_counts = tiles;
    info.tile_rows = builder.rows();
    info.scratchpad_bytes = builder.buffer_bytes();
    info.weight_bytes = u64{builder.weight_words()} * 2;
    info.dram_read_bytes = builder.dram_read_bytes() + info.weight_bytes;
    info.dram_write_bytes = builder.dram_write_bytes();
    info.predicted_cycles = planner_.cycles(builder);
    return info;
  }

  /// What reports say about a launch, of which the step has just been appended.
  [[nodiscard]] KernelInfo info_of(const LaunchStep& launch, const TaskStep& step) const {
    const Command& command = steps_.back().command;
    KernelInfo kernel;
    kernel.name = launch.name;
    kernel.step = step;
    kernel.layer = launch.layer;
    kernel.instructions = static_cast<u32>(launch.kernel->code.size());
    kernel.segments = static_cast<u32>(launch.kernel->segments.size());
    kernel.image_bytes = command.image_bytes;
    kernel.mapping = launch.mapping;
    kernel.predicted_cycles = step_cycles(target_, planner_.kernels().times(*launch.kernel), launch);
    const auto moves = std::find_if(launch.registers.begin(), launch.registers.end(),
                                    [](const LaunchStep::Register& reg) { return !reg.weights && !reg.resident; });
    if (moves != launch.registers.end()) {
      kernel.half_register = moves->number;
      kernel.half_register_value = command.registers[moves->number];
      kernel.results = launch.results;
    }
    return kernel;
  }

  /// Puts the weights of a task into DRAM and appends the step that brings them into the weight area of a half.
  void add_weight_step(const TaskBuilder& builder, u64 area) {
    const u64 bytes = u64{builder.weight_words()} * 2;
    const u64 address = dram_.allocate(bytes);
    if (target_.data) dram_.blob(address, [&builder] { return bytes_of(builder.weights()); });
    DmaDescriptor descriptor{};
    descriptor.source = address;
    descriptor.destination = target_.scratchpad_base + area;
    descriptor.length = static_cast<u32>(bytes);
    descriptor.count = {1, 1, 1};
    steps_.push_back(dma_step(descriptor, 0));
  }

  /// Puts the records of the network, of its tasks and of their steps into DRAM.
  void write_tables(u64 header_address, u64 ring_address) {
    NetworkHeader header{};
    header.magic = network_magic;
    const bool chooses = std::any_of(steps_.begin(), steps_.end(),
                                     [](const Step& step) { return (step.flags & step_flag_choose) != 0; });
    // The firmware has a runtime of its own for such networks, whose version is the next one.
    header.version = chooses ? network_version + 1 : network_version;
    header.task_count = static_cast<u32>(tasks_.size());
    header.step_count = static_cast<u32>(steps_.size());
    header.layer_count = static_cast<u32>(plan_.layer_outputs.size());
    header.half_bytes = static_cast<u32>(half_bytes());
    header.tasks = dram_.allocate(tasks_.size() * sizeof(Task));
    header.steps = dram_.allocate(steps_.size() * sizeof(Step));
    header.ring = ring_address;
    header.ring_entries = NetworkTables::ring_entries;
    header.flags = target_.ping_pong ? 0 : network_flag_no_ping_pong;
    header.output_channel = target_.dma_channels > 1 ? 1 : 0;
    dram_.blob(header.tasks, tasks_.data(), tasks_.size() * sizeof(Task));
    dram_.blob(header.steps, steps_.data(), steps_.size() * sizeof(Step));
    dram_.blob(header_address, &header, sizeof(header));
  }

  /// The bytes of images that the sequencer fetches for all tiles of a task. The launches of the task are the steps
  /// from `first` on.
  u64 fetched_image_bytes(std::size_t first, u64 tiles) {
    if (tiles == 0) return 0;
    const u64 fetched = fetched_image_bytes(first);
    // All tiles from the second one on are equal.
    return tiles == 1 ? fetched : fetched + (tiles - 1) * fetched_image_bytes(first);
  }

  /// The same for one tile: each image is fetched that is not configured already.
  u64 fetched_image_bytes(std::size_t first) {
    u64 fetched = 0;
    for (std::size_t i = first; i < steps_.size(); ++i) {
      const Command& command = steps_[i].command;
      if (command.image != configured_image_) fetched += command.image_bytes;
      configured_image_ = command.image;
    }
    return fetched;
  }

  /// The image of a kernel. Equal kernels have one image.
  struct Image {
    u64 address = 0;
    u32 bytes = 0;
  };
  Image image_of(const Kernel& kernel) {
    const auto [known, is_new] = images_.try_emplace(&kernel);
    if (!is_new) return known->second;
    std::vector<u8> bytes = kernel.encode();
    const auto [found, fresh] = images_by_bytes_.try_emplace(std::move(bytes));
    Image& image = found->second;
    if (fresh) {
      image = {dram_.allocate(found->first.size()), static_cast<u32>(found->first.size())};
      dram_.blob(image.address, found->first.data(), image.bytes);
      result_.kernel_image_bytes += image.bytes;
      result_.largest_image_bytes = std::max<u64>(result_.largest_image_bytes, image.bytes);
    }
    return known->second = image;
  }

  Step launch_step(const LaunchStep& launch, u64 weight_area) {
    Step step{};
    Command& command = step.command;
    command.opcode = static_cast<u8>(CommandOpcode::launch);
    command.signal = semaphore_none;
    command.wait = {semaphore_none, semaphore_none};
    const Image image = image_of(*launch.kernel);
    command.image = image.address;
    command.image_bytes = image.bytes;
    command.counts = launch.counts;
    for (const LaunchStep::Register& reg : launch.registers) {
      command.registers[reg.number] = static_cast<u32>(reg.weights ? weight_area + reg.offset : reg.offset);
      if (reg.resident) {
        step.half_mask |= 0x10000u << reg.number;
        step.source_stride = reg.strides;
      } else if (!reg.weights) {
        step.half_mask |= 1u << reg.number;
      }
    }
    if (launch.own_weights || !target_.weight_residency) step.flags |= step_flag_own_weights;
    step.tail_index = launch.tail_count == launch.counts[launch.row_level] ? tail_none : launch.row_level;
    step.tail_count = launch.tail_count;
    return step;
  }

  const TaskPlanner& planner_;
  const CompilerTarget& target_;
  const u64 weight_area_;
  DramPlan& dram_;
  const EncoderPlan& plan_;
  CompiledNetwork result_;
  std::vector<Task> tasks_;
  std::vector<Step> steps_;
  std::map<const Kernel*, Image> images_;
  std::map<std::vector<u8>, Image> images_by_bytes_;
  u64 configured_image_ = 0;  // address of the image of the previous launch
};

}  // namespace

CompiledNetwork lay_out(const TaskPlanner& planner, u64 weight_area, DramPlan& dram, const EncoderPlan& plan,
                        const NetworkTables& tables) {
  return Layout(planner, weight_area, dram, plan).make(tables.header, tables.ring);
}

}  // namespace bvp
