// SPDX-License-Identifier: Apache-2.0
#include "platform/support/file_identity.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>

#include "platform/support/sha256.h"

namespace bvp {

namespace fs = std::filesystem;

bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return fs::equivalent(a, b, ignored);
}

bool is_there(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(file, ignored));
}

bool has_hash(const fs::path& file, const std::string& sha256) {
  std::error_code ignored;
  if (!fs::is_regular_file(fs::symlink_status(file, ignored))) return false;
  try {
    return sha256_of_file(file) == sha256;
  } catch (const std::runtime_error&) {
    return false;
  }
}

bool rename_to_free_name(const fs::path& from, const fs::path& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  // Some file systems do not support the flag.
  return errno == EINVAL && !is_there(to) && std::rename(from.c_str(), to.c_str()) == 0;
}

}  // namespace bvp
