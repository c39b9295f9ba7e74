// SPDX-License-Identifier: Apache-2.0
// A mark by which a text file shows that butterfly-vp has made it and nobody has changed it since: such files may be
// replaced, others are the user's.
#pragma once

#include <filesystem>
#include <string>

namespace bvp {

/// What a file with a mark is; a file is replaced by one of its kind only.
enum class Sealed { run, report, comparison, benchmark };

/// The mark as it is before the text is sealed. It stands in the text once, before any text of another origin.
[[nodiscard]] std::string seal_blank(Sealed kind);

/// @param text  with a seal_blank(kind); in the result there is the hash of `text` in its place
[[nodiscard]] std::string sealed(std::string text, Sealed kind);

/// Whether the file is one of this kind that sealed() has made, unchanged. False for what cannot be read.
[[nodiscard]] bool is_sealed(const std::filesystem::path& file, Sealed kind);
[[nodiscard]] bool is_sealed_text(std::string text, Sealed kind);

}  // namespace bvp
