// SPDX-License-Identifier: Apache-2.0
#include "models/memory/ram_parameters.h"

#include <utility>

namespace bvp {

RamParameters::RamParameters(ParameterGroup* parent, std::string name, std::string description)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      size_bytes(this, "size_bytes", i64{1} << 20, "bytes", {4096, 16777216.0}, "Capacity; a multiple of 4096.",
                 "assumption: ample for bare-metal firmware", Confidence::low),
      latency(this, "latency", 2, "cycles", {0, 1024}, "Cycles from a request to its data, without the bus.",
              "assumption: as a bank of the scratchpad", Confidence::low) {}

}  // namespace bvp
