// SPDX-License-Identifier: Apache-2.0
// The safetensors format and the conversions to fp16.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "platform/network/half.h"
#include "platform/network/safetensors.h"
#include "platform/support/input_error.h"

namespace {

namespace fs = std::filesystem;
using bvp::u16;
using bvp::u32;
using bvp::u64;
using Catch::Matchers::Contains;

/// A file that goes away with the test.
class TemporaryFile {
 public:
  TemporaryFile() : path_(fs::temp_directory_path() / ("bvp_safetensors_" + std::to_string(getpid()))) {}
  ~TemporaryFile() { fs::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] const fs::path& path() const { return path_; }
  void write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }
  [[nodiscard]] std::string bytes() const {
    std::ifstream stream(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const std::string& header, const std::string& data) const {
    std::string size(8, '\0');
    const u64 bytes = header.size();
    std::memcpy(size.data(), &bytes, 8);
    write(size + header + data);
  }
  [[nodiscard]] std::string refusal() const {
    try {
      bvp::read_safetensors(path_);
    } catch (const bvp::InputError& error) {
      return error.what();
    }
    return "(accepted)";
  }

 private:
  fs::path path_;
};

template <class T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

}  // namespace

TEST_CASE("Every fp16 number survives the way to float and back", "[half]") {
  for (u32 bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<u16>(bits);
    const float value = bvp::from_half(half);
    if (std::isnan(value)) {
      CHECK((bvp::to_half(value) & 0x7c00) == 0x7c00);
      CHECK((bvp::to_half(value) & 0x3ff) != 0);
    } else {
      REQUIRE(bvp::to_half(value) == half);
    }
  }
}

TEST_CASE("Conversion to fp16 rounds to the nearest, ties to even", "[half]") {
  // Between each pair of neighbours: below the middle, the middle, above it.
  for (u32 bits = 0; bits < 0x7bff; ++bits) {
    const double low = bvp::from_half(static_cast<u16>(bits));
    const double high = bvp::from_half(static_cast<u16>(bits + 1));
    const double middle = (low + high) / 2;
    REQUIRE(bvp::to_half(std::nextafter(middle, 0)) == bits);
    REQUIRE(bvp::to_half(std::nextafter(middle, 1e9)) == bits + 1);
    REQUIRE(bvp::to_half(middle) == bits + (bits & 1));
    REQUIRE(bvp::to_half(-middle) == (0x8000 | (bits + (bits & 1))));
  }
  CHECK(bvp::to_half(65519.99) == 0x7bff);
  CHECK(bvp::to_half(65520) == 0x7c00);
  CHECK(bvp::to_half(1e300) == 0x7c00);
  CHECK(bvp::to_half(-std::numeric_limits<double>::infinity()) == 0xfc00);
  CHECK(bvp::to_half(5e-324) == 0);
  CHECK(bvp::to_half(-0.0) == 0x8000);
}

TEST_CASE("Tensors survive a file, and the same tensors give the same bytes", "[safetensors]") {
  const TemporaryFile file;
  const bvp::TensorMap tensors{
      {"b", {{2, 3}, {1, 2, 3, 4, 5, 0x7bff}}}, {"a", {{1}, {0x3c00}}}, {"empty", {{0, 4}, {}}}};
  bvp::write_safetensors(file.path(), tensors);
  const bvp::TensorMap read = bvp::read_safetensors(file.path()).tensors;
  REQUIRE(read.size() == 3);
  CHECK(read.at("b").shape == std::vector<u64>{2, 3});
  CHECK(read.at("b").data == tensors.at("b").data);
  CHECK(read.at("empty").data.empty());
  const std::string bytes = file.bytes();
  bvp::write_safetensors(file.path(), read);
  CHECK(file.bytes() == bytes);
}

TEST_CASE("F32 and F64 are rounded to fp16", "[safetensors]") {
  const TemporaryFile file;
  file.write(R"({"s":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
             R"("d":{"dtype":"F64","shape":[1,1],"data_offsets":[8,16]},"__metadata__":{"format":"pt"}})",
             raw<float>({1.0F, -2.5F}) + raw<double>({1.0 / 3}));
  const bvp::TensorMap tensors = bvp::read_safetensors(file.path()).tensors;
  CHECK(tensors.at("s").data == std::vector<u16>{0x3c00, 0xc100});
  CHECK(tensors.at("d").data == std::vector<u16>{0x3555});
}

TEST_CASE("Unsound safetensors files are refused by tensor", "[safetensors]") {
  const TemporaryFile file;
  const std::string four(4, '\0');
  const auto refusal = [&](const std::string& header, const std::string& data) {
    file.write(header, data);
    return file.refusal();
  };
  CHECK_THAT(refusal(R"({"w":{"dtype":"C64","shape":[2],"data_offsets":[0,4]}})", four),
             Contains("'w': type C64 is not supported"));
  CHECK_THAT(refusal(R"({"w":{"dtype":"F16","shape":[3],"data_offsets":[0,4]}})", four),
             Contains("'w': its shape needs more bytes") || Contains("'w': its shape needs 6 bytes"));
  CHECK_THAT(refusal(R"({"w":{"dtype":"F16","shape":[1],"data_offsets":[0,4]}})", four),
             Contains("'w': its shape needs"));
  CHECK_THAT(refusal(R"({"w":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}})", four), Contains("'w': its data_off"));
  CHECK_THAT(refusal(R"({"w":{"dtype":"F16","shape":[2],"data_offsets":[4,0]}})", four), Contains("'w': its data_off"));
  CHECK_THAT(refusal(R"({"w":{"dtype":"F16","shape":[-2],"data_offsets":[0,4]}})", four), Contains("'w': expected"));
  CHECK_THAT(refusal(R"({"w":{"dtype":"F16","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", four),
             Contains("'w': its shape"));
  CHECK_THAT(refusal(R"({"w":3})", four), Contains("'w': expected"));
  CHECK_THAT(refusal(R"({"w":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", four), Contains("behind the last"));
  CHECK_THAT(refusal(R"({"v":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                     R"("w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})",
                     four),
             Contains("overlap"));
  CHECK_THAT(refusal(R"({"w":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},)"
                     R"("w":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}})",
                     four),
             Contains("'w' appears twice"));
  CHECK_THAT(refusal(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", raw<float>({1e6F})),
             Contains("beyond the range of fp16"));
  CHECK_THAT(refusal("[1]", four), Contains("not a JSON object"));
  CHECK_THAT(refusal("{oops", four), Contains("not JSON"));
  CHECK_THAT(refusal(std::string(100000, '['), four), Contains("nested more than 8 deep"));
  CHECK_THAT(refusal(R"({"__metadata__":{"a":)" + std::string(20, '[') + std::string(20, ']') + "}}", four),
             Contains("nested more than 8 deep"));
  file.write("abc");
  CHECK_THAT(file.refusal(), Contains("only 3 bytes"));
  file.write(std::string(16, '\xff'));
  CHECK_THAT(file.refusal(), Contains("is not a safetensors file, or is cut short"));
  CHECK_THROWS_AS(bvp::read_safetensors("/no/such/file"), bvp::InputError);
}

TEST_CASE("Names out of safetensors files are printed short and without control characters", "[safetensors]") {
  const TemporaryFile file;
  const auto refusal = [&](const std::string& name, const std::string& type) {
    file.write(R"({")" + name + R"(":{"dtype":")" + type + R"(","shape":[1],"data_offsets":[0,2]}})", "xy");
    return file.refusal();
  };
  const std::string name = "\\u001b[2J\\nw\\u009b" + std::string(300000, 'x');
  for (const std::string& text : {refusal(name, "Q8"), refusal("w", name)}) {
    CHECK(text.size() < 400);
    CHECK_THAT(text, Contains("?[2J?w?xxx"));
  }
  CHECK_THAT(refusal(R"(w":{},")" + name + R"(":{},")" + name, "F16"), Contains("'?[2J?w?xxx") && Contains("twice"));
}

TEST_CASE("The time to read a header grows with its tensors, not with their square", "[safetensors]") {
  const TemporaryFile file;
  std::string header = "{";
  constexpr int tensors = 60000;
  for (int i = 0; i < tensors; ++i) {
    header += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + R"(":{"dtype":"F16","shape":[0],"data_offsets":[0,0]})";
  }
  file.write(header + "}", "");
  const auto begin = std::chrono::steady_clock::now();
  CHECK(bvp::read_safetensors(file.path()).tensors.size() == tensors);
  // A hundredth of the limit. A check of repeated names in a parser's callback would take half a minute here.
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
}

TEST_CASE("Damaged safetensors files never do more than be refused", "[safetensors]") {
  const TemporaryFile file;
  bvp::write_safetensors(file.path(), {{"a", {{2, 2}, {1, 2, 3, 4}}}, {"b", {{3}, {5, 6, 7}}}});
  const std::string sound = file.bytes();
  for (std::size_t at = 0; at < sound.size(); ++at) {
    for (const int bit : {0, 1, 3, 6, 7}) {
      std::string bytes = sound;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      file.write(bytes);
      CHECK_FALSE(file.refusal().empty());
    }
    file.write(sound.substr(0, at));
    CHECK(file.refusal() != "(accepted)");
  }
}

TEST_CASE("BF16 is rounded to fp16, and refused beyond its range", "[safetensors]") {
  const TemporaryFile file;
  const auto read_one = [&](u16 bits) {
    file.write(R"({"w":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}})", raw<u16>({bits}));
    const bvp::FloatTensors found = bvp::read_safetensors(file.path());
    CHECK(found.bfloat16 == 1);
    return found.tensors.at("w").data.at(0);
  };
  // Sign, 8 bits of exponent, 7 of fraction: 1, -2.5, 0.0078125, the largest below 65,504, 2^-24 and less than half of
  // it.
  CHECK(read_one(0x3f80) == 0x3c00);
  CHECK(read_one(0xc020) == 0xc100);
  CHECK(read_one(0x3c00) == 0x2000);
  CHECK(read_one(0x477f) == 0x7bf8);
  CHECK(read_one(0x3380) == 0x0001);
  CHECK(read_one(0x32c0) == 0x0000);
  file.write(R"({"w":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}})", raw<u16>({0x4780}));
  CHECK_THAT(file.refusal(), Contains("65536 at flat index 0 is beyond the range of fp16"));
}

TEST_CASE("Tensors that are not of floats are named and not read", "[safetensors]") {
  const TemporaryFile file;
  file.write(
      R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"b":{"dtype":"BOOL","shape":[2],"data_offsets":[8,10]},)"
      R"("w":{"dtype":"F16","shape":[1],"data_offsets":[10,12]}})",
      std::string(12, '\0'));
  for (const bvp::FloatTensors& found :
       {bvp::read_safetensors(file.path()), bvp::read_safetensors_shapes(file.path())}) {
    CHECK(found.tensors.size() == 1);
    CHECK(found.others == std::map<std::string, std::string>{{"a", "I64"}, {"b", "BOOL"}});
  }
}
