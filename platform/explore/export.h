// SPDX-License-Identifier: Apache-2.0
// The results of a sweep as one file for other programs.
#pragma once

#include <ostream>

#include "platform/explore/store.h"

namespace bvp {

/// One line a point: number, outcome, reason, the axes, all figures that are no lists, and columns that begin with
/// host_, which alone differ between hosts.
void export_csv(const SweepStore& store, std::ostream& out);

/// The same as JSON, with units and sentences of the figures, the lists of summary.json, and `host` for each point.
void export_json(const SweepStore& store, std::ostream& out);

}  // namespace bvp
