// SPDX-License-Identifier: Apache-2.0
// What a run leaves behind.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "platform/network/network_json.h"
#include "platform/report/statistics_json.h"
#include "platform/report/summary.h"

namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

bvp::RunResult sample_result() {
  bvp::RunResult result;
  result.scenario = "demo";
  result.cycles = 2000000;
  result.time_s = 2e-3;
  result.flops = 1000000000;
  result.peak_flops_per_s = 1e12;
  result.lane_operations = 640000000;
  result.dram_read_bytes = 1000;
  result.dram_written_bytes = 500;
  result.energy_j = 0.01;
  result.energy_profile = "silicon";
  result.energy_by_component_j = {{"pe", 0.006}, {"dram", 0.004}};
  result.utilisation = {0.05, 0.9, 0.2, 0.04};
  result.units["cal"] = {{"issue", 90}, {"no_ready_block", 10}};
  result.verification.checked = true;
  result.verification.tolerance = 2e-2;
  result.verification.relative_error = 1e-3;
  result.verification.row = {2e-3, "layers.0.output", 1, 7};
  result.verification.end_to_end_error = 3e-3;
  result.verification.end_to_end_row = {4e-3, "output", 0, 5};
  result.verification.logits = bvp::RowError{5e-3, "logits", 1, 0};
  result.verification.bit_exact = true;
  bvp::LayerRow layer;
  layer.mixing = "fft2d";
  layer.cycles = 1999999;
  layer.relative_error = 1e-3;
  result.layers.push_back(layer);
  bvp::KernelRow kernel;
  kernel.name = std::string(200, 'k');
  kernel.launches = 1000000;
  kernel.cycles = 123456789012;
  kernel.steady = bvp::Utilisation{0, 0.95, 0, 0};
  result.kernels.push_back(kernel);
  result.host_seconds = 0.5;
  result.statistics = {{"cpu", {{"instructions", 5}}}};
  return result;
}

std::string read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(fs::temp_directory_path() / ("bvp_summary_" + std::to_string(getpid()))) {}
  ~TemporaryDirectory() { fs::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("summary.json has the documented keys", "[summary]") {
  const auto summary = bvp::summary_json(sample_result());
  CHECK(summary.at("cycles") == 2000000);
  CHECK(summary.at("time_s") == 2e-3);
  CHECK(summary.at("energy_j") == 0.01);
  CHECK(summary.at("average_power_w") == Approx(5));
  CHECK(summary.at("utilisation").at("cal") == 0.9);
  CHECK(summary.at("flops") == 1000000000);
  CHECK(summary.at("dram_bytes") == 1500);
  CHECK(summary.at("verification").at("relative_error") == 1e-3);
  CHECK(summary.at("verification").at("bit_exact") == true);
  CHECK(summary.at("verification").at("row").at("tensor") == "layers.0.output");
  CHECK(summary.at("verification").at("row").at("token") == 7);
  CHECK(summary.at("verification").at("end_to_end_row").at("error") == 4e-3);
  CHECK(summary.at("verification").at("end_to_end_logits").at("sequence") == 1);
  CHECK(summary.at("energy_by_component_j").at("dram") == 0.004);
  CHECK(summary.at("layers").at(0).at("mixing") == "fft2d");
  CHECK(summary.at("host_seconds") == 0.5);
  CHECK(summary.at("host_cycles_per_second") == 4000000);
  CHECK(summary.at("unit_cycles").at("cal").at("issue") == 90);
  CHECK(summary.at("passed") == true);
}

TEST_CASE("Only keys that begin with host_ depend on the host's time", "[summary]") {
  bvp::RunResult result = sample_result();
  const auto before = bvp::summary_json(result);
  result.host_seconds = 77;
  result.host_setup_seconds = 78;
  result.host_verify_seconds = 79;
  const auto after = bvp::summary_json(result);
  for (const auto& [key, value] : before.items()) {
    INFO(key);
    CHECK((value == after.at(key)) == (key.compare(0, 5, "host_") != 0));
  }
}

TEST_CASE("A run of no time divides by nothing", "[summary]") {
  const auto summary = bvp::summary_json(bvp::RunResult());
  CHECK(summary.at("average_power_w") == 0);
  CHECK_FALSE(bvp::summary_table(bvp::RunResult()).empty());
}

TEST_CASE("The table fits the terminal and tells the result", "[summary]") {
  bvp::RunResult result = sample_result();
  std::string table = bvp::summary_table(result);
  CHECK_THAT(table, Contains("2,000,000 cycles") && Contains("bit-exact with the fp16 reference") &&
                        Contains("average power 5 W") && Contains("60.0 %") && Contains("passed"));
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    CHECK(line.size() <= 100);
  }
  CHECK_THAT(table, Contains("(profile silicon, with DRAM)"));
  CHECK(bvp::summary_json(result).at("energy_dram_pj_per_bit").is_null());
  CHECK_THAT(bvp::summary_table(result), Contains("silicon, with DRAM)"));
  result.energy_dram_pj_per_bit = 8;
  CHECK(bvp::summary_json(result).at("energy_dram_pj_per_bit") == 8);
  CHECK_THAT(bvp::summary_table(result), Contains("silicon, with DRAM at 8 pJ/bit)"));
  result.energy_dram_pj_per_bit.reset();
  result.energy_scaled = true;
  result.energy_technology_nm = 7;
  result.energy_voltage = 0.65;
  CHECK_THAT(bvp::summary_table(result), Contains("(profile silicon at 7 nm, 0.65 V, with DRAM)"));
  CHECK(bvp::summary_json(result).at("energy_voltage") == 0.65);
  CHECK_THAT(bvp::summary_table(result), !Contains("used: kernels"));
  result.array.rows = 3;
  result.array.columns = 5;
  CHECK_THAT(bvp::summary_table(result), Contains("8 of 15 used: kernels take a power of two"));
  result.failure = "the time limit was reached";
  CHECK_THAT(bvp::summary_table(result), Contains("FAILED: the time limit was reached"));
}

TEST_CASE("A run's directory holds what was asked for", "[summary]") {
  const TemporaryDirectory directory;
  bvp::Network network;
  network.tokens = 3;
  network.hidden = 4;
  network.ffn = 8;
  network.layers = {{bvp::Mixing::fft2d, bvp::LinearKind::dense, bvp::LinearKind::butterfly}};
  bvp::RunResult result = sample_result();
  bvp::write_run(directory.path() / "a", result, network, {{"run.seed", 1}});
  CHECK(nlohmann::json::parse(read(directory.path() / "a/statistics.json")).at("cpu").at("instructions") == 5);
  CHECK_FALSE(fs::exists(directory.path() / "a/tensors.safetensors"));
  const auto written = nlohmann::json::parse(read(directory.path() / "a/network.json"));
  CHECK(written.at("layers").at(0).at("mixing") == "fft2d");
  CHECK(written.at("norm") == "post");
  CHECK(written.at("epsilon") == 1e-5);

  result.tensors["input"] = {{1}, {0}};
  result.weights["w"] = {{1}, {0}};
  result.failure = "text that is not UTF-8: \xff";
  bvp::write_run(directory.path() / "a", result, network, {{"run.seed", 1}});
  CHECK(fs::exists(directory.path() / "a/tensors.safetensors"));
  CHECK(fs::exists(directory.path() / "a/weights.safetensors"));
  const std::string first = read(directory.path() / "a/summary.json");
  bvp::write_run(directory.path() / "b", result, network, {});
  CHECK(read(directory.path() / "b/summary.json") == first);
}

TEST_CASE("The statistics tree becomes nested JSON", "[summary]") {
  bvp::StatGroup root("soc");
  bvp::StatGroup cpu("cpu");
  root.add(&cpu);
  bvp::Counter instructions(&cpu, "instructions", "instructions", "Instructions executed.");
  bvp::Counter clash(&root, "cpu", "things", "Named like a child.");
  instructions += 12;
  const auto tree = bvp::statistics_json(root);
  CHECK(tree.at("cpu_").at("instructions") == 12);
  CHECK(tree.at("cpu") == 0);
}
