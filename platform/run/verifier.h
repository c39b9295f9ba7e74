// SPDX-License-Identifier: Apache-2.0
// Checks whether the numbers of a run are right.
#pragma once

#include <string>
#include <vector>

#include "platform/metrics/run_result.h"
#include "platform/run/loader.h"
#include "platform/scenario/scenario.h"

namespace bvp {

/// The inputs from which the expected outputs are computed.
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
  std::vector<u32> classes;        ///< of each sequence, by the fp32 reference; empty without a classifier head

  /// Takes in what was found of a further batch, whose first sequence has the number `first`. The first failure stays.
  void add(Verdict batch, u64 first);
};

/// Compares every output with the fp16 reference that has the same order of operations, bit by bit; and with the fp32
/// reference, layer by layer and from the network's input to its end.
[[nodiscard]] Verdict verify(const Evidence& evidence);

/// Explains why a run has failed that has made an infinity or a NaN, or whose outputs contain one; empty if it has not.
/// @param inferences  completed by the firmware: without any, the contents of the memory are not checked
[[nodiscard]] std::string why_not_finite(const Evidence& evidence, const NotFiniteResults& found, u64 inferences);

}  // namespace bvp
