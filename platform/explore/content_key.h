// SPDX-License-Identifier: Apache-2.0
// The key of a result: SHA-256 of all that it depends on.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "platform/report/provenance.h"
#include "platform/scenario/scenario.h"

namespace bvp {

/// What identifies the build in keys: its commit; where files differed from it, the hash of the executable as well.
[[nodiscard]] std::string build_identity(const BuildInfo& build);

/// Computes keys: of build, parameters, network, and the content of files, each of which is read once.
class ContentKeys {
 public:
  /// @param build  see build_identity()
  explicit ContentKeys(std::string build) : build_(std::move(build)) {}

  /// @throws InputError  a file cannot be read
  [[nodiscard]] std::string of(const Scenario& scenario);

 private:
  [[nodiscard]] const std::string& hash_of(const std::filesystem::path& file);

  std::string build_;
  std::map<std::string, std::string> hashes_;  // by path
};

}  // namespace bvp
