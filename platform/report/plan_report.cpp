// SPDX-License-Identifier: Apache-2.0
#include "platform/report/plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "models/abi/records.h"
#include "platform/support/text_table.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

u64 predicted_cycles(const CompiledNetwork& network) {
  u64 cycles = network.predicted_firmware_cycles;
  for (const TaskInfo& task : network.tasks) cycles += task.predicted_cycles;
  return cycles;
}

/// The name with layer numbers relative to `layer`, so that layers that are planned in the same way have equal names.
std::string relative_name(std::string name, u32 layer) {
  for (const u32 number : {layer, layer + 1}) {
    const std::string prefix = fmt::format("layers.{}.", number);
    for (std::size_t at = 0; (at = name.find(prefix, at)) != std::string::npos; ++at) {
      name.replace(at, prefix.size(), number == layer ? "" : "next.");
    }
  }
  return name;
}

std::string bytes(u64 count) { return count == 0 ? "0" : si(static_cast<double>(count), "B"); }

/// The row of a task without its name, for comparing tasks.
std::string task_figures(const TaskInfo& task) {
  return fmt::format("{} {} {} {} {} {} {}", task.tiles, task.tile_rows, task.scratchpad_bytes, task.weight_bytes,
                     task.dram_read_bytes, task.dram_write_bytes, task.predicted_cycles);
}

std::string tasks_table(const std::vector<TaskInfo>& tasks, std::size_t width) {
  const auto column = [&](u64 TaskInfo::*figure) {
    std::vector<double> values;
    for (const TaskInfo& task : tasks) values.push_back(static_cast<double>(task.*figure));
    return aligned(values, "B");
  };
  const AlignedQuantities buffers = column(&TaskInfo::scratchpad_bytes), weights = column(&TaskInfo::weight_bytes),
                          in = column(&TaskInfo::dram_read_bytes), out = column(&TaskInfo::dram_write_bytes);
  TextTable table({{"task"},
                   {"tiles"},
                   {"rows"},
                   {"buffers", buffers.unit, 1},
                   {"weights", weights.unit, 2},
                   {"DRAM in", in.unit},
                   {"DRAM out", out.unit},
                   {"cycles"}});
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const TaskInfo& task = tasks[i];
    table.add({task.name, grouped(task.tiles), grouped(task.tile_rows), buffers.texts[i], weights.texts[i], in.texts[i],
               out.texts[i], grouped(task.predicted_cycles)});
  }
  return table.text(width);
}

std::string kernel_line(const KernelInfo& kernel) {
  return fmt::format("    {}: {}; {} instructions, {} cycles a launch\n", kernel.name, kernel.mapping,
                     kernel.instructions, grouped(kernel.predicted_cycles));
}

/// The tasks of one layer and the kernels that they launch.
struct LayerPlan {
  u32 layer = 0;
  std::vector<TaskInfo> tasks;
  std::vector<KernelInfo> kernels;

  /// All text that is shown of a layer, with relative names.
  [[nodiscard]] std::string shape() const {
    std::string text;
    for (TaskInfo task : tasks) {
      task.name = relative_name(task.name, layer);
      text += fmt::format("{} {}\n", task.name, task_figures(task));
    }
    for (KernelInfo kernel : kernels) {
      kernel.name = relative_name(kernel.name, layer);
      text += kernel_line(kernel);
    }
    return text;
  }
};

std::vector<LayerPlan> by_layer(const CompiledNetwork& network) {
  std::vector<LayerPlan> layers;
  std::vector<std::size_t> place_of_task;
  for (const TaskInfo& task : network.tasks) {
    if (layers.empty() || layers.back().layer != task.layer) {
      layers.emplace_back();
      layers.back().layer = task.layer;
    }
    layers.back().tasks.push_back(task);
    place_of_task.push_back(layers.size() - 1);
  }
  for (const KernelInfo& kernel : network.kernels) layers[place_of_task[kernel.step.task]].kernels.push_back(kernel);
  return layers;
}

std::string layer_name(u32 layer) {
  return layer == layer_none ? "outside of the layers" : fmt::format("layer {}", layer);
}

const char* word_of(FftForm form) {
  switch (form) {
    case FftForm::complex:
      return "complex";
    case FftForm::real:
      return "real";
    default:
      return "none";
  }
}

std::string exact_line(const char* dimension, u64 points) {
  if (points == 0) return {};
  if (points == 1) return fmt::format("along {} they are products with a matrix of cosines and sines\n", dimension);
  return fmt::format("along {} they are transforms of {} points, joined\n", dimension, points);
}

}  // namespace

Json plan_json(const CompiledNetwork& network) {
  Json tasks = Json::array();
  for (const TaskInfo& task : network.tasks) {
    tasks.push_back({{"name", task.name},
                     {"layer", task.layer == layer_none ? Json(nullptr) : Json(task.layer)},
                     {"tiles", task.tiles},
                     {"tile_rows", task.tile_rows},
                     {"buffer_bytes", task.scratchpad_bytes},
                     {"weight_bytes", task.weight_bytes},
                     {"dram_read_bytes", task.dram_read_bytes},
                     {"dram_written_bytes", task.dram_write_bytes},
                     {"predicted_cycles", task.predicted_cycles}});
  }
  Json kernels = Json::array();
  for (const KernelInfo& kernel : network.kernels) {
    kernels.push_back({{"name", kernel.name},
                       {"task", kernel.step.task},
                       {"mapping", kernel.mapping},
                       {"instructions", kernel.instructions},
                       {"image_bytes", kernel.image_bytes},
                       {"predicted_launch_cycles", kernel.predicted_cycles}});
  }
  Json report{{"predicted_cycles", predicted_cycles(network)}, {"attention_key_block", network.key_block}};
  if (!network.query_blocks.empty()) report["attention_query_blocks"] = network.query_blocks;
  report.update(Json{{"sum_ways", network.sum_ways},
                     {"butterflies", network.reductions.normalised ? "normalised" : "pairs"},
                     {"not_normalised_because", network.reductions.not_normalised_because},
                     {"pruning", network.reductions.pruned},
                     {"twiddles", network.reductions.twiddle_ratios ? "ratios" : "products"},
                     {"fft", word_of(network.fft)},
                     {"fft_not_real_because", network.not_real_because},
                     {"resident_token_bytes", network.resident_token_bytes},
                     {"fft_points", {{"tokens", network.exact.tokens}, {"hidden", network.exact.hidden}}},
                     {"kernel_image_bytes", network.kernel_image_bytes},
                     {"tasks", tasks},
                     {"kernels", kernels}});
  return report;
}

std::string plan_lines(const CompiledNetwork& network, const std::function<bool(const std::string&)>& shows,
                       std::size_t width) {
  std::vector<TaskInfo> tasks;
  for (const TaskInfo& task : network.tasks) {
    if (shows(task.name)) tasks.push_back(task);
  }
  std::string out;
  if (!tasks.empty()) out = "Tasks of the plan\n\n" + tasks_table(tasks, width) + "\n";
  std::string kernels;
  for (const KernelInfo& kernel : network.kernels) {
    if (shows(kernel.name)) kernels += kernel_line(kernel);
  }
  if (!kernels.empty()) out += "Kernels of the plan\n\n" + kernels;
  return out;
}

std::string plan_table(const CompiledNetwork& network, std::size_t width) {
  u64 read = 0, written = 0;
  for (const TaskInfo& task : network.tasks) {
    read += task.dram_read_bytes;
    written += task.dram_write_bytes;
  }
  std::string out = fmt::format("Plan: {} tasks, {} cycles expected; DRAM {} read, {} written; {} of kernel images\n",
                                network.tasks.size(), grouped(predicted_cycles(network)), bytes(read), bytes(written),
                                bytes(network.kernel_image_bytes));
  if (network.key_block > 0) out += fmt::format("attention takes {} keys at a time\n", network.key_block);
  if (!network.reductions.not_normalised_because.empty()) {
    out += fmt::format("butterflies are computed in pairs: {}\n", network.reductions.not_normalised_because);
  }
  if (network.fft != FftForm::none) {
    out += fmt::format("two-dimensional FFTs have the {} form", word_of(network.fft));
    out += network.not_real_because.empty() ? "\n" : fmt::format(", not the real one: {}\n", network.not_real_because);
    out += exact_line("the tokens", network.exact.tokens) + exact_line("hidden", network.exact.hidden);
  }
  if (network.resident_token_bytes > 0) {
    out += fmt::format("tokens stay in the scratchpad between layers: {}\n", bytes(network.resident_token_bytes));
  }
  const std::vector<LayerPlan> layers = by_layer(network);
  for (std::size_t i = 0; i < layers.size();) {
    out += fmt::format("\n{}\n\n", layer_name(layers[i].layer));
    out += tasks_table(layers[i].tasks, width) + "\n";
    for (const KernelInfo& kernel : layers[i].kernels) out += kernel_line(kernel);
    std::size_t end = i + 1;
    const std::string shape = layers[i].shape();
    while (end < layers.size() && layers[end].shape() == shape) ++end;
    if (end - i == 2) out += fmt::format("\n{}: likewise\n", layer_name(layers[i + 1].layer));
    if (end - i > 2) out += fmt::format("\nlayers {} to {}: likewise\n", layers[i + 1].layer, layers[end - 1].layer);
    i = end;
  }
  return out;
}

}  // namespace bvp
