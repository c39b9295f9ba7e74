// SPDX-License-Identifier: Apache-2.0
// Ports that options name.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <string>

#include "platform/support/input_error.h"

namespace bvp {

/// What `make` makes of the port that the text says. @param option  for errors
/// @throws InputError  the text is no port, or `make` says why it cannot be used
template <class Make>
auto at_port(const std::string& option, const std::string& text, Make make) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || parsed != end) {
    throw InputError(fmt::format("{}: expected a port from 1 to 65535, or 0 for any that is free", option));
  }
  try {
    return make(port);
  } catch (const InputError& failure) {
    throw InputError(fmt::format("{}: {}", option, failure.what()));
  }
}

}  // namespace bvp
