// SPDX-License-Identifier: Apache-2.0
// Parameters of the sequencer.
#pragma once

#include <string>

#include "models/base/parameters.h"

namespace bvp {

struct SequencerParameters : ParameterGroup {
  explicit SequencerParameters(ParameterGroup* parent, std::string name = "sequencer", std::string description = {});

  Param<i64> fetch_entries;
  Param<i64> dispatch_cycles;
  Param<i64> queue_depth;
  Param<i64> launch_cycles;
  Param<i64> launch_queue;
  Param<i64> config_bytes_per_cycle;
  Param<i64> burst_bytes;
  Param<i64> outstanding_bursts;
  Param<i64> max_image_bytes;
};

}  // namespace bvp
