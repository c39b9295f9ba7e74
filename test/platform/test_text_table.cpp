// SPDX-License-Identifier: Apache-2.0
// Numbers, text and tables for the terminal.
#include "platform/support/text_table.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <sstream>

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("Quantities of a column have one unit and as many decimals", "[text_table]") {
  const bvp::AlignedQuantities energy = bvp::aligned({22.4e-3, 724e-6, 534e-9, 0, 20e-9}, "J");
  CHECK(energy.unit == "mJ");
  CHECK(energy.texts == std::vector<std::string>{"22.400", "0.724", "0.001", "0.000", "<0.001"});
  CHECK(bvp::aligned({}, "B").unit == "B");
  CHECK(bvp::aligned({0, 0}, "B").texts == std::vector<std::string>{"0.000", "0.000"});
  CHECK(bvp::aligned({999999, 12}, "B").unit == "kB");
  CHECK(bvp::aligned({1e-12}, "s").texts == std::vector<std::string>{"0.001"});
  CHECK(bvp::aligned({2e15}, "B").texts == std::vector<std::string>{"2000.000"});
}

TEST_CASE("Texts are cut in the middle and stay different", "[text_table]") {
  const std::vector<std::string> short_ones{"abc", "abcdefgh"};
  CHECK(bvp::cut_in_middle(short_ones, 8) == short_ones);
  CHECK(bvp::cut_in_middle({"layers.0.attention.query"}, 12).front() == "layer..query");
  // Different at the beginning, in the middle of one half, at the end.
  const std::vector<std::string> names{"layers.0.attention.values.stage0", "layers.1.attention.values.stage0",
                                       "layers.0.attention.values.stage1", "layers.1.attention.values.stage1"};
  for (const std::size_t width : {11, 12, 16, 24}) {
    const std::vector<std::string> cut = bvp::cut_in_middle(names, width);
    INFO(width);
    CHECK(std::set<std::string>(cut.begin(), cut.end()).size() == names.size());
    for (const std::string& text : cut) CHECK(text.size() <= width);
  }
  const std::vector<std::string> far_apart{"aaaaaaaaXaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaYaaaaaaaaaaaaaaaaaaaaa"};
  const std::vector<std::string> cut = bvp::cut_in_middle(far_apart, 14);
  CHECK(cut[0] != cut[1]);
  CHECK(bvp::cut_in_middle({"aaaaaaaaaa", "bbbbbbbbbb"}, 0).front().size() == 4);
  CHECK(bvp::cut_in_middle({}, 10).empty());
  // A UTF-8 character is never cut.
  const std::string cut_umlauts =
      bvp::cut_in_middle({"\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc"}, 9).front();
  CHECK(cut_umlauts == "\u00e4..\u00f6\u00fc");
}

TEST_CASE("Lines are broken at words", "[text_table]") {
  CHECK(bvp::wrapped("  one two  three", 40, 4) == "  one two  three");
  CHECK(bvp::wrapped("  one two  three", 10, 4) == "  one two\n    three");
  CHECK(bvp::wrapped("a-word-that-is-long and short", 10, 2) == "a-word-that-is-long\n  and\n  short");
  CHECK(bvp::wrapped("", 10, 2).empty());
  for (const std::string& line : lines_of(bvp::wrapped("a b c d e f g h i j k l m n o p q r s t u v w", 12, 3)))
    CHECK(line.size() <= 12);
}

TEST_CASE("A table drops and cuts what does not fit", "[text_table]") {
  bvp::TextTable table({{"name"}, {"cycles"}, {"energy", "mJ", 1}, {"share", "%", 2}});
  table.add({"layers.0.attention.query", "1,234", "22.400", "100.0"});
  table.add({"layers.0.attention.value", "12", "0.724", "3.2"});
  const std::vector<std::string> wide = lines_of(table.text(80));
  CHECK(wide == std::vector<std::string>{
                    "  name                      cycles  energy  share",
                    "                                        mJ      %",
                    "  layers.0.attention.query   1,234  22.400  100.0",
                    "  layers.0.attention.value      12   0.724    3.2",
                });
  CHECK(lines_of(table.text(48)).front() == "  name                      cycles  energy");
  CHECK(lines_of(table.text(40)).front() == "  name                      cycles");
  const std::vector<std::string> narrow = lines_of(table.text(24));
  CHECK(narrow[1] == "  layers...query   1,234");
  CHECK(narrow[2] == "  layers...value      12");
  for (std::size_t width = 20; width < 90; ++width) {
    for (const std::string& line : lines_of(table.text(width))) CHECK(line.size() <= width);
  }
  CHECK(lines_of(bvp::TextTable({{"name"}, {"value"}}).text()).size() == 1);
}
