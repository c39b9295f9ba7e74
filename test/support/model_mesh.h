// SPDX-License-Identifier: Apache-2.0
// Traffic on the SystemC model of the mesh.
#pragma once

#include "models/mesh/mesh_parameters.h"
#include "test/support/mesh_traffic.h"

namespace bvp::test {

struct MeshTiming {
  i64 link_latency = 1, buffer_entries = 2, vector_cycles = 1, ejection_latency = 1;
  bool skip_links = false;
};

/// Sends as early as the mesh allows. Checks that every packet comes once, where it should, as it was sent, and that
/// those from one PE to another come in the order in which they were sent.
/// @param deferred  packets as the PEs of the `cycle` model send them; or else one by one, each answered at
///                  once, which may put them out of order
MeshTimes run_on_model(const MeshTraffic& traffic, const MeshTiming& timing, bool deferred);

}  // namespace bvp::test
