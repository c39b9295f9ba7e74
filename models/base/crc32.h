// SPDX-License-Identifier: Apache-2.0
// CRC-32 of IEEE 802.3, eight bytes at a time, as zlib and Ethernet have it. Images are checked while launches wait, so
// that it counts on the host how long this takes: a table for single bytes, as that of Boost, takes five times as long.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>

#include "models/base/types.h"

namespace bvp {

class Crc32 {
 public:
  Crc32& add(const void* data, std::size_t bytes) {
    const auto* at = static_cast<const u8*>(data);
    for (; bytes >= stride; at += stride, bytes -= stride) {
      std::array<u32, 2> words;
      std::memcpy(words.data(), at, stride);
      words[0] ^= state_;
      state_ = 0;
      for (std::size_t i = 0; i < stride; ++i) {
        state_ ^= tables[stride - 1 - i][words[i / 4] >> (8 * (i % 4)) & 0xff];
      }
    }
    for (; bytes > 0; ++at, --bytes) state_ = state_ >> 8 ^ tables[0][(state_ ^ *at) & 0xff];
    return *this;
  }
  [[nodiscard]] u32 value() const { return ~state_; }

 private:
  static constexpr std::size_t stride = 8;
  using Tables = std::array<std::array<u32, 256>, stride>;

  /// tables[n][b]: what the byte b becomes when n bytes of zeros follow it.
  static constexpr Tables make_tables() {
    constexpr u32 reversed_polynomial = 0xedb88320;  // 0x04c11db7 from the lowest bit on
    Tables made{};
    for (u32 byte = 0; byte < 256; ++byte) {
      u32 rest = byte;
      for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ ((rest & 1) != 0 ? reversed_polynomial : 0);
      made[0][byte] = rest;
    }
    for (std::size_t zeros = 1; zeros < stride; ++zeros) {
      for (u32 byte = 0; byte < 256; ++byte) {
        const u32 before = made[zeros - 1][byte];
        made[zeros][byte] = before >> 8 ^ made[0][before & 0xff];
      }
    }
    return made;
  }
  static const Tables tables;

  u32 state_ = ~u32{0};
};

inline constexpr Crc32::Tables Crc32::tables = Crc32::make_tables();

}  // namespace bvp
