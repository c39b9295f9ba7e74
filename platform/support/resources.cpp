// SPDX-License-Identifier: Apache-2.0
#include "platform/support/resources.h"

namespace bvp {

namespace fs = std::filesystem;

std::vector<fs::path> resource_directories() {
  std::vector<fs::path> directories;
  std::error_code error;
  fs::path directory = fs::read_symlink("/proc/self/exe", error).parent_path();
  constexpr int parents = 4;
  for (int level = 0; !error && level <= parents && directory.has_relative_path(); ++level) {
    directories.push_back(directory);
    directories.push_back(directory / "share" / "butterfly-vp");
    directory = directory.parent_path();
  }
  directories.emplace_back(".");
  return directories;
}

std::optional<fs::path> find_resource(const fs::path& relative) {
  for (const fs::path& directory : resource_directories()) {
    std::error_code ignored;
    if (fs::exists(directory / relative, ignored)) return directory / relative;
  }
  return std::nullopt;
}

}  // namespace bvp
