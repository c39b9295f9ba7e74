// SPDX-License-Identifier: Apache-2.0
// SHA-256 of texts and files, in hexadecimal, by OpenSSL's libcrypto.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace bvp {

[[nodiscard]] std::string sha256_of(std::string_view text);

/// @throws std::runtime_error  the file cannot be read
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace bvp
