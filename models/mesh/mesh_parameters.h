// SPDX-License-Identifier: Apache-2.0
// Parameters of the mesh.
#pragma once

#include <string>

#include "models/base/parameters.h"

namespace bvp {

struct MeshParameters : ParameterGroup {
  explicit MeshParameters(ParameterGroup* parent, std::string name = "mesh", std::string description = {});

  Param<i64> link_latency;
  Param<i64> link_bytes;
  Param<i64> ejection_latency;
  Param<i64> buffer_entries;
  Param<bool> skip_links;
  Param<i64> control_hop_latency;

  /// Links that leave one router for others.
  [[nodiscard]] u32 links_per_router() const { return skip_links ? 8 : 4; }
  /// Bytes that a link carries in a cycle, where a vector has `vector_bytes`.
  [[nodiscard]] u32 link_width(u32 vector_bytes) const { return link_bytes == 0 ? vector_bytes : link_bytes.as<u32>(); }
};

}  // namespace bvp
