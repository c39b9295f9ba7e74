// SPDX-License-Identifier: Apache-2.0
// Attention of blocks of queries to blocks of keys.
#include <fmt/format.h>

#include <algorithm>

#include "platform/network/mixing.h"
#include "platform/operators/blocks/block_tokens.h"
#include "platform/operators/blocks/key_blocks.h"
#include "platform/support/printable.h"

namespace bvp {

namespace {

/// Block numbers of a text have at most so many digits.
constexpr std::size_t most_digits = 7;

/// Reads a number and moves `at` behind it; nullptr: there is none.
const char* read_number(const char* at, u32& number) {
  std::size_t digits = 0;
  number = 0;
  for (; *at >= '0' && *at <= '9'; ++at, ++digits) number = number * 10 + static_cast<u32>(*at - '0');
  return digits == 0 || digits > most_digits ? nullptr : at;
}

/// Reads "0-3 7" up to a comma or the end; nullptr: it is no such list.
const char* read_blocks(const char* at, std::vector<u32>& blocks) {
  constexpr u32 most_blocks = 1 << 16;
  while (*at != '\0' && *at != ',') {
    if (*at == ' ') {
      ++at;
      continue;
    }
    u32 first = 0;
    at = read_number(at, first);
    u32 last = first;
    if (at != nullptr && *at == '-') at = read_number(at + 1, last);
    if (at == nullptr || last < first || last >= most_blocks) return nullptr;
    for (u32 block = first; block <= last; ++block) blocks.push_back(block);
  }
  std::sort(blocks.begin(), blocks.end());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  return blocks.empty() ? nullptr : at;
}

class Blocks final : public AttentionPattern {
 public:
  Blocks(const EncoderLayer& layer, u64 tokens) : AttentionPattern(tokens), size_(block_tokens(layer)) {
    const std::string& text = mixing_text(layer, "key_blocks");
    if (text != butterfly_pattern) key_blocks_ = parse_key_blocks(text);
  }

  [[nodiscard]] TokenRuns seen(u64 query) const override {
    const u64 of_query = query / size_;
    TokenRuns runs;
    for (const u32 block :
         key_blocks_.empty() ? butterfly_blocks(of_query, tokens() / size_) : key_blocks_.at(of_query)) {
      runs.push_back({block * size_, size_});
    }
    return joined(std::move(runs));
  }
  [[nodiscard]] u64 query_block() const override { return size_; }

 private:
  const u64 size_;
  std::vector<std::vector<u32>> key_blocks_;  // of each block of queries; empty: the butterfly pattern
};

std::string problem(const Network& network, const EncoderLayer& layer) {
  if (std::string of_size = block_tokens_problem(network, layer); !of_size.empty()) return of_size;
  const std::string& text = mixing_text(layer, "key_blocks");
  if (text == butterfly_pattern) return {};
  const u64 size = block_tokens(layer), blocks = network.tokens / size;
  const std::vector<std::vector<u32>> key_blocks = parse_key_blocks(text);
  if (key_blocks.empty()) {
    return fmt::format(
        "key_blocks: found '{}', expected {}, or a list for each block of queries, separated by commas, of numbers "
        "of blocks and ranges of them: 0-1, 0 2, 1-2",
        printable(text), butterfly_pattern);
  }
  if (key_blocks.size() != blocks) {
    return fmt::format("key_blocks: found {} blocks of queries, expected the {} blocks of {} tokens", key_blocks.size(),
                       blocks, size);
  }
  for (const std::vector<u32>& of_queries : key_blocks) {
    if (of_queries.back() >= blocks) {
      return fmt::format("key_blocks: found the block {}, expected numbers from 0 to {}", of_queries.back(),
                         blocks - 1);
    }
  }
  return {};
}

}  // namespace

std::vector<u32> butterfly_blocks(u64 query_block, u64 blocks) {
  std::vector<u32> result{static_cast<u32>(query_block)};
  for (u64 bit = 1; bit < blocks; bit *= 2) {
    if ((query_block ^ bit) < blocks) result.push_back(static_cast<u32>(query_block ^ bit));
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::vector<std::vector<u32>> parse_key_blocks(const std::string& text) {
  std::vector<std::vector<u32>> result;
  const char* at = text.c_str();
  while (true) {
    std::vector<u32> blocks;
    at = read_blocks(at, blocks);
    if (at == nullptr) return {};
    result.push_back(std::move(blocks));
    if (*at == '\0') return result;
    ++at;
  }
}

namespace mixings {

MixingDeclaration blocks() {
  MixingDeclaration declaration;
  declaration.place = 3;
  declaration.computes = "attention to given blocks of tokens";
  declaration.attends = true;
  declaration.masked = true;
  MixingParameter key_blocks;
  key_blocks.name = "key_blocks";
  key_blocks.initial = std::string(butterfly_pattern);
  key_blocks.description =
      "Of blocks: which blocks of keys each block of queries sees. butterfly: those whose number differs in at most "
      "one "
      "bit. Otherwise a list for each block of queries, separated by commas: 0-1, 0 2, 1-2.";
  key_blocks.source = "flat block butterfly: arXiv 2112.00029";
  declaration.parameters = {block_tokens_parameter(), key_blocks};
  declaration.add_tensors = add_projections;
  declaration.problem = problem;
  declaration.pattern = [](const EncoderLayer& layer, u64 tokens) -> std::shared_ptr<const AttentionPattern> {
    return std::make_shared<Blocks>(layer, tokens);
  };
  return declaration;
}

}  // namespace mixings

}  // namespace bvp
