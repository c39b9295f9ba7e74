// SPDX-License-Identifier: Apache-2.0
#include "platform/run/loader.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "platform/network/weights.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/memory_image.h"
#include "platform/run/network_options.h"
#include "platform/run/run.h"
#include "platform/run/scenario_files.h"

namespace bvp {
namespace {

/// Ends the names of tasks and kernels of the spare network.
constexpr const char* fewer_rows = " (fewer rows)";

Tensor read_matrix(Soc& soc, const MatrixPlace& place, const std::vector<u64>& shape) {
  Tensor tensor{shape, std::vector<u16>(place.rows * place.columns)};
  for (u64 row = 0; row < place.rows; ++row) {
    soc.read_memory(place.address + row * place.pitch, reinterpret_cast<u8*>(tensor.data.data() + row * place.columns),
                    place.columns * 2);
  }
  return tensor;
}

/// Loads the weights that the scenario names, or draws them from its seed.
TensorMap read_weights(const Scenario& scenario, std::vector<std::string>& notes) {
  const Network& network = scenario.network;
  const std::string& file = scenario.run.weights;
  if (file.empty()) {
    return scenario.run.data ? random_weights(network, static_cast<u64>(scenario.run.seed.get()))
                             : weight_shapes(network);
  }
  return read_file_of(scenario, "run.weights", [&] {
    return scenario.run.data ? load_weights(file, network, &notes) : load_weight_shapes(file, network, &notes);
  });
}

void read_network_input(const Scenario& scenario, RunInputs& inputs) {
  const Network& network = scenario.network;
  if (const std::string& dataset = scenario.run.dataset; !dataset.empty()) {
    const auto samples = static_cast<u64>(scenario.run.samples.get());
    inputs.dataset = read_file_of(scenario, "run.dataset", [&] { return load_dataset(dataset, network, samples); });
    return take_batch(inputs, network.batch, 0);
  }
  const auto seed = static_cast<u64>(scenario.run.seed.get());
  const std::string& file = scenario.run.input;
  const auto read = [&](const auto& read_it) { return read_file_of(scenario, "run.input", read_it); };
  if (network.vocabulary > 0) {
    // This is needed without data too: the time depends on which rows of the table are read.
    inputs.tokens = file.empty() ? random_tokens(network, seed) : read([&] { return load_tokens(file, network); });
  } else if (scenario.run.data) {
    inputs.input = file.empty() ? random_input(network, seed) : read([&] { return load_input(file, network); });
  } else if (!file.empty()) {
    read([&] { check_input_shape(file, network); });
  }
  if (network.padding_mask && scenario.run.data) {
    inputs.mask = file.empty() ? random_mask(network, seed) : read([&] { return load_mask(file, network); });
  }
}

void add_spare(const Scenario& scenario, RunInputs& inputs) {
  CompiledNetwork& compiled = inputs.compiled;
  inputs.spare = compile_spare(scenario, inputs.weights, compiled);
  std::vector<MemoryBlob>& blobs = inputs.spare->blobs;
  std::move(blobs.begin(), blobs.end(), std::back_inserter(compiled.blobs));
  blobs.clear();
  inputs.notes.push_back(fmt::format("run.spare_images takes {} bytes of DRAM for the network on fewer rows of PEs",
                                     inputs.spare->end - compiled.end));
  compiled.end = inputs.spare->end;
}

}  // namespace

CompiledNetwork tasks_of(const RunInputs& inputs) {
  CompiledNetwork all;
  all.tasks = inputs.compiled.tasks;
  all.kernels = inputs.compiled.kernels;
  if (!inputs.spare) return all;
  const auto first = static_cast<u32>(all.tasks.size());
  for (TaskInfo task : inputs.spare->tasks) {
    task.name += fewer_rows;
    all.tasks.push_back(std::move(task));
  }
  for (KernelInfo kernel : inputs.spare->kernels) {
    kernel.name += fewer_rows;
    kernel.step.task += first;
    all.kernels.push_back(std::move(kernel));
  }
  return all;
}

RunInputs read_inputs(const Scenario& scenario) {
  RunInputs inputs;
  inputs.weights = read_weights(scenario, inputs.notes);
  read_network_input(scenario, inputs);
  inputs.compiled = compile_scenario(scenario, inputs.weights);
  if (scenario.run.spare_images) add_spare(scenario, inputs);
  if (inputs.dataset) add_dataset(scenario, inputs);
  add_run_options(scenario, inputs);
  inputs.firmware = read_firmware(scenario, firmware_of(scenario));
  return inputs;
}

void load_inputs(Soc& soc, const RunInputs& inputs, bool data) {
  for (const ElfImage::Part& part : inputs.firmware.parts) {
    soc.write_memory(part.address, part.bytes.data(), part.bytes.size());
  }
  const auto write = [&](const MemoryBlob& blob) {
    soc.write_memory(blob.address, blob.bytes.data(), blob.bytes.size());
  };
  for (const MemoryBlob& blob : inputs.compiled.blobs) write(blob);
  for (const MemoryBlob& blob : input_memory(inputs, data)) write(blob);
}

std::string layer_output(std::size_t layer) { return fmt::format("layers.{}.output", layer); }

void add_given(const Network& network, const RunInputs& inputs, TensorMap& outputs) {
  if (!has_embedding(network)) outputs["input"] = inputs.input;
  if (network.patch_values > 0) outputs["patches"] = inputs.input;
  if (network.padding_mask) outputs["mask"] = mask_of_scores(inputs.mask);
}

TensorMap read_outputs(Soc& soc, const Network& network, const RunInputs& inputs) {
  const CompiledNetwork& compiled = inputs.compiled;
  const std::vector<u64> shape{network.batch, network.tokens, network.hidden};
  TensorMap outputs;
  add_given(network, inputs, outputs);
  if (has_embedding(network)) outputs["input"] = read_matrix(soc, compiled.input, shape);
  for (std::size_t i = 0; i < compiled.layer_outputs.size(); ++i) {
    outputs[layer_output(i)] = read_matrix(soc, compiled.layer_outputs[i], shape);
  }
  outputs["output"] = read_matrix(soc, compiled.output, shape);
  if (network.classes > 0) {
    outputs["logits"] = read_matrix(soc, compiled.logits, {network.batch, network.classes});
  }
  return outputs;
}

}  // namespace bvp
