// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram_standard.h"

namespace bvp::standards {

// Public sources, of which numbers were taken: DRAMSys, configs/memspec/JEDEC_512Mbx16_LPDDR4-4266.json (timings, in
// clocks) and MICRON_6Gb_LPDDR4-3200_32bit_A.json (currents of a channel); JEDEC JESD209-4 for what these leave out.
#define SPEC "DRAMSys: JEDEC_512Mbx16_LPDDR4-4266, "
#define CURRENTS "TN-40-07 (Micron) with the currents in DRAMSys: MICRON_6Gb_LPDDR4-3200_32bit_A, "

DramStandard lpddr4x_4266() {
  constexpr auto high = Confidence::high, mid = Confidence::mid, low = Confidence::low;
  DramStandard standard;
  standard.description = "LPDDR4X-4266: a channel is 16 bits of an 8 Gb die, without bank groups, burst length 32";
  standard.values = {
      {"channels", i64{4}, "usual package: 64 bits", mid},
      {"clock_hz", 2.1333e9, "JEDEC JESD209-4: LPDDR4-4266", high},
      {"transfers_per_clock", i64{2}, "JEDEC JESD209-4: double data rate", high},
      {"bus_bytes", i64{2}, "JEDEC JESD209-4: x16 channel", high},
      {"burst_bytes", i64{64}, "JEDEC JESD209-4: burst length 32", high},
      {"bank_groups", i64{1}, "JEDEC JESD209-4: none", high},
      {"banks", i64{8}, SPEC "8 banks", high},
      {"row_bytes", i64{2048}, SPEC "1,024 columns of 16 bits", high},
      {"read_latency", i64{40}, SPEC "RL 36 and DQSCK 4", high},
      {"write_latency", i64{19}, SPEC "WL 18; and the clock of tDQSS in JEDEC JESD209-4", high},
      {"activate_to_column", i64{39}, SPEC "RCD, 18 ns", high},
      {"precharge", i64{39}, SPEC "RPpb, 18 ns", high},
      {"activate_to_precharge", i64{90}, SPEC "RAS, 42 ns", high},
      {"read_to_precharge", i64{25}, SPEC "RTP 17; and 8 for burst length 32, JEDEC JESD209-4", mid},
      {"write_recovery", i64{39}, SPEC "WR, 18 ns", high},
      {"activate_to_activate", i64{22}, SPEC "RRD, 10 ns", high},
      {"activate_to_activate_group", i64{22}, SPEC "RRD, 10 ns", high},
      {"four_activates", i64{86}, SPEC "FAW, 40 ns", high},
      {"column_to_column", i64{16}, "JEDEC JESD209-4: half the burst length of 32", high},
      {"column_to_column_group", i64{16}, "JEDEC JESD209-4: half the burst length of 32", high},
      {"write_to_read", i64{22}, SPEC "WTR, 10 ns", high},
      {"write_to_read_group", i64{22}, SPEC "WTR, 10 ns", high},
      {"turnaround", i64{6},
       "JEDEC JESD209-4: tDQSCK of at most 3.5 ns, 8 clocks of which 4 are in read_latency, and "
       "a preamble of 2",
       mid},
      {"refresh_interval", i64{8341}, SPEC "REFI, 3.9 us", high},
      {"refresh_cycles", i64{599}, SPEC "RFCab, 280 ns", high},
      {"refresh_policy", std::string("per_bank"), "usual practice of LPDDR controllers", mid},
      {"refresh_bank_cycles", i64{300}, SPEC "RFCpb, 140 ns", high},
      {"refresh_to_activate", i64{22}, "JEDEC JESD209-4: tRRD", mid},
      {"request_latency", i64{64}, "assumption: 30 ns, as with DDR4", low},
      {"response_latency", i64{64}, "assumption: 30 ns, as with DDR4", low},
      {"write_idle", i64{85}, "assumption: 40 ns, as with DDR4", low},
  };
  standard.prices = {
      {"activate", 1204, 0,
       CURRENTS "a row of 2 KB: VDD1 and VDD2 times (IDD0 tRC - IDD3N tRAS - IDD2N tRP), 1.8 and 1.1 V [R]", mid},
      {"read_64b", 9.0, 512,
       CURRENTS "VDD2 (IDD4R - IDD3N) at 51.2 Gb/s is 5.26 pJ/bit and IDD4RQ at the 0.6 V of LPDDR4X 1.76 [R]; and 2 "
                "pJ/bit PHY and controller, an assumption",
       low},
      {"write_64b", 7.6, 512,
       CURRENTS "VDD2 (IDD4W - IDD3N) at 51.2 Gb/s is 3.87 pJ/bit [R], I/O 1.76 as read; and 2 pJ/bit PHY and "
                "controller, an assumption",
       low},
      {"refresh", 29848, 0,
       CURRENTS "all banks: VDD1 and VDD2 times (IDD5 - IDD3N) tRFCab, 22.4 nJ for 6 Gb [R], times 8/6 for 8 Gb", low},
  };
  standard.standby = {0.0375, CURRENTS "VDD1, VDD2 and VDDQ times IDD3N, banks open all the time [R]", mid};
  return standard;
}

}  // namespace bvp::standards
