// SPDX-License-Identifier: Apache-2.0
#include "models/mesh/mesh_parameters.h"

#include <utility>

namespace bvp {

MeshParameters::MeshParameters(ParameterGroup* parent, std::string name, std::string description)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      link_latency(this, "link_latency", 1, "cycles", {1, 16},
                   "Cycles of one hop, from one router's buffer to the next.",
                   "assumption: single-cycle routers at 1 GHz", Confidence::low),
      link_bytes(
          this, "link_bytes", 0, "bytes per cycle", {0, 4096},
          "Width of every link and ejection: a vector takes ceil(2 lanes / link_bytes) cycles; 0: as wide as a vector.",
          "assumption: a vector a cycle, as published transfers of a SIMD32 PE suggest; the older DPU line had 64-bit "
          "meshes",
          Confidence::low),
      ejection_latency(this, "ejection_latency", 1, "cycles", {1, 16},
                       "Cycles from the last router into the operand memory.", "assumption: one cycle",
                       Confidence::low),
      buffer_entries(this, "buffer_entries", 2, "vectors", {1, 16},
                     "Buffer of each input of a router; its credits come back one cycle after a vector leaves.",
                     "assumption: the fewest that keep a link of one cycle busy", Confidence::low),
      skip_links(this, "skip_links", false, "", {},
                 "Further links between PEs two apart in a row or a column, as fast as the others.",
                 "MLX (ISCA 2026): mesh with links of a fixed longer distance", Confidence::mid),
      control_hop_latency(
          this, "control_hop_latency", 1, "cycles", {0, 16}, "Cycles of one hop of a token on the control plane.",
          "assumption: a control plane of its own like the DPU line's physical meshes", Confidence::low) {}

}  // namespace bvp
