// SPDX-License-Identifier: Apache-2.0
#include "models/dma/dma_parameters.h"

#include <utility>

namespace bvp {

DmaParameters::DmaParameters(ParameterGroup* parent, std::string name, std::string description)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      channels(this, "channels", 2, "channels", {1, 16}, "Transfers that run at the same time.",
               "two DMA channels in the DPU family of designs", Confidence::mid),
      setup_cycles(this, "setup_cycles", 64, "cycles", {0, 1000000},
                   "From the descriptor's arrival to the first burst.",
                   "assumption: not disclosed for this class of machine", Confidence::low),
      burst_bytes(this, "burst_bytes", 256, "bytes", {16, 4096}, power_of_two, "Most bytes of one burst.",
                  "assumption: AXI burst of 16 beats of 16 bytes", Confidence::low),
      outstanding(
          this, "outstanding", 32, "bursts", {1, 64}, "Bursts of a channel in flight.",
          "so many that one channel alone can keep the DRAM busy: bandwidth times latency under load, 51.2 GB/s "
          "x 150 ns = 7.7 KB or 30 bursts, rounded up to a tag of 5 bits",
          Confidence::low),
      bytes_per_cycle(this, "bytes_per_cycle", 64, "bytes", {1, 4096}, power_of_two,
                      "Data path of a channel; it issues one bus request a cycle at most.",
                      "assumption: the scratchpad's bank width", Confidence::low),
      index_entries(
          this, "index_entries", 256, "indices", {64, 65536},
          "Indices that a channel holds, and so the most of an indexed transfer, which fetches rows of a table.",
          "assumption: 1 KB a channel, as many rows as 64 lanes take in four groups", Confidence::low) {}

}  // namespace bvp
