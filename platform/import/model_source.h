// SPDX-License-Identifier: Apache-2.0
// The files of a model that another program has saved: a configuration, and tensors in one or several files.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "platform/network/safetensors.h"

namespace bvp {

class ModelSource {
 public:
  /// Reads the configuration and the headers of all files.
  /// @param source  a directory, a file of tensors, or the index of several
  /// @param config  empty: config.json in the directory of the tensors
  /// @throws InputError  a file is missing, or is not what it should be
  ModelSource(const std::filesystem::path& source, const std::filesystem::path& config);

  [[nodiscard]] const std::filesystem::path& config_file() const { return config_file_; }
  [[nodiscard]] const nlohmann::json& config() const { return config_; }

  /// Whether there is such a tensor of floating-point numbers.
  [[nodiscard]] bool has(const std::string& name) const;
  /// @throws std::out_of_range  there is no such tensor
  [[nodiscard]] const std::vector<u64>& shape(const std::string& name) const { return tensors_.at(name).shape; }
  /// "F32", "BF16", ...
  [[nodiscard]] std::set<std::string> types() const;
  /// What stands before `name` in the name of a tensor; nothing of what it names is read. Empty if no tensor's name
  /// ends like this, or if one is exactly `name`.
  [[nodiscard]] std::string prefix_of(const std::string& name) const;
  /// A tensor, which counts as used. @throws InputError  its values are not sound
  [[nodiscard]] FloatTensor read(const std::string& name);
  /// Counts a tensor as used without reading it.
  void use(const std::string& name) { used_.insert(name); }
  /// Names of tensors of floating-point numbers that nobody has used.
  [[nodiscard]] std::vector<std::string> unused() const;
  /// "FILE: tensor 'NAME'"
  [[nodiscard]] std::string place_of(const std::string& name) const;

 private:
  struct Place {
    std::string type;
    std::vector<u64> shape;
    std::size_t file = 0;
  };
  void add_index(const std::filesystem::path& index);
  void add_file(const std::filesystem::path& file);

  std::filesystem::path config_file_;
  nlohmann::json config_;
  std::vector<std::filesystem::path> files_;
  std::vector<std::unique_ptr<SafetensorsReader>> readers_;
  std::map<std::string, Place> tensors_;
  std::set<std::string> used_;
};

}  // namespace bvp
