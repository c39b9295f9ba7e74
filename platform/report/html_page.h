// SPDX-License-Identifier: Apache-2.0
// Puts a page together that needs no other file: its style, the library that draws, scripts and data.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace bvp {

/// The page of NAME.html, common.js and NAME.js in platform/report/html, sealed as a report.
/// @param data  a mark in NAME.html (DATA for the text between slashes and stars) and what takes its place. Later marks
///        are not looked for in earlier values if these come last
/// @throws InputError  a file that the page is made of is not installed
[[nodiscard]] std::string html_page(const std::string& name,
                                    const std::vector<std::pair<std::string, nlohmann::json>>& data);

}  // namespace bvp
