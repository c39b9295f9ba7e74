// SPDX-License-Identifier: Apache-2.0
// Measures something in a process of its own.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

namespace bvp {

/// Returns the result of `measure`, with `peak_memory_bytes` of the child process; {"error": reason} if it threw or
/// died.
[[nodiscard]] nlohmann::json in_child(const std::function<nlohmann::json()>& measure);

/// Calls in_child() up to three times and returns the result with the smallest number `seconds`, because other work on
/// the host can only make a try slower. After five seconds no further try begins.
[[nodiscard]] nlohmann::json best_in_child(const char* seconds, const std::function<nlohmann::json()>& measure);

/// Runs the program `name` and returns the JSON that it prints. The program lies in this one's directory or, when
/// installed, in libexec/butterfly-vp beside it. Returns {"error": reason} if it is not there or prints no JSON.
[[nodiscard]] nlohmann::json from_program(const char* name);

}  // namespace bvp
