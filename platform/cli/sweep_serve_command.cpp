// SPDX-License-Identifier: Apache-2.0
// butterfly-vp sweep serve
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <CLI/CLI.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <memory>
#include <optional>

#include "platform/cli/sweep_commands.h"
#include "platform/explore/analysis.h"
#include "platform/report/html_page.h"
#include "platform/support/input_error.h"

namespace bvp {
namespace {

namespace http = boost::beast::http;
using Tcp = boost::asio::ip::tcp;

struct ServeCommand {
  std::string directory;
  u16 port = 0;  ///< 0: any that is free
  u64 refresh_s = 10;
};

/// The page of the sweep as it is now, which the browser loads again after a while.
std::string page_of(const ServeCommand& command) {
  std::string page = html_page("sweep", {{"DATA", analysis_json(analyse(SweepStore(command.directory)))}});
  const std::size_t head = page.find("<head>");
  if (head == std::string::npos) return page;
  constexpr std::size_t length = 6;
  return page.insert(head + length, fmt::format("<meta http-equiv=\"refresh\" content=\"{}\">", command.refresh_s));
}

/// Whether the browser asked for this host by one of its own names. A page of another site can give the host's address
/// a name of its own, and would otherwise read the results.
bool is_own_name(std::string_view host) {
  const std::string_view name = host.substr(0, host.find(':'));
  return name == "127.0.0.1" || name == "localhost";
}

http::response<http::string_body> answer_to(const http::request<http::empty_body>& request,
                                            const ServeCommand& command) {
  http::response<http::string_body> answer(http::status::ok, request.version());
  answer.set(http::field::content_type, "text/plain; charset=utf-8");
  answer.set(http::field::cache_control, "no-store");
  answer.keep_alive(false);
  const boost::beast::string_view host = request[http::field::host];
  if (!is_own_name({host.data(), host.size()})) {
    answer.result(http::status::forbidden);
    answer.body() = "expected the host 127.0.0.1\n";
  } else if (request.method() != http::verb::get) {
    answer.result(http::status::method_not_allowed);
    answer.body() = "expected GET\n";
  } else if (request.target() != "/") {
    answer.result(http::status::not_found);
    answer.body() = "there is one page: /\n";
  } else {
    try {
      answer.body() = page_of(command);
      answer.set(http::field::content_type, "text/html; charset=utf-8");
    } catch (const std::exception& error) {
      answer.result(http::status::internal_server_error);
      answer.body() = std::string(error.what()) + "\n";
    }
  }
  answer.prepare_payload();
  return answer;
}

/// Answers one request. What goes wrong with a connection concerns its browser alone.
void serve_connection(Tcp::socket& socket, const ServeCommand& command) {
  // A client that says nothing must not keep others waiting for long.
  const timeval patience{2, 0};
  setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  boost::beast::error_code error;
  boost::beast::flat_buffer buffer;
  http::request_parser<http::empty_body> parser;
  http::read(socket, buffer, parser, error);
  if (error) return;
  http::write(socket, answer_to(parser.get(), command), error);
  socket.shutdown(Tcp::socket::shutdown_send, error);
}

int serve_command(const ServeCommand& command) {
  // What is no sweep is refused before anybody asks for a page.
  static_cast<void>(analyse(SweepStore(command.directory)));
  boost::asio::io_context io;
  Tcp::acceptor acceptor(io);
  boost::system::error_code error;
  const Tcp::endpoint own(boost::asio::ip::address_v4::loopback(), command.port);
  acceptor.open(own.protocol());
  acceptor.set_option(Tcp::acceptor::reuse_address(true));
  acceptor.bind(own, error);
  if (error) {
    throw InputError(fmt::format("--port {}: {}; expected a port that is free", command.port, error.message()));
  }
  acceptor.listen();
  fmt::print("http://127.0.0.1:{}/ shows {}, until it is interrupted\n", acceptor.local_endpoint().port(),
             command.directory);
  static_cast<void>(std::fflush(stdout));
  while (true) {
    Tcp::socket socket(io);
    acceptor.accept(socket, error);
    if (!error) serve_connection(socket, command);
  }
}

}  // namespace

void add_sweep_serve_command(CLI::App& sweep, CommandLine& line) {
  const auto given = std::make_shared<ServeCommand>();
  CLI::App& app =
      *sweep.add_subcommand("serve", "Show the page of a sweep in a browser on this host, also while it runs");
  app.add_option("directory", given->directory, "Directory of the sweep")
      ->required()
      ->type_name("DIR")
      ->check(not_empty());
  app.add_option("--port", given->port, "Port on 127.0.0.1 (default: any that is free)")->type_name("PORT");
  app.add_option("--refresh", given->refresh_s, "Seconds after which the page is loaded again (default: 10)")
      ->type_name("SECONDS")
      ->check(CLI::Range(u64{1}, u64{86'400}));
  app.final_callback([&line, given] { line.selected = [given] { return serve_command(*given); }; });
}

}  // namespace bvp
