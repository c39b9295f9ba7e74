// SPDX-License-Identifier: Apache-2.0
#include "platform/hosted/character_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "platform/support/input_error.h"

namespace bvp {

FileSource::FileSource(const std::filesystem::path& file) : descriptor_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
  std::error_code error;
  if (descriptor_ >= 0 && !std::filesystem::is_directory(file, error)) return;
  const std::string why = descriptor_ < 0 ? std::strerror(errno) : "a directory";
  if (descriptor_ >= 0) ::close(descriptor_);
  throw InputError(fmt::format("{}: {}; expected a file for the UART to receive", file.string(), why));
}

FileSource::~FileSource() {
  if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
}

std::optional<char> FileSource::next() {
  if (!fill(std::chrono::milliseconds(0))) return std::nullopt;
  return read_[at_++];
}

bool FileSource::wait(std::chrono::milliseconds longest) { return fill(longest) || !ended_; }

bool FileSource::fill(std::chrono::milliseconds longest) {
  if (at_ < read_.size()) return true;
  if (ended_) return false;
  pollfd wanted{descriptor_, POLLIN, 0};
  if (::poll(&wanted, 1, static_cast<int>(longest.count())) <= 0) return false;
  std::array<char, 4096> piece{};
  const ssize_t count = ::read(descriptor_, piece.data(), piece.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return false;
  ended_ = count <= 0;
  read_.assign(piece.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  at_ = 0;
  return !read_.empty();
}

ConnectionSource::ConnectionSource(u16 port) : server_(port) {
  LocalServer::Events events;
  events.received = [this](std::string_view bytes) { received_.insert(received_.end(), bytes.begin(), bytes.end()); };
  server_.set_events(events);
}

void ConnectionSource::close() {
  constexpr std::chrono::milliseconds longest(1000);
  server_.close(longest);
}

std::optional<char> ConnectionSource::next() {
  if (received_.empty()) server_.poll();
  if (received_.empty()) return std::nullopt;
  const char character = received_.front();
  received_.pop_front();
  return character;
}

bool ConnectionSource::wait(std::chrono::milliseconds longest) {
  if (received_.empty()) server_.wait(longest);
  return !received_.empty() || server_.connected();
}

}  // namespace bvp
