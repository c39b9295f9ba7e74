// SPDX-License-Identifier: Apache-2.0
#include "models/bus/bus_parameters.h"

#include <utility>

namespace bvp {

BusParameters::BusParameters(ParameterGroup* parent, std::string name, std::string description)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      request_latency(this, "request_latency", 2, "cycles", {0, 1024},
                      "Cycles from an initiator to the target, without waiting for the target's port.",
                      "assumption: decode and one register stage", Confidence::low),
      response_latency(this, "response_latency", 2, "cycles", {0, 1024},
                       "Cycles from the target back to the initiator.", "assumption: as on the way there",
                       Confidence::low),
      bytes_per_cycle(this, "bytes_per_cycle", 64, "bytes per cycle", {4, 4096}, power_of_two,
                      "Width of each target's port; initiators share a port beat by beat.",
                      "assumption: above the 51.2 GB/s of the external memory at 1 GHz", Confidence::low) {}

}  // namespace bvp
