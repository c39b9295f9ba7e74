// SPDX-License-Identifier: Apache-2.0
// Finds files that come with the platform: scenarios and firmware.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace bvp {

/// The directories in which files of the platform may be: the executable's directory and its parents (so that a build
/// inside the source tree finds the tree), each followed by its share/butterfly-vp, then the working directory.
std::vector<std::filesystem::path> resource_directories();

/// The first of these directories that contains `relative` ("scenarios", "firmware/hello.elf").
std::optional<std::filesystem::path> find_resource(const std::filesystem::path& relative);

}  // namespace bvp
