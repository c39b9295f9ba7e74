// SPDX-License-Identifier: Apache-2.0
// Reading scenarios: values, presets, overrides, and every kind of mistake.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <functional>

#include "platform/scenario/scenario.h"
#include "platform/scenario/scenario_schema.h"
#include "platform/support/nearest.h"

namespace {

namespace fs = std::filesystem;
using bvp::Override;
using bvp::ScenarioOptions;
using Catch::Matchers::Contains;

const std::string network_text = R"(
network:
  tokens: 128
  hidden: 64
  heads: 4
  ffn: 256
  layers:
    - {mixing: fft2d}
    - {mixing: attention, projections: dense, ffn: dense, repeat: 2}
)";

std::unique_ptr<bvp::Scenario> read(const std::string& text, const std::vector<std::string>& sets = {}) {
  ScenarioOptions options;
  for (const std::string& set : sets) options.overrides.push_back(bvp::parse_override(set));
  return bvp::read_scenario_text(text, "demo.yaml", options);
}

std::string refusal(const std::string& text, const std::vector<std::string>& sets = {}) {
  try {
    read(text, sets);
  } catch (const bvp::InputError& error) {
    return error.what();
  }
  return "(accepted)";
}

/// A directory that goes away with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(fs::temp_directory_path() / ("bvp_scenario_" + std::to_string(getpid()))) {
    fs::create_directories(path_);
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  fs::path write(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("A scenario's values arrive in the network and in the parameters", "[scenario]") {
  const auto scenario = read("name: demo\nsoc: {array: {lanes: 8, clock_hz: 5e8}}\nrun: {seed: 7}\n" + network_text);
  CHECK(scenario->name.get() == "demo");
  CHECK(scenario->soc.array.lanes == 8);
  CHECK(scenario->soc.array.clock_hz == 5e8);
  CHECK(scenario->run.seed == 7);
  CHECK(scenario->verify.tolerance == 2e-2);
  const bvp::Network& network = scenario->network;
  CHECK(network.tokens == 128);
  CHECK(network.batch == 1);
  REQUIRE(network.layers.size() == 3);
  CHECK(network.layers[0].mixing == bvp::Mixing::fft2d);
  CHECK(network.layers[0].ffn == bvp::LinearKind::butterfly);
  CHECK(network.layers[2].mixing == bvp::Mixing::attention);
  CHECK(network.layers[2].projections == bvp::LinearKind::dense);
}

TEST_CASE("A scenario without a name is called like its file", "[scenario]") {
  CHECK(read(network_text)->name.get() == "demo");
}

TEST_CASE("Overrides win over the file", "[scenario]") {
  const auto scenario = read(network_text, {"network.tokens=196", "network.layers.0.mixing=attention",
                                            "soc.array.lanes=0x10", "soc={array: {rows: 2}}", "run.time_limit_s=1e-3"});
  CHECK(scenario->network.tokens == 196);
  CHECK(scenario->network.layers[0].mixing == bvp::Mixing::attention);
  CHECK(scenario->soc.array.lanes == 16);
  CHECK(scenario->soc.array.rows == 2);
  CHECK(scenario->run.time_limit_s == 1e-3);
  CHECK(read(network_text, {"network.layers=[{mixing: fft2d, repeat: 5}]"})->network.layers.size() == 5);
}

TEST_CASE("Presets come before the scenario's own values", "[scenario]") {
  const TemporaryDirectory directory;
  directory.write("soc/small.yaml", "array: {lanes: 8, rows: 2}\n");
  directory.write("soc/smaller.yaml", "preset: small\narray: {rows: 1}\n");
  directory.write("soc/loop.yaml", "preset: loop\n");
  directory.write("soc/broken.yaml", "array: {lanes: 7}\n");
  directory.write("networks/tiny.yaml", "tokens: 16\nhidden: 8\nffn: 16\nlayers: [{mixing: fft2d}]\n");
  const std::string text = "soc: {array: {columns: 2}, preset: small}\nnetwork: {preset: tiny, tokens: 32}\n";
  const fs::path file = directory.write("scenario.yaml", text);

  SECTION("from the file") {
    const auto scenario = bvp::read_scenario(file);
    CHECK(scenario->soc.array.lanes == 8);
    CHECK(scenario->soc.array.rows == 2);
    CHECK(scenario->soc.array.columns == 2);
    CHECK(scenario->network.tokens == 32);
    CHECK(scenario->network.hidden == 8);
  }
  SECTION("from the command line, which keeps the file's overrides") {
    const auto scenario = bvp::read_scenario(file, {{bvp::parse_override("soc.preset=smaller")}, {}});
    CHECK(scenario->soc.array.lanes == 8);
    CHECK(scenario->soc.array.rows == 1);
    CHECK(scenario->soc.array.columns == 2);
  }
  SECTION("wrong ones are refused") {
    const auto message = [&](const std::string& name) -> std::string {
      try {
        bvp::read_scenario(file, {{bvp::parse_override("soc.preset=" + name)}, {}});
      } catch (const bvp::InputError& error) {
        return error.what();
      }
      return "(accepted)";
    };
    CHECK_THAT(message("smal"), Contains("did you mean 'small'?"));
    CHECK_THAT(message("loop"), Contains("presets refer to presets more than"));
    CHECK_THAT(message("broken"), Contains("broken.yaml:1:16: soc.array.lanes: found '7', expected a power of two"));
    CHECK_THAT(message("../scenario"), Contains("there is no preset"));
    const std::string right = "; expected the path of a .yaml file, or one of: ";
    CHECK_THAT(message("absent.yaml"),
               Contains("--set soc.preset=absent.yaml: there is no file 'absent.yaml'" + right) && Contains("small"));
    fs::create_directory(file.parent_path() / "folder.yaml");
    const std::string folder = (file.parent_path() / "folder.yaml").string();
    CHECK_THAT(message(folder), Contains("' is a directory" + right));
  }
}

TEST_CASE("Every mistake of a file is reported, with place, key, finding and expectation", "[scenario]") {
  const std::string message = refusal(
      "soc:\n  array:\n    lanez: 8\n    rows: zero\n    columns: 0\n    lanes: 12\n"
      "network:\n  tokens: '128'\n  hiden: 64\n  ffn: [1]\n  heads: 2.5\n  layers:\n    - {mixing: fft}\n    - 3\n"
      "run: {data: yes}\nverfy: {}\n");
  CHECK_THAT(message, Contains("demo.yaml:3:5: soc.array.lanez: unknown key, did you mean 'soc.array.lanes'?"));
  CHECK_THAT(message, Contains("demo.yaml:4:11: soc.array.rows: found 'zero', expected an integer from 1 to 16"));
  CHECK_THAT(message, Contains("demo.yaml:5:14: soc.array.columns: found '0', expected an integer from 1 to 16"));
  CHECK_THAT(message, Contains("demo.yaml:6:12: soc.array.lanes: found '12', expected a power of two from 1 to 64"));
  CHECK_THAT(message, Contains("demo.yaml:8:11: network.tokens: found '128' (quoted, so text), expected an integer"));
  CHECK_THAT(message, Contains("demo.yaml:9:3: network.hiden: unknown key, did you mean 'network.hidden'?"));
  CHECK_THAT(message, Contains("demo.yaml:10:8: network.ffn: found a list, expected an integer"));
  CHECK_THAT(message, Contains("network.heads: found '2.5', expected an integer"));
  CHECK_THAT(message, Contains("network.layers.0.mixing: found 'fft', expected one of: attention, fft2d, window, "
                               "blocks, topk; did you mean"));
  CHECK_THAT(message, Contains("demo.yaml:14:7: network.layers.1: found '3', expected a map"));
  CHECK_THAT(message, Contains("demo.yaml:15:13: run.data: found 'yes', expected true or false"));
  CHECK_THAT(message, Contains("demo.yaml:16:1: verfy: unknown key, did you mean 'verify'?"));
  CHECK_THAT(message, Contains("demo.yaml: network.hidden: is missing, expected an integer"));
  CHECK(std::count(message.begin(), message.end(), '\n') == 12);
}

TEST_CASE("A key in the wrong place is found where it belongs", "[scenario]") {
  CHECK_THAT(refusal("lanes: 8\n" + network_text), Contains("did you mean 'soc.array.lanes'?"));
}

TEST_CASE("Duplicate keys and missing ones are refused", "[scenario]") {
  CHECK_THAT(refusal("name: a\nname: b\n" + network_text), Contains("demo.yaml:2:1: name: the key appears twice"));
  CHECK_THAT(refusal("name: a\n"), Contains("network.tokens: is missing, expected an integer"));
  CHECK_THAT(refusal("name: a\n"), Contains("network.layers: is missing or empty"));
  const std::string rest = "hidden: 64, heads: 5, ffn: 64, layers: [{mixing: fft2d}]}\n";
  for (const char* wrong : {"tokns: 64", "<<: {tokens: 64}"}) {
    CHECK_THAT(refusal("network: {" + std::string(wrong) + ", " + rest),
               Contains("unknown key") && Contains("demo.yaml: network.tokens: is missing, expected an integer"));
  }
  CHECK_THAT(refusal("network: {tokens: x, " + rest), !Contains("is missing"));
  CHECK_THAT(refusal("network: 3\n"), !Contains("is missing"));
  CHECK_THAT(refusal("network: {preset: absent, heads: 5}\n"), !Contains("is missing") && !Contains("heads do not"));
  CHECK_THAT(refusal("network: {tokens: 64, hidden: 64, ffn: 64, variant: hybrid, dept: 2, attention_layers: 1}\n"),
             Contains("network.depth: is missing") && !Contains("attention_layers: found"));
  CHECK_THAT(refusal(network_text, {"network.layers=[]"}), Contains("network.layers=[]: is missing or empty"));
}

TEST_CASE("Impossible combinations are refused where they were written", "[scenario]") {
  CHECK_THAT(refusal(network_text, {"network.heads=5"}),
             Contains("--set network.heads=5: 5 heads do not divide hidden = 64"));
  CHECK(refusal(network_text, {"network.heads=5", "network.layers=[{mixing: fft2d}]"}) == "(accepted)");
  // What the command line gives is named, whichever key of several the message is about.
  CHECK_THAT(refusal(network_text, {"network.hidden=66"}),
             Contains("--set network.hidden=66: network.heads: 4 heads do not divide hidden = 66"));
  CHECK_THAT(refusal("record: {tensors: true}\n" + network_text, {"run.data=false"}),
             Contains("--set run.data=false: record.tensors: there are no tensors"));
  CHECK_THAT(refusal(network_text, {"compiler.stage_points=3"}),
             Contains("--set compiler.stage_points=3: found 3, expected 0 or a power of two"));
  CHECK(refusal(network_text, {"network.tokens=131072"}) == "(accepted)");
  for (const char* length : {"exact", "power_of_two"}) {
    CHECK(refusal(network_text, {"network.tokens=100", std::string("network.fft_length=") + length}) == "(accepted)");
  }
  CHECK_THAT(refusal(network_text, {"run.data=false", "record.tensors=true"}), Contains("no tensors to record"));
  CHECK_THAT(refusal(network_text, {"run.weights=/no/such/file"}), Contains("there is no file '/no/such/file'"));
  for (const char* key : {"run.weights", "run.input", "run.firmware"}) {
    CHECK_THAT(refusal(network_text, {key + std::string("=/tmp")}), Contains("=/tmp: '/tmp' is a directory"));
  }
  CHECK_THAT(refusal(network_text, {"network.hidden=65536", "network.ffn=262144"}), Contains("the DRAM's address"));
  CHECK_THAT(refusal(network_text, {"name=../x"}), Contains("without '/'"));
}

TEST_CASE("Mistakes of all kinds are told at once", "[scenario]") {
  const std::string text =
      "soc:\n  array:\n    lanez: 8\nnetwork:\n  hidden: 64\n  heads: 4\n  ffn: 128\n  tokens: '128'\n"
      "  layers: [{mixing: attention}]\n";
  const std::string all = refusal(text, {"network.heads=5", "soc.array.rows=0", "name=../x"});
  CHECK_THAT(all, Contains("demo.yaml:3:5: soc.array.lanez: unknown key"));
  CHECK_THAT(all, Contains("demo.yaml:8:11: network.tokens: found '128' (quoted, so text)"));
  CHECK_THAT(all, Contains("--set network.heads=5: 5 heads do not divide hidden = 64"));
  CHECK_THAT(all, Contains("--set soc.array.rows=0: found '0'"));
  CHECK_THAT(all, Contains("without '/'"));
  CHECK(std::count(all.begin(), all.end(), '\n') == 4);
  // A consequence of a mistake is not reported as a second mistake.
  CHECK_THAT(refusal(text, {"network.hidden=x", "network.heads=5"}), !Contains("heads do not divide"));
}

TEST_CASE("attention_layers is for hybrid networks", "[scenario]") {
  const std::string sizes = "tokens: 8, hidden: 8, ffn: 8, depth: 3";
  const std::string given = "network: {" + sizes + ", attention_layers: 1, variant: ";
  const auto wrong = Contains("found 1, which has no effect on the variant");
  CHECK_THAT(refusal(given + "dense}\n"), wrong && Contains("'dense'") && Contains("demo.yaml:1:"));
  CHECK_THAT(refusal("network: {" + sizes + ", variant: butterfly}\n", {"network.attention_layers=1"}), wrong);
  CHECK_THAT(refusal(network_text, {"network.attention_layers=1"}), wrong && Contains("'custom'"));
  CHECK(refusal(given + "hybrid}\n") == "(accepted)");
  // A sweep over variants, of a file that describes a hybrid network.
  CHECK(refusal(given + "hybrid}\n", {"network.variant=dense"}) == "(accepted)");
  CHECK(read("network: {" + sizes + ", variant: dense}\n", {"network.attention_layers=1", "network.variant=hybrid"})
            ->network.layers.size() == 3);

  const TemporaryDirectory directory;
  directory.write("networks/deep.yaml", "tokens: 8\nhidden: 8\nffn: 8\ndepth: 12\nattention_layers: 2\n");
  const auto file = directory.write("scenario.yaml", "network: {preset: deep, variant: butterfly}\n");
  CHECK(bvp::read_scenario(file)->network.layers.size() == 12);
}

TEST_CASE("The number of layers is said once", "[scenario]") {
  const auto beside = [](int depth) {
    return "network.depth: found " + std::to_string(depth) + " beside network.layers (";
  };
  CHECK_THAT(refusal(network_text + "  depth: 3\n"),
             Contains(beside(3)) && Contains("demo.yaml:10:") && Contains("expected only one of the two"));
  CHECK_THAT(refusal("network: {depth: 3, tokens: 8, hidden: 8, ffn: 8, layers: [{}]}\n"), Contains(beside(3)));
  CHECK_THAT(refusal(network_text, {"network.depth=2"}),
             Contains("--set network.depth=2: found 2 beside network.layers (demo.yaml:"));
  const std::string no_layers = "network: {tokens: 8, hidden: 8, ffn: 8}\n";
  CHECK_THAT(refusal(no_layers, {"network.layers=[{}]", "network.depth=2"}), Contains("found 2 beside network.layers"));
  CHECK_THAT(refusal(no_layers, {"network.depth=2", "network.layers=[{}]"}), Contains("found 2 beside network.layers"));
  CHECK(read(no_layers, {"network.depth=2", "network.variant=dense"})->network.layers.size() == 2);

  SECTION("but layers replace the depth of a preset, or of a file") {
    const TemporaryDirectory directory;
    directory.write("networks/deep.yaml", "tokens: 8\nhidden: 8\nffn: 8\ndepth: 12\n");
    const auto of_preset = [&](const std::string& rest) {
      return directory.write("demo.yaml", "network: {preset: deep" + rest + "}\n");
    };
    CHECK(bvp::read_scenario(of_preset(", layers: [{repeat: 3}]"))->network.layers.size() == 3);
    CHECK(read("network: {tokens: 8, hidden: 8, ffn: 8, depth: 4}\n", {"network.layers=[{}]"})->network.layers.size() ==
          1);
    CHECK_THROWS_WITH(bvp::read_scenario(of_preset(", depth: 4, layers: [{repeat: 3}]")), Contains(beside(4)));
  }
}

TEST_CASE("Wrong overrides are refused", "[scenario]") {
  CHECK_THROWS_AS(bvp::parse_override("soc.array.lanes"), bvp::InputError);
  CHECK_THROWS_AS(bvp::parse_override("=3"), bvp::InputError);
  CHECK_THAT(refusal(network_text, {"soc.array.lanse=3"}), Contains("did you mean 'soc.array.lanes'?"));
  CHECK_THAT(refusal(network_text, {"soc.array.lanes.x=3"}), Contains("is a value and has no keys below it"));
  CHECK_THAT(refusal(network_text, {"network.layers.3.mixing=fft2d"}), Contains("there is no layer '3'"));
  CHECK_THAT(refusal(network_text, {"network.layers.x=1"}), Contains("there is no layer 'x'"));
  CHECK_THAT(refusal(network_text, {"network.layers.0.repeat=2"}), Contains("repeat"));
  CHECK_THAT(refusal(network_text, {"soc=3"}), Contains("expected a map"));
  CHECK_THAT(refusal(network_text, {"soc={"}), Contains("not YAML"));
  CHECK_THAT(refusal(network_text, {"run.seed=99999999999999999999"}), Contains("expected an integer"));
  // 2^53 + 1 is 2^53 as a double, which would be in the range.
  CHECK(read(network_text, {"run.seed=9007199254740992"})->run.seed == 9007199254740992);
  CHECK_THAT(refusal(network_text, {"run.seed=9007199254740993"}),
             Contains("found '9007199254740993', expected an integer from 0 to 9007199254740992"));
  CHECK_THAT(refusal(network_text, {"run.seed=-1"}), Contains("found '-1'"));
  for (const char* octal : {"010", "-010", "+010", "00"}) {
    CHECK_THAT(refusal(network_text, {"run.seed=" + std::string(octal)}),
               Contains(octal) && Contains("a leading zero, which may mean octal") && Contains("expected an integer"));
  }
  CHECK_THAT(refusal(network_text + "run: {seed: 010}\n"),
             Contains("demo.yaml:") && Contains("run.seed: found '010' (with a leading zero"));
  CHECK_THAT(refusal(network_text, {"run.time_limit_s=010"}), Contains("a leading zero"));
  CHECK(read(network_text, {"run.seed=0", "run.time_limit_s=0.5"})->run.seed == 0);
  CHECK_THAT(refusal(network_text, {"verify.tolerance=nan"}), Contains("expected a number"));
  CHECK_THAT(refusal(network_text, {"..=3"}), Contains("empty key"));
  CHECK_THAT(refusal(network_text, {"network.layers=[{repeat: 1000}, {repeat: 1000}]"}), Contains("more than 1024"));
}

TEST_CASE("Files that are no scenarios are refused", "[scenario]") {
  CHECK_THAT(refusal(""), Contains("is empty"));
  CHECK_THAT(refusal("# nothing\n"), Contains("is empty"));
  CHECK_THAT(refusal("just words"), Contains("expected a map"));
  CHECK_THAT(refusal("- a\n- b\n"), Contains("found a list"));
  CHECK_THAT(refusal(std::string("\x7f"
                                 "ELF\0\1\2",
                                 7)),
             Contains("not a text file: byte 0x00"));
  CHECK_THAT(refusal("a: b: c\n"), Contains("demo.yaml:1:5: is not YAML"));
  CHECK_THAT(refusal("network: {tokens: 1"), Contains("is not YAML"));
  CHECK_THAT(refusal("a: 1\n---\nb: 2\n"), Contains("not a single YAML document"));
  CHECK_THAT(refusal(",name: x\n"), Contains("not a single YAML document"));
  CHECK_THAT(refusal("? [x]\n: 1\n" + network_text), Contains("where a key is expected"));
  CHECK_THAT(refusal("network: *nobody\n"), Contains("is not YAML"));
  CHECK_THAT(refusal(std::string(2 << 20, 'a')), Contains("expected at most"));
  CHECK_THAT(refusal(std::string(100000, '[')), Contains("nested too deeply"));
  CHECK_THAT(refusal("network:\n\ttokens: 3\n"), Contains("demo.yaml"));
  CHECK_THROWS_AS(bvp::read_scenario("/no/such/file.yaml"), bvp::InputError);
  CHECK_THROWS_AS(bvp::read_scenario("/"), bvp::InputError);
}

TEST_CASE("Anchors work, also those that contain themselves", "[scenario]") {
  const auto scenario = read(
      "network:\n  tokens: &n 16\n  hidden: *n\n  ffn: *n\n  layers:\n    - &layer {mixing: fft2d}\n    - *layer\n");
  CHECK(scenario->network.hidden == 16);
  CHECK(scenario->network.layers.size() == 2);
  CHECK_THAT(refusal("soc: &s {array: *s}\n" + network_text), Contains("soc.array.array: unknown key"));
  CHECK_THAT(refusal("network: {layers: &l [*l]}\n"), Contains("network.layers.0: found a list"));
}

TEST_CASE("Keys that only a file, or only a --set of their own, may give", "[scenario]") {
  CHECK_THAT(refusal(network_text, {"soc={preset: array_256gops}"}), Contains("--set soc.preset=NAME"));
  CHECK_THAT(refusal(network_text, {"network={preset: absent}"}), Contains("--set network.preset=NAME"));
  CHECK_THAT(refusal(network_text, {"network.layers.0.repeat=5"}), Contains("set network.layers as a whole"));
  CHECK_THAT(refusal(network_text, {"network.layers.0={mixing: fft2d, repeat: 5}"}),
             Contains("set network.layers as a whole"));
  CHECK(read(network_text, {"network.layers.0={mixing: attention}"})->layers[0]->mixing.get() == "attention");
  CHECK_THAT(refusal(network_text, {"soc.array.lanes.=8"}), Contains("is a value and has no keys below"));
  CHECK_THAT(refusal(network_text, {"soc.=8"}), Contains("empty key"));
  CHECK_THAT(refusal(network_text + "\"\": 3\n"), Contains("an empty key; expected one of: name, "));
}

TEST_CASE("Texts that are hardly YAML", "[scenario]") {
  std::string text = network_text;
  std::replace(text.begin(), text.end(), '\n', '\r');
  CHECK_THAT(refusal(text), Contains("carriage return alone"));
  CHECK_THAT(refusal("soc: " + std::string(20000, '[')), Contains("nested too deeply"));
  CHECK_THAT(refusal(network_text, {"soc=" + std::string(20000, '[')}), Contains("nested too deeply"));
}

TEST_CASE("Paths of a file are relative to it", "[scenario]") {
  const TemporaryDirectory directory;
  directory.write("boot.elf", "x");
  const fs::path file = directory.write("scenario.yaml", "run: {firmware: boot.elf}\n" + network_text);
  CHECK(bvp::read_scenario(file)->run.firmware.get() == (file.parent_path() / "boot.elf").string());
}

TEST_CASE("Damaged scenarios never do more than be refused", "[scenario]") {
  const std::string sound = "name: demo\nsoc: {array: {lanes: 8}}\n" + network_text;
  bvp::u32 state = 1;
  const auto next = [&](std::size_t limit) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % limit;
  };
  const std::string noise =
      "{}[]:,-&*!|>'\"%@`#?\n \t\x80\xff"
      "01az";
  for (int round = 0; round < 2000; ++round) {
    std::string text = sound;
    for (std::size_t damage = next(4) + 1; damage > 0; --damage) text[next(text.size())] = noise[next(noise.size())];
    CHECK_FALSE(refusal(text).empty());
  }
}

TEST_CASE("The nearest word", "[scenario]") {
  CHECK(bvp::nearest_word("lnaes", {"rows", "lanes"}) == "lanes");
  CHECK(bvp::nearest_word("zzz", {"rows", "lanes"}).empty());
  CHECK(bvp::nearest_word("", {"rows"}).empty());
}

TEST_CASE("The JSON Schema describes every parameter", "[scenario]") {
  const auto schema = bvp::scenario_schema();
  const auto& lanes = schema.at("properties").at("soc").at("properties").at("array").at("properties").at("lanes");
  CHECK(lanes.at("type") == "integer");
  CHECK(lanes.at("enum") == nlohmann::ordered_json({1, 2, 4, 8, 16, 32, 64}));
  CHECK(lanes.at("default") == 32);
  const auto& network = schema.at("properties").at("network");
  CHECK(network.at("additionalProperties") == false);
  CHECK_FALSE(network.at("properties").at("tokens").contains("default"));
  CHECK(network.at("properties").at("layers").at("items").at("properties").at("mixing").at("enum").size() == 5);
}

TEST_CASE("The energy profile is one of the shipped ones or a file", "[scenario]") {
  const TemporaryDirectory directory;
  const fs::path table = directory.write("mine.yaml", "profile: mine\n");
  const fs::path file = directory.write("scenario.yaml", "energy: {profile: mine.yaml}\n" + network_text);
  CHECK(bvp::read_scenario(file)->energy.profile.get() == table.string());
  CHECK(read(network_text, {"energy.profile=" + table.string()})->energy.profile.get() == table.string());
  for (const char* profile : bvp::energy_profiles) {
    CHECK(read(network_text, {std::string("energy.profile=") + profile})->energy.profile.get() == profile);
  }
  CHECK_THAT(
      refusal(network_text, {"energy.profile=silicn"}),
      Contains("found 'silicn', expected one of: by_machine, silicon, silicon_simd8, textbook, or the path of a .yaml "
               "file; "
               "did you mean 'silicon'?"));
  CHECK_THAT(refusal(network_text, {"energy.profile=absent.yaml"}), Contains("there is no file 'absent.yaml'"));
}

TEST_CASE("The parameters' Markdown names key, default, unit and source", "[scenario]") {
  const std::string text = bvp::scenario_parameters_markdown();
  CHECK_THAT(text, Contains("## `soc.array`"));
  CHECK_THAT(text, Contains("| `soc.array.lanes` | 32 | fp16 lanes | power of two, 1 to 64 |"));
  CHECK_THAT(text, Contains("| `network.tokens` | required | tokens |"));
  CHECK_THAT(text, Contains("| `network.layers.N.mixing` | attention |"));
}

TEST_CASE("Every parameter has a description and a source", "[scenario]") {
  const bvp::Scenario scenario;
  const std::function<void(const bvp::ParameterGroup&)> visit = [&](const bvp::ParameterGroup& group) {
    for (const bvp::ParamBase* parameter : group.parameters()) {
      INFO(group.name() << "." << parameter->name());
      CHECK_FALSE(parameter->description().empty());
      CHECK_FALSE(parameter->source().empty());
    }
    for (const bvp::ParameterGroup* child : group.groups()) visit(*child);
  };
  visit(scenario);
}
