// SPDX-License-Identifier: Apache-2.0
#include "platform/support/local_server.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio.hpp>
#include <optional>
#include <utility>

#include "platform/support/input_error.h"

namespace bvp {

using boost::asio::ip::tcp;
using Error = boost::system::error_code;

namespace {
/// A client that does not read what it is sent is dropped.
constexpr std::size_t most_unsent = std::size_t{64} << 20;
}  // namespace

struct LocalServer::Sockets {
  boost::asio::io_context context;
  tcp::acceptor acceptor{context};
  std::optional<tcp::socket> socket;
  Events events;
  std::array<char, 4096> buffer{};
  std::string sending, unsent;

  void listen(u16 port);
  void accept();
  void receive();
  void transmit();
  void drop();
};

void LocalServer::Sockets::listen(u16 port) {
  Error error;
  const tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(), port);
  acceptor.open(tcp::v4(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(1, error);
  if (!error) return;
  if (error == boost::asio::error::address_in_use) {
    throw InputError(fmt::format("port {} of 127.0.0.1 is in use; expected one that is free, or 0 for any", port));
  }
  if (error == boost::asio::error::access_denied) {
    throw InputError(fmt::format("port {}: this user may not listen there; expected one from 1024 on", port));
  }
  throw InputError(fmt::format("port {} of 127.0.0.1: {}", port, error.message()));
}

void LocalServer::Sockets::accept() {
  acceptor.async_accept([this](const Error& error, tcp::socket accepted) {
    if (error == boost::asio::error::operation_aborted) return;
    if (!error && !socket) {
      Error ignored;
      accepted.set_option(tcp::no_delay(true), ignored);
      socket.emplace(std::move(accepted));
      if (events.connected) events.connected();
      receive();
    }  // A second client is turned away: its socket is closed here.
    accept();
  });
}

void LocalServer::Sockets::receive() {
  if (!socket) return;
  socket->async_read_some(boost::asio::buffer(buffer), [this](const Error& error, std::size_t bytes) {
    if (error == boost::asio::error::operation_aborted) return;
    if (error) return drop();
    if (events.received) events.received(std::string_view(buffer.data(), bytes));
    receive();
  });
}

void LocalServer::Sockets::transmit() {
  if (!socket || !sending.empty() || unsent.empty()) return;
  sending = std::exchange(unsent, {});
  boost::asio::async_write(*socket, boost::asio::buffer(sending), [this](const Error& error, std::size_t) {
    if (error == boost::asio::error::operation_aborted) return;
    sending.clear();
    if (error) return drop();
    transmit();
  });
}

void LocalServer::Sockets::drop() {
  if (!socket) return;
  Error ignored;
  socket->close(ignored);
  socket.reset();
  unsent.clear();
  sending.clear();
  if (events.disconnected) events.disconnected();
}

LocalServer::LocalServer(u16 port) : sockets_(std::make_unique<Sockets>()) {
  sockets_->listen(port);
  sockets_->accept();
}

LocalServer::~LocalServer() = default;

u16 LocalServer::port() const { return sockets_->acceptor.local_endpoint().port(); }
void LocalServer::set_events(Events events) { sockets_->events = std::move(events); }
bool LocalServer::connected() const { return sockets_->socket.has_value(); }

void LocalServer::poll() { sockets_->context.poll(); }
void LocalServer::wait(std::chrono::milliseconds longest) { sockets_->context.run_one_for(longest); }

void LocalServer::send(std::string bytes) {
  if (!sockets_->socket || bytes.empty()) return;
  sockets_->unsent += bytes;
  if (sockets_->unsent.size() > most_unsent) return sockets_->drop();
  sockets_->transmit();
}

void LocalServer::close(std::chrono::milliseconds longest) {
  const auto end = std::chrono::steady_clock::now() + longest;
  const auto unsent = [this] { return !sockets_->sending.empty() || !sockets_->unsent.empty(); };
  while (connected() && unsent() && std::chrono::steady_clock::now() < end) wait(std::chrono::milliseconds(10));
  sockets_->events = {};
  sockets_->drop();
}

}  // namespace bvp
