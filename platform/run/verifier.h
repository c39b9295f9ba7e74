// SPDX-License-Identifier: Apache-2.0
// Whether the numbers of a run are right.
#pragma once

#include <string>
#include <vector>

#include "platform/metrics/run_result.h"
#include "platform/run/loader.h"
#include "platform/scenario/scenario.h"

namespace bvp {

/// Against which inputs the outputs are held.
struct Evidence {
  const Scenario& scenario;
  const RunInputs& inputs;
  const TensorMap& outputs;  ///< of read_outputs()
};

struct Verdict {
  Verification verification;
  std::string failure;  ///< one sentence; empty: verified
  struct LayerError {
    double whole = 0, row = 0;
  };
  std::vector<LayerError> layers;  ///< relative errors of each layer's output against the fp32 reference
};

/// Every output against the fp16 reference of the same order of operations, bit by bit; against the fp32 reference
/// layer by layer, and from the network's input to its end.
[[nodiscard]] Verdict verify(const Evidence& evidence);

/// Why a run has failed that has made an infinity or a NaN, or whose outputs have one; empty: it has not.
/// @param inferences  of the firmware: without any it leaves in memory what it likes
[[nodiscard]] std::string why_not_finite(const Evidence& evidence, const NotFiniteResults& found, u64 inferences);

}  // namespace bvp
