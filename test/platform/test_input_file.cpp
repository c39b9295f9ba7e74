// SPDX-License-Identifier: Apache-2.0
// Files of unknown origin, and the seal of our own.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "platform/support/input_error.h"
#include "platform/support/input_file.h"
#include "platform/support/seal.h"
#include "platform/support/sha256.h"
#include "platform/support/temporary_path.h"

namespace {

namespace fs = std::filesystem;
using bvp::check_like;
using bvp::InputError;
using bvp::read_input_file;
using bvp::read_json_file;
using Catch::Matchers::Contains;
using Json = nlohmann::json;

/// A file with this content, for the time of a test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text = "")
      : path_(fs::temp_directory_path() / ("bvp_input_" + bvp::random_name())) {
    std::ofstream(path_.path(), std::ios::binary) << text;
  }
  [[nodiscard]] const fs::path& path() const { return path_.path(); }

 private:
  bvp::TemporaryPath path_;
};

}  // namespace

TEST_CASE("SHA-256 of texts and files is that of the standard", "[input_file]") {
  // FIPS 180-4's examples.
  CHECK(bvp::sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string million(1000000, 'a');
  CHECK(bvp::sha256_of(million) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  CHECK(bvp::sha256_of_file(TemporaryFile(million).path()) == bvp::sha256_of(million));
  CHECK_THROWS_WITH(bvp::sha256_of_file("/no/such/file"), Contains("/no/such/file: cannot be read"));
}

TEST_CASE("Only regular files of a bounded size are read", "[input_file]") {
  CHECK(read_input_file(TemporaryFile("text").path(), 4) == "text");
  CHECK(read_input_file(TemporaryFile(std::string(300000, 'x')).path(), 1 << 20).size() == 300000);
  CHECK_THROWS_WITH(read_input_file(TemporaryFile("texts").path(), 4), Contains("has 5 bytes, expected at most 4"));
  CHECK_THROWS_WITH(read_input_file("/no/such/file", 4), Contains("there is no such file"));
  CHECK_THROWS_WITH(read_input_file("/dev/zero", 4), Contains("is no regular file"));
  CHECK_THROWS_WITH(read_input_file("/tmp", 4), Contains("is a directory, expected a file"));
  const bvp::TemporaryPath pipe(fs::temp_directory_path() / ("bvp_pipe_" + bvp::random_name()));
  REQUIRE(mkfifo(pipe.path().c_str(), 0600) == 0);
  // And nobody waits for a writer.
  CHECK_THROWS_WITH(read_input_file(pipe.path(), 4), Contains("is no regular file"));
  CHECK(bvp::why_no_file(TemporaryFile("text").path(), "x").empty());
  CHECK(bvp::why_no_file("/no/such/file", "x") == "there is no file 'x'");
  CHECK(bvp::why_no_file("/tmp", "x") == "'x' is a directory");
  CHECK(bvp::why_no_file("/dev/zero", "x") == "'x' is no regular file");
  CHECK_THAT(bvp::why_no_file("/" + std::string(300, 'x'), "x"), Contains("'x' cannot be read: "));
  CHECK_THROWS_WITH(bvp::read_input_stream("/dev/zero", 1000), Contains("more than the 1000 bytes"));
  CHECK(bvp::read_input_stream("/dev/null", 1000).empty());
}

TEST_CASE("JSON of strangers is refused with its place, however it is nested", "[input_file]") {
  const auto refusal = [](const std::string& text) -> std::string {
    const TemporaryFile file(text);
    try {
      static_cast<void>(read_json_file(file.path()));
    } catch (const InputError& error) {
      return error.what();
    }
    return "(accepted)";
  };
  CHECK(read_json_file(TemporaryFile(R"({"a": [1, null]})").path()) == Json{{"a", {1, nullptr}}});
  const std::string expected = "; expected a file that a run left";
  CHECK_THAT(refusal("{\n\"a\": 1,\n x}"), Contains(": is not JSON (line 3): invalid literal" + expected));
  CHECK_THAT(refusal("{\n"), Contains(": is not JSON (line 2): unexpected end of input" + expected));
  CHECK_THAT(refusal(""), Contains(": is not JSON (line 1): unexpected end of input" + expected));
  CHECK_THAT(refusal("[1,\n1e999]"), Contains("(line 2): number overflow") && !Contains("json.exception"));
  CHECK_THAT(refusal("\"\xff\""), Contains("(line 1): invalid string") && !Contains("json.exception"));
  CHECK_THAT(refusal(std::string(200000, '[') + std::string(200000, ']')), Contains("nested more than 32 deep"));
  std::string maps;
  for (int i = 0; i < 100000; ++i) maps += R"({"x":)";
  CHECK_THAT(refusal(maps), Contains("nested more than 32 deep"));
  CHECK_THAT(refusal("{"), Contains("is not JSON"));
  CHECK_THAT(refusal(R"({"a": 1e999})"), Contains("is not JSON"));
  CHECK_THAT(refusal(R"({"a": NaN})"), Contains("is not JSON"));
  CHECK_THAT(refusal("\x1b[2J"), Contains("is not JSON") && !Contains("\x1b"));
  CHECK_THAT(refusal(""), Contains("is not JSON"));
}

TEST_CASE("A file is held against an example of it", "[input_file]") {
  const Json example{{"name", ""},
                     {"rows", Json::array({{{"cycles", 1}}})},
                     {"by_name", {{"*", 1}}},
                     {"perhaps", {{"?", 1}}},
                     {"any", nullptr}};
  Json good{{"name", "x"},        {"rows", Json::array()}, {"by_name", Json::object()},
            {"perhaps", nullptr}, {"any", true},           {"more", 1}};
  CHECK_NOTHROW(check_like("f.json", good, example));
  const auto refusal = [&](const char* key, const Json& value) -> std::string {
    Json found = good;
    found[key] = value;
    try {
      check_like("f.json", found, example);
    } catch (const InputError& error) {
      return error.what();
    }
    return "(accepted)";
  };
  CHECK(refusal("name", 3) == "f.json: name: found a number, expected text");
  CHECK(refusal("rows", {{"cycles", 1}}) == "f.json: rows: found a map, expected a list");
  CHECK(refusal("rows", Json::array({{{"cycles", 1}}, {{"cycles", "<b>"}}})) ==
        "f.json: rows[1].cycles: found '<b>', expected a number");
  CHECK_THAT(refusal("rows", Json::array({Json::object()})), Contains("no 'rows[0].cycles'"));
  CHECK(refusal("by_name", {{"a", 1}, {"b", nullptr}}) == "f.json: by_name.b: found nothing, expected a number");
  CHECK(refusal("perhaps", false) == "f.json: perhaps: found true or false, expected a number");
  good.erase("any");
  CHECK_THAT(refusal("name", ""), Contains("no 'any'"));
  CHECK_THROWS_WITH(check_like("f.json", Json::array(), example), "f.json: the whole: found a list, expected a map");
}

TEST_CASE("A seal tells a file that was made here and left alone", "[input_file]") {
  constexpr bvp::Sealed kind = bvp::Sealed::comparison;
  const std::string text = bvp::sealed("{\"seal\": \"" + bvp::seal_blank(kind) + "\", \"x\": 1}", kind);
  CHECK(text.find(bvp::seal_blank(kind)) == std::string::npos);
  CHECK(bvp::is_sealed(TemporaryFile(text).path(), kind));
  CHECK_FALSE(bvp::is_sealed_text(text, bvp::Sealed::run));
  for (std::size_t at = 0; at < text.size(); at += 3) {
    std::string changed = text;
    changed[at] ^= 1;
    CHECK_FALSE(bvp::is_sealed_text(changed, kind));
  }
  CHECK_FALSE(bvp::is_sealed_text(text + " ", kind));
  CHECK_FALSE(bvp::is_sealed_text(bvp::seal_blank(kind), kind));
  CHECK_FALSE(bvp::is_sealed_text("butterfly-vp-comparison-sha256:12", kind));
  CHECK_FALSE(bvp::is_sealed_text("mine", kind));
  CHECK_FALSE(bvp::is_sealed("/no/such/file", kind));
}
