// SPDX-License-Identifier: Apache-2.0
// What the other end of the UART sends: a file, the standard input, a TCP connection.
#pragma once

#include <chrono>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "platform/support/local_server.h"

namespace bvp {

class CharacterSource {
 public:
  virtual ~CharacterSource() = default;
  /// The next character, if there is one now.
  [[nodiscard]] virtual std::optional<char> next() = 0;
  /// Waits at most so long for a character. Returns false if there will never be another one.
  [[nodiscard]] virtual bool wait(std::chrono::milliseconds longest) = 0;
};

/// Reads a file, a pipe or a terminal as far as there is something to read.
class FileSource : public CharacterSource {
 public:
  /// The standard input.
  FileSource() = default;
  /// @throws InputError  the file cannot be read
  explicit FileSource(const std::filesystem::path& file);
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  [[nodiscard]] std::optional<char> next() override;
  [[nodiscard]] bool wait(std::chrono::milliseconds longest) override;

 private:
  /// Reads more, if that takes no longer. Returns whether there is a character.
  bool fill(std::chrono::milliseconds longest);

  int descriptor_ = 0;
  bool ended_ = false;
  std::string read_;  // and not handed out yet
  std::size_t at_ = 0;
};

/// Both directions of a TCP connection with a client on this host.
class ConnectionSource : public CharacterSource {
 public:
  /// Listens on 127.0.0.1. @param port  0: any that is free
  /// @throws InputError  the port is in use, or this user may not listen on it
  explicit ConnectionSource(u16 port);

  [[nodiscard]] u16 port() const { return server_.port(); }
  [[nodiscard]] bool connected() const { return server_.connected(); }
  void send(std::string_view text) { server_.send(std::string(text)); }
  /// Sends what is left, and closes the connection.
  void close();

  [[nodiscard]] std::optional<char> next() override;
  [[nodiscard]] bool wait(std::chrono::milliseconds longest) override;

 private:
  LocalServer server_;
  std::deque<char> received_;
};

}  // namespace bvp
