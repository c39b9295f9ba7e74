// SPDX-License-Identifier: Apache-2.0
// Prepares a run: reads the files that the scenario names, compiles the network, and writes both into the memories.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "platform/network/dataset.h"
#include "platform/network/tensors.h"
#include "platform/program/compiled_network.h"
#include "platform/run/dataset_memory.h"
#include "platform/run/elf_image.h"
#include "platform/scenario/scenario.h"
#include "platform/soc/soc.h"

namespace bvp {

struct RunInputs {
  TensorMap weights;        ///< without data their shapes alone
  Tensor input;             ///< of input_spec(); empty without data, or where the network has a vocabulary
  Tensor mask;              ///< [batch, tokens]: what is added to the scores; empty without data or a padding mask
  std::vector<u32> tokens;  ///< [batch, tokens], where the network has a vocabulary
  std::optional<Dataset> dataset;  ///< of run.dataset; the three above are its first batch
  DatasetPlace dataset_place;      ///< in memory
  CompiledNetwork compiled;
  /// The network for fewer rows of PEs (run.spare_images); its memory contents are among those of `compiled`.
  std::optional<CompiledNetwork> spare;
  ElfImage firmware;
  std::vector<std::string> notes;  ///< sentences for the user about changes to the inputs
};

/// Reads the scenario's files, or draws the data for which it names no file, and compiles the network. Of files that a
/// run without data does not need, the shapes are checked, so that a wrong file is reported at once.
/// @throws InputError  with the key and the place that gave its value
[[nodiscard]] RunInputs read_inputs(const Scenario& scenario);

/// The tasks and kernels that commands of the run can belong to, by the tags of these commands: those of the network,
/// and behind them those of the spare one, whose names say so.
[[nodiscard]] CompiledNetwork tasks_of(const RunInputs& inputs);

/// Writes firmware, network and input into the memories; this takes no simulated time.
/// @param data  false: inputs on which no time depends are left out
void load_inputs(Soc& soc, const RunInputs& inputs, bool data);

/// "layers.3.output"
[[nodiscard]] std::string layer_output(std::size_t layer);

/// Adds what the run has been given to its outputs: "input", "patches" and "mask", as far as the network has them.
void add_given(const Network& network, const RunInputs& inputs, TensorMap& outputs);

/// Tensors that the run has left in DRAM, and its "patches" and "mask", if there are any: "input" (which the first
/// layer has read), "layers.I.output", "output", "logits".
[[nodiscard]] TensorMap read_outputs(Soc& soc, const Network& network, const RunInputs& inputs);

}  // namespace bvp
