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
  explicit DramTiming(const DramParameters& p)
      : burst(std::max<Cycle>(1, cycles(p.burst_bytes) / (cycles(p.transfers_per_clock) * cycles(p.bus_bytes)))),
        bursts(static_cast<u32>(dram_access_bytes / cycles(p.burst_bytes))),
        cl(cycles(p.read_latency)),
        cwl(cycles(p.write_latency)),
        rcd(cycles(p.activate_to_column)),
        rp(cycles(p.precharge)),
        ras(cycles(p.activate_to_precharge)),
        rtp(cycles(p.read_to_precharge)),
        wr(cycles(p.write_recovery)),
        rrd{cycles(p.activate_to_activate), cycles(p.activate_to_activate_group)},
        faw(cycles(p.four_activates)),
        ccd{std::max(burst, cycles(p.column_to_column)), std::max(burst, cycles(p.column_to_column_group))},
        wtr{cycles(p.write_to_read), cycles(p.write_to_read_group)},
        turnaround(cycles(p.turnaround)),
        refi(cycles(p.refresh_interval)),
        rfc(cycles(p.refresh_cycles)) {}

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
