// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram_standard.h"

namespace bvp::standards {

// Public sources: JEDEC JESD79-4 (timings, in dram_parameters.h); DRAMsim3, DDR4_8Gb_x16_3200.ini at its commit 2981759
// (IDD); Micron, data sheet of the module MTA4ATF51264AZ (IPP). docs/energy.md has the currents.
#define CURRENTS "TN-40-07 (Micron) with the currents in docs/energy.md, 8 Gb x16 DDR4-3200, 4 devices a channel: "

DramStandard ddr4_3200() {
  DramStandard standard;
  standard.description = "DDR4-3200: a channel is a rank of four 8 Gb x16 devices, 64 bits wide";
  standard.values = {};  // the defaults of DramParameters
  standard.prices = {
      {"activate", 10374, 0,
       CURRENTS
       "VDD (IDD0 tRC - IDD3N tRAS - IDD2N tRP) + VPP (IPP0 - IPP3N) tRC, an activation with its precharge [R]",
       Confidence::mid},
      {"read_64b", 14.77, 512,
       CURRENTS "VDD (IDD4R - IDD3N) of 4 clocks is 5.77 pJ/bit [R]; and 9 pJ/bit I/O, PHY and controller, general "
                "knowledge",
       Confidence::mid},
      {"write_64b", 14.2, 512,
       CURRENTS "VDD (IDD4W - IDD3N) of 4 clocks is 5.20 pJ/bit [R]; and 9 pJ/bit I/O, PHY and controller, general "
                "knowledge",
       Confidence::mid},
      {"refresh", 463820, 0, CURRENTS "VDD (IDD5B - IDD3N) tRFC + VPP (IPP5B - IPP3N) tRFC [R]", Confidence::mid},
  };
  standard.standby = {0.2988, CURRENTS "VDD IDD3N + VPP IPP3N, banks open all the time [R]", Confidence::mid};
  return standard;
}

}  // namespace bvp::standards
