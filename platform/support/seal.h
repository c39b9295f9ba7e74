// SPDX-License-Identifier: Apache-2.0
// A mark in a text file which shows that butterfly-vp has made the file and that nobody has changed it since. Such
// files may be replaced; others are the user's.
#pragma once

#include <filesystem>
#include <string>

namespace bvp {

/// The kind of a sealed file; a file may be replaced only by one of its own kind.
enum class Sealed { run, report, comparison, benchmark, kernel, program, coverage };

/// The placeholder for the mark in a text that is not sealed yet. It must stand in the text once, before any text of
/// another origin.
[[nodiscard]] std::string seal_blank(Sealed kind);

/// @param text  contains seal_blank(kind); the result has the hash of `text` in its place
[[nodiscard]] std::string sealed(std::string text, Sealed kind);

/// Whether the file is of this kind, was made by sealed() and is unchanged. False for a file that cannot be read.
[[nodiscard]] bool is_sealed(const std::filesystem::path& file, Sealed kind);
[[nodiscard]] bool is_sealed_text(std::string text, Sealed kind);

}  // namespace bvp
