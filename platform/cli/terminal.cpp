// SPDX-License-Identifier: Apache-2.0
#include "platform/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "platform/support/text_table.h"

namespace bvp {

std::size_t terminal_width(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  if (const char* const columns = std::getenv("COLUMNS")) {
    constexpr long most = 10000;
    const long value = std::strtol(columns, nullptr, 10);
    if (value > 0 && value <= most) return static_cast<std::size_t>(value);
  }
  return default_width;
}

bool can_rewrite_lines(int descriptor) {
  const char* const name = std::getenv("TERM");
  return isatty(descriptor) != 0 && name != nullptr && *name != '\0' && std::string_view(name) != "dumb";
}

}  // namespace bvp
