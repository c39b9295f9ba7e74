// SPDX-License-Identifier: Apache-2.0
// The files and the terminal summary of a run.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <sstream>

#include "platform/network/network_json.h"
#include "platform/report/statistics_json.h"
#include "platform/report/summary.h"
#include "platform/report/terminal_summary.h"
#include "platform/support/seal.h"
#include "platform/support/sha256.h"

namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

bvp::RunResult sample_result() {
  bvp::RunResult result;
  result.setup.scenario = "demo";
  result.cycles = 2000000;
  result.time_s = 2e-3;
  result.work.flops = 1000000000;
  result.peak_flops_per_s = 1e12;
  result.work.lane_operations = 640000000;
  result.work.dram_read_bytes = 1000;
  result.work.dram_written_bytes = 500;
  result.energy.total_j = 0.01;
  result.pricing.profile = "silicon";
  result.energy.by_component_j = {{"pe", 0.006}, {"dram", 0.004}};
  result.activity.utilisation = {0.05, 0.9, 0.2, 0.04};
  result.activity.units["cal"] = {{"issue", 90}, {"no_ready_block", 10}};
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
  result.host.seconds = 0.5;
  result.records.statistics = {{"cpu", {{"instructions", 5}}}};
  return result;
}

std::string read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// With single spaces between them: where lines are broken does not matter.
std::string words(const std::string& text) {
  std::string out;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) out += word + " ";
  return out;
}

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, line.size());
  return widest;
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
  CHECK(summary.at("host_run").at("seconds") == 0.5);
  CHECK(summary.at("host_run").at("cycles_per_second") == 4000000);
  CHECK(summary.at("unit_cycles").at("cal").at("issue") == 90);
  CHECK(summary.at("passed") == true);
}

TEST_CASE("What depends on the host, the command and the moment is in host_run", "[summary]") {
  bvp::RunResult result = sample_result();
  const auto before = bvp::summary_json(result);
  result.host.seconds = 77;
  result.host.setup_seconds = 78;
  result.host.verify_seconds = 79;
  bvp::Provenance provenance;
  provenance.command = {"butterfly-vp", "run"};
  bvp::describe_host(provenance);
  const auto after = bvp::summary_json(result, provenance);
  for (const auto& [key, value] : before.items()) {
    INFO(key);
    CHECK((value == after.at(key)) == (key != "host_run"));
  }
}

TEST_CASE("A run of no time divides by nothing", "[summary]") {
  const auto summary = bvp::summary_json(bvp::RunResult());
  CHECK(summary.at("average_power_w") == 0);
  CHECK_FALSE(bvp::summary_table(bvp::RunResult()).empty());
}

TEST_CASE("The table fits the terminal and tells the result", "[summary]") {
  bvp::RunResult result = sample_result();
  const std::string table = words(bvp::summary_table(result));
  CHECK_THAT(table, Contains("2,000,000 cycles") && Contains("bit-exact with") && Contains("average power 5 W") &&
                        Contains("60.0") && Contains("passed"));
  for (const std::size_t width : {80, 100, 200}) {
    INFO(width);
    CHECK(widest_line(bvp::summary_table(result, {width, false})) <= width);
  }
  CHECK_THAT(table, Contains("(profile silicon, with DRAM)"));
  CHECK(bvp::summary_json(result).at("energy_dram_pj_per_bit").is_null());
  CHECK_THAT(words(bvp::summary_table(result)), Contains("silicon, with DRAM)"));
  result.pricing.dram_pj_per_bit = 8;
  CHECK(bvp::summary_json(result).at("energy_dram_pj_per_bit") == 8);
  CHECK_THAT(words(bvp::summary_table(result)), Contains("silicon, with DRAM at 8 pJ/bit)"));
  result.pricing.dram_pj_per_bit.reset();
  result.pricing.scaled = true;
  result.pricing.technology_nm = 7;
  result.pricing.voltage = 0.65;
  CHECK_THAT(words(bvp::summary_table(result)), Contains("(profile silicon at 7 nm, 0.65 V, with DRAM)"));
  CHECK(bvp::summary_json(result).at("energy_voltage") == 0.65);
  CHECK_THAT(words(bvp::summary_table(result)), !Contains("used: kernels"));
  result.activity.array.rows = 3;
  result.activity.array.columns = 5;
  result.activity.array.used_pes = 8;
  CHECK_THAT(words(bvp::summary_table(result)), Contains("8 of 15 used: kernels take a power of two of rows"));
  result.failure = "the time limit was reached";
  CHECK_THAT(words(bvp::summary_table(result)), Contains("FAILED: the time limit was reached"));
}

TEST_CASE("The table of a large network fits one screen, unless all of it is asked for", "[summary]") {
  bvp::RunResult result = sample_result();
  result.energy.by_component_j = {{"pe", 0.006}, {"dram", 0.004}, {"mesh", 3e-9}, {"cpu", 1e-5}, {"dma", 1e-5}};
  result.layers.clear();
  result.kernels.clear();
  bvp::u64 cycles = 0;
  for (bvp::u64 i = 0; i < 24; ++i) {
    bvp::LayerRow layer;
    layer.index = i;
    layer.mixing = i < 12 ? "fft2d" : "attention";
    layer.cycles = 1000;
    layer.utilisation = {0.1, i == 0 ? 1.0 : 0.4, 0.1, 0.1};
    layer.relative_error = i == 3 ? 5e-2 : 1e-3;
    result.layers.push_back(layer);
    for (const char* name : {"ffn.up", "ffn.down"}) {
      bvp::KernelRow kernel;
      kernel.name = "layers." + std::to_string(i) + "." + name;
      kernel.cycles = 100 + i;
      cycles += kernel.cycles;
      result.kernels.push_back(kernel);
    }
  }
  const std::string table = bvp::summary_table(result);
  CHECK(widest_line(table) <= 80);
  CHECK(std::count(table.begin(), table.end(), '\n') <= 50);
  CHECK_THAT(table, Contains("0-11 fft2d") && Contains("12,000") && Contains("12-23 attention") && Contains("5.0e-02"));
  CHECK_THAT(table, Contains("45.0"));  // (1 + 11 * 0.4) / 12
  CHECK_THAT(table, Contains("*.ffn.up") && Contains("*.ffn.down") && !Contains("1.ffn.up") && Contains("<0.001"));
  CHECK_THAT(table, Contains(" " + bvp::grouped(cycles / 2) + " "));

  // With few layers, each kernel has a row of its own, up to a limit of rows.
  result.layers.resize(8);
  result.kernels.resize(16);
  const std::string few = bvp::summary_table(result);
  CHECK(std::count(few.begin(), few.end(), '\n') <= 50);
  CHECK_THAT(few, Contains("7.ffn.up") && Contains("6 others") && Contains("3.ffn.up") && !Contains("2.ffn.up"));
  CHECK_THAT(few, Contains(" " + bvp::grouped(2 * (100 + 101 + 102)) + " "));
  result.layers.resize(24);
  result.kernels.clear();
  for (bvp::u64 i = 0; i < 24; ++i) {
    bvp::KernelRow kernel;
    kernel.name = "layers." + std::to_string(i) + ".ffn.up";
    result.kernels.push_back(kernel);
  }
  const std::string all = bvp::summary_table(result, {80, true});
  CHECK(widest_line(all) <= 80);
  for (bvp::u64 i = 0; i < 24; ++i) CHECK_THAT(all, Contains("  " + std::to_string(i) + ".ffn.up"));
  CHECK_THAT(all, !Contains("others"));
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

  result.data.tensors["input"] = {{1}, {0}};
  result.data.weights["w"] = {{1}, {0}};
  result.failure = "text that is not UTF-8: \xff";
  bvp::write_run(directory.path() / "a", result, network, {{"run.seed", 1}});
  CHECK(fs::exists(directory.path() / "a/tensors.safetensors"));
  CHECK(fs::exists(directory.path() / "a/weights.safetensors"));
  const std::string first = read(directory.path() / "a/summary.json");
  bvp::write_run(directory.path() / "b", result, network, {{"run.seed", 1}});
  CHECK(read(directory.path() / "b/summary.json") == first);
}

TEST_CASE("summary.json vouches for the files of its directory and for itself", "[summary]") {
  const TemporaryDirectory directory;
  bvp::Network network;
  network.layers.emplace_back();
  bvp::write_run(directory.path(), sample_result(), network, {});
  const fs::path file = directory.path() / "summary.json";
  const auto summary = nlohmann::json::parse(read(file));
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(directory.path())) {
    if (entry.path() == file) continue;
    ++files;
    CHECK(summary.at("files").at(entry.path().filename()) == bvp::sha256_of_file(entry.path()));
  }
  CHECK(files == summary.at("files").size());
  CHECK(files >= 4);
  CHECK(bvp::is_sealed(file, bvp::Sealed::run));
  std::ofstream(file, std::ios::app) << "\n";
  CHECK_FALSE(bvp::is_sealed(file, bvp::Sealed::run));
}

TEST_CASE("Power over time has a bounded number of windows, and keeps its energy and its peak", "[summary]") {
  constexpr std::size_t recorded = 100001;
  bvp::PowerTrace trace;
  trace.components = {"pe"};
  double joules = 0, peak = 0;
  bvp::u64 bytes = 0;
  for (std::size_t i = 0; i < recorded; ++i) {
    bvp::PowerWindow window;
    window.begin_s = static_cast<double>(i) * 1e-5;
    window.end_s = window.begin_s + 1e-5;
    // The peak is in one window alone, which is merged with others.
    window.energy_j = {i == 77777 ? 1e-3 : 1e-6 * static_cast<double>(i % 7)};
    window.dram_read_bytes = i % 5;
    window.utilisation = {0.5, 0.25, 0, 1};
    joules += window.energy_j[0];
    bytes += window.dram_read_bytes;
    peak = std::max(peak, window.power_w());
    trace.add(window);
  }
  CHECK(trace.windows.size() <= bvp::PowerTrace::most_windows);
  CHECK(trace.windows.size() > bvp::PowerTrace::most_windows / 2);
  double joules_after = 0, before_s = 0;
  bvp::u64 bytes_after = 0;
  bool adjoining = true, same_share = true;
  for (const bvp::PowerWindow& window : trace.windows) {
    adjoining = adjoining && std::abs(window.begin_s - before_s) < 1e-9;
    same_share = same_share && std::abs(window.utilisation[1] - 0.25) < 1e-9;
    before_s = window.end_s;
    joules_after += window.total_j();
    bytes_after += window.dram_read_bytes;
  }
  CHECK(adjoining);
  CHECK(same_share);
  CHECK(before_s == Approx(recorded * 1e-5));
  CHECK(joules_after == Approx(joules));
  CHECK(bytes_after == bytes);
  CHECK(trace.peak_w == Approx(peak));
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
