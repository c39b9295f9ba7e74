// SPDX-License-Identifier: Apache-2.0
// Files that a command leaves in a directory, and may replace when it is called again.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "platform/support/output_file.h"

namespace bvp {

/// The directory may contain files of the user. Beside the others, a manifest is written, a JSON file that is sealed
/// and has the hashes of the others: only files that a manifest there vouches for are replaced, or removed if they are
/// made no more. New files are complete before the first of them takes its place.
class MadeFiles {
 public:
  /// Changes nothing. @param manifest  name of the file
  MadeFiles(std::filesystem::path directory, std::string manifest);

  /// @param content  must outlive commit()
  void add(const std::string& name, std::string_view content) { files_.push_back({name, content}); }

  /// Checks what can be known; changes nothing.
  /// @throws InputError  a file of somebody else would be overwritten, or one that the command reads
  void check(const InputFiles& inputs) const;

  /// Writes all files. The manifest gets `files`: name, bytes and sha256 of each, and the seal.
  /// @throws InputError  as check(), or the directory cannot be made or written into
  /// @throws std::runtime_error  something cannot be written; files that were there are as before
  void commit(nlohmann::ordered_json manifest, const InputFiles& inputs);

 private:
  struct File {
    std::string name;
    std::string_view content;
  };
  using Hashes = std::map<std::string, std::string>;

  [[nodiscard]] Hashes read_earlier() const;
  void refuse_foreign(const Hashes& earlier, const InputFiles& inputs) const;

  std::filesystem::path directory_;
  std::string manifest_;
  std::vector<File> files_;
};

}  // namespace bvp
