// SPDX-License-Identifier: Apache-2.0
// The latency model that came with FABNet (MICRO 2022; repository SamsungLabs/Butterfly_Acc, commit 1bb951f), written
// anew in closed form and checked against runs of the original.
#pragma once

#include <optional>

#include "models/base/parameters.h"
#include "platform/network/network.h"

namespace bvp {

struct FabnetParameters : ParameterGroup {
  explicit FabnetParameters(ParameterGroup* parent);

  Param<i64> engines;
  Param<double> clock_hz;
  Param<double> efficiency;
  Param<i64> input_bits;
  Param<i64> coefficient_bits;
  Param<i64> output_bits;
  Param<double> power_w;
  Param<i64> power_engines;
  Param<double> power_clock_hz;
};

enum class FabnetModel {
  published,  // charges one pass too few: with one or two passes a transform costs the same
  corrected,  // every pass, and the ends of the pipelines
};

/// Cycles of one encoder layer with 2D-FFT and butterfly FFN; both FFTs are charged with the width of `hidden`.
[[nodiscard]] double fabnet_layer_cycles(const FabnetParameters& parameters, u64 tokens, u64 hidden, u64 ffn,
                                         FabnetModel model);

/// Seconds of the network; nothing if a layer has attention or dense matrices, which the model does not cover.
[[nodiscard]] std::optional<double> fabnet_seconds(const FabnetParameters& parameters, const Network& network,
                                                   FabnetModel model);

}  // namespace bvp
