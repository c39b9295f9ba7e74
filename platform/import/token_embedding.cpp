// SPDX-License-Identifier: Apache-2.0
#include "platform/import/token_embedding.h"

#include <optional>
#include <vector>

namespace bvp {

void add_token_embedding(ModelBuilder& builder, const TokenTables& tables) {
  Network& network = builder.network();
  const u64 hidden = network.hidden, tokens = network.tokens, type_count = tables.type_rows;
  const auto table_of = [&](const std::string& name, u64 rows) {
    if (!name.empty()) return builder.read(name, {rows, hidden});
    return std::optional(FloatTensor{{tokens, hidden}, std::vector<float>(tokens * hidden)});
  };
  const auto word = builder.read(tables.words, {network.vocabulary, hidden});
  const auto position = table_of(tables.positions, tables.position_rows), type = table_of(tables.types, type_count);
  if (!word || !position || !type) return;
  const bool in_table = builder.options().token_types && type_count > 1;
  const auto begin = position->data.begin() + static_cast<std::ptrdiff_t>(tables.first_position * hidden);
  std::vector<float> table, first(begin, begin + static_cast<std::ptrdiff_t>(tokens * hidden));
  for (u64 t = 0; t < (in_table ? type_count : 1); ++t) {
    for (u64 i = 0; i < network.vocabulary * hidden; ++i) {
      table.push_back(word->data[i] + (in_table ? type->data[t * hidden + i % hidden] : 0.0F));
    }
  }
  if (!in_table) {
    for (u64 i = 0; i < first.size(); ++i) first[i] += type->data[i % hidden];
  }
  std::vector<std::string>& mapped = builder.result().mapped;
  if (in_table) {
    mapped.push_back(
        fmt::format("token ids are id + {} * type, for {} types of tokens", network.vocabulary, type_count));
    network.vocabulary *= type_count;
  } else if (type_count > 1) {
    mapped.push_back(fmt::format(
        "all tokens are of type 0, which the positions contain (--token-types takes the {} types)", type_count));
  }
  builder.set("embedding.token", {network.vocabulary, hidden}, table, tables.words);
  builder.set("embedding.position", {tokens, hidden}, first, tables.positions);
  const u64 positions = tables.position_rows - tables.first_position;
  if (!tables.positions.empty() && tokens < positions) {
    mapped.push_back(fmt::format("the first {} of {} positions", tokens, positions));
  }
}

}  // namespace bvp
