// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "platform/support/made_directories.h"
#include "platform/support/temporary_path.h"

namespace bvp {

/// A directory that appears under its name when everything in it is complete.
class NewDirectory {
 public:
  /// @param files  names of the files that will be written to staging()
  /// @throws InputError  there is something of this name that is no empty directory, or none can be made there
  NewDirectory(const std::filesystem::path& directory, const std::vector<std::string>& files);

  [[nodiscard]] const std::filesystem::path& staging() const { return staging_->path(); }
  /// What runs of a scenario in it are called.
  [[nodiscard]] std::string name() const;
  /// @throws std::runtime_error  the directory cannot be given its name
  void commit();

 private:
  std::filesystem::path directory_;
  MadeDirectories above_;
  std::unique_ptr<TemporaryPath> staging_;
  std::vector<std::unique_ptr<TemporaryPath>> files_;  // removed before the directory
};

}  // namespace bvp
