// SPDX-License-Identifier: Apache-2.0
// An ONNX graph as a configuration and a file of tensors. The package butterfly_vp.onnx_models of scripts/python makes
// them, in a process of its own: it needs python3-onnx.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/base/types.h"
#include "platform/support/temporary_path.h"

namespace bvp {

/// The files, for as long as this object exists.
class OnnxFiles {
 public:
  /// @param tokens  of a sequence, where the graph leaves that open; 0: not said
  /// @throws InputError  the file is no ONNX model, or has no encoder that the platform knows; all reasons
  OnnxFiles(const std::filesystem::path& model, u64 tokens);

  [[nodiscard]] std::filesystem::path tensors() const { return tensors_.path(); }
  [[nodiscard]] std::filesystem::path config() const { return config_.path(); }
  /// What of the graph is no part of the network.
  [[nodiscard]] const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  TemporaryPath directory_;  // removed after the files in it
  TemporaryPath tensors_, config_;
  std::vector<std::string> left_out_;
};

}  // namespace bvp
