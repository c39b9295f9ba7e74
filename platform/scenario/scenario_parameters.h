// SPDX-License-Identifier: Apache-2.0
// Parameters of a scenario besides those of the SoC, the compiler and the baselines.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/base/parameters.h"

namespace bvp {

/// One entry of `network.layers`.
struct LayerParameters : ParameterGroup {
  LayerParameters();

  Param<std::string> mixing;
  Param<std::string> projections;
  Param<std::string> ffn;
  std::vector<std::unique_ptr<ParamBase>> of_mixings;  // what the declarations of all mixings ask for
  Param<i64> repeat;
};

/// The scalar keys of `network`; the list `layers` is kept beside them. `variant` and `depth` may stand for the list.
struct NetworkParameters : ParameterGroup {
  explicit NetworkParameters(ParameterGroup* parent);

  Param<i64> tokens;
  Param<i64> hidden;
  Param<i64> heads;
  Param<i64> ffn;
  Param<i64> batch;
  Param<std::string> norm;
  Param<std::string> final_norm;
  Param<std::string> fft_norm;
  Param<std::string> fft_length;
  Param<std::string> activation;
  Param<double> epsilon;
  Param<i64> vocabulary;
  Param<i64> patch_values;
  Param<bool> embedding_norm;
  Param<bool> embedding_projection;
  Param<bool> padding_mask;
  Param<i64> classes;
  Param<std::string> pooling;
  Param<bool> pooler;
  Param<std::string> variant;
  Param<i64> depth;
  Param<i64> attention_layers;
};

struct RunParameters : ParameterGroup {
  explicit RunParameters(ParameterGroup* parent);

  Param<std::string> firmware;
  Param<std::string> fidelity;
  Param<bool> data;
  Param<i64> seed;
  Param<double> time_limit_s;
  Param<bool> protection;
  Param<i64> launch_limit;
  Param<i64> dma_limit;
  Param<i64> wait_limit_us;
  Param<i64> retries;
  Param<bool> spare_images;
  Param<std::string> weights;
  Param<std::string> input;
  Param<std::string> dataset;
  Param<i64> samples;
};

/// The value of energy.profile that stands for the table calibrated to the machine's number of lanes.
inline constexpr const char* profile_by_machine = "by_machine";

/// The energy tables that come with the platform (models/power/tables), and the value that lets the machine choose one.
inline constexpr std::array<const char*, 4> energy_profiles{profile_by_machine, "silicon", "silicon_simd8", "textbook"};

/// Whether energy.profile names a file instead of one of these tables.
[[nodiscard]] inline bool is_energy_file(const std::string& profile) {
  return std::filesystem::path(profile).extension() == ".yaml";
}

struct EnergyParameters : ParameterGroup {
  explicit EnergyParameters(ParameterGroup* parent);

  Param<std::string> profile;
  Param<double> dram_pj_per_bit;
  Param<double> technology_nm;
  Param<double> voltage;
};

struct VerifyParameters : ParameterGroup {
  explicit VerifyParameters(ParameterGroup* parent);

  Param<bool> enabled;
  Param<double> tolerance;
  Param<double> row_tolerance;
  Param<double> end_to_end_tolerance;
};

struct RecordParameters : ParameterGroup {
  explicit RecordParameters(ParameterGroup* parent);

  Param<bool> tensors;
  Param<bool> statistics;
  Param<bool> trace;
  Param<i64> trace_bytes;
  Param<bool> vcd;
  Param<double> power_window_s;
};

}  // namespace bvp
