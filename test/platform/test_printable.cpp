// SPDX-License-Identifier: Apache-2.0
// Text of unknown origin in messages.
#include <catch2/catch.hpp>

#include "platform/support/printable.h"

TEST_CASE("What is printed of text of unknown origin", "[printable]") {
  using bvp::printable;
  CHECK(printable("soc.array \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80") ==
        "soc.array \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
  CHECK(printable("a\x1b[2J\nb\x7f") == "a?[2J?b?");
  CHECK(printable("a\xc2\x9b"
                  "2J") == "a?2J");  // a control character of C1
  CHECK(printable("\x9b\xff\xc3") == "???");
  CHECK(printable("\xc0\x80 \xe0\x80\x80 \xed\xa0\x80 \xf5\x80\x80\x80") == "?? ??? ??? ????");
  CHECK(printable("") == "");
  CHECK(printable(std::string(60, 'x')) == std::string(60, 'x'));
  CHECK(printable(std::string(61, 'x')) == std::string(60, 'x') + "...");
  CHECK(printable(std::string(59, 'x') + "\xc3\xa4") == std::string(59, 'x') + "...");
  CHECK(printable(std::string(58, 'x') + "\xc3\xa4") == std::string(58, 'x') + "\xc3\xa4");
}
