// SPDX-License-Identifier: Apache-2.0
// What a run begins with: the files that the scenario names, the compiled network, and how they come into memory.
#pragma once

#include <string>
#include <vector>

#include "platform/network/tensors.h"
#include "platform/program/compiled_network.h"
#include "platform/run/elf_image.h"
#include "platform/scenario/scenario.h"
#include "platform/soc/soc.h"

namespace bvp {

struct RunInputs {
  TensorMap weights;        ///< without data their shapes alone
  Tensor input;             ///< [batch, tokens, hidden]; empty without data, or where the network has a vocabulary
  std::vector<u32> tokens;  ///< [batch, tokens], where the network has a vocabulary
  CompiledNetwork compiled;
  ElfImage firmware;
  std::vector<std::string> notes;  ///< sentences for the user: what was done to the inputs
};

/// Reads the scenario's files, or draws what it names no file for, and compiles the network. Of files that a run
/// without data does not need, the shapes are checked: a wrong one is no surprise later.
/// @throws InputError  naming the key and the place that gave its value
[[nodiscard]] RunInputs read_inputs(const Scenario& scenario);

/// Writes firmware, network and input into the memories, in no simulated time.
/// @param data  false: the input is left out where no time depends on it
void load_inputs(Soc& soc, const RunInputs& inputs, bool data);

/// "layers.3.output"
[[nodiscard]] std::string layer_output(std::size_t layer);

/// What the run has left in DRAM: "input" (what the first layer has read), "layers.I.output", "output", "logits".
[[nodiscard]] TensorMap read_outputs(Soc& soc, const Network& network, const RunInputs& inputs);

}  // namespace bvp
