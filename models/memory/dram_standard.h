// SPDX-License-Identifier: Apache-2.0
// A memory standard as a table of its timings, its geometry and the energy of its devices. Each standard is a file in
// standards/, found by the name of the file.
#pragma once

#include <string>
#include <vector>

#include "models/base/parameters.h"

namespace bvp {

struct DramParameters;

struct DramStandard {
  /// A value of a parameter of DramParameters.
  struct Value {
    const char* parameter;
    ParamValue value;
    const char* source;
    Confidence confidence;
  };
  /// The price of an action of the energy model's component `dram`.
  struct Price {
    const char* action;
    double picojoules;  ///< of the action, or per bit where there are bits
    u32 bits;           ///< that the action moves; 0: none are counted
    const char* source;
    Confidence confidence;
  };
  /// Power that a channel takes all the time.
  struct Background {
    double watts;
    const char* source;
    Confidence confidence;
  };

  std::string name;           ///< the word of the parameter `standard`: the file's name
  std::string description;    ///< what a channel is and where the figures come from, in one sentence
  std::vector<Value> values;  ///< values of all parameters in which the standard differs from DDR4-3200, the default
  std::vector<Price> prices;  ///< activate, read_64b, write_64b and refresh, of all devices of a channel
  Background standby;
};

/// DDR4-3200, the default, comes first; the others follow in alphabetical order.
[[nodiscard]] const std::vector<DramStandard>& dram_standards();
[[nodiscard]] std::vector<std::string> dram_standard_names();
/// @param name  one of dram_standard_names()
[[nodiscard]] const DramStandard& dram_standard(const std::string& name);

/// Sets all values of the standard that `parameters.standard` names.
void apply_dram_standard(DramParameters& parameters);

}  // namespace bvp
