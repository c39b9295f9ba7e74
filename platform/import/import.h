// SPDX-License-Identifier: Apache-2.0
// Networks of other programs as networks of the platform.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

struct ImportOptions {
  std::filesystem::path source;  ///< a directory with config.json and safetensors files, such a file, or MODEL.onnx
  std::filesystem::path config;  ///< empty: config.json beside the tensors
  u64 tokens = 0;                ///< of a sequence; 0: as many as the model has positions
  u64 batch = 1;
  bool token_types = false;   ///< ids say the type of a token, too: id + type * vocabulary
  bool padding_mask = false;  ///< attention leaves out tokens that the input's mask says
};

/// A network with its parameters, and sentences on what became of the model.
struct ImportedNetwork {
  Network network;
  TensorMap weights;
  std::string model;                     ///< what the model is called in the words of its origin
  std::vector<std::string> mapped;       ///< what stands for what, exactly
  std::vector<std::string> approximate;  ///< what is not exactly the same, and what it costs
  std::vector<std::string> left_out;     ///< what of the file is no part of the network
};

/// @throws InputError  says all that is wrong with the files, or all that the platform does not have
[[nodiscard]] ImportedNetwork import_network(const ImportOptions& options);

/// The section `network` of a scenario.
[[nodiscard]] std::string network_text(const Network& network);

/// The scenario that runs the network, with weights.safetensors beside it. @param name  of its runs
[[nodiscard]] std::string scenario_text(const ImportedNetwork& imported, const std::string& name);

}  // namespace bvp
