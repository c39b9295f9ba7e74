// SPDX-License-Identifier: Apache-2.0
#include "platform/support/seal.h"

#include <fmt/format.h>

#include <array>
#include <stdexcept>

#include "platform/support/input_file.h"
#include "platform/support/sha256.h"

namespace bvp {

namespace {

constexpr std::size_t digits = 64;
constexpr std::uintmax_t largest_file = std::uintmax_t{1} << 30;

std::string prefix_of(Sealed kind) {
  constexpr std::array words{"run", "report", "comparison", "benchmark", "kernel", "program", "coverage"};
  return fmt::format("butterfly-vp-{}-sha256:", words.at(static_cast<std::size_t>(kind)));
}

}  // namespace

std::string seal_blank(Sealed kind) { return prefix_of(kind) + std::string(digits, '0'); }

std::string sealed(std::string text, Sealed kind) {
  const std::size_t at = text.find(seal_blank(kind));
  if (at == std::string::npos) throw std::logic_error("a text to be sealed has no place for the seal");
  const std::string hash = sha256_of(text);
  return text.replace(at + prefix_of(kind).size(), digits, hash);
}

bool is_sealed_text(std::string text, Sealed kind) {
  const std::string prefix = prefix_of(kind);
  const std::size_t at = text.find(prefix);
  if (at == std::string::npos || text.size() - at < prefix.size() + digits) return false;
  const std::string found = text.substr(at + prefix.size(), digits);
  text.replace(at + prefix.size(), digits, digits, '0');
  return found == sha256_of(text);
}

bool is_sealed(const std::filesystem::path& file, Sealed kind) {
  try {
    return is_sealed_text(read_input_file(file, largest_file), kind);
  } catch (const std::runtime_error&) {
    return false;
  }
}

}  // namespace bvp
