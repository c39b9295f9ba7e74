// SPDX-License-Identifier: Apache-2.0
// Parameters of the DRAM and its controller. Timings are in clocks of the DRAM's commands. The defaults are those of
// DDR4-3200; of another standard, its table in standards/ has the values.
#pragma once

#include "models/base/parameters.h"
#include "models/memory/dram_standard.h"
#include "models/memory/policies/address_map.h"
#include "models/memory/policies/page_policy.h"
#include "models/memory/policies/refresh_policy.h"
#include "models/memory/policies/write_drain.h"

namespace bvp {

struct DramParameters : ParameterGroup {
  explicit DramParameters(ParameterGroup* parent)
      : ParameterGroup(parent, "dram", "external memory: channels, banks, timing and controller") {}

  Param<std::string> standard{
      this,
      "standard",
      "ddr4_3200",
      dram_standard_names(),
      "Memory standard: gives the timings, the geometry and the energy of its devices, where the "
      "scenario does not set them itself.",
      "assumption: the most common memory of boards",
      Confidence::mid};
  Param<i64> size_bytes{this,
                        "size_bytes",
                        i64{2} << 30,
                        "bytes",
                        {65536, 4294967296.0},
                        "Capacity over all channels; host memory is used only where it is written.",
                        "assumption: fits BERT-large with activations",
                        Confidence::low};
  Param<i64> channels{this,
                      "channels",
                      2,
                      "channels",
                      {1, 16},
                      power_of_two,
                      "Independent channels, each with banks and a data bus of its own.",
                      "2 x 25.6 GB/s equal the 51.2 GB/s of the Jetson Xavier NX (data sheet)",
                      Confidence::mid};
  Param<double> clock_hz{this,
                         "clock_hz",
                         1.6e9,
                         "Hz",
                         {1e8, 1e10},
                         "Clock of a channel's commands; its bus transfers transfers_per_clock times per clock.",
                         "JEDEC JESD79-4: DDR4-3200",
                         Confidence::mid};
  Param<i64> transfers_per_clock{this,
                                 "transfers_per_clock",
                                 2,
                                 "transfers",
                                 {1, 16},
                                 power_of_two,
                                 "Transfers of the data bus in a clock of the commands.",
                                 "JEDEC JESD79-4: double data rate",
                                 Confidence::high};
  Param<i64> bus_bytes{
      this,
      "bus_bytes",
      8,
      "bytes",
      {1, 32},
      power_of_two,
      "Width of a channel's data bus; a burst takes burst_bytes / (transfers_per_clock x width) clocks.",
      "JEDEC JESD79-4: 64-bit channel",
      Confidence::mid};
  Param<i64> burst_bytes{
      this,
      "burst_bytes",
      64,
      "bytes",
      {16, 64},
      power_of_two,
      "Bytes of a burst: burst length times width of the bus. The controller moves 64 bytes at a time, "
      "in one burst or in several of the same row.",
      "JEDEC JESD79-4: burst length 8",
      Confidence::high};
  Param<i64> interleave_bytes{this,
                              "interleave_bytes",
                              256,
                              "bytes",
                              {64, 65536},
                              power_of_two,
                              "Consecutive bytes on one channel before the address moves to another.",
                              "assumption: one DMA burst",
                              Confidence::low};
  Param<i64> bank_groups{this,
                         "bank_groups",
                         2,
                         "groups",
                         {1, 8},
                         power_of_two,
                         "Bank groups of a channel; accesses to different groups may follow closer.",
                         "JEDEC JESD79-4: x16 devices",
                         Confidence::high};
  Param<i64> banks{this,
                   "banks",
                   8,
                   "banks",
                   {1, 64},
                   power_of_two,
                   "Banks of a channel over all of its groups.",
                   "JEDEC JESD79-4: x16 devices",
                   Confidence::high};
  Param<i64> row_bytes{this,
                       "row_bytes",
                       8192,
                       "bytes",
                       {64, 65536},
                       power_of_two,
                       "Bytes of an open row over all devices of a channel.",
                       "JEDEC JESD79-4: 2 KB page in each of 4 x16 devices",
                       Confidence::high};
  Param<bool> bank_hash{this,
                        "bank_hash",
                        true,
                        "",
                        {},
                        "Fold upper address bits into channel and bank, so that power-of-two strides spread.",
                        "permutation-based interleaving (Zhang et al., MICRO 2000)",
                        Confidence::mid};
  Param<std::string> address_map{
      this,
      "address_map",
      "row_bank_column_group",
      dram_address_map_names(),
      "Fields of an address from the highest to the lowest, below them the byte in an access of "
      "64 bytes; the channel's bits lie above interleave_bytes.",
      "assumption: streaming traffic",
      Confidence::mid};
  Param<std::string> page_policy{this,
                                 "page_policy",
                                 "open",
                                 dram_page_policy_names(),
                                 "Whether a row stays open after an access or is precharged at once.",
                                 "assumption: streaming traffic",
                                 Confidence::mid};

  Param<i64> read_latency{this,
                          "read_latency",
                          22,
                          "DRAM clocks",
                          {1, 200},
                          "tCL: read command to first data.",
                          "JEDEC JESD79-4: DDR4-3200AA, 13.75 ns",
                          Confidence::high};
  Param<i64> write_latency{this,
                           "write_latency",
                           16,
                           "DRAM clocks",
                           {1, 200},
                           "tCWL: write command to first data.",
                           "JEDEC JESD79-4: DDR4-3200",
                           Confidence::high};
  Param<i64> activate_to_column{this,
                                "activate_to_column",
                                22,
                                "DRAM clocks",
                                {1, 200},
                                "tRCD: activate to read or write of the row.",
                                "JEDEC JESD79-4: DDR4-3200AA, 13.75 ns",
                                Confidence::high};
  Param<i64> precharge{this,
                       "precharge",
                       22,
                       "DRAM clocks",
                       {1, 200},
                       "tRP: precharge to activate of the same bank.",
                       "JEDEC JESD79-4: DDR4-3200AA, 13.75 ns",
                       Confidence::high};
  Param<i64> activate_to_precharge{this,
                                   "activate_to_precharge",
                                   52,
                                   "DRAM clocks",
                                   {1, 500},
                                   "tRAS: activate to precharge of the same bank (tRC is tRAS + tRP).",
                                   "JEDEC JESD79-4: DDR4-3200, 32 ns",
                                   Confidence::high};
  Param<i64> read_to_precharge{this,
                               "read_to_precharge",
                               12,
                               "DRAM clocks",
                               {1, 200},
                               "tRTP: read command to precharge of the same bank.",
                               "JEDEC JESD79-4: DDR4-3200, 7.5 ns",
                               Confidence::high};
  Param<i64> write_recovery{this,
                            "write_recovery",
                            24,
                            "DRAM clocks",
                            {1, 200},
                            "tWR: end of write data to precharge of the same bank.",
                            "JEDEC JESD79-4: 15 ns",
                            Confidence::high};
  Param<i64> activate_to_activate{this,
                                  "activate_to_activate",
                                  9,
                                  "DRAM clocks",
                                  {1, 200},
                                  "tRRD_S: activates of banks in different groups.",
                                  "JEDEC JESD79-4: DDR4-3200, 2 KB page, 5.3 ns",
                                  Confidence::high};
  Param<i64> activate_to_activate_group{this,
                                        "activate_to_activate_group",
                                        11,
                                        "DRAM clocks",
                                        {1, 200},
                                        "tRRD_L: activates of banks in the same group.",
                                        "JEDEC JESD79-4: DDR4-3200, 2 KB page, 6.4 ns",
                                        Confidence::high};
  Param<i64> four_activates{this,
                            "four_activates",
                            48,
                            "DRAM clocks",
                            {1, 500},
                            "tFAW: window in which at most four activates of a channel may begin.",
                            "JEDEC JESD79-4: DDR4-3200, 2 KB page, 30 ns",
                            Confidence::high};
  Param<i64> column_to_column{this,
                              "column_to_column",
                              4,
                              "DRAM clocks",
                              {1, 200},
                              "tCCD_S: accesses in different bank groups; never below the data's own clocks.",
                              "JEDEC JESD79-4: DDR4-3200",
                              Confidence::high};
  Param<i64> column_to_column_group{this,
                                    "column_to_column_group",
                                    8,
                                    "DRAM clocks",
                                    {1, 200},
                                    "tCCD_L: accesses in the same bank group.",
                                    "JEDEC JESD79-4: DDR4-3200, 5 ns",
                                    Confidence::high};
  Param<i64> write_to_read{this,
                           "write_to_read",
                           4,
                           "DRAM clocks",
                           {0, 200},
                           "tWTR_S: end of write data to a read in another bank group.",
                           "JEDEC JESD79-4: DDR4-3200, 2.5 ns",
                           Confidence::high};
  Param<i64> write_to_read_group{this,
                                 "write_to_read_group",
                                 12,
                                 "DRAM clocks",
                                 {0, 200},
                                 "tWTR_L: end of write data to a read in the same bank group.",
                                 "JEDEC JESD79-4: DDR4-3200, 7.5 ns",
                                 Confidence::high};
  Param<i64> turnaround{this,
                        "turnaround",
                        2,
                        "DRAM clocks",
                        {0, 200},
                        "Clocks that the data bus stays idle between read data and write data.",
                        "usual controller setting (DRAMsim3 configurations)",
                        Confidence::mid};
  Param<i64> refresh_interval{this,
                              "refresh_interval",
                              12480,
                              "DRAM clocks",
                              {2000, 1e12},
                              "tREFI: distance of the refreshes of a channel.",
                              "JEDEC JESD79-4: 7.8 us",
                              Confidence::high};
  Param<i64> refresh_cycles{this,
                            "refresh_cycles",
                            560,
                            "DRAM clocks",
                            {1, 1000000},
                            "tRFC: a refresh, during which the channel does nothing else.",
                            "JEDEC JESD79-4: 8 Gb devices, 350 ns",
                            Confidence::high};
  Param<std::string> refresh_policy{this,
                                    "refresh_policy",
                                    "all_bank",
                                    dram_refresh_policy_names(),
                                    "Whether all banks are refreshed together, each refresh_interval, or one after the "
                                    "other within it while the rest go on, where the standard has that.",
                                    "JEDEC JESD79-4: DDR4 has no other",
                                    Confidence::high};
  Param<i64> refresh_bank_cycles{this,
                                 "refresh_bank_cycles",
                                 0,
                                 "DRAM clocks",
                                 {0, 1000000},
                                 "tRFCpb: refresh of a single bank; 0: the devices have none.",
                                 "JEDEC JESD79-4: DDR4 has none",
                                 Confidence::high};
  Param<i64> refresh_to_activate{this,
                                 "refresh_to_activate",
                                 0,
                                 "DRAM clocks",
                                 {0, 200},
                                 "Distance of the refresh of a single bank to activates of other banks.",
                                 "JEDEC JESD79-4: DDR4 has none",
                                 Confidence::high};

  Param<i64> request_latency{this,
                             "request_latency",
                             48,
                             "DRAM clocks",
                             {0, 10000},
                             "Controller and PHY on the way to the devices.",
                             "assumption: makes the idle read latency 90 ns",
                             Confidence::low};
  Param<i64> response_latency{this,
                              "response_latency",
                              48,
                              "DRAM clocks",
                              {0, 10000},
                              "Controller and PHY on the way back.",
                              "assumption: makes the idle read latency 90 ns",
                              Confidence::low};
  Param<i64> queue_entries{this,         "queue_entries",
                           64,           "accesses",
                           {1, 4096},    "Reads (and writes that are not posted) that a channel has in flight.",
                           "assumption", Confidence::low};
  Param<bool> posted_writes{this,
                            "posted_writes",
                            true,
                            "",
                            {},
                            "A write is done when the write queue has it; the queue is written in batches.",
                            "usual practice of memory controllers",
                            Confidence::mid};
  Param<std::string> write_drain{this,
                                 "write_drain",
                                 "watermarks",
                                 dram_write_drain_names(),
                                 "When the writes that wait in a queue are written.",
                                 "usual practice of memory controllers",
                                 Confidence::mid};
  Param<i64> write_queue_entries{this,      "write_queue_entries",       64,           "accesses",
                                 {1, 4096}, "Write queue of a channel.", "assumption", Confidence::low};
  Param<i64> write_queue_high{this,
                              "write_queue_high",
                              48,
                              "accesses",
                              {1, 4096},
                              "Waiting writes at which a batch is written.",
                              "assumption: three quarters of the queue",
                              Confidence::low};
  Param<i64> write_queue_low{this,
                             "write_queue_low",
                             0,
                             "accesses",
                             {0, 4096},
                             "Waiting writes that a batch leaves.",
                             "DRAMsim3: a batch takes all that wait",
                             Confidence::low};
  Param<i64> write_idle{this,         "write_idle",
                        64,           "DRAM clocks",
                        {0, 1000000}, "Idle time of a channel after which all waiting writes are written.",
                        "assumption", Confidence::low};
  Param<bool> dmi{this,
                  "dmi",
                  true,
                  "",
                  {},
                  "Grant direct access to processors; such accesses are neither timed nor counted here. Without it "
                  "every access of the firmware takes the DRAM's time, as if there were no caches.",
                  "assumption: the firmware's working set lies in the processor's caches",
                  Confidence::high};
};

}  // namespace bvp
