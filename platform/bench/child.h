// SPDX-License-Identifier: Apache-2.0
// A measurement in a process of its own.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

namespace bvp {

/// What `measure` returns, with `peak_memory_bytes` of the child; {"error": why} if it threw or died.
[[nodiscard]] nlohmann::json in_child(const std::function<nlohmann::json()>& measure);

/// The same of the quickest of up to three tries, by the number `seconds`; after five seconds no further one is begun.
/// The host's other work only ever makes a try slower.
[[nodiscard]] nlohmann::json best_in_child(const char* seconds, const std::function<nlohmann::json()>& measure);

/// What the program `name` prints, which lies in this one's directory or, installed, in libexec/butterfly-vp beside it;
/// {"error": why} if it is not there or prints no JSON.
[[nodiscard]] nlohmann::json from_program(const char* name);

}  // namespace bvp
