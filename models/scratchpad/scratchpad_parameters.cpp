// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/scratchpad_parameters.h"

#include <utility>

namespace bvp {

ScratchpadParameters::ScratchpadParameters(ParameterGroup* parent, std::string name, std::string description)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      size_bytes(this, "size_bytes", i64{4} << 20, "bytes", {8192, 536870912.0},
                 "Capacity; a multiple of a tile of lanes x lanes fp16 values.",
                 "assumption after the DPU line (2018: 8 MB, 2019: 3 MB)", Confidence::low),
      banks(this, "banks", 16, "banks", {1, 64}, power_of_two,
            "Banks of one vector's width; each port of a bank serves one vector a cycle.",
            "assumption: one vector per PE and cycle, as the 1 KB a cycle of the DPU line (2018)", Confidence::low),
      ports(this, "ports", 1, "ports per bank", {1, 4}, "Read-write ports of a bank.", "assumption: single-ported SRAM",
            Confidence::low),
      request_latency(this, "request_latency", 1, "cycles", {0, 64}, "Cycles from the port to the bank, without hops.",
                      "assumption: 4 cycles in all, of which the array takes 2", Confidence::low),
      array_latency(this, "array_latency", 2, "cycles", {1, 64},
                    "Cycles from the bank's access to its data, or to the end of a write.",
                    "assumption: cache and SRAM models give 2 to 3.6 ns for 4 MB", Confidence::low),
      response_latency(this, "response_latency", 1, "cycles", {0, 64},
                       "Cycles from the bank's data back to the port, without hops.",
                       "assumption: 4 cycles in all, of which the array takes 2", Confidence::low),
      hop_latency(this, "hop_latency", 1, "cycles", {0, 16},
                  "Cycles of one hop of the memory plane; a PE in column x is x hops from the scratchpad.",
                  "assumption: a memory plane of its own like the DPU line's physical meshes", Confidence::low),
      outstanding(this, "outstanding", 16, "vectors", {1, 256},
                  "Loads, and likewise stores, that a PE may have under way.",
                  "assumption: covers the latency of a 4x4 array", Confidence::low),
      arbiter(this, "arbiter", "oldest_firing", {"round_robin", "first_come", "oldest_firing"},
              "Which of the vectors that wait for a bank is served: of the channels (loads and stores of each PE) in "
              "turn, the one that waits longest, or that of the firing that began first.",
              "assumption: arbitration by age; round robin and first come are the other usual ones", Confidence::low),
      queue_entries(this, "queue_entries", 8, "vectors", {1, 256},
                    "Loads, and separately stores, of a PE that may be on the way to a bank or wait for it; further "
                    "ones are not issued. As many as outstanding: no limit of its own.",
                    "assumption: covers the way to the banks and back of a 4x4 array", Confidence::low),
      return_ports(this, "return_ports", 1, "vectors per cycle", {1, 64},
                   "Vectors of loads that may come back to a PE in a cycle; as many as all banks have ports: no limit.",
                   "assumption: one vector-wide bus from the scratchpad to each PE", Confidence::low),
      column_access(this, "column_access", true, "", {},
                    "Skewed storage: a column of a tile is one access; otherwise columns are refused, and what takes "
                    "columns needs tiles that the array has transposed.",
                    "MLX (ISCA 2026): two access patterns without full transposes", Confidence::mid),
      linear_bytes(this, "linear_bytes", 64, "bytes per cycle", {2, 1024}, power_of_two,
                   "Width of the linear port; one vector where that is wider.",
                   "assumption: above the 51.2 GB/s of the external memory at 1 GHz", Confidence::low),
      ecc(this, "ecc", "none", {"none", "secded"},
          "Whether 8 check bits for every 64 bits correct one wrong bit and detect two (secded). The check takes place "
          "within array_latency, and accesses cost 9/8 of the energy.",
          "choice of the user; (72, 64) code of Hsiao (IBM J. Res. Dev. 14, 1970)", Confidence::high) {}

}  // namespace bvp
