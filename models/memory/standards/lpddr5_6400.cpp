// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram_standard.h"

namespace bvp::standards {

// Public sources, of which numbers were taken: gem5, src/mem/DRAMInterface.py, LPDDR5_6400_1x16_BG_BL16 (timings, in
// ns); Ramulator2, src/dram/impl/LPDDR5.cpp (refresh of 16 Gb); JEDEC JESD209-5 for what these leave out. Clocks are
// those of the commands (CK, 800 MHz); data go with WCK at four times that, and at both of its edges.
#define SPEC "gem5: LPDDR5_6400_1x16_BG_BL16, "
#define LESS "assumption: a fifth less than in lpddr4x_4266, as vendors announced LPDDR5; no currents are public"

DramStandard lpddr5_6400() {
  constexpr auto high = Confidence::high, mid = Confidence::mid, low = Confidence::low;
  DramStandard standard;
  standard.description =
      "LPDDR5-6400: a channel is 16 bits of a 16 Gb die in bank group mode, burst length 16, 4 clocks of WCK in one of "
      "CK";
  standard.values = {
      {"channels", i64{4}, "usual package: 64 bits", mid},
      {"clock_hz", 8e8, "JEDEC JESD209-5: CK at 6,400 Mb/s", high},
      {"transfers_per_clock", i64{8}, SPEC "4 clocks of WCK, two transfers each", high},
      {"bus_bytes", i64{2}, SPEC "x16 channel", high},
      {"burst_bytes", i64{32}, SPEC "burst length 16", high},
      {"bank_groups", i64{4}, SPEC "bank group mode", high},
      {"banks", i64{16}, SPEC "bank group mode", high},
      {"row_bytes", i64{2048}, SPEC "2 KB", high},
      {"read_latency", i64{17}, SPEC "tCL 21.25 ns", high},
      {"write_latency", i64{9}, "JEDEC JESD209-5: 6,400 Mb/s, set A", mid},
      {"activate_to_column", i64{15}, SPEC "tRCD 18 ns", high},
      {"precharge", i64{15}, SPEC "tRP 18 ns", high},
      {"activate_to_precharge", i64{34}, SPEC "tRAS 42 ns", high},
      {"read_to_precharge", i64{6}, "JEDEC JESD209-5: a burst of 2 clocks, and 7.5 ns less 2 clocks", mid},
      {"write_recovery", i64{29}, SPEC "tWR 34 ns; and the clock that JEDEC JESD209-5 adds", high},
      {"activate_to_activate", i64{4}, SPEC "tRRD 5 ns", high},
      {"activate_to_activate_group", i64{4}, SPEC "tRRD_L 5 ns", high},
      {"four_activates", i64{16}, SPEC "tXAW 20 ns", high},
      {"column_to_column", i64{2}, SPEC "tBURST_MIN 2.5 ns", high},
      {"column_to_column_group", i64{4}, SPEC "tCCD_L 5 ns", high},
      {"write_to_read", i64{5}, SPEC "tWTR 6.25 ns", high},
      {"write_to_read_group", i64{12}, SPEC "tWTR_L 12 ns; behind BL/n_max, 2 clocks after the data, JEDEC JESD209-5",
       mid},
      {"turnaround", i64{2}, "JEDEC JESD209-5: tWCKDQO of at most 1.6 ns", mid},
      {"refresh_interval", i64{3124}, "Ramulator2: LPDDR5, tREFI 3.906 us", high},
      {"refresh_cycles", i64{224}, "Ramulator2: LPDDR5 of 16 Gb, tRFCab 280 ns", high},
      {"refresh_policy", std::string("per_bank"), "usual practice of LPDDR controllers", mid},
      {"refresh_bank_cycles", i64{112}, "Ramulator2: LPDDR5 of 16 Gb, tRFCpb 140 ns", high},
      {"refresh_to_activate", i64{7}, "Ramulator2: LPDDR5, nPBR2ACT 8 ns", mid},
      {"request_latency", i64{24}, "assumption: 30 ns, as with DDR4", low},
      {"response_latency", i64{24}, "assumption: 30 ns, as with DDR4", low},
      {"write_idle", i64{32}, "assumption: 40 ns, as with DDR4", low},
  };
  standard.prices = {
      {"activate", 963, 0, LESS, low},
      {"read_64b", 7.2, 512, LESS, low},
      {"write_64b", 6.1, 512, LESS, low},
      {"refresh", 47757, 0, LESS "; for 16 Gb instead of 8", low},
  };
  standard.standby = {0.030, LESS, low};
  return standard;
}

}  // namespace bvp::standards
