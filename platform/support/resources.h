// SPDX-License-Identifier: Apache-2.0
// Finding what comes with the platform: scenarios and firmware.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace bvp {

/// Where files of the platform may be: the executable's directory and its parents (so that a build inside the source
/// tree finds the tree), each with share/butterfly-vp below it, then the working directory.
std::vector<std::filesystem::path> resource_directories();

/// The first of these that has `relative` ("scenarios", "firmware/hello.elf") in it.
std::optional<std::filesystem::path> find_resource(const std::filesystem::path& relative);

}  // namespace bvp
