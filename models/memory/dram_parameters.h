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

/// Sizes of the memory and of its parts, and the rate of its data bus.
struct DramGeometryParameters {
  explicit DramGeometryParameters(ParameterGroup* dram);

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

  /// Bytes that the data buses of all channels carry in a clock.
  [[nodiscard]] double bytes_per_clock() const {
    return static_cast<double>(transfers_per_clock * channels * bus_bytes);
  }
};

/// Distances of commands and data of a channel, in its clocks.
struct DramTimingParameters {
  explicit DramTimingParameters(ParameterGroup* dram);

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
};

/// When and for how long banks are refreshed. The keys of these parameters begin with `refresh_`.
struct DramRefreshParameters {
  explicit DramRefreshParameters(ParameterGroup* dram);

  Param<i64> interval;
  Param<i64> cycles;
  Param<std::string> policy;
  Param<i64> bank_cycles;
  Param<i64> to_activate;
};

/// How the controller queues writes. The keys of these parameters begin with `write_`, apart from `posted_writes`.
struct DramWriteParameters {
  explicit DramWriteParameters(ParameterGroup* dram);

  Param<bool> posted;
  Param<std::string> drain;
  Param<i64> queue_entries;
  Param<i64> queue_high;
  Param<i64> queue_low;
  Param<i64> idle;
};

/// All keys stand side by side in the group `dram` of a scenario; the structs divide them for the code alone. The order
/// of the members is the order of the keys in generated pages and in the schema.
struct DramParameters : ParameterGroup {
  explicit DramParameters(ParameterGroup* parent, std::string name = "dram", std::string description = {});

  Param<std::string> standard;
  DramGeometryParameters geometry;
  Param<bool> bank_hash;
  Param<std::string> address_map;
  Param<std::string> page_policy;
  DramTimingParameters timing;
  DramRefreshParameters refresh;
  Param<i64> request_latency;
  Param<i64> response_latency;
  Param<i64> queue_entries;
  DramWriteParameters writes;
  Param<bool> dmi;
  Param<std::string> ecc;
  Param<i64> ecc_latency;

  [[nodiscard]] bool has_ecc() const { return ecc.get() == "secded"; }
};

}  // namespace bvp
