// SPDX-License-Identifier: Apache-2.0
// Random inputs of every kind that is read: each is accepted, or refused with a message; none crashes, hangs, or costs
// a file. BVP_FUZZ_INPUTS says how many inputs of a kind there are (10,000), BVP_FUZZ_SEED the first seed (1): input i
// depends on the seed and on i alone.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>

#include "models/power/energy_table.h"
#include "platform/assembler/assemble.h"
#include "platform/assembler/kernel_text.h"
#include "platform/cli/commands.h"
#include "platform/network/safetensors.h"
#include "platform/network/weights.h"
#include "platform/report/html_report.h"
#include "platform/report/run_files.h"
#include "platform/run/elf_image.h"
#include "platform/scenario/scenario.h"
#include "platform/soc/memory_map.h"
#include "platform/support/input_error.h"
#include "platform/support/resources.h"
#include "platform/support/sha256.h"
#include "platform/support/temporary_path.h"
#include "test/support/random_kernel.h"

namespace {

namespace fs = std::filesystem;
using bvp::u64;
using Json = nlohmann::json;

u64 number_of(const char* variable, u64 otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string content(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void write(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

fs::path source(const char* name) {
  const char* directory = std::getenv("BVP_SOURCE_DIR");
  return fs::path(directory == nullptr ? "." : directory) / name;
}

/// The working directory, for the time of a test; its files go away with it.
class WorkingDirectory {
 public:
  WorkingDirectory()
      : before_(fs::current_path()), path_(fs::temp_directory_path() / ("bvp_fuzz_" + bvp::random_name())) {
    fs::create_directories(path_);
    fs::current_path(path_);
  }
  ~WorkingDirectory() {
    fs::current_path(before_);
    fs::remove_all(path_);
  }
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;

 private:
  fs::path before_, path_;
};

/// Standard output and error go nowhere in the meantime.
class Silence {
 public:
  Silence() {
    std::fflush(nullptr);
    const int nowhere = open("/dev/null", O_WRONLY);
    for (int stream = 1; stream <= 2; ++stream) {
      saved_[stream - 1] = dup(stream);
      dup2(nowhere, stream);
    }
    close(nowhere);
  }
  ~Silence() {
    std::fflush(nullptr);
    for (int stream = 1; stream <= 2; ++stream) {
      dup2(saved_[stream - 1], stream);
      close(saved_[stream - 1]);
    }
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  int saved_[2]{};
};

class Random {
 public:
  explicit Random(u64 seed) : generator_(seed) {}
  u64 below(u64 limit) { return generator_() % limit; }
  template <class List>
  const auto& one_of(const List& list) {
    return *std::next(list.begin(), static_cast<std::ptrdiff_t>(below(list.size())));
  }

 private:
  std::mt19937_64 generator_;
};

const std::vector<std::string> odd_texts{"",
                                         "null",
                                         "~",
                                         "-1",
                                         "1e999",
                                         ".nan",
                                         "1e-320",
                                         "0x7fffffffffffffff",
                                         "[",
                                         "]",
                                         "{",
                                         "}",
                                         ": ",
                                         "- ",
                                         "&a ",
                                         "*a",
                                         "!!str",
                                         "\n  ",
                                         "'",
                                         "\"",
                                         "#",
                                         "|",
                                         ">",
                                         "true",
                                         "\xff",
                                         "\0",
                                         "\x1b[2J",
                                         "<script>alert(1)</script>",
                                         "[[[[[[[[",
                                         "{a: {a: {a: ",
                                         "18446744073709551616",
                                         ",",
                                         "? ",
                                         "<<: *a",
                                         "%",
                                         "@",
                                         "\t",
                                         "\r\n",
                                         "---\n",
                                         "...\n"};

/// Some changes in a few places: bits, bytes, pieces taken out, repeated, moved, and texts that mean something.
std::string changed(std::string text, Random& random) {
  for (u64 changes = 1 + random.below(4); changes > 0; --changes) {
    if (text.empty()) text = "x";
    const std::size_t at = random.below(text.size());
    const std::size_t length =
        std::min<std::size_t>(1 + random.below(random.below(8) == 0 ? 400 : 12), text.size() - at);
    switch (random.below(7)) {
      case 0:
        text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
        break;
      case 1:
        text[at] = static_cast<char>(random.below(256));
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(random.below(text.size()), text.substr(at, length));
        break;
      case 4:
        text.replace(at, length, random.one_of(odd_texts));
        break;
      case 5:
        text.resize(at);
        break;
      default: {
        std::string repeated;
        for (u64 times = random.below(200); times > 0; --times)
          repeated += text.substr(at, std::min<std::size_t>(length, 40));
        text.insert(at, repeated);
      }
    }
  }
  return text;
}

/// A value somewhere in the tree becomes another, goes, or gets company.
void change_tree(Json& tree, Random& random) {
  Json* at = &tree;
  while (at->is_structured() && !at->empty() && random.below(6) != 0) {
    auto next = at->begin();
    std::advance(next, static_cast<std::ptrdiff_t>(random.below(at->size())));
    at = &*next;
  }
  static const std::vector<Json> values{nullptr,
                                        true,
                                        -1,
                                        0,
                                        1e308,
                                        -1e-308,
                                        1e18,
                                        u64{1} << 63,
                                        "",
                                        "<img src=x onerror=alert(1)>",
                                        Json::array(),
                                        Json::object(),
                                        Json::array({Json::array({1})}),
                                        {{"a", {{"b", 1}}}},
                                        "\u0001",
                                        std::string(100000, 'x')};
  switch (random.below(4)) {
    case 0:
      if (at->is_object() && !at->empty()) {
        at->erase(std::next(at->begin(), static_cast<std::ptrdiff_t>(random.below(at->size()))));
        break;
      }
      [[fallthrough]];
    case 1:
      if (at->is_array() && !at->empty()) {
        const Json copy = (*at)[0];
        for (u64 times = random.below(300); times > 0; --times) at->push_back(copy);
        break;
      }
      [[fallthrough]];
    default:
      *at = random.one_of(values);
  }
}

/// Calls `read` with each input's random numbers; only errors with a message are expected.
template <class Read>
void fuzz(const char* kind, Read read, u64 most = ~u64{0}) {
  const u64 inputs = std::min(number_of("BVP_FUZZ_INPUTS", 10000), most), seed = number_of("BVP_FUZZ_SEED", 1);
  constexpr std::chrono::seconds longest(10);
  u64 refused = 0;
  for (u64 i = 0; i < inputs; ++i) {
    Random random(seed * 1000003 + i);
    const auto begin = std::chrono::steady_clock::now();
    INFO(kind << ": seed " << seed << ", input " << i);
    try {
      read(random);
    } catch (const bvp::InputError& error) {
      ++refused;
      if (std::string(error.what()).empty()) FAIL("an error without a message");
    } catch (const bvp::EnergyTableError& error) {
      ++refused;
      if (std::string(error.what()).empty()) FAIL("an error without a message");
    }
    if (std::chrono::steady_clock::now() - begin > longest) FAIL("it took too long");
  }
  WARN(kind << ": seed " << seed << ", " << inputs << " inputs, " << refused << " refused");
  CHECK(refused > 0);
}

constexpr const char* tiny = R"(name: tiny
soc: {preset: array_256gops}
network:
  tokens: 16
  hidden: 32
  heads: 2
  ffn: 64
  layers:
    - {mixing: attention, projections: butterfly, ffn: dense}
run: {fidelity: fast, seed: 3}
record: {power_window_s: 1e-6}
)";

int call(std::vector<const char*> arguments) {
  const Silence silence;
  arguments.insert(arguments.begin(), "butterfly-vp");
  return bvp::command_line(static_cast<int>(arguments.size()), arguments.data(), {});
}

}  // namespace

TEST_CASE("random scenarios", "[.][nightly][fuzz]") {
  std::vector<std::string> sound{tiny};
  for (const char* name : {"bert_base.yaml", "encoder_128x64.yaml", "text_classifier.yaml"}) {
    sound.push_back(content(source("scenarios") / name));
    REQUIRE(!sound.back().empty());
  }
  sound.emplace_back(
      "network: {tokens: 12, hidden: 96, ffn: 64, fft_length: exact, fft_norm: none, layers: [{mixing: fft2d}]}\n");
  fuzz("scenarios", [&](Random& random) {
    bvp::ScenarioOptions options;
    options.directories = {source("scenarios")};
    const std::string text = changed(random.one_of(sound), random);
    if (random.below(4) == 0) {
      options.overrides.push_back({random.one_of(std::vector<std::string>{"soc", "network.layers.0", "run.seed",
                                                                          "network.layers", "", "soc.."}),
                                   changed("{a: 1}", random),
                                   {}});
    }
    static_cast<void>(bvp::read_scenario_text(text, source("scenarios") / "fuzz.yaml", options));
  });
}

TEST_CASE("random firmware", "[.][nightly][fuzz]") {
  const WorkingDirectory directory;
  const auto firmware = bvp::find_resource("firmware/hello.elf");
  REQUIRE(firmware);
  const std::string sound = content(*firmware).substr(0, 16384);
  fuzz("firmware", [&](Random& random) {
    std::string text = sound;
    // Most of the mistakes that matter are in the headers.
    for (u64 changes = 1 + random.below(5); changes > 0; --changes) {
      text[random.below(random.below(4) == 0 ? text.size() : 400)] =
          static_cast<char>(random.below(4) == 0 ? 0xff : random.below(256));
    }
    if (random.below(8) == 0) text.resize(random.below(text.size()));
    write("fuzz.elf", text);
    static_cast<void>(bvp::read_elf("fuzz.elf", bvp::memory_map::boot_ram_base, 1 << 20));
  });
}

TEST_CASE("random weights", "[.][nightly][fuzz]") {
  const WorkingDirectory directory;
  const auto scenario = bvp::read_scenario_text(tiny, source("scenarios") / "fuzz.yaml", {{}, {source("scenarios")}});
  bvp::write_safetensors("sound", bvp::random_weights(scenario->network, 1));
  const std::string sound = content("sound");
  fuzz("weights", [&](Random& random) {
    std::string text = sound;
    u64 header = 0;
    for (int i = 7; i >= 0; --i) header = header << 8 | static_cast<unsigned char>(text[static_cast<std::size_t>(i)]);
    if (random.below(4) == 0) {
      text = changed(text, random);
    } else {
      const std::string json = changed(text.substr(8, header), random);
      std::string length(8, '\0');
      for (int i = 0; i < 8; ++i) length[static_cast<std::size_t>(i)] = static_cast<char>(u64{json.size()} >> (8 * i));
      text = length + json + text.substr(8 + header);
    }
    write("fuzz.safetensors", text);
    switch (random.below(4)) {
      case 0:
        static_cast<void>(bvp::load_weights("fuzz.safetensors", scenario->network));
        break;
      case 1:
        static_cast<void>(bvp::load_weight_shapes("fuzz.safetensors", scenario->network));
        break;
      case 2:
        static_cast<void>(bvp::load_input("fuzz.safetensors", scenario->network));
        break;
      default:
        static_cast<void>(bvp::read_integers("fuzz.safetensors", "tokens"));
    }
  });
}

TEST_CASE("random energy tables", "[.][nightly][fuzz]") {
  const WorkingDirectory directory;
  std::vector<std::string> sound;
  for (const char* name : {"silicon.yaml", "silicon_simd8.yaml", "textbook.yaml"}) {
    sound.push_back(content(source("models/power/tables") / name));
    REQUIRE(!sound.back().empty());
  }
  fuzz("energy tables", [&](Random& random) {
    write("fuzz.yaml", changed(random.one_of(sound), random));
    static_cast<void>(bvp::EnergyTable::load("fuzz.yaml"));
  });
}

TEST_CASE("random texts of kernels", "[.][nightly][fuzz]") {
  const bvp::KernelLimits limits{0, 16, 16, 2048, 256, 1024};
  std::vector<std::string> sound{content(source("firmware/examples/one_kernel.kasm"))};
  REQUIRE(!sound.back().empty());
  for (unsigned seed = 0; seed < 20; ++seed) sound.push_back(bvp::kernel_text(bvp::test::random_kernel(seed)));
  fuzz("texts of kernels", [&](Random& random) {
    const std::string text = changed(random.one_of(sound), random);
    const bvp::Assembly assembly = bvp::assemble(text, limits);
    if (!assembly.errors.empty()) throw bvp::InputError(assembly.errors.front().message);
    // What is accepted is an image that the hardware accepts, and text again.
    const std::vector<bvp::u8> image = assembly.result.kernel.encode();
    const bvp::Kernel kernel = bvp::Kernel::decode(image.data(), image.size());
    const bvp::Assembly again = bvp::assemble(bvp::kernel_text(kernel), limits);
    if (!again.errors.empty()) FAIL(again.errors.front().message << "\n" << text);
    if (again.result.kernel.encode() != image) FAIL(text);
  });
}

TEST_CASE("random kernel images", "[.][nightly][fuzz]") {
  const WorkingDirectory directory;
  std::vector<std::string> sound;
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::vector<bvp::u8> image = bvp::test::random_kernel(seed).encode();
    sound.emplace_back(image.begin(), image.end());
  }
  fuzz("kernel images", [&](Random& random) {
    const std::string image = changed(random.one_of(sound), random);
    write("fuzz.img", image);
    const int code = call({"disasm", "fuzz.img"});
    if (code != 0 && code != 2) FAIL("exit code " << code);
    if (code == 2) throw bvp::InputError("refused");
  });
}

TEST_CASE("random directories of runs", "[.][nightly][fuzz]") {
  const WorkingDirectory directory;
  write("tiny.yaml", tiny);
  REQUIRE(call({"run", "tiny.yaml", "--quiet", "--out", "sound"}) == 0);
  const std::vector<std::string> names{"summary.json", "network.json", "parameters.json", "prices.json", "power.csv"};
  fs::create_directory("fuzz");
  for (const std::string& name : names) fs::copy_file("sound/" + name, "fuzz/" + name);
  fuzz("directories of runs", [&](Random& random) {
    const std::string& name = random.one_of(names);
    const std::string sound = content("sound/" + name);
    if (name != "power.csv" && random.below(3) != 0) {
      Json tree = Json::parse(sound);
      for (u64 changes = 1 + random.below(3); changes > 0; --changes) change_tree(tree, random);
      write("fuzz/" + name, tree.dump(-1, ' ', false, Json::error_handler_t::replace));
    } else {
      write("fuzz/" + name, changed(sound, random));
    }
    std::string refusal;
    try {
      static_cast<void>(bvp::html_report({"fuzz"}));
    } catch (const bvp::InputError& error) {
      refusal = error.what();
    }
    const int compared = random.below(4) == 0 ? call({"compare", "fuzz"}) : 0;
    write("fuzz/" + name, sound);
    if (compared < 0 || compared > 2) FAIL("exit code " << compared);
    if (!refusal.empty()) throw bvp::InputError(refusal);
  });
}

TEST_CASE("random commands lose no file", "[.][nightly][fuzz]") {
  const WorkingDirectory directory;
  write("tiny.yaml", tiny);
  write("mine.txt", "of the user\n");
  write("weights.safetensors", "of the user too\n");
  write("kernel.kasm", "kernel lanes=8 rows=1 columns=1\n");
  fs::create_directories("mine");
  for (const char* name : {"mine/summary.json", "mine/trace.json", "mine/report.html", "mine/notes"})
    write(name, "mine\n");
  fs::create_symlink("../mine.txt", "mine/uart.log");
  REQUIRE(call({"run", "tiny.yaml", "--quiet", "--out", "run"}) == 0);
  std::map<std::string, std::string> kept;
  for (const char* name : {"tiny.yaml", "mine.txt", "kernel.kasm", "weights.safetensors", "mine/summary.json",
                           "mine/trace.json", "mine/report.html", "mine/notes"}) {
    kept[name] = bvp::sha256_of_file(name);
  }
  const std::vector<const char*> commands{"run",     "validate", "describe", "compare", "report",
                                          "compare", "report",   "validate", "bench",   "fly",
                                          "",        "asm",      "disasm",   "compile"},
      words{"tiny.yaml",
            "run",
            "mine",
            "mine.txt",
            "absent",
            "weights.safetensors",
            "/dev/null",
            ".",
            "",
            "run/summary.json",
            "\xff",
            "--out",
            "--out",
            "--output",
            "--header",
            "kernel.kasm",
            "--set",
            "--quiet",
            "--no-data",
            "--trace",
            "--vcd",
            "--dump",
            "--no-dense",
            "--append",
            "--uart",
            "--firmware",
            "--signature",
            "--help",
            "soc.array.lanes=8",
            "network.batch=2",
            "run.weights=weights.safetensors",
            "run.input=mine.txt",
            "energy.profile=mine.txt",
            "baselines.technology=none",
            "file:mine.txt",
            "file:run/uart.log",
            "file:mine/notes",
            "soc=",
            "=",
            "network.layers=[]",
            "run.time_limit_s=1e-6",
            "record.power_window_s=1",
            "new",
            "new/deep",
            "a.html",
            "a.json",
            "--",
            "-x"};
  fuzz("commands", [&](Random& random) {
    const char* command = random.one_of(commands);
    // Measuring takes long: of bench only what it refuses.
    std::vector<const char*> arguments{command};
    const bool bench = std::string(command) == "bench";
    if (bench) arguments.push_back(random.below(2) == 0 ? "absent" : "mine.txt");
    for (u64 count = random.below(6); count > 0; --count) {
      const char* word = random.one_of(words);
      if (bench && std::string(word) == "--signature") continue;
      arguments.push_back(word);
    }
    const int code = call(arguments);
    std::string line;
    for (const char* argument : arguments) line += std::string(" '") + argument + "'";
    INFO(line);
    if (code < 0 || code > 2) FAIL("exit code " << code);
    for (const auto& [name, hash] : kept) {
      if (!fs::is_regular_file(name) || bvp::sha256_of_file(name) != hash) FAIL(name << " is not what it was");
    }
    if (fs::read_symlink("mine/uart.log") != "../mine.txt") FAIL("the user's link is gone");
    for (const auto& entry : fs::recursive_directory_iterator(".")) {
      if (entry.path().filename().string().find(".butterfly-vp.") == 0) FAIL(entry.path() << " is left");
    }
    fs::remove_all("new");
    if (code == 2) throw bvp::InputError("refused");
  });
}
