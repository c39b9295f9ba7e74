// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "models/power/technology.h"
#include "platform/baselines/baseline_parameters.h"
#include "platform/baselines/comparison.h"
#include "platform/baselines/machines/fabnet.h"
#include "platform/baselines/machines/published_accelerators.h"
#include "platform/baselines/machines/xavier_nx.h"
#include "platform/baselines/workload.h"

namespace {

using namespace bvp;

Network network_of(u64 tokens, u64 hidden, u64 layers, const EncoderLayer& layer) {
  Network network;
  network.tokens = tokens;
  network.hidden = hidden;
  network.ffn = 4 * hidden;
  network.layers.assign(layers, layer);
  return network;
}

const EncoderLayer dense_layer{Mixing::attention, LinearKind::dense, LinearKind::dense};
const EncoderLayer butterfly_layer{Mixing::fft2d, LinearKind::butterfly, LinearKind::butterfly};
const EncoderLayer butterfly_linear_layer{Mixing::attention, LinearKind::butterfly, LinearKind::butterfly};

struct Parameters : ParameterGroup {
  Parameters() : ParameterGroup("test") {}
  BaselineParameters baselines{this};

  /// @param value  of the parameter `name` of the machine whose group is `machine`
  void set(const std::string& machine, const std::string& name, const ParamValue& value) {
    baselines.find_group(machine)->find_parameter(name)->assign(value);
  }
};

/// The parameters of one machine alone, those of a test.
struct Alone : ParameterGroup {
  Alone() : ParameterGroup("test") {}
};

}  // namespace

TEST_CASE("baselines: FABNet's published latency model", "[baselines]") {
  Alone parent;
  FabnetParameters fabnet(&parent);
  const auto milliseconds = [&](i64 engines, u64 tokens, u64 hidden, u64 layers) {
    fabnet.engines.assign(ParamValue{engines});
    return 1e3 * *fabnet_seconds(fabnet, network_of(tokens, hidden, layers, butterfly_layer), FabnetModel::published);
  };
  // Runs of the original (SamsungLabs/Butterfly_Acc at 1bb951f), three decimals of a millisecond.
  CHECK(milliseconds(128, 512, 768, 12) == Approx(4.4273).epsilon(1e-4));
  CHECK(milliseconds(40, 1024, 1024, 24) == Approx(59.4161).epsilon(1e-4));
  const struct {
    u64 tokens;
    std::array<double, 4> base;  // 40, 64, 120, 128 engines
  } runs[] = {{128, {4.265, 1.952, 1.997, 1.644}},      {256, {7.734, 4.265, 3.198, 2.006}},
              {512, {14.673, 8.891, 5.602, 4.427}},     {1024, {29.708, 18.143, 10.409, 9.270}},
              {2048, {59.778, 36.647, 21.224, 18.956}}, {4096, {118.760, 73.656, 41.653, 38.328}}};
  for (const auto& run : runs) {
    INFO(run.tokens);
    for (std::size_t i = 0; i < 4; ++i) {
      const i64 engines = std::array<i64, 4>{40, 64, 120, 128}[i];
      CHECK(milliseconds(engines, run.tokens, 768, 12) == Approx(run.base[i]).margin(6e-4));
      CHECK(milliseconds(engines, run.tokens, 1024, 24) == Approx(2 * run.base[i]).margin(12e-4));
    }
  }
  // Off-chip bandwidth of DDR3 on the smaller board.
  fabnet.input_bits.assign(ParamValue{i64{64}});
  fabnet.coefficient_bits.assign(ParamValue{i64{64}});
  fabnet.output_bits.assign(ParamValue{i64{128}});
  const std::pair<u64, double> ddr3[] = {{128, 27.09}, {256, 53.76}, {512, 111.55}, {768, 169.34}, {1024, 227.13}};
  for (const auto& [tokens, expected] : ddr3) CHECK(milliseconds(20, tokens, 768, 12) == Approx(expected).margin(6e-3));
}

TEST_CASE("baselines: FABNet's model with its missing pass", "[baselines]") {
  Alone parent;
  FabnetParameters fabnet(&parent);
  const auto cycles = [&](u64 tokens, FabnetModel model) {
    return fabnet_layer_cycles(fabnet, tokens, 1024, 4096, model);
  };
  // One pass and two passes cost the same as published, not when corrected.
  CHECK(cycles(40, FabnetModel::published) < cycles(41, FabnetModel::published));
  fabnet.engines.assign(ParamValue{i64{128}});
  for (const u64 tokens : {128u, 256u, 1024u, 4096u}) {
    CHECK(cycles(tokens, FabnetModel::corrected) > cycles(tokens, FabnetModel::published));
  }
  // Where there are many passes one does not matter.
  CHECK(cycles(1 << 17, FabnetModel::corrected) / cycles(1 << 17, FabnetModel::published) == Approx(1).margin(2e-3));
  CHECK_FALSE(fabnet_seconds(fabnet, network_of(128, 1024, 2, butterfly_linear_layer), FabnetModel::published));
}

TEST_CASE("baselines: operations of a block", "[baselines]") {
  // Tokens, hidden; GFLOP dense; MFLOP of butterfly projections and FFN, and of the 2D-FFT (worked out by hand).
  const struct {
    u64 tokens, hidden;
    double dense, projections, ffn, fft;
  } blocks[] = {{1024, 512, 8.59, 56.6, 125.8, 49.8},
                {512, 1024, 13.96, 62.9, 138.4, 49.8},
                {1024, 1024, 30.07, 125.8, 276.8, 104.9},
                {8192, 1024, 481, 1006.6, 2214.6, 964.7}};
  for (const auto& block : blocks) {
    INFO(block.tokens << " x " << block.hidden);
    const auto flops = [&](const EncoderLayer& layer, const char* part) {
      double sum = 0;
      for (const KernelWork& kernel : network_work(network_of(block.tokens, block.hidden, 1, layer))) {
        if (kernel.name.find(part) != std::string::npos) sum += kernel.flops;
      }
      return sum;
    };
    CHECK(flops(dense_layer, "") / 1e9 == Approx(block.dense).epsilon(2e-3));
    CHECK((flops(butterfly_linear_layer, "query") + flops(butterfly_linear_layer, "output")) / 1e6 ==
          Approx(block.projections).epsilon(2e-3));
    CHECK(flops(butterfly_layer, "ffn") / 1e6 == Approx(block.ffn).epsilon(2e-3));
    CHECK(flops(butterfly_layer, "fft") / 1e6 == Approx(block.fft).epsilon(2e-3));
    CHECK(flops(butterfly_layer, "attention") == 0);
  }
}

TEST_CASE("baselines: work of an embedding and a classifier head", "[baselines]") {
  Network network = network_of(128, 64, 1, butterfly_layer);
  const double encoder_flops = total_flops(network_work(network));
  network.batch = 2;
  network.vocabulary = 1000;
  network.classes = 10;
  network.pooling = Pooling::mean;
  const auto work = network_work(network);
  CHECK(work.front().name == "embedding");
  CHECK(work.front().flops == 0);
  // 256 ids of 4 bytes; 256 rows of 64 values of 2 bytes read and written; 128 positions.
  CHECK(work.front().bytes == 256 * 4 + 2 * 256 * 128 + 128 * 128);
  CHECK(work.end()[-2].name == "pooling");
  CHECK(work.end()[-2].bytes == 256 * 128 + 2 * 128);
  CHECK(work.back().name == "classifier");
  CHECK(work.back().kind == KernelWork::Kind::dense);
  CHECK(work.back().flops == 2 * 2 * 64 * 10);
  CHECK(work.back().bytes == 2 * (2 * (64 + 10) + 64 * 10 + 10));
  CHECK(total_flops(work) == 2 * encoder_flops + 2560);
  CHECK(network_work(dense_counterpart(network)).back().flops == 2560);
  network.pooling = Pooling::first;
  CHECK(network_work(network).end()[-2].name == "norm2");
}

TEST_CASE("baselines: reductions of work that a run has had", "[baselines]") {
  // 64 tokens of 128 values, FFN of 128: one butterfly stack of 128 points twice.
  Network network = network_of(64, 128, 1, butterfly_layer);
  network.ffn = 128;
  const auto of = [&](const WorkForm& form, const std::string& name) {
    for (const KernelWork& kernel : network_work(network, form)) {
      if (kernel.name == name) return kernel;
    }
    return KernelWork{};
  };
  CHECK(of({}, "ffn_up").flops == 3 * 64 * 128 * 7);
  CHECK(of({true, false}, "ffn_up").flops == 2 * 64 * 128 * 7);
  CHECK(of({}, "ffn_up").bytes == 2 * (64 * 256 + 2 * 128 * 7 + 128));
  CHECK(of({true, false}, "ffn_up").bytes == 2 * (64 * 256 + 128 * 7 + 128 + 128));
  CHECK(of({false, true}, "ffn_up").flops == of({}, "ffn_up").flops);
  CHECK(of({}, "fft_hidden").flops == 5 * 64 * 128 * 7);
  CHECK(of({}, "fft_tokens").flops == 5 * 128 * 64 * 6);
  CHECK(of({false, true}, "fft_hidden").flops == 5 * 32 * 128 * 7);
  CHECK(of({false, true}, "fft_tokens").flops == 5 * 64 * 64 * 6 + 2 * 64 * 128);
  CHECK(of({}, "fft_tokens").bytes == 2 * 64 * 3 * 128);
  CHECK(of({true, true}, "fft_tokens").bytes == 2 * 64 * 2 * 128);

  // 512 to 128 values: seven layers of 512 outputs, then 128 of each of two pairs of blocks, then 128.
  network.ffn = 512;
  CHECK(of({true, false}, "ffn_down").flops == 2 * 64 * 512 * 9);
  CHECK(of({true, false, true}, "ffn_down").flops == 2 * 64 * (512 * 7 + 256 + 128));
  CHECK(of({true, false, true}, "ffn_down").bytes == 2 * (64 * 640 + (512 * 7 + 256 + 128) + 128 + 128));
  // 96 of 128 inputs: three blocks of 32 points, two of 64, one of 128.
  Network padded = network_of(64, 96, 1, butterfly_layer);
  padded.ffn = 96;
  for (const KernelWork& kernel : network_work(padded, {true, false, true})) {
    if (kernel.name == "ffn_up") CHECK(kernel.flops == 2 * 64 * (5 * 96 + 2 * 64 + 96));
  }
}

TEST_CASE("baselines: a Xavier NX takes the slower of arithmetic and memory, and a launch", "[baselines]") {
  Alone parent;
  JetsonParameters nx(&parent);
  const auto seconds = [&](const KernelWork& kernel, JetsonExecution execution) {
    return jetson_seconds(nx, {kernel}, execution);
  };
  const KernelWork product{"product", KernelWork::Kind::dense, 6.81e9, 1e3, 0};
  CHECK(seconds(product, JetsonExecution::tensor_cores) == Approx(2.5e-3 + 10e-6));
  CHECK(seconds(product, JetsonExecution::cuda_cores) == Approx(6.81e9 / (1.7e12 * 0.6) + 10e-6));
  const KernelWork copy{"copy", KernelWork::Kind::elementwise, 0, 51.2e6, 0};
  CHECK(seconds(copy, JetsonExecution::tensor_cores) == Approx(1e-3 / 0.75 + 10e-6));
  // 2,048 points are 11 layers: two passes.
  const KernelWork butterfly{"butterfly", KernelWork::Kind::butterfly, 1.7e6, 51.2e6, 2048};
  CHECK(seconds(butterfly, JetsonExecution::cuda_cores) == Approx(2e-3 / 0.2 + 20e-6));
  CHECK(seconds(butterfly, JetsonExecution::cuda_cores_ideal) == Approx(2e-3 / 0.75 + 20e-6));
  nx.power_mode.assign(ParamValue{std::string("10W")});
  CHECK(seconds(product, JetsonExecution::tensor_cores) == Approx(2.5e-3 * 1109 / 803 + 10e-6));
  CHECK(jetson_power(nx) == 10);
  nx.power_mode.assign(ParamValue{std::string("20W")});
  CHECK(seconds(copy, JetsonExecution::tensor_cores) == Approx(51.2e6 / (59.7e9 * 0.75) + 10e-6));
}

TEST_CASE("baselines: BERT-Large on the Xavier NX is near the expected rate", "[baselines]") {
  // MLPerf Inference v1.0: an expected rate of 23 fp16 queries a second, of about 180 tokens.
  Alone parent;
  const JetsonParameters nx(&parent);
  const auto rate = [&](u64 tokens) {
    return 1 /
           jetson_seconds(nx, network_work(network_of(tokens, 1024, 24, dense_layer)), JetsonExecution::tensor_cores);
  };
  CHECK(rate(180) == Approx(23).epsilon(0.02));
  // What the page of the baselines says of the defaults.
  CHECK(rate(180) == Approx(22.66).epsilon(1e-3));
  CHECK(rate(160) == Approx(25.4).margin(0.05));
  CHECK(rate(200) == Approx(20.4).margin(0.05));
}

TEST_CASE("baselines: technology scaling", "[baselines]") {
  // Multiplication energies worked out from the published coefficients.
  CHECK(energy_scale({45, 0.9}, {28, 0.9}) == Approx(0.507).margin(1e-3));
  CHECK(energy_scale({45, 0.9}, {16, 0.8}) == Approx(0.142).margin(1e-3));
  CHECK(energy_scale({45, 0.9}, {12, 0.8}) == Approx(0.105).margin(1e-3));
  CHECK(energy_scale({45, 0.9}, {7, 0.75}) == Approx(0.0665).margin(5e-4));
  CHECK(energy_scale({40, 0.9}, {12, 0.8}) == Approx(0.122).margin(1e-3));
  CHECK(energy_scale({28, 0.9}, {12, 0.8}) == Approx(0.208).margin(1e-3));
  CHECK(energy_scale({12, 0.8}, {12, 0.8}) == 1);
  CHECK_THROWS_AS(energy_scale({5, 0.7}, {12, 0.8}), std::invalid_argument);

  Alone parent;
  Param<std::string> technology(&parent, "technology", "mlx", {"none", "mlx", "stillmaker"}, "", "", Confidence::high);
  const auto reduction = [&](double node_nm) {
    Alone of_accelerator;
    const AcceleratorParameters accelerator(&of_accelerator, "accelerator", "", {1, 1, node_nm, 5, 1});
    return 1 / energy_normalisation(technology, accelerator);
  };
  CHECK(reduction(40) == 5);
  technology.assign(ParamValue{std::string("stillmaker")});
  // To 12 nm at 0.8 V from 40, 22, 55 and 28 nm at 0.9 V.
  CHECK(reduction(40) == Approx(8.2).margin(0.05));
  CHECK(reduction(22) == Approx(2.9).margin(0.05));
  CHECK(reduction(55) == Approx(10.7).margin(0.05));
  CHECK(reduction(28) == Approx(4.8).margin(0.05));
  technology.assign(ParamValue{std::string("none")});
  CHECK(reduction(40) == 1);
}

TEST_CASE("baselines: each file in machines is one of the list, and says what it rests on", "[baselines]") {
  Parameters parameters;
  ComparedRun run;
  run.network = network_of(1024, 512, 1, butterfly_layer);
  run.time_s = 1;
  run.energy_j = 1;
  run.peak_flops_per_s = accelerator_peak_flops;
  const auto own = network_work(run.network), dense = network_work(dense_counterpart(run.network));
  const Comparand with{run, own, dense, parameters.baselines.technology};
#define BVP_ENTRY(name) +1
  constexpr std::size_t files = 0
#include "platform_baselines_machines.list"
      ;
#undef BVP_ENTRY
  CHECK(parameters.baselines.machines.size() == files);
  CHECK(parameters.baselines.groups().size() >= files);
  std::set<std::string> names;
  for (const auto& machine : parameters.baselines.machines) {
    const auto estimates = machine->estimates(with);
    CHECK_FALSE(estimates.empty());
    for (const BaselineEstimate& estimate : estimates) {
      INFO(estimate.name);
      CHECK(names.insert(estimate.name).second);
      CHECK_FALSE(estimate.definition.empty());
      CHECK(estimate.time_s > 0);
      CHECK_FALSE(estimate.time.source.empty());
      CHECK_FALSE(estimate.time.parameters.empty());
      if (!estimate.energy_j) continue;
      CHECK(*estimate.energy_j > 0);
      CHECK_FALSE(estimate.energy.source.empty());
      CHECK_FALSE(estimate.energy.parameters.empty());
    }
  }
}

TEST_CASE("baselines: rows of a comparison", "[baselines]") {
  Parameters parameters;
  ComparedRun run;
  run.name = "run";
  run.network = network_of(1024, 512, 1, butterfly_layer);
  run.time_s = 1e-3;
  run.energy_j = 5e-3;
  run.dram_energy_j = 2e-3;
  run.peak_flops_per_s = 256e9;
  run.energy_technology_nm = 12;
  run.energy_voltage = 0.8;
  const auto rows = compare_with_baselines(parameters.baselines, run);
  const auto find = [&](const std::string& name) {
    return *std::find_if(rows.begin(), rows.end(), [&](const BaselineRow& row) { return row.name == name; });
  };
  // 8.59 GFLOP / 3.0 at 256 GOp/s; 1.06 W, a fifth of it in 12 nm; without DRAM.
  CHECK(find("SpAtten").time_s == Approx(8.59e9 / 3 / 256e9).epsilon(1e-3));
  CHECK(find("SpAtten").speedup == Approx(11.18).epsilon(1e-3));
  CHECK(*find("SpAtten").energy_ratio == Approx(11.18e-3 * 1.06 / 5 / 3e-3).epsilon(1e-3));
  const BaselineRow nx = find("xavier_nx_dense_tensor");
  CHECK(*nx.energy_j == Approx(15 * nx.time_s));
  CHECK(*nx.energy_ratio == Approx(*nx.energy_j / 5e-3));
  CHECK(find("fabnet_published").time_s == Approx(1.122e-3).epsilon(1e-3));
  // 1.1, 1.4 and 3.2 times the speed of SpAtten, as published for this block.
  CHECK(find("published_speed_SpAtten").time_s == find("SpAtten").time_s);
  CHECK(find("SpAtten").time_s / find("published_speed_Sanger").time_s == Approx(1.1));
  CHECK(find("SpAtten").time_s / find("published_speed_DOTA").time_s == Approx(1.4));
  CHECK(find("SpAtten").time_s / find("published_speed_ViTALiTy").time_s == Approx(3.2));
  const auto json = comparison_json(parameters.baselines, run, rows);
  for (const auto& row : json.at("baselines")) {
    INFO(row.dump());
    for (const char* figure : {"time_evidence", "energy_evidence"}) {
      CHECK_FALSE(row.at(figure).at("source").get<std::string>().empty());
      CHECK_FALSE(row.at(figure).at("tag").get<std::string>().empty());
      CHECK(row.at(figure).at("confidence").get<std::string>().size() >= 3);
    }
  }

  SECTION("the published speeds belong to one block") {
    const auto check_absent = [&] {
      for (const BaselineRow& row : compare_with_baselines(parameters.baselines, run)) {
        CHECK(row.name.rfind("published_speed", 0) == std::string::npos);
      }
    };
    run.network.tokens = 512;
    check_absent();
    run.network.batch = 2;
    check_absent();
    run.network = network_of(1024, 512, 1, butterfly_layer);
    run.network.classes = 2;
    check_absent();
  }
  SECTION("energies of accelerators hold at one operating point") {
    run.energy_voltage = 0.6;
    const auto check = [&](bool expected) {
      for (const BaselineRow& row : compare_with_baselines(parameters.baselines, run)) {
        INFO(row.name);
        const bool accelerator = row.name.rfind("xavier_nx", 0) != 0 && row.name.rfind("fabnet", 0) != 0;
        CHECK(row.energy_ratio.has_value() == (expected || !accelerator));
        CHECK(row.energy_j.has_value());
      }
    };
    check(false);
    run.energy_voltage = 0.8;
    run.energy_technology_nm = 28;
    check(false);
    parameters.baselines.technology.assign(ParamValue{std::string("none")});
    check(true);
  }
  SECTION("FABNet's power is that of one build") {
    CHECK(*find("fabnet_published").energy_j == Approx(11.35 * find("fabnet_published").time_s));
    parameters.set("fabnet", "engines", ParamValue{i64{128}});
    for (const BaselineRow& row : compare_with_baselines(parameters.baselines, run)) {
      if (row.name.rfind("fabnet", 0) == 0) CHECK_FALSE(row.energy_j);
    }
    parameters.set("fabnet", "engines", ParamValue{i64{40}});
    parameters.set("fabnet", "clock_hz", ParamValue{4e8});
    for (const BaselineRow& row : compare_with_baselines(parameters.baselines, run)) {
      if (row.name.rfind("fabnet", 0) == 0) CHECK_FALSE(row.energy_j);
    }
  }
  // Machines of another peak are not compared with those of 256 GOp/s.
  run.peak_flops_per_s = 1024e9;
  for (const BaselineRow& row : compare_with_baselines(parameters.baselines, run)) {
    CHECK(row.name.rfind("xavier_nx", 0) == 0);
  }
}

namespace {

/// A run of the published accelerators' block at their peak.
ComparedRun published_block_run() {
  ComparedRun run;
  run.network = network_of(1024, 512, 1, butterfly_layer);
  run.time_s = 1e-3;
  run.energy_j = 5e-3;
  run.peak_flops_per_s = 256e9;
  return run;
}

}  // namespace

TEST_CASE("baselines: evidence is that of the weakest part", "[baselines]") {
  Parameters parameters;
  ComparedRun run = published_block_run();
  const auto find = [&](const std::string& name) {
    const auto rows = compare_with_baselines(parameters.baselines, run);
    return *std::find_if(rows.begin(), rows.end(), [&](const BaselineRow& row) { return row.name == name; });
  };
  const struct {
    const char* name;
    Confidence time, energy;
  } expected[] = {{"xavier_nx_dense_tensor", Confidence::mid, Confidence::mid},
                  {"xavier_nx_dense_cuda", Confidence::low, Confidence::low},     // cuda_efficiency
                  {"xavier_nx_same_tensor", Confidence::low, Confidence::low},    // layers_per_pass
                  {"xavier_nx_same_cuda", Confidence::low, Confidence::low},      // likewise
                  {"fabnet_published", Confidence::high, Confidence::mid},        // power_engines
                  {"SpAtten", Confidence::low, Confidence::low},                  // the model
                  {"published_speed_Sanger", Confidence::low, Confidence::low}};  // likewise
  for (const auto& row : expected) {
    INFO(row.name);
    CHECK(find(row.name).time_evidence.confidence == row.time);
    CHECK(find(row.name).energy_evidence.confidence == row.energy);
  }
  parameters.baselines.technology.assign(ParamValue{std::string("stillmaker")});
  CHECK(find("SpAtten").energy_evidence.confidence == Confidence::low);
  // A network without butterflies takes nothing that is assumed of them.
  run.network = network_of(1024, 512, 1, dense_layer);
  CHECK(find("xavier_nx_same_tensor").time_evidence.confidence == Confidence::mid);
}

TEST_CASE("baselines: evidence names what was set", "[baselines]") {
  Parameters parameters;
  ComparedRun run = published_block_run();
  parameters.set("spatten", "power_w", ParamValue{2.5});
  parameters.set("fabnet", "clock_hz", ParamValue{1e8});
  parameters.set("xavier_nx", "power_mode", ParamValue{std::string("20W")});
  for (const BaselineRow& row : compare_with_baselines(parameters.baselines, run)) {
    INFO(row.name);
    const auto names = [](const Evidence& evidence, const std::string& text) {
      return evidence.source.find(text) != std::string::npos;
    };
    const bool spatten = row.name == "SpAtten" || row.name == "published_speed_SpAtten";
    CHECK(names(row.energy_evidence, "set by the user: baselines.spatten.power_w=2.5") == spatten);
    const bool fabnet = row.name.rfind("fabnet", 0) == 0, nx = row.name.rfind("xavier_nx", 0) == 0;
    CHECK(names(row.time_evidence, "baselines.fabnet.clock_hz=") == fabnet);
    CHECK(names(row.time_evidence, "set by the user: baselines.xavier_nx.power_mode=20W") == nx);
    CHECK(names(row.time_evidence, "set by the user") == (fabnet || nx));
  }
}
