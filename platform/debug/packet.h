// SPDX-License-Identifier: Apache-2.0
// Packets of gdb's remote serial protocol: `$content#checksum`, and the numbers in them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// The longest content of a packet, which gdb is told; longer ones are refused.
inline constexpr std::size_t longest_packet = 0x4000;

/// The packet with this content. The content must have no '$', '#' or '}' that is not escaped.
[[nodiscard]] std::string packet_of(std::string_view content);
/// Escapes what may not be in the content of a packet.
[[nodiscard]] std::string escape(std::string_view binary);
/// Nothing if the last character escapes nothing.
[[nodiscard]] std::optional<std::string> unescape(std::string_view content);

/// Two digits for each byte.
[[nodiscard]] std::string hex_of(std::string_view bytes);
/// Nothing if the text is not pairs of digits.
[[nodiscard]] std::optional<std::string> bytes_of(std::string_view hex);
/// Eight bytes, the lowest first.
[[nodiscard]] std::string little_endian(u64 value);
/// The value of at most eight bytes, the lowest first.
[[nodiscard]] u64 from_little_endian(std::string_view bytes);

/// Takes words off the beginning of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  /// A hexadecimal number of at most 64 bits; nothing if there is none.
  [[nodiscard]] std::optional<u64> number();
  /// Takes `prefix` if the text begins with it.
  [[nodiscard]] bool take(std::string_view prefix);
  [[nodiscard]] bool at_end() const { return text_.empty(); }
  [[nodiscard]] std::string_view rest() const { return text_; }
  /// What comes before the separator, which is taken too; everything if it does not occur.
  [[nodiscard]] std::string_view until(char separator);

 private:
  std::string_view text_;
};

/// What has come from gdb.
struct Incoming {
  enum class Kind { packet, corrupt, interrupt, acknowledged, repeat };
  Kind kind;
  std::string content;  ///< of a packet
};

/// Finds packets in a stream of bytes that arrives in any pieces. Holds at most one packet.
class PacketReader {
 public:
  /// The events that are complete with these bytes.
  [[nodiscard]] std::vector<Incoming> read(std::string_view bytes);
  /// Forgets the packet that has begun.
  void reset() { *this = {}; }

 private:
  enum class State { between, content, first_digit, second_digit };
  void end_packet(char digit, std::vector<Incoming>& found);

  State state_ = State::between;
  std::string content_;
  bool too_long_ = false;
  char first_digit_ = 0;
};

}  // namespace bvp
