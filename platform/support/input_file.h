// SPDX-License-Identifier: Apache-2.0
// Reading whole files of unknown origin.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace bvp {

/// Why `file`, which a message calls `name`, is not what one can read as often as one likes: "there is no file 'NAME'",
/// "'NAME' is a directory", "'NAME' is no regular file", "'NAME' cannot be read: ..."; empty: it is a regular file.
[[nodiscard]] std::string why_no_file(const std::filesystem::path& file, const std::string& name);

/// The content of a regular file. @throws InputError  there is none, it cannot be read, or it has more than `limit`
/// bytes
[[nodiscard]] std::string read_input_file(const std::filesystem::path& file, std::uintmax_t limit);

/// The same of what may also be a pipe or a device, which is read to its end. @throws InputError  likewise
[[nodiscard]] std::string read_input_stream(const std::filesystem::path& file, std::uintmax_t limit);

/// A JSON file that butterfly-vp has written, or somebody else. Nested more than `deepest` deep it would be a danger to
/// the stack of whoever walks through it.
/// @throws InputError  naming the file and where in it
[[nodiscard]] nlohmann::json read_json_file(const std::filesystem::path& file,
                                            std::uintmax_t limit = std::uintmax_t{64} << 20, int deepest = 32);

/// "a map", "a list", "text", "a number", "true or false", "nothing".
[[nodiscard]] const char* kind_of(const nlohmann::json& value);

/// Holds what was read against an example of it: the same keys, values of the same kinds. A list of the example has one
/// element, which stands for all of a list; a map whose only key is "*" has values like that one under any keys; where
/// the example is null anything may stand. An example {"?": x} stands for x or null. Further keys are no mistake.
/// @throws InputError  naming the file, the key (as in "layers[3].cycles"), what was found and what is expected
void check_like(const std::filesystem::path& file, const nlohmann::json& found, const nlohmann::json& example);

}  // namespace bvp
