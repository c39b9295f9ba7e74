// SPDX-License-Identifier: Apache-2.0
#include "platform/debug/packet.h"

#include <algorithm>

namespace bvp {
namespace {

constexpr char escape_mark = '}';
constexpr char escape_bit = 0x20;
constexpr char interrupt_byte = 0x03;

int digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

u8 checksum(std::string_view content) {
  u8 sum = 0;
  for (const char character : content) sum = static_cast<u8>(sum + static_cast<u8>(character));
  return sum;
}

constexpr char digits[] = "0123456789abcdef";

}  // namespace

std::string packet_of(std::string_view content) {
  const u8 sum = checksum(content);
  std::string packet = "$";
  packet.append(content);
  packet += '#';
  packet += digits[sum >> 4];
  packet += digits[sum & 15];
  return packet;
}

std::string escape(std::string_view binary) {
  std::string content;
  for (const char character : binary) {
    if (character == '$' || character == '#' || character == escape_mark || character == '*') {
      content += escape_mark;
      content += static_cast<char>(character ^ escape_bit);
    } else {
      content += character;
    }
  }
  return content;
}

std::optional<std::string> unescape(std::string_view content) {
  std::string binary;
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (content[i] != escape_mark) {
      binary += content[i];
    } else if (++i == content.size()) {
      return std::nullopt;
    } else {
      binary += static_cast<char>(content[i] ^ escape_bit);
    }
  }
  return binary;
}

std::string hex_of(std::string_view bytes) {
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    hex += digits[static_cast<u8>(byte) >> 4];
    hex += digits[static_cast<u8>(byte) & 15];
  }
  return hex;
}

std::optional<std::string> bytes_of(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit_value(hex[i]), low = digit_value(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

std::string little_endian(u64 value) {
  std::string bytes;
  for (unsigned i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> 8 * i);
  return bytes;
}

u64 from_little_endian(std::string_view bytes) {
  u64 value = 0;
  for (std::size_t i = 0; i < std::min(bytes.size(), sizeof value); ++i)
    value |= u64{static_cast<u8>(bytes[i])} << 8 * i;
  return value;
}

std::optional<u64> Scanner::number() {
  u64 value = 0;
  std::size_t length = 0;
  for (; length < text_.size() && digit_value(text_[length]) >= 0; ++length) {
    if (value >> 60 != 0) return std::nullopt;
    value = value << 4 | static_cast<u64>(digit_value(text_[length]));
  }
  if (length == 0) return std::nullopt;
  text_.remove_prefix(length);
  return value;
}

bool Scanner::take(std::string_view prefix) {
  if (text_.substr(0, prefix.size()) != prefix) return false;
  text_.remove_prefix(prefix.size());
  return true;
}

std::string_view Scanner::until(char separator) {
  const std::size_t end = text_.find(separator);
  const std::string_view word = text_.substr(0, end);
  text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
  return word;
}

std::vector<Incoming> PacketReader::read(std::string_view bytes) {
  std::vector<Incoming> found;
  for (const char byte : bytes) {
    if (byte == '$' && state_ != State::between) state_ = State::between;  // the packet before has lost its end
    switch (state_) {
      case State::between:
        if (byte == '$') {
          state_ = State::content;
          content_.clear();
          too_long_ = false;
        } else if (byte == interrupt_byte) {
          found.push_back({Incoming::Kind::interrupt, {}});
        } else if (byte == '+') {
          found.push_back({Incoming::Kind::acknowledged, {}});
        } else if (byte == '-') {
          found.push_back({Incoming::Kind::repeat, {}});
        }
        break;
      case State::content:
        if (byte == '#') {
          state_ = State::first_digit;
        } else if (content_.size() < longest_packet) {
          content_ += byte;
        } else {
          too_long_ = true;
        }
        break;
      case State::first_digit:
        first_digit_ = byte;
        state_ = State::second_digit;
        break;
      case State::second_digit:
        end_packet(byte, found);
        break;
    }
  }
  return found;
}

void PacketReader::end_packet(char digit, std::vector<Incoming>& found) {
  state_ = State::between;
  const int high = digit_value(first_digit_), low = digit_value(digit);
  const bool right = !too_long_ && high >= 0 && low >= 0 && (high << 4 | low) == checksum(content_);
  found.push_back({right ? Incoming::Kind::packet : Incoming::Kind::corrupt, right ? content_ : std::string{}});
}

}  // namespace bvp
