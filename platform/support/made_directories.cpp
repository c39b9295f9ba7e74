// SPDX-License-Identifier: Apache-2.0
#include "platform/support/made_directories.h"

#include "platform/support/interruption.h"

namespace bvp {

namespace fs = std::filesystem;

MadeDirectories::MadeDirectories(const fs::path& directory, std::error_code& error) {
  error.clear();
  std::vector<fs::path> missing;
  std::error_code ignored;
  for (fs::path place = directory; !place.empty() && !fs::exists(fs::symlink_status(place, ignored));
       place = place.parent_path()) {
    missing.push_back(place);
    if (!place.has_relative_path()) break;
  }
  for (auto place = missing.rbegin(); place != missing.rend() && !error; ++place) {
    const Interruption::Pause pause;
    if (fs::create_directory(*place, error)) made_.push_back(std::make_unique<TemporaryPath>(*place));
  }
}

MadeDirectories::~MadeDirectories() {
  while (!made_.empty()) made_.pop_back();
}

void MadeDirectories::keep() {
  for (const auto& directory : made_) directory->keep();
}

}  // namespace bvp
