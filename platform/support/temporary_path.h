// SPDX-License-Identifier: Apache-2.0
// Files and directories that are removed however the process ends.
#pragma once

#include <filesystem>
#include <string>

namespace bvp {

/// A name that nobody can guess: 128 random bits, in hexadecimal.
[[nodiscard]] std::string random_name();

/// Removes a file or an empty directory in its destructor, and also when a signal handler ends the process. The path
/// must be known to this process alone, or its owner must have made it: see random_name().
class TemporaryPath {
 public:
  explicit TemporaryPath(std::filesystem::path path);
  ~TemporaryPath();
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Gives up the path, because it has been renamed or is to stay.
  void keep();

 private:
  struct Entry;
  friend void remove_temporary_paths();
  friend void forget_temporary_paths();
  std::filesystem::path path_;
  Entry* entry_ = nullptr;
};

/// Removes all paths, as the destructors would. A signal handler may call it as the last action before the process
/// ends.
void remove_temporary_paths();

/// To be called in a child process after fork(): the child forgets the paths, because they belong to the parent.
void forget_temporary_paths();

}  // namespace bvp
