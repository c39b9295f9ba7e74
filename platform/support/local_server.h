// SPDX-License-Identifier: Apache-2.0
// A TCP connection with a client on this host, one at a time: gdb, or the other end of the UART.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "models/base/types.h"

namespace bvp {

/// Does nothing by itself: it moves bytes while poll() or wait() runs.
class LocalServer {
 public:
  struct Events {
    std::function<void()> connected, disconnected;
    std::function<void(std::string_view)> received;
  };

  /// Listens on 127.0.0.1. @param port  0: any that is free
  /// @throws InputError  the port is in use, or this user may not listen on it
  explicit LocalServer(u16 port);
  ~LocalServer();

  [[nodiscard]] u16 port() const;
  void set_events(Events events);
  [[nodiscard]] bool connected() const;
  /// Handles what has happened.
  void poll();
  /// Like poll(), but waits so long for something to happen.
  void wait(std::chrono::milliseconds longest);
  void send(std::string bytes);
  /// Sends what is left, for at most this time, and closes the connection.
  void close(std::chrono::milliseconds longest);

 private:
  struct Sockets;
  std::unique_ptr<Sockets> sockets_;
};

}  // namespace bvp
