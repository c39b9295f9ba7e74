// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/sequencer_parameters.h"

#include <utility>

namespace bvp {

SequencerParameters::SequencerParameters(ParameterGroup* parent, std::string name, std::string description)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      fetch_entries(this, "fetch_entries", 4, "commands", {1, 64},
                    "Commands read from the ring ahead of the dispatcher.", "assumption", Confidence::low),
      dispatch_cycles(this, "dispatch_cycles", 4, "cycles", {1, 10000},
                      "Decoding one command and placing it in its unit's queue.",
                      "assumption: a few table look-ups of a hardware decoder", Confidence::low),
      queue_depth(this, "queue_depth", 8, "commands", {1, 256},
                  "Commands that wait in each unit's queue (one per DMA channel, one for the array).", "assumption",
                  Confidence::low),
      launch_cycles(
          this, "launch_cycles", 50, "cycles", {1, 100000},
          "From the decision to start a configured kernel to the PEs' start.",
          "assumption; launch overhead published for MLX (ISCA 2026): below 12 % on large kernels, 17 % on small ones",
          Confidence::low),
      launch_queue(this, "launch_queue", 2, "launches", {1, 16},
                   "Launches of one image that the PEs hold at a time, the running one included.",
                   "assumption: the array is not drained between tiles", Confidence::low),
      config_bytes_per_cycle(this, "config_bytes_per_cycle", 8, "bytes/cycle", {1, 1024},
                             "Width of the configuration network.", "assumption: one 64-bit instruction a cycle",
                             Confidence::low),
      burst_bytes(this, "burst_bytes", 256, "bytes", {64, 4096}, power_of_two, "Longest single read of a kernel image.",
                  "assumption: as the DMA", Confidence::low),
      outstanding_bursts(this, "outstanding_bursts", 4, "bursts", {1, 64},
                         "Reads of a kernel image in flight at a time.", "assumption: images are short",
                         Confidence::low),
      max_image_bytes(this, "max_image_bytes", 1 << 20, "bytes", {64, 64 << 20},
                      "Largest kernel image that a launch may name.", "assumption", Confidence::low) {}

}  // namespace bvp
