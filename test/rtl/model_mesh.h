// SPDX-License-Identifier: Apache-2.0
// Traffic on the SystemC model of the mesh.
#pragma once

#include "models/mesh/mesh_parameters.h"
#include "test/support/mesh_traffic.h"

namespace bvp::test {

struct MeshTiming {
  i64 link_latency = 1, buffer_entries = 2, vector_cycles = 1;
};

/// As run_on_rtl(), with the same checks of what arrives.
/// @param deferred  packets as the PEs of the `cycle` model send them; or else as the `fast` model asks for their times,
///                  one after the other
MeshTimes run_on_model(const MeshTraffic& traffic, const MeshTiming& timing, bool deferred);

}  // namespace bvp::test
