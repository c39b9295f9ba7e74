// SPDX-License-Identifier: Apache-2.0
// Reads whole files of unknown origin.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace bvp {

/// Explains why `file`, which the message calls `name`, cannot be read repeatedly: "there is no file 'NAME'", "'NAME'
/// is a directory", "'NAME' is no regular file", "'NAME' cannot be read: ..."; empty if it is a regular file.
[[nodiscard]] std::string why_no_file(const std::filesystem::path& file, const std::string& name);

/// The content of a regular file. @throws InputError  there is none, it cannot be read, or it has more than `limit`
/// bytes
[[nodiscard]] std::string read_input_file(const std::filesystem::path& file, std::uintmax_t limit);

/// Like read_file(), but for a file that may also be a pipe or a device, which is read to its end.
[[nodiscard]] std::string read_input_stream(const std::filesystem::path& file, std::uintmax_t limit);

/// Reads a JSON file of any origin. Nesting deeper than `deepest` is refused, because it could overflow the stack of
/// functions that walk through the tree.
/// @throws InputError  with the file and the place in it
[[nodiscard]] nlohmann::json read_json_file(const std::filesystem::path& file,
                                            std::uintmax_t limit = std::uintmax_t{64} << 20, int deepest = 32);

/// "a map", "a list", "text", "a number", "true or false", "nothing".
[[nodiscard]] const char* kind_of(const nlohmann::json& value);

/// Compares a document with an example of it: both must have the same keys, with values of the same kinds. A list in
/// the example has one element, which stands for all elements; a map whose only key is "*" has values like that one
/// under any keys; where the example is null, anything is allowed. An example {"?": x} stands for x or null. Additional
/// keys are allowed.
/// @throws InputError  with the file, the key (as in "layers[3].cycles"), what was found and what is expected
void check_like(const std::filesystem::path& file, const nlohmann::json& found, const nlohmann::json& example);

}  // namespace bvp
