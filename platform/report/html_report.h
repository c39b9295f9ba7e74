// SPDX-License-Identifier: Apache-2.0
// Shows runs as one HTML file that needs no other file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace bvp {

/// @param directories  directories of runs, as `butterfly-vp run` leaves them; the others are compared with the first
///        one
/// @throws InputError  a directory holds no run, or a file that the page is made of is not installed
[[nodiscard]] std::string html_report(const std::vector<std::filesystem::path>& directories);

}  // namespace bvp
