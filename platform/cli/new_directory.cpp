// SPDX-License-Identifier: Apache-2.0
#include "platform/cli/new_directory.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "platform/scenario/scenario_checks.h"
#include "platform/support/input_error.h"
#include "platform/support/interruption.h"
#include "platform/support/printable.h"

namespace bvp {

namespace fs = std::filesystem;

NewDirectory::NewDirectory(const fs::path& directory, const std::vector<std::string>& files)
    : directory_(fs::absolute(directory).lexically_normal()) {
  if (!directory_.has_filename()) directory_ = directory_.parent_path();
  std::error_code error;
  if (fs::exists(fs::symlink_status(directory_, error)) &&
      (!fs::is_directory(fs::symlink_status(directory_, error)) || !fs::is_empty(directory_, error))) {
    throw InputError(
        fmt::format("--output {}: is there already; expected a new or an empty directory", directory.string()));
  }
  above_ = MadeDirectories(directory_.parent_path(), error);
  staging_ = std::make_unique<TemporaryPath>(directory_.parent_path() / fmt::format(".butterfly-vp.{}", random_name()));
  if (error || !fs::create_directory(staging(), error)) {
    throw InputError(fmt::format("--output {}: cannot be made: {}", directory.string(), error.message()));
  }
  for (const std::string& name : files) files_.push_back(std::make_unique<TemporaryPath>(staging() / name));
}

std::string NewDirectory::name() const {
  const std::string name = directory_.filename().string();
  const bool sound = printable(name, longest_name) == name && !name.empty() && name.front() != '.';
  return sound ? name : "imported";
}

void NewDirectory::commit() {
  const Interruption::Change change;
  if (std::rename(staging().c_str(), directory_.c_str()) != 0) {
    throw std::runtime_error(fmt::format("{}: cannot be written: {}", directory_.string(), std::strerror(errno)));
  }
  for (const auto& file : files_) file->keep();
  staging_->keep();
  above_.keep();
}

}  // namespace bvp
