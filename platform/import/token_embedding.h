// SPDX-License-Identifier: Apache-2.0
// What a model adds up for each token, as the two tables that a network has.
#pragma once

#include <string>

#include "platform/import/model_builder.h"

namespace bvp {

/// Tensors [rows, hidden] of the model.
struct TokenTables {
  std::string words;
  std::string positions;  ///< empty: none
  std::string types;      ///< of token types; empty: none
  u64 position_rows = 0, type_rows = 0;
  u64 first_position = 0;  ///< row of the first token's position
};

/// Sets embedding.token and embedding.position of the network, whose vocabulary and tokens are set. A word and its type
/// come from one table if the options ask for types of tokens; otherwise the type 0 goes to the positions, before
/// anything is rounded.
void add_token_embedding(ModelBuilder& builder, const TokenTables& tables);

}  // namespace bvp
