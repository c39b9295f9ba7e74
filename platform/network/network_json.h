// SPDX-License-Identifier: Apache-2.0
// A network as network.json describes it.
#pragma once

#include <nlohmann/json.hpp>

#include "platform/network/network.h"

namespace bvp {

nlohmann::ordered_json network_json(const Network& network);

const char* name_of(Mixing mixing);
const char* name_of(LinearKind kind);

}  // namespace bvp
