// SPDX-License-Identifier: Apache-2.0
// Whether a file is the one that a command has left, and how it takes a place that nobody else has taken.
#pragma once

#include <filesystem>
#include <string>

namespace bvp {

[[nodiscard]] bool same_file(const std::filesystem::path& a, const std::filesystem::path& b);

[[nodiscard]] bool is_there(const std::filesystem::path& file);

/// Whether the file is a regular file with this content; a link belongs to the user.
[[nodiscard]] bool has_hash(const std::filesystem::path& file, const std::string& sha256);

/// Renames, and fails if the new name exists already.
[[nodiscard]] bool rename_to_free_name(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace bvp
