// SPDX-License-Identifier: Apache-2.0
// A network as network.json describes it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "platform/network/mixing.h"

namespace bvp {

nlohmann::ordered_json network_json(const Network& network);

/// A sentence on how the network's transforms are zero-padded; empty if they are not.
[[nodiscard]] std::string zero_padding(const Network& network);

const char* name_of(LinearKind kind);
const char* name_of(Activation activation);

}  // namespace bvp
