// SPDX-License-Identifier: Apache-2.0
// Runs as one HTML file that works by itself.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace bvp {

/// @param directories  of runs, as `butterfly-vp run` leaves them; the first one is what others are compared with
/// @throws InputError  a directory holds no run, or what the page is made of is not installed
[[nodiscard]] std::string html_report(const std::vector<std::filesystem::path>& directories);

}  // namespace bvp
