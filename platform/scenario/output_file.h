// SPDX-License-Identifier: Apache-2.0
// Writing whole files.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string_view>

namespace bvp {

/// Makes `file` what `write` puts into the stream, all of it or nothing: what was there before is replaced when all is
/// written. What is no regular file (a pipe, a device) is written into.
/// @throws std::runtime_error  it cannot be written
void write_file(const std::filesystem::path& file, const std::function<void(std::ostream&)>& write);
void write_file(const std::filesystem::path& file, std::string_view text);

/// @throws std::runtime_error  it cannot be written
void append_to_file(const std::filesystem::path& file, std::string_view text);

/// For a file that will be written later. Touches nothing. @throws InputError  it could not be
void check_writable(const std::filesystem::path& file);

}  // namespace bvp
