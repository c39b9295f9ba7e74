// SPDX-License-Identifier: Apache-2.0
// The text of kernels: it says all that an image says, and mistakes are named with their places.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include "platform/assembler/assemble.h"
#include "platform/assembler/expression.h"
#include "platform/assembler/kernel_header.h"
#include "platform/assembler/kernel_text.h"
#include "platform/program/kernel_images.h"
#include "platform/run/compile_scenario.h"
#include "platform/scenario/scenario.h"
#include "platform/support/resources.h"
#include "test/support/random_kernel.h"

namespace {

using namespace bvp;

constexpr KernelLimits any_machine{0, 16, 16, 2048, 256, 1024};

/// The first error as "LINE:COLUMN: MESSAGE"; empty if there is none.
std::string error_of(const std::string& text, const KernelLimits& limits = any_machine) {
  const Assembly assembly = assemble(text, limits);
  if (assembly.errors.empty()) return {};
  const Assembly::Error& error = assembly.errors.front();
  return fmt::format("{}:{}: {}", error.place.line, error.place.column, error.message);
}

Kernel kernel_of(const std::string& text) {
  const Assembly assembly = assemble(text, any_machine);
  for (const Assembly::Error& error : assembly.errors) FAIL(error.place.line << ": " << error.message << "\n" << text);
  return assembly.result.kernel;
}

/// y = a * x + b, in lines whose numbers the cases below name.
constexpr const char* sound = R"(# scale
const ROWS = 4 * 2
kernel lanes=8 rows=1 columns=2
register first = pe
launch input = 1
launch output = 2
level 0 start=first step=columns

segment fetch unit=load scope=1 trips=ROWS
  stream x base=16 trips=1
  stream memory launch=input trips=0x10 levels=-128
  ld x, memory[2]
segment compute unit=cal scope=1 trips=ROWS
  stream x base=16 trips=1
  stream y base=32 trips=1
  stream s base=0
  fmass y, x, s, s[1]
segment leave unit=store scope=1 tag=3 trips=ROWS
  stream memory base=by_column+64 launch=output trips=16
  stream y base=32 trips=1
  st memory, y
edge fetch -> compute
edge compute -> leave
edge compute -> fetch kind=space initial=1
edge leave -> compute kind=space initial=1
)";

std::string with(const std::string& from, const std::string& to) {
  std::string text = sound;
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

void check_round_trip(const u8* bytes, std::size_t size) {
  const Kernel kernel = Kernel::decode(bytes, size);
  const std::string text = kernel_text(kernel);
  const Assembly assembly = assemble(text, any_machine);
  if (!assembly.errors.empty()) {
    FAIL(assembly.errors.front().place.line << ": " << assembly.errors.front().message << "\n" << text);
  }
  const std::vector<u8> again = assembly.result.kernel.encode();
  if (again != std::vector<u8>(bytes, bytes + size)) FAIL(text);
}

i64 value_of(const std::string& text) {
  const std::vector<Token> tokens = tokens_of(text);
  TokenReader reader(tokens);
  return read_expression(reader,
                         [](std::string_view name) { return name == "seven" ? std::optional<i64>(7) : std::nullopt; });
}

}  // namespace

TEST_CASE("assembler: what the text says is in the kernel", "[assembler]") {
  const Kernel kernel = kernel_of(sound);
  CHECK(kernel.lanes == 8);
  CHECK(kernel.pe_registers == std::vector<std::vector<i32>>{{0}, {1}});
  CHECK(kernel.levels[0].start_register == 1);
  CHECK(kernel.levels[0].step == 2);
  REQUIRE(kernel.segments.size() == 3);
  const Segment& fetch = kernel.segments[0];
  CHECK(fetch.unit == Unit::load);
  CHECK(fetch.trips == std::array<u16, trip_levels>{8, 1, 1, 1, 1, 1});
  CHECK(fetch.streams[0].base == 16);
  CHECK(fetch.streams[1].launch_register == 2);
  CHECK(fetch.streams[1].trip_stride[0] == 16);
  CHECK(fetch.streams[1].instance_stride[0] == -128);
  CHECK(kernel.segments[2].tag == 3);
  CHECK(static_cast<u32>(kernel.segments[2].streams[0].base) == 0x80000040);
  REQUIRE(kernel.code.size() == 3);
  CHECK(kernel.code[0] == Instruction{Opcode::ld, {0, 0}, {1, 2}, {}, {}}.encode());
  CHECK(kernel.code[1] == Instruction{Opcode::fmass, {1, 0}, {0, 0}, {2, 0}, {2, 1}}.encode());
  REQUIRE(kernel.edges.size() == 4);
  CHECK(kernel.edges[2].from == 1);
  CHECK(kernel.edges[2].to == 0);
  CHECK(kernel.edges[2].kind == EdgeKind::space);
  CHECK(kernel.edges[2].initial == 1);
}

TEST_CASE("assembler: every instruction of the list is written by its name", "[assembler]") {
  constexpr std::array<const char*, unit_count> names{"load", "cal", "flow", "store"};
  std::set<std::string> statements{"const",   "kernel", "register", "launch", "level",
                                   "segment", "stream", "edge",     "code",   "word"};
  for (const InstructionInfo& info : instructions()) {
    INFO(info.name);
    CHECK(statements.count(info.name) == 0);
    Instruction expected{info.opcode, {}, {}, {}, {}};
    std::string operands;
    for (std::size_t i = 0; i < operand_count; ++i) {
      const Space space = info.*spaces_of[i];
      if (space == Space::none) continue;
      const auto stream = static_cast<u8>(i);
      const u16 offset = space == Space::distance ? 4 : operand_fields[i].largest_offset();
      expected.*operands_of[i] = is_immediate(space) ? Operand{0, offset} : Operand{stream, offset};
      operands += operands.empty() ? " " : ", ";
      operands += is_immediate(space) ? std::to_string(offset) : fmt::format("t{}[{}]", stream, offset);
    }
    const Kernel kernel = kernel_of(
        fmt::format("kernel lanes=8 rows=1 columns=1\nsegment s unit={}\nstream t0\nstream t1\nstream t2\nstream t3\n"
                    "{}{}\n",
                    names[static_cast<std::size_t>(info.unit)], info.name, operands));
    CHECK(kernel.code == std::vector<u64>{expected.encode()});
  }
}

TEST_CASE("assembler: the compiler's images of all shipped scenarios are text and image again", "[assembler]") {
  const auto directory = find_resource("scenarios");
  REQUIRE(directory.has_value());
  std::set<std::vector<u8>> images;
  for (const auto& entry : std::filesystem::directory_iterator(*directory)) {
    if (entry.path().extension() != ".yaml") continue;
    ScenarioOptions options;
    options.directories = {*directory};
    const CompiledNetwork network = plan_scenario(*read_scenario(entry.path(), options));
    const auto views = kernel_images(network);
    CHECK_FALSE(views.empty());
    for (const MemoryView& image : views) images.emplace(image.bytes, image.bytes + image.size);
  }
  CHECK(images.size() > 50);
  WARN(images.size() << " different images");
  for (const std::vector<u8>& image : images) check_round_trip(image.data(), image.size());
}

TEST_CASE("assembler: random kernels are text and image again", "[assembler]") {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    INFO("seed " << seed);
    const Kernel kernel = test::random_kernel(seed);
    KernelLimits limits = any_machine;
    limits.lanes = kernel.lanes;
    REQUIRE_NOTHROW(kernel.check(limits));
    const std::vector<u8> image = kernel.encode();
    check_round_trip(image.data(), image.size());
  }
}

TEST_CASE("assembler: code that segments share, overlap, or leave alone", "[assembler]") {
  Kernel kernel = kernel_of(sound);
  const u64 add = Instruction{Opcode::add, {1, 0}, {0, 0}, {0, 0}, {}}.encode();
  kernel.code = {add, add, kernel.code[0], 63, kernel.code[1], add, kernel.code[2], add};
  kernel.segments[0].first_instruction = 2;
  kernel.segments[1].first_instruction = 4;
  kernel.segments[1].instruction_count = 2;
  kernel.segments[2].first_instruction = 6;
  for (const auto& [first, count] : {std::pair<u16, u8>{4, 2}, {5, 1}, {0, 2}, {4, 1}}) {
    Segment copy = kernel.segments[1];
    copy.first_instruction = first;
    copy.instruction_count = count;
    kernel.segments.push_back(copy);
  }
  const std::vector<u8> image = kernel.encode();
  check_round_trip(image.data(), image.size());
  const std::string text = kernel_text(kernel);
  CHECK_THAT(text, Catch::Contains("word 0x000000000000003f\n"));
  CHECK_THAT(text, Catch::Contains("segment cal1 unit=cal scope=1 trips=8 code=cal0\n"));
  CHECK_THAT(text, Catch::Contains("segment cal2 unit=cal scope=1 trips=8 code=5,1\n"));
}

TEST_CASE("assembler: mistakes are named with their places", "[assembler]") {
  CHECK(error_of(sound).empty());
  struct Case {
    const char *from, *to, *error;
  };
  const Case cases[] = {
      {"kernel", "cernel", "3:1: found 'cernel', expected a statement or an instruction; did you mean 'kernel'?"},
      {"lanes=8 ", "", "3:24: found the end of the line, expected lanes, rows and columns"},
      {"lanes=8", "lanes=3.5", "3:15: found '.', expected lanes, rows and columns"},
      {"lanes=8", "lanes=8 lanes=8", "3:16: found 'lanes' a second time, expected it once"},
      {"lanes=8", "wide=8", "3:8: found 'wide', expected one of lanes, rows, columns, resident_words"},
      {"columns=2", "columns=3", "3:1: kernel: it is for 1 x 3 PEs, the array has 16 x 16"},
      {"columns=2", "columns=32", "3:1: kernel: it is for 1 x 32 PEs, the array has 16 x 16"},
      {"columns=2", "columns=0", "3:31: columns: found 0, expected 1 to 256"},
      {"first = pe", "first = pi", "4:18: found 'pi', expected a number or the name of a constant"},
      {"first = pe", "first = [1]", "4:18: found 1 values, expected one for each of 2 PEs"},
      {"first = pe", "first = 1 / x", "4:20: division by 0"},
      {"input = 1", "input = 16", "5:16: a launch register: found 16, expected 0 to 15"},
      {"output = 2", "input = 2",
       "6:8: found 'input', expected a name that no other launch register has; line 5 has this one"},
      {"level 0", "level 4", "7:7: a level: found 4, expected 0 to 3"},
      {"start=first", "start=second", "7:15: found 'second', expected a number or the name of a constant"},
      {"start=first", "start=1", "7:15: register of a PE: found 1, expected 0 to 0"},
      {"step=columns", "step=0", "7:26: step: found 0, expected 1 to 65535"},
      {"unit=load", "unit=lode", "9:20: found 'lode', expected one of load, cal, flow, store"},
      {" unit=load", "", "9:33: found the end of the line, expected unit=load, cal, flow or store"},
      {"scope=1", "scope=5", "9:31: scope: found 5, expected 0 to 4"},
      {"trips=ROWS", "trips=0", "9:39: trips: found 0, expected 1 to 65535"},
      {"trips=ROWS", "trips=1000,1000", "9:9: kernel: segment 0 makes more than 65536 trips"},
      {"trips=ROWS", "trips=1,1,1,1,1,1,1", "9:51: trips: found more than 6 numbers"},
      {"trips=ROWS", "trips=ROVS", "9:39: found 'ROVS', expected a number or the name of a constant"},
      {"base=16", "base=0x80000000", "10:17: base: found 2147483648, expected -2147483648 to 2147483647"},
      {"stream x base=16 trips=1", "stream x trips=1<<27",
       "10:10: kernel: a stream of segment 0 steps over 1073741824 bytes, at most 536870912 are possible"},
      {"base=16 trips=1", "pe=first base=0x7fffffff", "10:10: kernel: a stream of segment 0 begins at 2147483648"},
      {"launch=input", "launch=inputs", "11:24: found 'inputs', expected a number or the name of a constant"},
      {"ld x, memory[2]", "ld x memory[2]", "12:8: found 'memory', expected ','"},
      {"ld x, memory[2]", "ld x, memori", "12:9: found 'memori', expected a stream of this segment"},
      {"ld x, memory[2]", "ld x, memory[2048]", "12:16: an offset: found 2048, expected 0 to 2047"},
      {"ld x, memory[2]", "ld x, memory[2", "13:1: found 'segment', expected ']'"},
      {"ld x, memory[2]", "ld x, memory, x", "12:15: found ',', expected the end of the line"},
      {"ld x, memory[2]", "lod x, memory",
       "12:3: found 'lod', expected a statement or an instruction; did you mean 'ld'?"},
      {"ld x, memory[2]", "add x, memory, x",
       "12:3: kernel: instruction 'add    v0+0 v1+0 v0+0' in a segment of the load unit"},
      {"  ld x, memory[2]\n", "", "9:9: kernel: segment 0 runs out of the code"},
      {"ld x, memory[2]", "word 63", "12:3: kernel: illegal instruction 0x000000000000003f in segment 0"},
      {"ld x, memory[2]", "word 1 << 3", "12:10: found '<<', expected the end of the line"},
      {"fmass y, x, s, s[1]", "tlow y, x, x, 3",
       "17:3: kernel: instruction 'tlow   v1+0 v0+0 v0+0 3' moves by a distance that 8 lanes do not have"},
      {"segment leave", "segment fetch",
       "18:9: found 'fetch', expected a name that no other segment has; line 9 has this one"},
      {"edge compute -> leave", "edge compute -> left", "23:17: found 'left', expected the name of a segment"},
      {"edge compute -> leave", "edge compute -- leave", "23:14: found '-', expected '->'"},
      {"edge compute -> leave", "edge compute -> leave peer=2",
       "23:6: kernel: edge 1 names a segment or PE that does not exist"},
      {"kind=space", "kind=room", "24:28: found 'room', expected one of data, space"},
      {"initial=1", "initial=256", "24:42: initial: found 256, expected 0 to 255"},
      {"4 * 2", "9223372036854775807 + 1", "2:34: '+' leaves the range of 64-bit numbers"},
      {"4 * 2", "99999999999999999999", "2:14: '99999999999999999999' leaves the range of 64-bit numbers"},
      {"4 * 2", "0x", "2:14: found '0x', expected a number such as 64 or 0x40"},
      {"const ROWS", "const lanes",
       "2:7: found 'lanes', expected another name than by_column, lanes, rows, columns, x, y, pe, which have a "
       "meaning"},
  };
  for (const Case& each : cases) {
    INFO(each.from << " -> " << each.to);
    CHECK(error_of(with(each.from, each.to)) == each.error);
  }
  CHECK(error_of("") == "1:1: found the end of the text, expected 'kernel'");
  CHECK(error_of("segment a unit=cal\n") == "1:1: found 'segment', expected 'kernel' before it");
  CHECK(error_of("kernel lanes=8 rows=1 columns=1\nadd x, y\n") ==
        "2:5: found 'x', expected a stream; this segment has none");
  CHECK(error_of("kernel lanes=8 rows=1 columns=1\nword 5\n") ==
        "2:1: found 'word', expected 'segment' or 'code' before it");
}

TEST_CASE("assembler: a machine of the user refuses what it does not run", "[assembler]") {
  CHECK(error_of(sound, {8, 1, 2, 256, 32, 3}).empty());
  CHECK_THAT(error_of(sound, {16, 1, 2, 256, 32, 3}),
             Catch::Contains("3:1: kernel: it is for 8 lanes, the array has 16"));
  CHECK_THAT(error_of(sound, {8, 1, 1, 256, 32, 3}), Catch::Contains("it is for 1 x 2 PEs, the array has 1 x 1"));
  CHECK_THAT(error_of(sound, {8, 1, 2, 256, 32, 2}), Catch::Contains("3 instructions do not fit"));
  CHECK_THAT(error_of(with("fmass y, x, s, s[1]", "fmar y, x, x, s"), {8, 1, 2, 256, 32, 3, false}),
             Catch::Contains("17:3: kernel: segment 1 has an fmar"));
}

TEST_CASE("assembler: several mistakes are told at once, by their lines", "[assembler]") {
  std::string text = with("unit=load", "unit=x");
  text.replace(text.find("st memory"), 9, "ts memory");
  const Assembly assembly = assemble(text, any_machine);
  REQUIRE(assembly.errors.size() >= 2);
  CHECK(assembly.errors[0].place.line == 9);
  CHECK(std::any_of(assembly.errors.begin(), assembly.errors.end(), [](const auto& e) { return e.place.line == 21; }));
  std::string many = "kernel lanes=8 rows=1 columns=1\n";
  for (int i = 0; i < 100; ++i) many += "?\n";
  CHECK(assemble(many, any_machine).errors.size() == 20);
}

TEST_CASE("assembler: expressions", "[assembler]") {
  CHECK(value_of("1 + 2 * 3") == 7);
  CHECK(value_of("(1 + 2) * 3 - -4") == 13);
  CHECK(value_of("10 - 3 - 2") == 5);
  CHECK(value_of("0xff & ~0x0F | 1 << 8") == 0x1f0);
  CHECK(value_of("-7 / 2 + -7 % 4") == -6);
  CHECK(value_of("5 ^ 1 & 3") == 4);
  CHECK(value_of("seven % 4 >> 1") == 1);
  CHECK(value_of("-9223372036854775807 - 1") == std::numeric_limits<i64>::min());
  for (const char* bad :
       {"", "1 +", "()", "(1", "eight", "1 << 63", "1 << -1", "2 / 0", "2 % 0", "-9223372036854775807 - 2",
        "(-9223372036854775807 - 1) / -1", "4611686018427387904 << 1", "0x1g", "- -"}) {
    INFO(bad);
    CHECK_THROWS_AS(value_of(bad), TextError);
  }
  CHECK_THROWS_AS(value_of(std::string(100000, '(')), TextError);
  CHECK_THROWS_AS(value_of(std::string(100000, '-')), TextError);
}

TEST_CASE("assembler: lines go on in brackets and behind a backslash", "[assembler]") {
  const Kernel kernel = kernel_of(
      "kernel lanes=8 rows=2 \\\n  columns=2\nregister a = [1, 2,  # the first row\n 3, 4]\nregister b = y * 10 + x\n");
  CHECK(kernel.pe_registers == std::vector<std::vector<i32>>{{1, 0}, {2, 1}, {3, 10}, {4, 11}});
}

TEST_CASE("assembler: names for C", "[assembler]") {
  CHECK(c_name("one-kernel.v2") == "one_kernel_v2");
  CHECK(c_name("2d") == "_2d");
  CHECK(c_name("") == "_");
}
