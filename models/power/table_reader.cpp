// SPDX-License-Identifier: Apache-2.0
#include "models/power/table_reader.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <set>

namespace bvp {

YAML::Node TableReader::open() const {
  constexpr std::uintmax_t file_limit = 1 << 20;
  const std::string unreadable = fmt::format("{}: cannot be read", file_);
  std::error_code error;
  if (!std::filesystem::is_regular_file(file_, error)) throw EnergyTableError(unreadable);
  const std::uintmax_t size = std::filesystem::file_size(file_, error);
  if (error) throw EnergyTableError(unreadable);
  if (size > file_limit) {
    throw EnergyTableError(fmt::format("{}: has {} bytes, expected at most {}", file_, size, file_limit));
  }
  std::string text(size, '\0');
  std::ifstream stream(file_, std::ios::binary);
  if (!stream.read(text.data(), static_cast<std::streamsize>(size))) throw EnergyTableError(unreadable);
  try {
    YAML::Node root = YAML::Load(text);
    if (!root.IsMap()) throw EnergyTableError(fmt::format("{}: expected a table, a map", file_));
    return root;
  } catch (const YAML::Exception& fault) {
    throw EnergyTableError(fmt::format("{}:{}: {}", file_, fault.mark.line + 1, fault.msg));
  }
}

std::string TableReader::place(const YAML::Node& node) const {
  const YAML::Mark mark = node.Mark();
  return mark.is_null() ? file_ : fmt::format("{}:{}", file_, mark.line + 1);
}

void TableReader::fail(const YAML::Node& node, const std::string& path, const std::string& what) const {
  throw EnergyTableError(fmt::format("{}: {}{}{}", place(node), path, path.empty() ? "" : ": ", what));
}

void TableReader::check_map(const YAML::Node& node, const std::string& path,
                            std::initializer_list<std::string_view> allowed) const {
  if (!node.IsMap() || node.size() == 0) fail(node, path, "expected a map with entries");
  // With aliases a short file could become a long document.
  constexpr std::size_t most_entries = 200;
  if (node.size() > most_entries) {
    fail(node, path, fmt::format("found {} entries, expected at most {}", node.size(), most_entries));
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar() || entry.first.Scalar().empty()) fail(entry.first, path, "a key must be a name");
    const std::string& key = entry.first.Scalar();
    if (!seen.insert(key).second) fail(entry.first, join(path, key), "given twice");
    bool known = allowed.size() == 0;
    for (const std::string_view name : allowed) known = known || name == key;
    if (!known) fail(entry.first, join(path, key), fmt::format("unknown key, expected {}", fmt::join(allowed, ", ")));
  }
}

std::string TableReader::text(const YAML::Node& map, const std::string& path, const char* key) const {
  const YAML::Node node = map[key];
  if (!node) fail(map, join(path, key), "missing");
  if (!node.IsScalar() || node.Scalar().empty()) fail(node, join(path, key), "expected a text");
  return node.Scalar();
}

double TableReader::number(const YAML::Node& map, const std::string& path, const char* key) const {
  constexpr double limit = 1e12;
  const std::string found = text(map, path, key);
  double value = 0;
  const bool is_number = YAML::convert<double>::decode(map[key], value) && std::isfinite(value);
  if (!is_number || value < 0 || value > limit) {
    fail(map[key], join(path, key), fmt::format("found '{}', expected a number from 0 to {:g}", found, limit));
  }
  return value;
}

double TableReader::positive(const YAML::Node& map, const std::string& path, const char* key) const {
  const double value = number(map, path, key);
  if (value == 0) fail(map[key], join(path, key), "found 0, expected a number above it");
  return value;
}

std::string TableReader::confidence(const YAML::Node& map, const std::string& path) const {
  std::string found = text(map, path, "confidence");
  if (found != "high" && found != "mid" && found != "low") {
    fail(map["confidence"], join(path, "confidence"), fmt::format("found '{}', expected high, mid or low", found));
  }
  return found;
}

std::string TableReader::join(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

}  // namespace bvp
