// SPDX-License-Identifier: Apache-2.0
// Parameters of the DRAM and its controller. Timings are in clocks of the DRAM's commands. The defaults are those of
// DDR4-3200; of another standard, its table in standards/ has the values.
#pragma once

#include <string>

#include "models/base/parameters.h"
#include "models/memory/dram_standard.h"
#include "models/memory/policies/address_map.h"
#include "models/memory/policies/page_policy.h"
#include "models/memory/policies/refresh_policy.h"
#include "models/memory/policies/write_drain.h"

namespace bvp {

struct DramParameters : ParameterGroup {
  explicit DramParameters(ParameterGroup* parent, std::string name = "dram", std::string description = {});

  Param<std::string> standard;
  Param<i64> size_bytes;
  Param<i64> channels;
  Param<double> clock_hz;
  Param<i64> transfers_per_clock;
  Param<i64> bus_bytes;
  Param<i64> burst_bytes;
  Param<i64> interleave_bytes;
  Param<i64> bank_groups;
  Param<i64> banks;
  Param<i64> row_bytes;
  Param<bool> bank_hash;
  Param<std::string> address_map;
  Param<std::string> page_policy;

  Param<i64> read_latency;
  Param<i64> write_latency;
  Param<i64> activate_to_column;
  Param<i64> precharge;
  Param<i64> activate_to_precharge;
  Param<i64> read_to_precharge;
  Param<i64> write_recovery;
  Param<i64> activate_to_activate;
  Param<i64> activate_to_activate_group;
  Param<i64> four_activates;
  Param<i64> column_to_column;
  Param<i64> column_to_column_group;
  Param<i64> write_to_read;
  Param<i64> write_to_read_group;
  Param<i64> turnaround;
  Param<i64> refresh_interval;
  Param<i64> refresh_cycles;
  Param<std::string> refresh_policy;
  Param<i64> refresh_bank_cycles;
  Param<i64> refresh_to_activate;

  Param<i64> request_latency;
  Param<i64> response_latency;
  Param<i64> queue_entries;
  Param<bool> posted_writes;
  Param<std::string> write_drain;
  Param<i64> write_queue_entries;
  Param<i64> write_queue_high;
  Param<i64> write_queue_low;
  Param<i64> write_idle;
  Param<bool> dmi;
};

}  // namespace bvp
