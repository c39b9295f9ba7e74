// SPDX-License-Identifier: Apache-2.0
// Files and directories that must not stay behind, however the process ends.
#pragma once

#include <filesystem>
#include <string>

namespace bvp {

/// A name that nobody can guess: 128 random bits, in hexadecimal.
[[nodiscard]] std::string random_name();

/// Removes a file or an empty directory on destruction, and also where a signal handler ends the process. Only this
/// process may know the path, or the path's owner has made it: see random_name().
class TemporaryPath {
 public:
  explicit TemporaryPath(std::filesystem::path path);
  ~TemporaryPath();
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// The path has got another name, or is to stay.
  void keep();

 private:
  struct Entry;
  friend void remove_temporary_paths();
  friend void forget_temporary_paths();
  std::filesystem::path path_;
  Entry* entry_ = nullptr;
};

/// What destructors would do. A signal handler may call it, as the last thing before the process ends.
void remove_temporary_paths();

/// In a child process after fork(): the paths belong to the parent.
void forget_temporary_paths();

}  // namespace bvp
