// SPDX-License-Identifier: Apache-2.0
// Sparse attention: the patterns against their definitions, random networks on random machines against the fp16
// reference, and the reference against attention that sees everything.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "platform/network/mixing.h"
#include "platform/network/weights.h"
#include "platform/operators/blocks/key_blocks.h"
#include "platform/reference/float_reference.h"
#include "platform/reference/reference.h"
#include "platform/run/run.h"
#include "test/support/random_case.h"

namespace {

using namespace bvp;
using test::RandomCase;

EncoderLayer window_layer(u64 window, u64 global_tokens) {
  EncoderLayer layer;
  layer.mixing = Mixing::window;
  layer.values = {{"window", static_cast<i64>(window)}, {"global_tokens", static_cast<i64>(global_tokens)}};
  return layer;
}

EncoderLayer block_layer(Mixing mixing, u64 block, u64 top = 0) {
  EncoderLayer layer;
  layer.mixing = mixing;
  layer.values = {{"block_tokens", static_cast<i64>(block)}, {"top_blocks", static_cast<i64>(top)}};
  return layer;
}

bool contains(const TokenRuns& runs, u64 token) {
  return std::any_of(runs.begin(), runs.end(),
                     [&](const TokenRun& run) { return token >= run.first && token < run.first + run.count; });
}

/// Holds a pattern and its blocks of queries against `sees`.
template <class Sees>
void check_pattern(const EncoderLayer& layer, u64 tokens, u64 query_block, const Sees& sees) {
  const auto of_layer = pattern_of(layer, tokens);
  const AttentionPattern& pattern = *of_layer;
  for (u64 query = 0; query < tokens; ++query) {
    const TokenRuns seen = pattern.seen(query);
    for (u64 key = 0; key < tokens; ++key) {
      INFO("query " << query << ", key " << key);
      REQUIRE(contains(seen, key) == sees(query, key));
    }
    for (std::size_t i = 1; i < seen.size(); ++i) REQUIRE(seen[i].first > seen[i - 1].first + seen[i - 1].count);
  }
  u64 next = 0;
  for (const QueryBlock& block : pattern.query_blocks(query_block)) {
    REQUIRE(block.queries.first == next);
    next += block.queries.count;
    bool whole = true;
    for (u64 key = 0; key < tokens; ++key) {
      bool by_all = true, by_one = false;
      for (u64 query = block.queries.first; query < next; ++query) {
        by_all = by_all && sees(query, key);
        by_one = by_one || sees(query, key);
      }
      INFO("queries from " << block.queries.first << ", key " << key);
      REQUIRE(contains(block.keys, key) == by_one);
      whole = whole && by_all == by_one;
    }
    REQUIRE(block.whole == whole);
  }
  REQUIRE(next == tokens);
}

/// The layers' mixing becomes a sparse one, of a generator of its own.
std::string made_sparse(std::string network, u64 number) {
  std::mt19937_64 random(number ^ 0x73706172);
  const u64 tokens = std::stoull(network.substr(network.find("tokens: ") + 8));
  std::vector<u64> divisors;
  for (u64 size = 1; size <= tokens; ++size) {
    if (tokens % size == 0 && tokens / size <= 40) divisors.push_back(size);
  }
  const auto mixing = [&]() -> std::string {
    const u64 kind = random() % 4, block = divisors[random() % divisors.size()], blocks = tokens / block;
    if (kind == 0) return fmt::format("window, window: {}, global_tokens: 0", random() % (tokens + 10));
    if (kind == 1) return fmt::format("window, window: {}, global_tokens: {}", random() % 20, random() % 12);
    if (kind == 2 && random() % 2 == 0) return fmt::format("blocks, block_tokens: {}", block);
    if (kind == 2) {
      std::string list;
      for (u64 i = 0; i < blocks; ++i) {
        list += fmt::format("{}{} {}", i == 0 ? "" : ", ", random() % blocks, random() % blocks);
      }
      return fmt::format("blocks, block_tokens: {}, key_blocks: '{}'", block, list);
    }
    return fmt::format("topk, block_tokens: {}, top_blocks: {}", block, 1 + random() % std::min<u64>(blocks, 6));
  };
  for (const std::string& of : {std::string("mixing: attention"), std::string("mixing: fft2d")}) {
    for (std::size_t at = network.find(of); at != std::string::npos; at = network.find(of, at)) {
      network.replace(at, of.size(), "mixing: " + mixing());
    }
  }
  return network;
}

/// True: it ran; false: it was refused, with a message that names a key.
bool check_case(u64 number) {
  const RandomCase random(number, false);
  const std::string network = made_sparse(random.network(), number);
  INFO("case " << number << "\n" << network << fmt::format("--set {}", fmt::join(random.settings(), " --set ")));
  ScenarioOptions options;
  for (const std::string& setting : random.settings()) {
    const bool of_mask = setting == "network.padding_mask=true" && network.find("topk") != std::string::npos;
    // Half of the cases have the scratchpad that is shipped, because sparse attention does not work in the smallest
    // ones.
    const bool of_room = number % 2 == 0 && setting.rfind("soc.scratchpad.size_bytes=", 0) == 0;
    if (!of_mask && !of_room) options.overrides.push_back(parse_override(setting));
  }
  // Bits count here; where sums cancel, errors say nothing.
  for (const char* key : {"tolerance", "row_tolerance", "end_to_end_tolerance"}) {
    options.overrides.push_back(parse_override(fmt::format("verify.{}=1", key)));
  }
  try {
    const auto scenario = read_scenario_text(network, "random.yaml", options);
    const RunResult result = run_scenario(*scenario, {});
    CHECK(result.failure == "");
    CHECK(result.verification.bit_exact);
    return true;
  } catch (const InputError& error) {
    INFO(error.what());
    const std::string reason = error.what();
    const auto names = [&](const char* group) { return reason.find(group) != std::string::npos; };
    CHECK((names("soc.") || names("compiler.") || names("network.")));
    return false;
  }
}

void check_cases(u64 first, u64 end) {
  u64 ran = 0;
  for (u64 number = first; number < end; ++number) ran += check_case(number) ? 1 : 0;
  INFO(ran << " of " << end - first << " ran, the others were refused");
  // Scratchpads in which whole tiles do not fit are refused, and operand memories that do not hold a kernel.
  CHECK(3 * ran > end - first);
}

Network network_of(u64 tokens, const EncoderLayer& layer) {
  Network network;
  network.tokens = tokens;
  network.hidden = 24;
  network.heads = 3;
  network.ffn = 40;
  network.batch = 2;
  network.layers = {layer};
  network.layers[0].projections = LinearKind::dense;
  return network;
}

/// An error of the scenario that is `network.layers.0: ...`.
std::string problem_of(const std::string& layer, const std::string& more = "") {
  try {
    (void)read_scenario_text(
        "network:\n  tokens: 64\n  hidden: 32\n  ffn: 32\n" + more + "  layers:\n    - {" + layer + "}\n",
        "sparse.yaml");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("sparse attention: a window is what its definition says", "[sparse]") {
  for (const u64 tokens : {u64{1}, u64{7}, u64{40}}) {
    for (const u64 window : {u64{0}, u64{1}, u64{5}, u64{100}}) {
      for (const u64 global : {u64{0}, u64{1}, u64{6}, u64{50}}) {
        for (const u64 query_block : {u64{1}, u64{4}, u64{16}, u64{64}}) {
          INFO(tokens << " tokens, window " << window << ", " << global << " global, " << query_block << " at a time");
          check_pattern(window_layer(window, global), tokens, query_block, [&](u64 query, u64 key) {
            const u64 distance = query > key ? query - key : key - query;
            return distance <= window || query < global || key < global;
          });
        }
      }
    }
  }
}

TEST_CASE("sparse attention: patterns of blocks are what their definitions say", "[sparse]") {
  for (const u64 blocks : {u64{1}, u64{2}, u64{5}, u64{8}, u64{11}}) {
    EncoderLayer layer = block_layer(Mixing::blocks, 3);
    check_pattern(layer, 3 * blocks, 100, [](u64 query, u64 key) {
      const u64 differing = query / 3 ^ key / 3;
      return (differing & (differing - 1)) == 0;
    });
  }
  EncoderLayer given = block_layer(Mixing::blocks, 4);
  const std::string text = "2, 0-1 ,  1 1 0,0-3";
  given.values["key_blocks"] = text;
  const std::vector<std::vector<u32>> key_blocks = parse_key_blocks(text);
  CHECK(key_blocks == std::vector<std::vector<u32>>{{2}, {0, 1}, {0, 1}, {0, 1, 2, 3}});
  check_pattern(given, 16, 1, [&](u64 query, u64 key) {
    const auto& blocks = key_blocks[query / 4];
    return std::find(blocks.begin(), blocks.end(), key / 4) != blocks.end();
  });
  for (const char* wrong : {"", ",", "0,", "a", "3-1", "0;1", "-1", "99999999", "1-", "0-99999"}) {
    INFO(wrong);
    CHECK(parse_key_blocks(wrong).empty());
  }
}

TEST_CASE("sparse attention: wrong parameters are refused with what would do", "[sparse]") {
  const auto says = [](const std::string& problem, const char* what) {
    INFO(problem);
    CHECK(problem.find("sparse.yaml:") == 0);
    CHECK(problem.find("network.layers.0: ") != std::string::npos);
    CHECK(problem.find(what) != std::string::npos);
  };
  CHECK(problem_of("mixing: blocks, block_tokens: 16") == "");
  CHECK(problem_of("mixing: topk, block_tokens: 16, top_blocks: 4") == "");
  says(problem_of("mixing: blocks, block_tokens: 24"),
       "block_tokens: found 24, expected a number that divides the 64 tokens");
  says(problem_of("mixing: topk, block_tokens: 16, top_blocks: 5"),
       "top_blocks: found 5, expected from 1 to the 4 blocks");
  says(problem_of("mixing: blocks, block_tokens: 16, key_blocks: '0, 1'"), "found 2 blocks of queries, expected the 4");
  says(problem_of("mixing: blocks, block_tokens: 16, key_blocks: '0, 1, 2, 4'"),
       "found the block 4, expected numbers from 0 to 3");
  says(problem_of("mixing: blocks, block_tokens: 16, key_blocks: flat"), "found 'flat', expected butterfly, or a list");
  says(problem_of("mixing: topk, block_tokens: 16", "  padding_mask: true\n"),
       "found topk beside network.padding_mask");
}

TEST_CASE("sparse attention: the reference of a pattern that leaves out nothing is that of attention", "[sparse]") {
  for (const u64 tokens : {u64{12}, u64{48}}) {
    EncoderLayer all;
    const Network attention = network_of(tokens, all);
    const TensorMap weights = random_weights(attention, 3);
    const Tensor input = random_input(attention, 3);
    ReferenceOptions options;
    options.sum_ways = 8;
    const std::vector<u16> want = reference_network(attention, weights, input, options).at("output").data;
    for (const EncoderLayer& layer : {window_layer(tokens, 0), window_layer(0, tokens),
                                      block_layer(Mixing::blocks, tokens), block_layer(Mixing::topk, tokens / 4, 4)}) {
      CHECK(reference_network(network_of(tokens, layer), weights, input, options).at("output").data == want);
    }
    CHECK(reference_network(network_of(tokens, window_layer(1, 0)), weights, input, options).at("output").data != want);
  }
}

TEST_CASE("sparse attention: fp16 and fp32 references agree", "[sparse]") {
  for (const EncoderLayer& layer :
       {window_layer(3, 0), window_layer(5, 2), block_layer(Mixing::blocks, 6), block_layer(Mixing::topk, 6, 3)}) {
    const Network network = network_of(42, layer);
    const TensorMap weights = random_weights(network, 5);
    const Tensor input = random_input(network, 5);
    BlockChoices choices;
    const std::vector<u16> got = reference_network(network, weights, input, {}, {}, &choices).at("output").data;
    const std::vector<float> want =
        reference_float_network(network, weights, widened(input.data), 0, {}, &choices).output;
    CHECK(relative_error(got, want, 24).whole < 2e-3);
    CHECK(choices.size() == (layer.mixing == Mixing::topk ? 1 : 0));
    if (choices.empty()) continue;
    CHECK(choices.at(0).size() == 2 * 3 * 7 * 3);
    // Its own choice differs at most where scores are next to equal.
    const std::vector<float> own = reference_float_network(network, weights, widened(input.data)).output;
    CHECK(relative_error(got, own, 24).whole < 0.3);
  }
}

TEST_CASE("sparse attention: random networks on random machines are bit-exact", "[sparse][properties]") {
  check_cases(2000, 2024);
}

// Some minutes: scripts/test --nightly
TEST_CASE("sparse attention: many random networks on random machines", "[sparse][properties][.nightly]") {
  check_cases(2024, 2324);
}
