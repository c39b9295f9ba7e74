// SPDX-License-Identifier: Apache-2.0
#include "platform/import/model_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "platform/support/input_error.h"
#include "platform/support/input_file.h"
#include "platform/support/printable.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

constexpr const char* index_suffix = ".index.json";
constexpr const char* whole = "model.safetensors";

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool is_float(const std::string& type) { return type == "F16" || type == "BF16" || type == "F32" || type == "F64"; }

template <class... Args>
[[noreturn]] void refuse(const fs::path& file, fmt::format_string<Args...> format, Args&&... args) {
  throw InputError(fmt::format("{}: {}", file.string(), fmt::format(format, std::forward<Args>(args)...)));
}

/// The file of tensors in a directory, or the index of several.
fs::path tensors_in(const fs::path& directory) {
  for (const std::string& name : {std::string(whole) + index_suffix, std::string(whole)}) {
    if (fs::exists(directory / name)) return directory / name;
  }
  std::vector<fs::path> found, pickles;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".safetensors") found.push_back(entry.path());
    if (extension == ".bin" || extension == ".pt" || extension == ".pth") pickles.push_back(entry.path().filename());
  }
  if (error) refuse(directory, "cannot be read: {}", error.message());
  if (found.size() == 1) return found.front();
  if (found.size() > 1) {
    refuse(directory, "has {} files of tensors and no {}{} that says what belongs together; name one of them",
           found.size(), whole, index_suffix);
  }
  if (!pickles.empty()) {
    refuse(
        directory,
        "found {}, which is a Python pickle and is not read; save the model as safetensors: "
        "model.save_pretrained(directory, safe_serialization=True), or safetensors.torch.save_file(state_dict, file)",
        printable(pickles.front().string()));
  }
  refuse(directory, "has no tensors; expected {}, or {}{} and the files that it names", whole, whole, index_suffix);
}

}  // namespace

ModelSource::ModelSource(const fs::path& source, const fs::path& config) {
  std::error_code ignored;
  if (!fs::exists(source, ignored)) refuse(source, "there is no such file or directory");
  const fs::path tensors = fs::is_directory(source, ignored) ? tensors_in(source) : source;
  config_file_ = config.empty() ? tensors.parent_path() / "config.json" : config;
  if (config.empty() && !fs::exists(config_file_, ignored)) {
    refuse(config_file_, "there is no such file; expected the model's configuration there, or --config FILE");
  }
  config_ = read_json_file(config_file_);
  if (!config_.is_object()) refuse(config_file_, "found {}, expected a map", kind_of(config_));
  if (ends_with(tensors.filename().string(), index_suffix)) {
    add_index(tensors);
  } else {
    add_file(tensors);
  }
}

void ModelSource::add_index(const fs::path& index) {
  const nlohmann::json json = read_json_file(index);
  check_like(index, json, {{"weight_map", {{"*", "model-00001-of-00002.safetensors"}}}});
  std::map<std::string, std::string> file_of;
  std::set<std::string> names;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    const std::string name = file.get<std::string>();
    if (name.empty() || fs::path(name).filename() != fs::path(name) || name == "." || name == "..") {
      refuse(index, "weight_map: found '{}' for '{}', expected the name of a file beside this one", printable(name),
             printable(tensor));
    }
    file_of.emplace(tensor, name);
    names.insert(name);
  }
  for (const std::string& name : names) add_file(index.parent_path() / name);
  for (const auto& [tensor, file] : file_of) {
    const auto found = tensors_.find(tensor);
    if (found == tensors_.end() || files_[found->second.file].filename() != file) {
      refuse(index, "weight_map: '{}' is not in {}", printable(tensor), printable(file));
    }
  }
}

void ModelSource::add_file(const fs::path& file) {
  readers_.push_back(std::make_unique<SafetensorsReader>(file));
  files_.push_back(file);
  for (const auto& [name, header] : readers_.back()->headers()) {
    if (tensors_.emplace(name, Place{header.type, header.shape, files_.size() - 1}).second) continue;
    refuse(file, "tensor '{}' is in {}, too", printable(name), files_[tensors_.at(name).file].filename().string());
  }
}

bool ModelSource::has(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found != tensors_.end() && is_float(found->second.type);
}

std::set<std::string> ModelSource::types() const {
  std::set<std::string> types;
  for (const auto& [name, place] : tensors_) {
    if (is_float(place.type)) types.insert(place.type);
  }
  return types;
}

std::string ModelSource::prefix_of(const std::string& name) const {
  if (has(name)) return {};
  for (const auto& [found, place] : tensors_) {
    if (ends_with(found, "." + name)) return found.substr(0, found.size() - name.size());
  }
  return {};
}

FloatTensor ModelSource::read(const std::string& name) {
  used_.insert(name);
  return readers_[tensors_.at(name).file]->read(name);
}

std::vector<std::string> ModelSource::unused() const {
  std::vector<std::string> names;
  for (const auto& [name, place] : tensors_) {
    if (is_float(place.type) && used_.count(name) == 0) names.push_back(name);
  }
  return names;
}

std::string ModelSource::place_of(const std::string& name) const {
  const auto found = tensors_.find(name);
  const fs::path& file = found == tensors_.end() ? files_.front() : files_[found->second.file];
  return fmt::format("{}: tensor '{}'", file.string(), printable(name));
}

}  // namespace bvp
