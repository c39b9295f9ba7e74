// SPDX-License-Identifier: Apache-2.0
// What the options --uart and --uart-input of `run` connect the UART to.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "platform/hosted/character_source.h"

namespace bvp {

struct UartOptions {
  std::string text = "stdio";  ///< --uart: stdio, file:PATH, tcp:PORT
  std::string input = "none";  ///< --uart-input: none, stdin, file:PATH
};

class UartConnection {
 public:
  /// Opens the file of the input, or listens on the port.
  /// @throws InputError  an option is not one of its words, the file cannot be read, or the port is not free
  explicit UartConnection(const UartOptions& options);

  /// The file that --uart names.
  [[nodiscard]] const std::optional<std::string>& text_file() const { return text_file_; }
  [[nodiscard]] const std::optional<std::string>& input_file() const { return input_file_; }
  /// Whether the text goes to the standard output.
  [[nodiscard]] bool to_terminal() const { return !text_file_ && connection_ == nullptr; }
  /// What the UART receives; null: nothing.
  [[nodiscard]] CharacterSource* input() const { return input_.get(); }

  /// Waits for the client of --uart tcp. @param interrupted  ends the waiting
  void wait_for_client(const std::function<bool()>& interrupted);
  /// Sends text to the client, if there is one.
  void send(std::string_view text);
  /// Sends what is left to the client.
  void close();

 private:
  std::optional<std::string> text_file_, input_file_;
  std::unique_ptr<CharacterSource> input_;
  ConnectionSource* connection_ = nullptr;  // the input, if it is a connection
};

}  // namespace bvp
