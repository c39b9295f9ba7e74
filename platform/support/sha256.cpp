// SPDX-License-Identifier: Apache-2.0
// This file uses functions that OpenSSL 3 calls deprecated on purpose: the newer ones load the framework of providers,
// which costs every start of the program a millisecond.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "platform/support/sha256.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <vector>

namespace bvp {

namespace {

class Sha256 {
 public:
  Sha256() { SHA256_Init(&state_); }
  void add(const void* data, std::size_t bytes) { SHA256_Update(&state_, data, bytes); }
  [[nodiscard]] std::string hex() {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256_Final(digest.data(), &state_);
    std::string text;
    for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
    return text;
  }

 private:
  SHA256_CTX state_{};
};

}  // namespace

std::string sha256_of(std::string_view text) {
  Sha256 hash;
  hash.add(text.data(), text.size());
  return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> buffer(std::size_t{1} << 16);
  Sha256 hash;
  while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || stream.gcount() > 0) {
    hash.add(buffer.data(), static_cast<std::size_t>(stream.gcount()));
  }
  if (!stream.eof()) {
    throw std::runtime_error(fmt::format("{}: cannot be read: {}", file.string(), std::strerror(errno)));
  }
  return hash.hex();
}

}  // namespace bvp
