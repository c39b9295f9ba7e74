// SPDX-License-Identifier: Apache-2.0
// The timing parameters of a DRAM channel as plain numbers.
#pragma once

#include <algorithm>

#include "models/base/types.h"
#include "models/memory/dram_parameters.h"
#include "models/memory/policies/address_map.h"

namespace bvp {

/// In clocks of the DRAM, named after the JEDEC parameters.
struct DramTiming {
  explicit DramTiming(const DramParameters& parameters)
      : DramTiming(parameters.geometry, parameters.timing, parameters.refresh) {}
  DramTiming(const DramGeometryParameters& geometry, const DramTimingParameters& timing,
             const DramRefreshParameters& refresh)
      : burst(std::max<Cycle>(
            1, cycles(geometry.burst_bytes) / (cycles(geometry.transfers_per_clock) * cycles(geometry.bus_bytes)))),
        bursts(static_cast<u32>(dram_access_bytes / cycles(geometry.burst_bytes))),
        cl(cycles(timing.read_latency)),
        cwl(cycles(timing.write_latency)),
        rcd(cycles(timing.activate_to_column)),
        rp(cycles(timing.precharge)),
        ras(cycles(timing.activate_to_precharge)),
        rtp(cycles(timing.read_to_precharge)),
        wr(cycles(timing.write_recovery)),
        rrd{cycles(timing.activate_to_activate), cycles(timing.activate_to_activate_group)},
        faw(cycles(timing.four_activates)),
        ccd{std::max(burst, cycles(timing.column_to_column)), std::max(burst, cycles(timing.column_to_column_group))},
        wtr{cycles(timing.write_to_read), cycles(timing.write_to_read_group)},
        turnaround(cycles(timing.turnaround)),
        refi(cycles(refresh.interval)),
        rfc(cycles(refresh.cycles)) {}

  /// Data bus clocks of one access, without the gaps that other bursts may fill.
  [[nodiscard]] Cycle access() const { return burst * bursts; }

  static Cycle cycles(const Param<i64>& parameter) { return static_cast<Cycle>(parameter.get()); }

  Cycle burst;  ///< data bus clocks of one burst
  u32 bursts;   ///< of one access, in one row
  Cycle cl, cwl, rcd, rp, ras, rtp, wr;
  Cycle rrd[2];  ///< [same group]
  Cycle faw;
  Cycle ccd[2];
  Cycle wtr[2];
  Cycle turnaround;
  Cycle refi, rfc;
};

}  // namespace bvp
