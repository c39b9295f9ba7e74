// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>

#include "platform/compiler/cost/cost.h"
#include "platform/compiler/kernels/row_passes.h"
#include "platform/compiler/passes/encoder.h"
#include "platform/compiler/passes/plan.h"

namespace bvp {

namespace {

constexpr u32 ring_entries = 256;
/// Divisions of the scratchpad that are planned and compared with each other.
constexpr unsigned most_tries = 4;
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

class Planner {
 public:
  Planner(const CompilerTarget& target, const Network& network, const TensorMap& parameters)
      : target_(target), network_(network), parameters_(parameters) {}

  CompiledNetwork compile() {
    std::optional<Division> division = divide_tiles();
    // If whole tiles do not fit, buffers are packed, and they get most of the half.
    for (u64 most_weights = half_bytes() / 8; !division && most_weights >= target_.vector_bytes(); most_weights /= 2) {
      division = divide(most_weights, true);
    }
    if (!division) throw ScratchpadError(too_small_);
    weight_area_ = division->weight_area;
    Plan plan(target_, weight_area_, weight_area_, division->packed, false);
    plan_network(plan);
    lay_out(plan);
    return std::move(result_);
  }

 private:
  /// How a scratchpad half is divided into tiles and weights of the next task.
  struct Division {
    u64 weight_area = 0;
    bool packed = false;
    u64 cost = 0;        // of the plan
    u64 least_cost = 0;  // if tiles had all of the half
  };

  /// The best division into whole tiles; nullopt if a task does not fit.
  std::optional<Division> divide_tiles() {
    std::optional<Division> best;
    // If the weights of one task leave too little of a half for the tiles of another, the weights are limited.
    u64 most_weights = half_bytes();
    for (; !best && most_weights >= target_.tile_bytes(); most_weights /= 2) best = divide(most_weights, false);
    if (!best) return best;
    // Fewer weights may be worth an additional task anyway, because larger tiles read their operands from DRAM less
    // often.
    Division last = *best;
    for (unsigned tries = 1; tries < most_tries && last.weight_area > 0 && last.least_cost < best->cost; ++tries) {
      const auto division = divide(last.weight_area - 1, false);
      if (!division) break;
      last = *division;
      if (last.cost < best->cost) best = last;
    }
    return best;
  }

  /// Plans all tasks; returns nullopt if a task does not fit a half.
  std::optional<Division> divide(u64 most_weights, bool packed) {
    try {
      // The tiles of one task share a half with the weights of the next: plan once to learn the largest weights.
      Plan trial(target_, 0, most_weights, packed, true);
      plan_network(trial);
      Division division{trial.largest_weights(), packed, 0, trial.cost()};
      Plan plan(target_, division.weight_area, division.weight_area, packed, true);
      plan_network(plan);
      division.cost = plan.cost();
      return division;
    } catch (const ScratchpadError& error) {
      too_small_ = error.what();
      return std::nullopt;
    }
  }

  void plan_network(Plan& plan) {
    header_address_ = plan.allocate(sizeof(NetworkHeader));
    ring_address_ = plan.allocate(u64{ring_entries} * sizeof(Command));
    EncoderPlaces places = plan_encoder(plan, network_, parameters_);
    result_.tokens = places.tokens;
    result_.input = places.input;
    result_.layer_outputs = std::move(places.layer_outputs);
    result_.output = places.output;
    result_.logits = places.logits;
    for_looked_at([&](const MatrixPlace& place) { plan.keep(place); });
    result_.key_block = places.key_block;
    result_.sum_ways = sum_ways(target_);
  }

  /// Matrices that are used outside of the tasks too.
  template <class Visit>
  void for_looked_at(const Visit& visit) {
    visit(result_.input);
    for (MatrixPlace& output : result_.layer_outputs) visit(output);
    visit(result_.output);
    if (result_.logits.rows != 0) visit(result_.logits);
  }

  [[nodiscard]] u64 half_bytes() const { return target_.half_bytes(); }

  // ------------------------------------------------------------ memory image

  void lay_out(Plan& plan) {
    const u64 weight_area = half_bytes() - weight_area_;
    const MatrixPlaces& matrices = plan.settle();
    for_looked_at([&](MatrixPlace& place) { place = matrices.settled(place); });
    const auto settled = [&](const Step& step) { return matrices.settled(step); };
    std::vector<Task> tasks;
    std::vector<Step> steps;
    Images images;
    for (u32 index = 0; index < plan.tasks().size(); ++index) {
      const TaskBuilder& builder = plan.tasks()[index];
      const u64 area = weight_area + (index % 2) * half_bytes();
      Task task{};
      task.layer = builder.layer();
      task.flags = index == 0 ? 0 : task_flag_depends;
      task.tiles = builder.tiles();
      task.first_step = static_cast<u32>(steps.size());
      std::strncpy(reinterpret_cast<char*>(task.name.data()), printed_name(builder.name()).c_str(), printed_name_bytes);
      TaskInfo info;
      info.name = builder.name();
      info.layer = builder.layer();
      info.tiles = u64{task.tiles[0]} * task.tiles[1] * task.tiles[2];
      info.tile_counts = builder.tiles();
      info.tile_rows = builder.rows();
      info.scratchpad_bytes = builder.buffer_bytes();
      info.weight_bytes = builder.weights().size() * 2;
      info.dram_read_bytes = builder.dram_read_bytes() + info.weight_bytes;
      info.dram_write_bytes = builder.dram_write_bytes();
      info.predicted_cycles = plan.cycles(builder);
      if (!builder.weights().empty()) {
        const u64 address = plan.allocate(builder.weights().size() * 2);
        if (target_.data) plan.blob(address, builder.weights().data(), builder.weights().size() * 2);
        DmaDescriptor descriptor{};
        descriptor.source = address;
        descriptor.destination = target_.scratchpad_base + area;
        descriptor.length = static_cast<u32>(builder.weights().size() * 2);
        descriptor.count = {1, 1, 1};
        steps.push_back(dma_step(descriptor, 0));
        task.weight_steps = 1;
      }
      std::transform(builder.inputs().begin(), builder.inputs().end(), std::back_inserter(steps), settled);
      task.input_steps = static_cast<u32>(builder.inputs().size());
      const std::size_t first_launch = steps.size();
      for (const LaunchStep& launch : builder.launches()) {
        const TaskStep step{index, static_cast<u32>(steps.size() - task.first_step)};
        steps.push_back(launch_step(plan, launch, area, images));
        KernelInfo kernel;
        kernel.name = launch.name;
        kernel.step = step;
        kernel.layer = launch.layer;
        kernel.instructions = static_cast<u32>(launch.kernel->code.size());
        kernel.segments = static_cast<u32>(launch.kernel->segments.size());
        kernel.image_bytes = steps.back().command.image_bytes;
        kernel.mapping = launch.mapping;
        kernel.predicted_cycles = step_cycles(target_, launch);
        const auto moves = std::find_if(launch.registers.begin(), launch.registers.end(),
                                        [](const LaunchStep::Register& reg) { return !reg.weights; });
        if (moves != launch.registers.end()) {
          kernel.half_register = moves->number;
          kernel.half_register_value = steps.back().command.registers[moves->number];
          kernel.results = launch.results;
        }
        result_.kernels.push_back(std::move(kernel));
      }
      task.compute_steps = static_cast<u32>(builder.launches().size());
      for (u64 tile = 0; tile < info.tiles; ++tile) {
        const u64 fetched = fetched_image_bytes(steps, first_launch);
        info.dram_read_bytes += fetched;
        // All tiles from the second one on are equal.
        if (tile == 1) {
          info.dram_read_bytes += (info.tiles - 2) * fetched;
          break;
        }
      }
      std::transform(builder.outputs().begin(), builder.outputs().end(), std::back_inserter(steps), settled);
      task.output_steps = static_cast<u32>(builder.outputs().size());
      tasks.push_back(task);
      result_.tasks.push_back(std::move(info));
    }
    NetworkHeader header{};
    header.magic = network_magic;
    header.version = network_version;
    header.task_count = static_cast<u32>(tasks.size());
    header.step_count = static_cast<u32>(steps.size());
    header.layer_count = static_cast<u32>(network_.layers.size());
    header.half_bytes = static_cast<u32>(half_bytes());
    header.tasks = plan.allocate(tasks.size() * sizeof(Task));
    header.steps = plan.allocate(steps.size() * sizeof(Step));
    header.ring = ring_address_;
    header.ring_entries = ring_entries;
    header.flags = target_.ping_pong ? 0 : network_flag_no_ping_pong;
    header.output_channel = target_.dma_channels > 1 ? 1 : 0;
    plan.blob(header.tasks, tasks.data(), tasks.size() * sizeof(Task));
    plan.blob(header.steps, steps.data(), steps.size() * sizeof(Step));
    plan.blob(header_address_, &header, sizeof(header));
    result_.descriptor = header_address_;
    result_.end = plan.end();
    result_.blobs = plan.take_blobs();
  }

  /// The bytes that the sequencer fetches for these launches, which are the last steps so far: each image that is not
  /// configured already.
  u64 fetched_image_bytes(const std::vector<Step>& steps, std::size_t first) {
    u64 fetched = 0;
    for (std::size_t i = first; i < steps.size(); ++i) {
      const Command& command = steps[i].command;
      if (command.image != configured_image_) fetched += command.image_bytes;
      configured_image_ = command.image;
    }
    return fetched;
  }

  /// Returns the address of a kernel's image.
  struct Image {
    u64 address = 0;
    u32 bytes = 0;
  };
  using Images = std::map<const Kernel*, Image>;

  Step launch_step(Plan& plan, const LaunchStep& launch, u64 weight_area, Images& images) {
    Step step{};
    Command& command = step.command;
    command.opcode = static_cast<u8>(CommandOpcode::launch);
    command.signal = semaphore_none;
    command.wait = {semaphore_none, semaphore_none};
    auto [found, fresh] = images.try_emplace(launch.kernel.get());
    Image& image = found->second;
    if (fresh) {
      const std::vector<u8> bytes = launch.kernel->encode();
      image = {plan.allocate(bytes.size()), static_cast<u32>(bytes.size())};
      plan.blob(image.address, bytes.data(), bytes.size());
      result_.kernel_image_bytes += bytes.size();
      result_.largest_image_bytes = std::max<u64>(result_.largest_image_bytes, bytes.size());
    }
    command.image = image.address;
    command.image_bytes = image.bytes;
    command.counts = launch.counts;
    for (const LaunchStep::Register& reg : launch.registers) {
      command.registers[reg.number] = static_cast<u32>(reg.weights ? weight_area + reg.offset : reg.offset);
      if (!reg.weights) step.half_mask |= 1u << reg.number;
    }
    if (launch.own_weights || !target_.weight_residency) step.flags |= step_flag_own_weights;
    step.tail_index = launch.tail_count == launch.counts[launch.row_level] ? tail_none : launch.row_level;
    step.tail_count = launch.tail_count;
    return step;
  }

  const CompilerTarget& target_;
  const Network& network_;
  const TensorMap& parameters_;
  CompiledNetwork result_;
  std::string too_small_;  // what did not fit
  u64 weight_area_ = 0;
  u64 configured_image_ = 0;  // address of the image of the previous launch
  u64 header_address_ = 0, ring_address_ = 0;
};

}  // namespace

CompiledNetwork compile_network(const CompilerTarget& target, const Network& network, const TensorMap& parameters) {
  return Planner(target, network, parameters).compile();
}

}  // namespace bvp
