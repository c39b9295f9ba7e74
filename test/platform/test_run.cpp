// SPDX-License-Identifier: Apache-2.0
// Whole runs in one process: firmware, sequencer, DMA and array together.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/base/simulation_context.h"
#include "platform/compiler/planner.h"
#include "platform/network/half.h"
#include "platform/network/safetensors.h"
#include "platform/network/weights.h"
#include "platform/power/soc_estimators.h"
#include "platform/report/statistics_json.h"
#include "platform/report/summary.h"
#include "platform/report/terminal_summary.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/elf_image.h"
#include "platform/run/run.h"
#include "platform/soc/memory_map.h"
#include "platform/soc/soc.h"
#include "platform/support/resources.h"

namespace {

using namespace bvp;

const char* const small = R"(
network:
  tokens: 64
  hidden: 64
  heads: 4
  ffn: 128
  fft_length: power_of_two
  layers:
    - {mixing: fft2d, ffn: butterfly}
    - {mixing: attention, projections: butterfly, ffn: butterfly}
)";

RunResult run(const std::vector<std::string>& settings) {
  ScenarioOptions options;
  for (const std::string& setting : settings) options.overrides.push_back(parse_override(setting));
  const auto scenario = read_scenario_text(small, "small.yaml", options);
  return run_scenario(*scenario, {});
}

RunResult check_run(const std::vector<std::string>& settings) {
  std::string all;
  for (const std::string& setting : settings) all += setting + " ";
  INFO(all);
  RunResult result = run(settings);
  CHECK(result.failure.empty());
  CHECK(result.verification.bit_exact);
  CHECK(result.not_finite.kernels.empty());
  return result;
}

/// A file that goes away with the test.
class TensorFile {
 public:
  explicit TensorFile(const TensorMap& tensors)
      : path_(std::filesystem::temp_directory_path() / ("bvp_run_" + std::to_string(getpid()) + ".safetensors")) {
    write_safetensors(path_, tensors);
  }
  ~TensorFile() { std::filesystem::remove(path_); }
  TensorFile(const TensorFile&) = delete;
  TensorFile& operator=(const TensorFile&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// The scenario's machine with network and firmware loaded.
struct Machine {
  explicit Machine(Soc::Mode mode) : soc("soc", scenario->soc, mode) {
    soc.simulation_control.set_argument(network.descriptor);
    exit = soc.simulation_control.exited.connect([this](int) {
      ended = true;
      sc_core::sc_stop();
    });
    soc.cpu.set_reset_pc(elf.entry);
    soc.set_loader([this] { load(); });
  }
  void load() {
    for (const ElfImage::Part& part : elf.parts) soc.write_memory(part.address, part.bytes.data(), part.bytes.size());
    for (const MemoryBlob& blob : network.blobs) soc.write_memory(blob.address, blob.bytes.data(), blob.bytes.size());
    for (u64 row = 0; row < network.input.rows; ++row) {
      soc.write_memory(network.input.address + row * network.input.pitch,
                       reinterpret_cast<const u8*>(input.data.data() + row * network.input.columns),
                       network.input.columns * 2);
    }
  }

  const std::unique_ptr<Scenario> scenario = read_scenario_text(small, "small.yaml");
  const TensorMap weights = random_weights(scenario->network, 1);
  const Tensor input = random_input(scenario->network, 1);
  const CompiledNetwork network = compile_scenario(*scenario, weights);
  const ElfImage elf = read_elf(find_resource("firmware/network.elf").value(), memory_map::boot_ram_base,
                                static_cast<u64>(scenario->soc.boot_ram.size_bytes.get()));
  const SimulationContext context;
  Soc soc;
  bool ended = false;
  Connection exit;
};

nlohmann::json without_host(nlohmann::json summary) {
  for (auto entry = summary.begin(); entry != summary.end();) {
    entry = entry.key().rfind("host_", 0) == 0 ? summary.erase(entry) : std::next(entry);
  }
  return summary;
}

}  // namespace

TEST_CASE("a run repeats itself exactly", "[run]") {
  CHECK(without_host(summary_json(run({}))) == without_host(summary_json(run({}))));
}

TEST_CASE("networks of odd sizes on odd machines are bit-exact", "[run]") {
  const std::vector<std::vector<std::string>> cases{
      {"network.tokens=33", "network.hidden=100", "network.heads=5", "network.ffn=300", "network.norm=pre"},
      {"network.tokens=7", "network.batch=3", "network.activation=relu", "network.fft_norm=none"},
      {"network.tokens=1", "network.hidden=97", "network.heads=1", "network.ffn=2"},
      {"soc.array.lanes=1", "network.tokens=9"},
      {"soc.array.lanes=8", "soc.array.rows=1", "soc.scratchpad.banks=2"},
      {"soc.array.lanes=64", "soc.array.rows=3", "soc.array.columns=5"},
      {"soc.array.rows=8", "soc.array.columns=8", "network.hidden=256", "network.ffn=64"},
      {"soc.scratchpad.column_access=false", "soc.mesh.skip_links=true", "soc.pe.contexts=1"},
      {"soc.scratchpad.size_bytes=262144", "network.tokens=200"},
      {"soc.scratchpad.size_bytes=67584", "network.tokens=200"}};  // tiles that two halves do not share evenly
  for (const auto& settings : cases) CHECK(check_run(settings).verification.relative_error < 2e-2);
}

TEST_CASE("any number of accumulators does", "[run]") {
  for (const u64 accumulators : {4, 5, 6, 7, 12, 20, 24, 31, 255}) {
    INFO(accumulators << " accumulators");
    check_run({"network.layers=[{mixing: attention, projections: dense, ffn: dense}]",
               "soc.pe.accumulators=" + std::to_string(accumulators)});
  }
}

TEST_CASE("layers that go back to the scratchpad one by one", "[run]") {
  const std::vector<std::vector<std::string>> cases{
      {"network.tokens=8", "network.hidden=8192", "network.ffn=64"},
      {"network.tokens=8", "network.hidden=4096", "network.ffn=64", "soc.array.rows=2", "soc.array.columns=2"},
      {"network.tokens=1000", "network.hidden=8", "soc.array.rows=1", "soc.array.columns=1", "soc.array.lanes=1"}};
  bool launches = false;
  for (std::vector<std::string> settings : cases) {
    settings.insert(settings.end(), {"compiler.layer_overlap=false", "run.fidelity=fast",
                                     "network.layers=[{mixing: fft2d, ffn: butterfly}]"});
    const RunResult result = check_run(settings);
    launches = launches || result.plan.dump().find(" launches") != std::string::npos;
  }
  // Windows that take more loops than a kernel has.
  CHECK(launches);
}

TEST_CASE("closed sets are as large as operand memory and loops allow", "[run]") {
  const std::vector<std::vector<std::string>> cases{
      {"soc.array.rows=2", "soc.array.columns=2", "soc.array.lanes=16", "network.ffn=256"},
      {"soc.array.rows=2", "soc.array.columns=4", "soc.array.lanes=16", "network.ffn=512"},
      {"soc.array.rows=2", "soc.array.columns=4", "soc.array.lanes=16", "network.hidden=512", "network.ffn=2048"},
      {"soc.array.lanes=4", "network.hidden=512", "soc.scratchpad.size_bytes=131072"},
      {"soc.array.rows=8", "soc.array.columns=8", "soc.array.lanes=1", "network.tokens=9", "soc.pe.operand_vectors=32"},
      {"soc.array.rows=1", "soc.array.columns=1", "soc.pe.operand_vectors=2048", "network.tokens=128",
       "network.hidden=256"}};
  for (std::vector<std::string> settings : cases) {
    settings.insert(settings.end(), {"compiler.exchange_by_half=false", "run.fidelity=fast"});
    check_run(settings);
  }
}

TEST_CASE("techniques can be turned off one by one", "[run]") {
  // Two stages of butterflies, several tiles and instances.
  const std::vector<std::string> network{"network.tokens=96", "network.hidden=256", "network.ffn=1024",
                                         "soc.array.lanes=16", "soc.scratchpad.size_bytes=524288"};
  const auto without = [&](const std::string& technique) {
    std::vector<std::string> settings = network;
    if (!technique.empty()) settings.push_back("compiler." + technique + "=false");
    RunResult result = run(settings);
    INFO(technique);
    CHECK(result.failure.empty());
    CHECK(result.verification.bit_exact);
    return result;
  };
  const auto issued = [](const RunResult& result, const char* unit) {
    return result.activity.units.at(unit).at("issue");
  };
  const RunResult all = without("");

  const RunResult no_fusion = without("fusion");
  CHECK(no_fusion.work.dram_read_bytes > all.work.dram_read_bytes);
  CHECK(no_fusion.work.dram_written_bytes > all.work.dram_written_bytes);
  const RunResult no_overlap = without("layer_overlap");
  CHECK(issued(no_overlap, "load") > 2 * issued(all, "load"));
  CHECK(issued(no_overlap, "store") > 2 * issued(all, "store"));
  CHECK(no_overlap.cycles > all.cycles);
  const RunResult no_halves = without("exchange_by_half");
  CHECK(issued(no_halves, "flow") > issued(all, "flow") * 19 / 10);
  CHECK(issued(no_halves, "cal") == issued(all, "cal"));
  const RunResult no_residency = without("weight_residency");
  CHECK(issued(no_residency, "load") > issued(all, "load"));
  const RunResult no_ping_pong = without("ping_pong");
  CHECK(no_ping_pong.cycles > all.cycles);
  CHECK(no_ping_pong.work.dram_written_bytes == all.work.dram_written_bytes);
  const RunResult no_streaming = without("streaming");
  CHECK(no_streaming.cycles > all.cycles);
  CHECK(issued(no_streaming, "cal") == issued(all, "cal"));
}

TEST_CASE("without column access transposes are passes of their own", "[run]") {
  const std::vector<std::string> off{"soc.scratchpad.column_access=false"};
  const auto transposes = [](const RunResult& result) {
    std::vector<std::string> names;
    for (const auto& kernel : result.plan.at("kernels")) {
      const std::string name = kernel.at("name");
      if (name.find(".transpose_") != std::string::npos) names.push_back(name);
    }
    return names;
  };
  SECTION("where a matrix comes from DRAM and goes there") {
    const RunResult with = run({}), without = run(off);
    CHECK(transposes(with).empty());
    // Layer norm, FFN, layer norm and projections follow each other without any.
    CHECK(transposes(without) ==
          std::vector<std::string>{"layers.0.fft_hidden.transpose_input", "layers.0.fft_hidden.transpose_output",
                                   "layers.0.fft_hidden.transpose_output_imaginary", "layers.0.norm1.transpose_input",
                                   "layers.0.norm2.transpose_output", "layers.1.attention.query.transpose_output",
                                   "layers.1.attention.key.transpose_output",
                                   "layers.1.attention.value.transpose_output", "layers.1.attention.transpose_queries",
                                   "layers.1.attention.transpose_values", "layers.1.attention.transpose_output",
                                   "layers.1.attention.output.transpose_input",
                                   "layers.1.attention.output.transpose_residual", "layers.1.norm2.transpose_output"});
    CHECK(without.verification.bit_exact);
    CHECK(without.cycles > with.cycles);
    CHECK(without.energy.total_j > with.energy.total_j);
    CHECK(without.work.flops == with.work.flops);
    CHECK(with.energy.by_action_j.at("pe").at("shuffle_lane") == 0);
    CHECK(without.energy.by_action_j.at("pe").at("shuffle_lane") > 0);
  }
  SECTION("dense layers need none: their weights lie the other way round") {
    const std::string dense = "network.layers=[{mixing: attention, projections: dense, ffn: dense}]";
    for (const char* more : {"network.activation=relu", "network.tokens=5", "network.norm=pre"}) {
      INFO(more);
      const RunResult without = run({dense, more, off.front()});
      CHECK(without.verification.bit_exact);
      for (const std::string& name : transposes(without)) {
        CHECK((name.find("attention.transpose_") != std::string::npos || name.find("norm") != std::string::npos));
      }
    }
  }
  SECTION("on odd machines, in several passes, through DRAM") {
    const std::vector<std::vector<std::string>> cases{
        {"soc.array.lanes=1", "network.tokens=9"},
        {"soc.array.lanes=2", "soc.array.rows=3", "network.tokens=11"},
        {"soc.array.lanes=8", "soc.array.columns=1", "network.tokens=33", "network.hidden=100", "network.heads=5"},
        {"soc.array.lanes=64", "soc.pe.operand_vectors=128", "network.tokens=130", "network.ffn=300"},
        {"soc.scratchpad.size_bytes=65536", "soc.array.lanes=16", "network.tokens=1024"},
        {"soc.scratchpad.size_bytes=131072", "network.tokens=300", "network.hidden=512", "network.heads=8"},
        {"network.ffn=16384", "network.tokens=20", "soc.scratchpad.size_bytes=32768", "soc.array.lanes=16"},
        {"network.layers=[{mixing: fft2d, ffn: dense}]", "network.tokens=45", "network.ffn=1000",
         "soc.scratchpad.size_bytes=65536"},
        {"network.vocabulary=50", "network.classes=3", "network.pooling=mean", "network.tokens=70"}};
    for (std::vector<std::string> settings : cases) {
      std::string all;
      for (const std::string& setting : settings) all += setting + " ";
      INFO(all);
      settings.push_back(off.front());
      const RunResult result = run(settings);
      CHECK(result.failure.empty());
      CHECK(result.verification.bit_exact);
    }
  }
}

TEST_CASE("what exceeds the scratchpad goes through DRAM", "[run]") {
  // Points along and across the rows, with and without stacks, attention in blocks of keys.
  const std::vector<std::vector<std::string>> cases{
      {"network.tokens=1024", "soc.scratchpad.size_bytes=65536", "soc.array.lanes=16"},
      {"network.ffn=4096", "soc.scratchpad.size_bytes=65536", "soc.array.lanes=16", "network.activation=relu"},
      {"network.ffn=16384", "network.tokens=20", "soc.scratchpad.size_bytes=32768", "soc.array.lanes=16"},
      {"network.tokens=300", "network.hidden=512", "network.heads=8", "soc.scratchpad.size_bytes=131072"},
      {"network.tokens=9", "network.hidden=512", "network.ffn=2048", "soc.array.lanes=1",
       "soc.scratchpad.size_bytes=16384"}};
  for (const auto& settings : cases) {
    std::string all;
    for (const std::string& setting : settings) all += setting + " ";
    INFO(all);
    const RunResult result = run(settings);
    CHECK(result.failure.empty());
    CHECK(result.verification.bit_exact);
  }
}

TEST_CASE("hidden sizes whose rows exceed a scratchpad half", "[run]") {
  const std::vector<std::vector<std::string>> cases{
      {"network.hidden=32768", "network.ffn=32768", "network.norm=pre", "network.vocabulary=10"},
      {"network.hidden=65536", "network.ffn=65536", "network.norm=post", "run.fidelity=fast"}};
  for (std::vector<std::string> settings : cases) {
    INFO(settings.front());
    settings.insert(settings.end(), {"network.tokens=3", "network.layers=[{mixing: fft2d, ffn: butterfly}]"});
    const RunResult result = run(settings);
    CHECK(result.failure.empty());
    CHECK(result.verification.bit_exact);
    const auto parts = std::count_if(result.kernels.begin(), result.kernels.end(), [](const KernelRow& row) {
      return row.name.find("norm2.deviation.part") != std::string::npos;
    });
    CHECK(parts > 1);
  }
}

TEST_CASE("every scratchpad that can be configured is enough for every operator", "[run]") {
  // A half of eight tiles, and of two, of one and a half, and of half a one.
  const std::vector<std::vector<std::string>> machines{
      {"soc.array.lanes=32", "soc.scratchpad.size_bytes=32768"},
      {"soc.array.lanes=16", "soc.scratchpad.size_bytes=8192"},
      {"soc.array.lanes=32", "soc.scratchpad.size_bytes=8192"},
      {"soc.array.lanes=64", "soc.scratchpad.size_bytes=24576"},
      {"soc.array.lanes=64", "soc.scratchpad.size_bytes=8192", "soc.scratchpad.column_access=false"}};
  const std::vector<std::vector<std::string>> networks{
      {"network.layers=[{mixing: fft2d, ffn: dense}]", "network.norm=pre", "network.hidden=140", "network.heads=1"},
      {"network.layers=[{mixing: fft2d, ffn: butterfly}]", "network.hidden=300", "network.heads=1",
       "run.fidelity=fast"},
      {"network.layers=[{mixing: attention, projections: butterfly, ffn: dense}]", "network.hidden=160",
       "network.heads=2", "network.batch=2", "network.norm=pre"},
      {"network.layers=[{mixing: attention, projections: dense, ffn: butterfly}]", "network.hidden=264",
       "network.heads=3", "run.fidelity=fast"}};
  for (const auto& machine : machines) {
    for (std::vector<std::string> settings : networks) {
      INFO(machine.front() << " " << settings.front());
      settings.insert(settings.end(), machine.begin(), machine.end());
      settings.insert(settings.end(), {"network.tokens=40", "network.ffn=70", "network.vocabulary=30",
                                       "network.classes=5", "network.pooling=mean"});
      const RunResult result = run(settings);
      CHECK(result.failure.empty());
      CHECK(result.verification.bit_exact);
    }
  }
}

TEST_CASE("butterflies of two points in the smallest scratchpads", "[run]") {
  for (const std::string setting : {"soc.array.lanes=32", "soc.array.lanes=64"}) {
    check_run({setting, "soc.scratchpad.size_bytes=8192", "network.hidden=2", "network.heads=1", "network.ffn=3",
               "network.tokens=2"});
    check_run({setting, "soc.scratchpad.size_bytes=8192", "network.hidden=2", "network.heads=2", "network.ffn=2",
               "network.tokens=1", "network.batch=3", "network.norm=pre"});
  }
}

// A minute or two: scripts/test --nightly
TEST_CASE("a network of more tasks than a tag has bits for", "[run][.nightly]") {
  const RunResult result =
      run({"network.layers=[{mixing: attention, projections: dense, ffn: dense, repeat: 730}]", "network.tokens=8",
           "network.hidden=32", "network.heads=1", "network.ffn=1024", "soc.array.lanes=64",
           "soc.scratchpad.size_bytes=8192", "run.fidelity=fast", "run.data=false", "run.time_limit_s=10"});
  CHECK(result.failure.empty());
  CHECK(result.work.inferences == 1);
  CHECK(result.layers.size() == 730);
  CHECK(result.plan.at("tasks").size() > 65536);
  // Every kernel is known by its own name.
  CHECK(result.kernels.size() == result.plan.at("kernels").size());
}

TEST_CASE("a dense layer with more inputs than fit adds them up in parts", "[run]") {
  const std::vector<std::string> network{"network.layers=[{mixing: fft2d, ffn: dense}]", "network.tokens=45",
                                         "network.ffn=1000"};
  const std::vector<std::vector<std::string>> machines{
      {"soc.scratchpad.size_bytes=65536"},
      {"soc.scratchpad.size_bytes=65536", "network.activation=relu", "network.norm=pre", "run.fidelity=fast"},
      {"soc.scratchpad.size_bytes=32768", "soc.array.lanes=8", "soc.array.rows=2", "soc.pe.contexts=1"}};
  for (std::vector<std::string> settings : machines) {
    INFO(settings.front() << " " << settings.back());
    settings.insert(settings.end(), network.begin(), network.end());
    const RunResult result = run(settings);
    CHECK(result.failure.empty());
    CHECK(result.verification.bit_exact);
    const auto parts = std::count_if(result.kernels.begin(), result.kernels.end(), [](const KernelRow& row) {
      return row.name.find("ffn.down.part") != std::string::npos;
    });
    CHECK(parts > 1);
  }
}

TEST_CASE("rows far from one keep their meaning", "[run]") {
  // Tokens of very different size, and one with a large feature, as trained networks have them.
  Network network = read_scenario_text(small, "small.yaml")->network;
  network.batch = 2;
  Tensor input = random_input(network, 5);
  for (u64 token = 0; token < 128; ++token) {
    for (u64 i = 0; i < 64; ++i) {
      u16& value = input.data[token * 64 + i];
      value = to_half(static_cast<double>(from_half(value)) * (token % 3 == 0 ? 1000.0 : token % 3 == 1 ? 1.0 : 1e-2));
    }
  }
  input.data[3] = to_half(30000.0);
  const TensorFile file({{"input", input}});
  for (const char* fidelity : {"run.fidelity=cycle", "run.fidelity=fast"}) {
    for (const char* machine : {"soc.array.lanes=8", "soc.array.lanes=64", "soc.scratchpad.size_bytes=8192",
                                "soc.scratchpad.column_access=false", "soc.pe.accumulators=4"}) {
      const RunResult result =
          check_run({"network.batch=2", "network.norm=pre", fidelity, machine, "run.input=" + file.path(),
                     "network.layers=[{mixing: attention, projections: dense, ffn: butterfly, repeat: 2}]"});
      CHECK(result.verification.row.error < 1e-2);
      CHECK(result.verification.end_to_end_row.error < 2e-2);
    }
  }
}

TEST_CASE("a transform without a norm leaves layer norms as exact as any other", "[run]") {
  const RunResult result =
      check_run({"network.tokens=256", "network.hidden=256", "network.fft_norm=none", "network.fft_length=exact",
                 "network.layers=[{mixing: fft2d, ffn: dense}]", "run.fidelity=fast"});
  CHECK(result.verification.relative_error < 5e-3);
  CHECK(result.setup.zero_padding.empty());
}

TEST_CASE("an overflow inside of the network fails a run and is named", "[run]") {
  const Network network = read_scenario_text(small, "small.yaml")->network;
  TensorMap weights = random_weights(network, 1);
  // The sixth output of an up projection is too large, and no other.
  weights.at("layers.1.ffn.up.bias").data[5] = to_half(65504.0);
  Tensor& down = weights.at("layers.0.norm2.bias");
  down.data.assign(down.data.size(), to_half(1.0));
  for (u16& word : weights.at("layers.1.norm1.bias").data) word = to_half(0.0);
  for (u16& word : weights.at("layers.1.norm1.weight").data) word = to_half(100.0);
  const TensorFile file(weights);
  for (const char* verified : {"verify.enabled=true", "verify.enabled=false"}) {
    for (const char* fidelity : {"run.fidelity=cycle", "run.fidelity=fast"}) {
      for (const char* machine : {"soc.array.lanes=16", "soc.scratchpad.column_access=false"}) {
        INFO(verified << " " << fidelity << " " << machine);
        const RunResult result = run({verified, fidelity, machine, "run.weights=" + file.path()});
        CHECK_FALSE(result.passed());
        CHECK_THAT(result.failure, Catch::StartsWith("kernel layers.1.ffn.up made an infinity in row ") &&
                                       Catch::Contains(" of 64, column 5 of 128;"));
        REQUIRE_FALSE(result.not_finite.kernels.empty());
        const NotFiniteResults::OfKernel& first = result.not_finite.kernels.front();
        CHECK(first.layer == 1);
        CHECK(first.infinities > 0);
        CHECK(first.nans == 0);
        CHECK(first.infinities <= 64);
      }
    }
  }
}

TEST_CASE("values that nobody reads may be infinite", "[run]") {
  // Of a stack of 128 outputs, 70 are kept: what the others would be is cut off.
  const std::vector<std::string> sizes{"network.ffn=70", "network.layers=[{mixing: attention, ffn: butterfly}]"};
  ScenarioOptions options;
  for (const std::string& setting : sizes) options.overrides.push_back(parse_override(setting));
  TensorMap weights = random_weights(read_scenario_text(small, "small.yaml", options)->network, 1);
  // The last factor joins points 6 .. and 38 ..; its lower outputs of the second stack are 70 and on.
  Tensor& twiddle = weights.at("layers.0.ffn.up.twiddle");
  const u64 factors = 6 * 32 * 4;
  for (u64 pair = 6; pair < 32; ++pair) {
    for (u64 i = 0; i < 4; ++i) twiddle.data[factors + 5 * 32 * 4 + pair * 4 + i] = to_half(65504.0);
  }
  const TensorFile file(weights);
  std::vector<std::string> settings = sizes;
  settings.push_back("run.weights=" + file.path());
  for (const char* fidelity : {"run.fidelity=cycle", "run.fidelity=fast"}) {
    settings.emplace_back(fidelity);
    check_run(settings);
  }
}

TEST_CASE("bytes, energy and cycles are conserved", "[run]") {
  const RunResult result = run({});
  const auto scenario = read_scenario_text(small, "small.yaml");
  CompilerTarget target;
  target.scratchpad_base = memory_map::scratchpad_base;
  target.dram_base = memory_map::dram_base;
  target.dram_bytes = u64{1} << 31;
  const CompiledNetwork network = compile_network(target, scenario->network, random_weights(scenario->network, 1));
  u64 read = 0, written = 0;
  for (const TaskInfo& task : network.tasks) {
    read += task.dram_read_bytes;
    written += task.dram_write_bytes;
  }
  CHECK(result.work.dram_written_bytes == written);
  // The sequencer reads its commands too. The processor has a pointer to the DRAM.
  const auto& sequencer = result.records.statistics.at("sequencer");
  CHECK(result.work.dram_read_bytes == read + sequencer.at("ring_fetch_bytes").get<u64>());

  const auto sum = [](const std::map<std::string, double>& parts) {
    double total = 0;
    for (const auto& [name, joules] : parts) total += joules;
    return total;
  };
  CHECK(sum(result.energy.by_component_j) == Approx(result.energy.total_j).epsilon(1e-9));
  CHECK(sum(result.energy.by_kernel_j) == Approx(result.energy.total_j).epsilon(1e-9));
  CHECK(sum(result.energy.by_layer_j) == Approx(result.energy.total_j).epsilon(1e-9));
  CHECK(sum(result.energy.by_power_state_j) == Approx(result.energy.total_j).epsilon(1e-9));
  for (const auto& [component, parts] : result.energy.by_action_j) {
    INFO(component);
    CHECK(sum(parts) == Approx(result.energy.by_component_j.at(component)).epsilon(1e-9));
  }
  CHECK(result.energy.by_action_j.size() == result.energy.by_component_j.size());
  for (const char* part : {"activate", "read_64b", "write_64b", "refresh", "standby"}) {
    CHECK(result.energy.by_action_j.at("dram").at(part) > 0);
  }
  for (const auto& [unit, reasons] : result.activity.units) {
    u64 cycles = 0;
    for (const auto& [reason, count] : reasons) cycles += count;
    INFO(unit);
    CHECK(cycles == result.cycles * 16);
  }
}

TEST_CASE("a machine that nobody measures takes the same time", "[run]") {
  for (const bool fast : {false, true}) {
    Machine machine({fast, true, false});
    sc_core::sc_start();
    Soc& soc = machine.soc;
    const RunResult measured = run({fast ? "run.fidelity=fast" : "run.fidelity=cycle"});
    CHECK(soc.clock().now() == measured.cycles);
    soc.settle_statistics();
    CHECK_THROWS_WITH(attach_estimators(soc), Catch::Contains("monitors"));
    nlohmann::json models = measured.records.statistics;
    CHECK(models.erase("monitors") == 1);
    CHECK(statistics_json(soc.statistics()) == models);
  }
}

TEST_CASE("loosely timed PEs run ahead, but not beyond the time that the machine is advanced to", "[run]") {
  for (const bool bounded : {false, true}) {
    Machine machine({true, false, false});
    const sc_core::sc_time slice(100, sc_core::SC_NS);
    bool ahead = false;
    while (!machine.ended) {
      if (bounded) {
        machine.soc.advance(slice);
      } else {
        sc_core::sc_start(slice);
      }
      ahead = ahead || machine.soc.lockstep->local_time() > sc_core::sc_time_stamp();
    }
    CHECK(ahead != bounded);
  }
}

TEST_CASE("every cycle of every PE is active, idle or gated", "[run]") {
  const auto cycles = [](const RunResult& result, const char* name) {
    u64 sum = 0;
    for (const auto& [block, counters] : result.records.statistics.items()) {
      if (block.rfind("pe", 0) == 0) sum += counters.at(name).get<u64>();
    }
    return sum;
  };
  for (const std::string fidelity : {"cycle", "fast"}) {
    INFO(fidelity);
    // 15 PEs, 8 of which the kernels use.
    const std::vector<std::string> settings{"soc.array.rows=3", "soc.array.columns=5", "run.fidelity=" + fidelity};
    const RunResult clocked = run(settings);
    CHECK(cycles(clocked, "gated_cycle") == 0);
    CHECK(cycles(clocked, "active_cycle") + cycles(clocked, "idle_cycle") == 15 * clocked.cycles);
    CHECK(cycles(clocked, "active_cycle") >
          8 * clocked.activity.kernel_cycles / 2);  // PEs get launches one after the other
    CHECK(cycles(clocked, "active_cycle") <= 8 * clocked.cycles);
    std::vector<std::string> with_gating = settings;
    with_gating.emplace_back("soc.pe.clock_gating=true");
    const RunResult gated = run(with_gating);
    CHECK(gated.cycles == clocked.cycles);
    CHECK(cycles(gated, "idle_cycle") == 0);
    CHECK(cycles(gated, "gated_cycle") == cycles(clocked, "idle_cycle"));
    CHECK(gated.energy.total_j < clocked.energy.total_j);
  }
}

TEST_CASE("voltage and technology are a configuration", "[run]") {
  const double here = run({}).energy.total_j;
  CHECK(run({"energy.voltage=0.6"}).energy.total_j < here);
  CHECK(run({"energy.technology_nm=28"}).energy.total_j > here);
  CHECK(run({"energy.voltage=0.8", "energy.technology_nm=12"}).energy.total_j == here);
  CHECK_THROWS_AS(run({"energy.voltage=0.1"}), InputError);
  CHECK_THROWS_WITH(run({"energy.technology_nm=65", "energy.voltage=0.4"}), Catch::Matchers::Contains("from 0.586 V"));
  const RunResult scaled = run({"energy.voltage=0.6"});
  CHECK(scaled.pricing.scaled);
  CHECK(scaled.pricing.voltage == 0.6);
  CHECK(scaled.pricing.technology_nm == 12);
  CHECK_FALSE(run({"energy.voltage=0.8"}).pricing.scaled);
  CHECK_THROWS_AS(run({"energy.technology_nm=3"}), InputError);
}

TEST_CASE("what does not fit is refused before the simulation", "[run]") {
  for (const std::string setting : {"soc.pe.operand_vectors=16", "soc.dram.size_bytes=65536"}) {
    INFO(setting);
    CHECK_THROWS_AS(run({setting}), InputError);
  }
}

TEST_CASE("a run that does not end is ended", "[run]") {
  const RunResult result = run({"run.time_limit_s=1e-5"});
  CHECK(result.failure.find("time limit") != std::string::npos);
}

TEST_CASE("token ids go in and logits come out, bit-exact", "[run][classifier]") {
  const std::vector<std::vector<std::string>> cases{
      {"network.pooling=first"},
      {"network.pooling=mean"},
      {"network.pooling=mean", "network.tokens=1"},
      {"network.pooling=mean", "network.tokens=129", "network.batch=3", "network.norm=pre"},
      {"network.pooling=first", "network.tokens=70", "network.batch=5", "network.hidden=100", "network.heads=5"},
      {"network.pooling=mean", "network.tokens=200", "network.hidden=37", "network.heads=1", "network.classes=1"},
      {"network.classes=1000", "network.vocabulary=50000", "network.hidden=33", "network.heads=1"},
      {"network.classes=77", "network.vocabulary=1", "soc.array.lanes=1", "network.tokens=67", "network.pooling=mean"},
      {"network.pooling=mean", "soc.array.lanes=64", "soc.array.rows=3", "network.tokens=150", "network.batch=2"},
      {"network.pooling=mean", "soc.dma.channels=1", "compiler.ping_pong=false", "network.tokens=300"},
      {"network.pooling=mean", "soc.array.lanes=8", "soc.scratchpad.size_bytes=65536", "network.tokens=1000",
       "network.layers=[{mixing: fft2d}]", "compiler.weight_residency=false", "compiler.streaming=false"},
      {"network.pooling=mean", "soc.scratchpad.size_bytes=8192", "network.tokens=2100", "network.hidden=16",
       "network.layers=[{mixing: fft2d}]"},
      {"network.pooling=mean", "soc.array.lanes=64", "soc.scratchpad.size_bytes=8192", "network.tokens=70",
       "network.batch=2", "network.hidden=140", "network.layers=[{mixing: fft2d}]"},
      {"network.vocabulary=0", "network.pooling=mean", "network.tokens=65"},
      {"network.classes=0", "network.tokens=65"}};
  for (const auto& settings : cases) {
    std::vector<std::string> all{"network.vocabulary=300", "network.classes=3"};
    std::string shown;
    for (const std::string& setting : settings) {
      all.push_back(setting);
      shown += setting + " ";
    }
    INFO(shown);
    const RunResult result = run(all);
    CHECK(result.failure == "");
    CHECK(result.verification.bit_exact);
    CHECK(result.verification.relative_error < 2e-2);
  }
}

TEST_CASE("imported networks have ends of their own, bit-exact", "[run][classifier]") {
  const std::string ends = "network.embedding_norm=true", projection = "network.embedding_projection=true",
                    pooler = "network.pooler=true", mask = "network.padding_mask=true";
  const std::string attention = "network.layers=[{mixing: attention, projections: dense, ffn: dense, repeat: 2}]";
  const std::vector<std::vector<std::string>> cases{
      {ends, pooler, mask, attention, "network.batch=3"},
      {ends, projection, pooler, "network.pooling=mean", "network.activation=gelu_tanh"},
      {projection, mask, attention, "network.activation=gelu_tanh", "network.tokens=45", "soc.array.lanes=8"},
      {ends, mask, "network.activation=tanh", "network.norm=pre", "network.final_norm=absent", "network.batch=2"},
      {"network.final_norm=present", "network.activation=gelu_tanh", "compiler.butterflies=pairs"},
      // Patches, in batches, as one product and in parts.
      {"network.vocabulary=0", "network.patch_values=48", "network.norm=pre", "network.batch=3", attention},
      {"network.vocabulary=0", "network.patch_values=700", ends, "soc.scratchpad.size_bytes=16384"},
      // Keys in blocks, scores through DRAM, and scratchpads without column access.
      {mask, attention, "network.tokens=700", "network.batch=2", "soc.scratchpad.size_bytes=65536"},
      {mask, attention, "network.tokens=300", "soc.scratchpad.size_bytes=8192", "network.hidden=64"},
      {mask, ends, pooler, attention, "network.tokens=70", "network.batch=2", "soc.scratchpad.column_access=false"}};
  for (const auto& settings : cases) {
    std::vector<std::string> all{"network.vocabulary=300", "network.classes=3"};
    all.insert(all.end(), settings.begin(), settings.end());
    std::string shown;
    for (const std::string& setting : settings) shown += setting + " ";
    INFO(shown);
    const RunResult result = run(all);
    CHECK(result.failure == "");
    CHECK(result.verification.bit_exact);
    CHECK(result.verification.relative_error < 2e-2);
  }
}

TEST_CASE("what lies outside of the layers has its own share of the energy", "[run][classifier]") {
  const RunResult result = run({"network.vocabulary=300", "network.classes=3", "network.pooling=mean"});
  CHECK(result.layers.size() == 2);
  double sum = 0;
  for (const auto& [layer, joules] : result.energy.by_layer_j) sum += joules;
  CHECK(sum == Approx(result.energy.total_j));
  REQUIRE(result.outside_of_layers);
  CHECK(result.energy.by_layer_j.at("(outside of the layers)") == result.outside_of_layers->energy_j);
  double seconds = result.outside_of_layers->time_s, joules = result.outside_of_layers->energy_j;
  u64 dram_bytes = result.outside_of_layers->dram_read_bytes + result.outside_of_layers->dram_written_bytes;
  for (const LayerRow& row : result.layers) {
    seconds += row.time_s;
    joules += row.energy_j;
    dram_bytes += row.dram_read_bytes + row.dram_written_bytes;
  }
  CHECK(seconds == Approx(result.time_s).epsilon(1e-9));
  CHECK(joules == Approx(result.energy.total_j).epsilon(1e-9));
  CHECK(dram_bytes == result.work.dram_read_bytes + result.work.dram_written_bytes);
  CHECK(result.work.inferences == 1);
  CHECK_THAT(summary_table(result), Catch::Matchers::Contains("  outside of them  "));
  for (const char* kernel : {"embedding", "classifier.sums", "classifier.mean", "classifier"}) {
    INFO(kernel);
    CHECK(result.energy.by_kernel_j.at(kernel) > 0);
  }
}

TEST_CASE("a text classifier takes the same time without data", "[run][classifier]") {
  for (const char* fidelity : {"cycle", "fast"}) {
    const std::vector<std::string> settings{"network.vocabulary=300", "network.classes=3", "network.pooling=mean",
                                            "network.tokens=100", std::string("run.fidelity=") + fidelity};
    std::vector<std::string> bare = settings;
    bare.push_back("run.data=false");
    const RunResult with = run(settings), without = run(bare);
    CHECK(with.failure == "");
    CHECK(with.cycles == without.cycles);
    CHECK(with.energy.total_j == without.energy.total_j);
  }
}

TEST_CASE("the machine reads the token ids from memory", "[run][classifier]") {
  ScenarioOptions options;
  options.overrides = {parse_override("network.vocabulary=300"), parse_override("network.classes=3")};
  const auto scenario = read_scenario_text(small, "small.yaml", options);
  RunRequest request;
  request.keep_tensors = true;
  const RunResult a = run_scenario(*scenario, request);
  CHECK(a.data.tokens == random_tokens(scenario->network, 1));
  CHECK(a.data.tensors.count("logits") == 1);
  CHECK(a.data.weights.at("embedding.token").shape == std::vector<u64>{300, 64});

  const Tensor& table = a.data.weights.at("embedding.token");
  const Tensor& position = a.data.weights.at("embedding.position");
  const Tensor& input = a.data.tensors.at("input");
  for (u64 t = 0; t < 64; ++t) {
    const float sum = from_half(table.data[a.data.tokens[t] * 64 + 5]) + from_half(position.data[t * 64 + 5]);
    CHECK(input.data[t * 64 + 5] == to_half(static_cast<double>(sum)));
  }
}
