// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram_standard.h"

namespace bvp::standards {

// Public sources, of which numbers were taken: gem5, src/mem/DRAMInterface.py, HBM_2000_4H_1x64 (a pseudo channel, in
// ns at 1 GHz); DRAMSys, configs/memspec/HBM2.json (the same of another device); Ramulator2, src/dram/impl/HBM2.cpp
// (refresh); O'Connor et al., Fine-Grained DRAM, MICRO 2017 (energy). The nanoseconds of HBM2 are kept at the clock of
// HBM2E, whose timings are not public: vendors do not publish them.
#define SPEC "gem5: HBM_2000_4H_1x64, "
#define ENERGY "O'Connor et al. (MICRO 2017), HBM2: "

DramStandard hbm2e() {
  constexpr auto high = Confidence::high, mid = Confidence::mid, low = Confidence::low;
  DramStandard standard;
  standard.description =
      "HBM2E at 3.2 Gb/s: a channel is a pseudo channel of 64 bits, burst length 4; a stack of 8 Gb a channel has 16";
  standard.values = {
      {"channels", i64{16}, "JEDEC JESD235: 8 channels of 2 pseudo channels", high},
      {"clock_hz", 1.6e9, "HBM2E at 3.2 Gb/s a pin", high},
      {"transfers_per_clock", i64{2}, "JEDEC JESD235: double data rate", high},
      {"bus_bytes", i64{8}, SPEC "64 bits", high},
      {"burst_bytes", i64{32}, SPEC "burst length 4", high},
      {"bank_groups", i64{4}, SPEC "4 groups", high},
      {"banks", i64{16}, SPEC "16 banks", high},
      {"row_bytes", i64{1024}, SPEC "1 KB", high},
      {"read_latency", i64{29}, SPEC "tCL 18 ns", low},
      {"write_latency", i64{12}, SPEC "tCWL 7 ns", low},
      {"activate_to_column", i64{20}, SPEC "tRCD 12 ns, of reads; 6 ns of writes is not modelled", low},
      {"precharge", i64{23}, SPEC "tRP 14 ns", mid},
      {"activate_to_precharge", i64{45}, SPEC "tRAS 28 ns", mid},
      {"read_to_precharge", i64{8}, SPEC "tRTP 5 ns", mid},
      {"write_recovery", i64{23}, SPEC "tWR 14 ns", mid},
      {"activate_to_activate", i64{7}, SPEC "tRRD 4 ns", mid},
      {"activate_to_activate_group", i64{10}, SPEC "tRRD_L 6 ns", mid},
      {"four_activates", i64{26}, SPEC "tXAW 16 ns", mid},
      {"column_to_column", i64{2}, SPEC "tBURST, 2 clocks", high},
      {"column_to_column_group", i64{4}, "assumption: twice the burst, 2.5 ns; 3 ns in HBM2", low},
      {"write_to_read", i64{7}, SPEC "tWTR 4 ns", mid},
      {"write_to_read_group", i64{15}, SPEC "tWTR_L 9 ns", mid},
      {"turnaround", i64{10}, "DRAMSys: HBM2, RTW 18 at RL 17, WL 7 and a burst of 2, which leaves 6 ns", low},
      {"refresh_interval", i64{6240}, SPEC "tREFI 3.9 us", high},
      {"refresh_cycles", i64{560}, "Ramulator2: HBM2 of 8 Gb a channel, nRFC 350 ns", mid},
      {"refresh_policy", std::string("per_bank"), "assumption: single-bank refresh, which JEDEC JESD235 has", low},
      {"refresh_bank_cycles", i64{256}, "Ramulator2: HBM2, nRFCSB 160 ns", mid},
      {"refresh_to_activate", i64{13}, "DRAMSys: HBM2, RREFD 8 ns", mid},
      {"request_latency", i64{48}, "assumption: 30 ns, as with DDR4", low},
      {"response_latency", i64{48}, "assumption: 30 ns, as with DDR4", low},
      {"write_idle", i64{64}, "assumption: 40 ns, as with DDR4", low},
  };
  standard.prices = {
      {"activate", 909, 0, ENERGY "a row of 1 KB", mid},
      {"read_64b", 4.48, 512,
       ENERGY "data movement 1.51 and 1.17 and I/O 0.80 pJ/bit; and 1 pJ/bit controller, an assumption", low},
      {"write_64b", 4.48, 512, ENERGY "as read_64b", low},
      {"refresh", 30420, 0,
       "DRAMsim3: HBM2_8Gb_x128.ini, VDD (IDD5AB - IDD3N) tRFC of 260 ns is 60.8 nJ, half for a pseudo channel [R]",
       low},
  };
  standard.standby = {0.033, "DRAMsim3: HBM2_8Gb_x128.ini, VDD IDD3N is 66 mW, half for a pseudo channel [R]", low};
  return standard;
}

}  // namespace bvp::standards
