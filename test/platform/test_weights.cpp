// SPDX-License-Identifier: Apache-2.0
// A network's parameters: names and shapes, values from a seed, values from a file.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "platform/network/half.h"
#include "platform/network/safetensors.h"
#include "platform/network/weights.h"
#include "platform/support/input_error.h"

namespace {

namespace fs = std::filesystem;
using bvp::u16;
using bvp::u32;
using bvp::u64;
using Catch::Matchers::Contains;

bvp::Network small_network() {
  bvp::Network network;
  network.tokens = 6;
  network.hidden = 12;
  network.heads = 3;
  network.ffn = 40;
  network.layers = {{bvp::Mixing::fft2d, bvp::LinearKind::butterfly, bvp::LinearKind::butterfly},
                    {bvp::Mixing::attention, bvp::LinearKind::dense, bvp::LinearKind::dense}};
  return network;
}

double deviation(const std::vector<u16>& values) {
  double sum = 0;
  double squares = 0;
  for (const u16 half : values) {
    const double value = bvp::from_half(half);
    sum += value;
    squares += value * value;
  }
  const auto count = static_cast<double>(values.size());
  return std::sqrt(squares / count - sum / count * (sum / count));
}

class TemporaryFile {
 public:
  TemporaryFile() : path_(fs::temp_directory_path() / ("bvp_weights_" + std::to_string(getpid()))) {}
  ~TemporaryFile() { fs::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string refusal(const fs::path& file, const bvp::Network& network) {
  try {
    bvp::load_weights(file, network);
  } catch (const bvp::InputError& error) {
    return error.what();
  }
  return "(accepted)";
}

}  // namespace

TEST_CASE("Names and shapes of a network's parameters", "[weights]") {
  bvp::Network network = small_network();
  const bvp::TensorMap weights = bvp::random_weights(network, 1);
  CHECK(weights.size() == 8 + 16);
  // 12 inputs pad to 16: 4 factors of 8 pairs, 3 stacks for 40 outputs.
  CHECK(weights.at("layers.0.ffn.up.twiddle").shape == std::vector<u64>{3, 4, 8, 2, 2});
  CHECK(weights.at("layers.0.ffn.down.twiddle").shape == std::vector<u64>{1, 6, 32, 2, 2});
  CHECK(weights.at("layers.0.ffn.down.bias").shape == std::vector<u64>{12});
  CHECK(weights.at("layers.1.attention.query.weight").shape == std::vector<u64>{12, 12});
  CHECK(weights.at("layers.1.ffn.up.weight").shape == std::vector<u64>{40, 12});
  CHECK(weights.count("layers.0.attention.query.bias") == 0);
  CHECK(weights.count("final_norm.weight") == 0);
  network.norm = bvp::NormPlacement::pre;
  CHECK(bvp::random_weights(network, 1).count("final_norm.weight") == 1);
}

TEST_CASE("A seed fixes every value, and layers do not disturb each other", "[weights]") {
  bvp::Network network = small_network();
  const bvp::TensorMap first = bvp::random_weights(network, 42);
  CHECK(first.at("layers.0.ffn.up.twiddle").data ==
        bvp::random_weights(network, 42).at("layers.0.ffn.up.twiddle").data);
  CHECK(first.at("layers.0.ffn.up.twiddle").data !=
        bvp::random_weights(network, 43).at("layers.0.ffn.up.twiddle").data);
  network.layers[0].mixing = bvp::Mixing::attention;
  CHECK(first.at("layers.0.ffn.up.twiddle").data ==
        bvp::random_weights(network, 42).at("layers.0.ffn.up.twiddle").data);
  // The very bits, so that a change of the generator (or a host that rounds otherwise) shows.
  const std::vector<u16>& bias = first.at("layers.0.norm1.bias").data;
  CHECK(std::vector<u16>(bias.begin(), bias.begin() + 3) == std::vector<u16>{0xa215, 0x9e14, 0x2507});
  const std::vector<u16>& twiddle = first.at("layers.0.ffn.up.twiddle").data;
  CHECK(std::vector<u16>(twiddle.begin(), twiddle.begin() + 4) == std::vector<u16>{0xba19, 0xbab0, 0x3ab9, 0xba5a});
}

TEST_CASE("Butterfly factors are near-orthogonal and make up for padding", "[weights]") {
  const bvp::TensorMap weights = bvp::random_weights(small_network(), 3);
  const bvp::Tensor& twiddle = weights.at("layers.0.ffn.up.twiddle");
  for (std::size_t i = 0; i < twiddle.data.size(); i += 4) {
    const double a = bvp::from_half(twiddle.data[i]);
    const double b = bvp::from_half(twiddle.data[i + 1]);
    const double c = bvp::from_half(twiddle.data[i + 2]);
    const double d = bvp::from_half(twiddle.data[i + 3]);
    const bool first_factor = i / 4 / 8 % 4 == 0;
    const double squared_gain = first_factor ? 16.0 / 12.0 : 1.0;
    CHECK(a * a + b * b == Approx(squared_gain).margin(0.15));
    CHECK(c * c + d * d == Approx(squared_gain).margin(0.15));
    CHECK(a * c + b * d == Approx(0).margin(0.15));
  }
}

TEST_CASE("Random tensors have the announced scale", "[weights]") {
  bvp::Network network = small_network();
  network.tokens = 300;
  network.hidden = 256;
  network.ffn = 512;
  const bvp::Tensor input = bvp::random_input(network, 9);
  CHECK(input.shape == std::vector<u64>{1, 300, 256});
  CHECK(deviation(input.data) == Approx(1).margin(0.01));
  const bvp::TensorMap weights = bvp::random_weights(network, 9);
  CHECK(deviation(weights.at("layers.1.ffn.up.weight").data) == Approx(1 / 16.0).epsilon(0.02));
  CHECK(deviation(weights.at("layers.1.ffn.up.bias").data) == Approx(0.02).epsilon(0.2));
  CHECK(deviation(weights.at("layers.1.norm1.weight").data) == Approx(0.1).epsilon(0.2));
}

TEST_CASE("Weights from a file must be those of the network", "[weights]") {
  const TemporaryFile file;
  const bvp::Network network = small_network();
  bvp::TensorMap weights = bvp::random_weights(network, 5);
  bvp::write_safetensors(file.path(), weights);
  CHECK(bvp::load_weights(file.path(), network).at("layers.1.ffn.up.weight").data ==
        weights.at("layers.1.ffn.up.weight").data);

  weights.erase("layers.0.norm1.weight");
  weights["stranger"] = {{1}, {0}};
  weights.at("layers.0.ffn.up.bias") = {{41}, std::vector<u16>(41)};
  weights.at("layers.1.norm2.bias").data[7] = 0x7c00;
  bvp::write_safetensors(file.path(), weights);
  const std::string message = refusal(file.path(), network);
  CHECK_THAT(message, Contains("'layers.0.norm1.weight' [12] is missing"));
  CHECK_THAT(message, Contains("'stranger' is not part of the network"));
  CHECK_THAT(message, Contains("'layers.0.ffn.up.bias' has shape [41], expected [40]"));
  CHECK_THAT(message,
             Contains("'layers.1.norm2.bias' has an element that is not a finite fp16 number, at flat index 7"));
}

TEST_CASE("The header of a file shows whether weights and input fit", "[weights]") {
  const TemporaryFile file;
  const bvp::Network network = small_network();
  bvp::TensorMap weights = bvp::random_weights(network, 5);
  // An error that only the data show is not reported, which proves that the data are not read.
  weights.at("layers.1.norm2.bias").data[7] = 0x7c00;
  bvp::write_safetensors(file.path(), weights);
  const bvp::TensorMap shapes = bvp::load_weight_shapes(file.path(), network);
  for (const auto& [name, tensor] : bvp::weight_shapes(network)) {
    INFO(name);
    CHECK(shapes.at(name).shape == tensor.shape);
    CHECK(shapes.at(name).data.empty());
  }
  CHECK(shapes.size() == weights.size());

  weights.at("layers.0.ffn.up.bias") = {{41}, std::vector<u16>(41)};
  bvp::write_safetensors(file.path(), weights);
  CHECK_THROWS_WITH(bvp::load_weight_shapes(file.path(), network),
                    Contains("'layers.0.ffn.up.bias' has shape [41], expected [40]"));
  CHECK_THROWS_WITH(bvp::check_input_shape(file.path(), network), Contains("no tensor 'input'"));
  bvp::write_safetensors(file.path(), {{"input", {{2}, {0, 0}}}});
  CHECK_THROWS_WITH(bvp::check_input_shape(file.path(), network), Contains("expected [1, 6, 12]"));
  bvp::write_safetensors(file.path(), {{"input", bvp::random_input(network, 5)}});
  CHECK_NOTHROW(bvp::check_input_shape(file.path(), network));
  fs::resize_file(file.path(), fs::file_size(file.path()) - 1);
  CHECK_THROWS_WITH(bvp::check_input_shape(file.path(), network), Contains("bytes"));
}

TEST_CASE("Input from a file must have the network's shape", "[weights]") {
  const TemporaryFile file;
  const bvp::Network network = small_network();
  const bvp::Tensor input = bvp::random_input(network, 5);
  bvp::write_safetensors(file.path(), {{"input", input}});
  CHECK(bvp::load_input(file.path(), network).data == input.data);
  bvp::write_safetensors(file.path(), {{"input", {{2}, {0, 0}}}});
  CHECK_THROWS_WITH(bvp::load_input(file.path(), network), Contains("expected [1, 6, 12]"));
  bvp::write_safetensors(file.path(), {{"x", {{2}, {0, 0}}}});
  CHECK_THROWS_WITH(bvp::load_input(file.path(), network), Contains("no tensor 'input'"));
}

TEST_CASE("Token ids are uniform, repeat themselves, and come back from a file", "[weights]") {
  const TemporaryFile file;
  bvp::Network network = small_network();
  network.tokens = 1000;
  network.batch = 2;
  network.vocabulary = 10;
  const std::vector<u32> tokens = bvp::random_tokens(network, 9);
  CHECK(tokens == bvp::random_tokens(network, 9));
  CHECK(tokens != bvp::random_tokens(network, 10));
  REQUIRE(tokens.size() == 2000);
  for (u32 id = 0; id < 10; ++id) CHECK(std::count(tokens.begin(), tokens.end(), id) == Approx(200).margin(60));

  bvp::write_integers(file.path(), {{"tokens", {2, 1000}, tokens}});
  CHECK(bvp::load_tokens(file.path(), network) == tokens);
  network.vocabulary = 9;
  CHECK_THROWS_WITH(bvp::load_tokens(file.path(), network),
                    Contains("found 9 at index [") && Contains("expected 0 to 8"));
  network.batch = 1;
  CHECK_THROWS_WITH(bvp::load_tokens(file.path(), network), Contains("has shape [2, 1000], expected [1, 1000]"));
  bvp::write_safetensors(file.path(), {{"input", {{2}, {0, 0}}}});
  CHECK_THROWS_WITH(bvp::load_tokens(file.path(), network), Contains("no tensor 'tokens', found 'input'"));
}

TEST_CASE("Embedding and classifier head add their parameters and leave the others alone", "[weights]") {
  bvp::Network network = small_network();
  const bvp::TensorMap plain = bvp::random_weights(network, 3);
  network.vocabulary = 50;
  network.classes = 4;
  const bvp::TensorMap weights = bvp::random_weights(network, 3);
  CHECK(weights.size() == plain.size() + 4);
  for (const auto& [name, tensor] : plain) CHECK(weights.at(name).data == tensor.data);
  CHECK(weights.at("embedding.token").shape == std::vector<u64>{50, 12});
  CHECK(weights.at("embedding.position").shape == std::vector<u64>{6, 12});
  CHECK(weights.at("classifier.weight").shape == std::vector<u64>{4, 12});
  CHECK(weights.at("classifier.bias").shape == std::vector<u64>{4});
}

TEST_CASE("A prefix that all names have is left off, and integers beside the weights are not read", "[weights]") {
  const TemporaryFile file;
  const bvp::Network network = small_network();
  const bvp::TensorMap weights = bvp::random_weights(network, 5);
  bvp::TensorMap exported;
  for (const auto& [name, tensor] : weights) exported.emplace("model.encoder." + name, tensor);
  bvp::write_safetensors(file.path(), exported);
  for (const bool data : {true, false}) {
    std::vector<std::string> notes;
    const bvp::TensorMap read =
        data ? bvp::load_weights(file.path(), network, &notes) : bvp::load_weight_shapes(file.path(), network, &notes);
    REQUIRE(read.size() == weights.size());
    for (const auto& [name, tensor] : weights) CHECK(read.at(name).shape == tensor.shape);
    if (data) CHECK(read.at("layers.0.ffn.up.bias").data == weights.at("layers.0.ffn.up.bias").data);
    REQUIRE(notes.size() == 1);
    CHECK_THAT(notes[0], Contains("prefix 'model.encoder.' is left off"));
  }
  // A prefix that not all names have stays.
  exported.emplace("layers.0.norm1.bias", weights.at("layers.0.norm1.bias"));
  exported.erase("model.encoder.layers.0.norm1.bias");
  bvp::write_safetensors(file.path(), exported);
  CHECK_THROWS_WITH(bvp::load_weights(file.path(), network), Contains("'layers.0.norm1.weight' [12] is missing"));
  bvp::write_safetensors(file.path(), {{"encoder.block.0.w", {{1}, {0}}}});
  CHECK_THROWS_WITH(bvp::load_weights(file.path(), network),
                    Contains("found 'encoder.block.0.w' and the like, expected names like 'layers.0.norm1.weight'"));
  bvp::write_integers(file.path(), {{"layers.0.norm1.weight", {12}, std::vector<u32>(12)}});
  CHECK_THROWS_WITH(bvp::load_weights(file.path(), network),
                    Contains("'layers.0.norm1.weight' has type U32, expected F16, BF16, F32 or F64"));
}
