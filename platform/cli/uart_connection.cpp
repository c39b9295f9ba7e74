// SPDX-License-Identifier: Apache-2.0
#include "platform/cli/uart_connection.h"

#include <fmt/format.h>

#include "platform/cli/commands.h"
#include "platform/cli/ports.h"
#include "platform/support/input_error.h"

namespace bvp {
namespace {

/// What follows the prefix; nothing if the option does not begin so, or nothing follows.
std::optional<std::string> behind(std::string_view prefix, const std::string& option) {
  if (option.size() <= prefix.size() || option.compare(0, prefix.size(), prefix) != 0) return std::nullopt;
  return option.substr(prefix.size());
}

}  // namespace

UartConnection::UartConnection(const UartOptions& options)
    : text_file_(behind("file:", options.text)), input_file_(behind("file:", options.input)) {
  const std::optional<std::string> port = behind("tcp:", options.text);
  if (!text_file_ && !port && options.text != "stdio") {
    throw InputError(fmt::format("--uart {}: expected stdio, file:PATH or tcp:PORT", options.text));
  }
  if (!input_file_ && options.input != "none" && options.input != "stdin") {
    throw InputError(fmt::format("--uart-input {}: expected none, stdin or file:PATH", options.input));
  }
  if (port && options.input != "none") {
    throw InputError(fmt::format("--uart-input {}: expected none beside --uart {}, whose client sends the input",
                                 options.input, options.text));
  }
  if (port) {
    const std::string option = "--uart tcp:" + *port;
    auto connection = at_port(option, *port, [](u16 number) { return std::make_unique<ConnectionSource>(number); });
    connection_ = connection.get();
    input_ = std::move(connection);
  } else if (input_file_) {
    try {
      input_ = std::make_unique<FileSource>(*input_file_);
    } catch (const InputError& error) {
      throw InputError(fmt::format("--uart-input file:{}", error.what()));
    }
  } else if (options.input == "stdin") {
    input_ = std::make_unique<FileSource>();
  }
}

void UartConnection::wait_for_client(const std::function<bool()>& interrupted) {
  if (connection_ == nullptr) return;
  say(fmt::format("waiting for the UART's client: localhost:{}\n", connection_->port()));
  constexpr std::chrono::milliseconds patience(100);
  // Until a client has connected, there is nothing to receive.
  while (!connection_->connected() && !interrupted()) static_cast<void>(connection_->wait(patience));
}

void UartConnection::send(std::string_view text) {
  if (connection_ != nullptr) connection_->send(text);
}

void UartConnection::close() {
  if (connection_ != nullptr) connection_->close();
}

}  // namespace bvp
