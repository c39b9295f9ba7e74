// SPDX-License-Identifier: Apache-2.0
#include "platform/scenario/seal.h"

#include <stdexcept>
#include <string_view>

#include "platform/scenario/input_file.h"
#include "platform/scenario/sha256.h"

namespace bvp {

namespace {

constexpr std::string_view prefix = "butterfly-vp-sha256:";
constexpr std::size_t digits = 64;
constexpr std::uintmax_t largest_file = std::uintmax_t{1} << 30;

}  // namespace

std::string seal_blank() { return std::string(prefix) + std::string(digits, '0'); }

std::string sealed(std::string text) {
  const std::size_t at = text.find(seal_blank());
  if (at == std::string::npos) throw std::logic_error("a text to be sealed has no place for the seal");
  const std::string hash = sha256_of(text);
  return text.replace(at + prefix.size(), digits, hash);
}

bool is_sealed_text(std::string text) {
  const std::size_t at = text.find(prefix);
  if (at == std::string::npos || text.size() - at < prefix.size() + digits) return false;
  const std::string found = text.substr(at + prefix.size(), digits);
  text.replace(at + prefix.size(), digits, digits, '0');
  return found == sha256_of(text);
}

bool is_sealed(const std::filesystem::path& file) {
  try {
    return is_sealed_text(read_input_file(file, largest_file));
  } catch (const std::runtime_error&) {
    return false;
  }
}

}  // namespace bvp
