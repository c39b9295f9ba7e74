// SPDX-License-Identifier: Apache-2.0
// Reading the YAML tables of this folder: errors name file, line and key.
#pragma once

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bvp {

struct EnergyTableError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// `path` is the key that is being read, for example "actions.pe.fma_lane".
class TableReader {
 public:
  explicit TableReader(const std::filesystem::path& file) : file_(file.string()) {}

  /// The top map of the file. @throws EnergyTableError  the file cannot be read or is not a map
  [[nodiscard]] YAML::Node open() const;

  [[nodiscard]] const std::string& file() const { return file_; }
  /// FILE:LINE, or the file alone where there is no line.
  [[nodiscard]] std::string place(const YAML::Node& node) const;
  [[noreturn]] void fail(const YAML::Node& node, const std::string& path, const std::string& what) const;
  /// Checks that the keys are text and differ, and, if `allowed` is given, are among those.
  void check_map(const YAML::Node& node, const std::string& path,
                 std::initializer_list<std::string_view> allowed = {}) const;
  [[nodiscard]] std::string text(const YAML::Node& map, const std::string& path, const char* key) const;
  /// A number from 0 to 1e12.
  [[nodiscard]] double number(const YAML::Node& map, const std::string& path, const char* key) const;
  /// A number above 0 and up to 1e12.
  [[nodiscard]] double positive(const YAML::Node& map, const std::string& path, const char* key) const;
  /// high, mid or low.
  [[nodiscard]] std::string confidence(const YAML::Node& map, const std::string& path) const;
  static std::string join(const std::string& path, const std::string& key);

 private:
  std::string file_;
};

}  // namespace bvp
