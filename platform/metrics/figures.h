// SPDX-License-Identifier: Apache-2.0
// The figures of a run: summary.json, the reference page and, where a figure asks for it, the terminal and the page of
// `butterfly-vp report` are made from this list.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "platform/metrics/run_result.h"

namespace bvp {

struct Figure {
  enum class Shown {
    file,      ///< in summary.json; where else, other code says
    headline,  ///< also a line on the terminal and a card of the page: its value must be a number or null
  };
  std::string key;       ///< in summary.json, with the unit in its name
  std::string unit;      ///< of its numbers; "1": a share; empty: it is no number
  std::string sentence;  ///< what it is, in Markdown
  std::function<nlohmann::ordered_json(const RunResult& result)> value;
  Shown shown = Shown::file;
  std::string label = {};  ///< of a headline: at most 16 characters
};

/// In the order of summary.json.
[[nodiscard]] const std::vector<Figure>& figures();

/// The figures of a layer, without its name and its errors.
[[nodiscard]] nlohmann::ordered_json layer_figures(const LayerRow& row);

}  // namespace bvp
