// SPDX-License-Identifier: Apache-2.0
// Directories that are made on the way to a place, and removed again if nothing comes of it.
#pragma once

#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

#include "platform/support/temporary_path.h"

namespace bvp {

class MadeDirectories {
 public:
  MadeDirectories() = default;
  /// Makes the directory and those above it that are missing, up to the first that cannot be made (`error`).
  MadeDirectories(const std::filesystem::path& directory, std::error_code& error);
  /// Removes those that are empty, also when a signal ends the process; unless keep() has been called.
  ~MadeDirectories();
  MadeDirectories(MadeDirectories&&) = default;
  MadeDirectories& operator=(MadeDirectories&&) = default;

  void keep();

 private:
  std::vector<std::unique_ptr<TemporaryPath>> made_;  // each lies inside the one before it
};

}  // namespace bvp
