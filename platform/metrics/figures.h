// SPDX-License-Identifier: Apache-2.0
// The list of the figures of a run. summary.json and the reference page are generated from it, and so are, for figures
// that ask for it, lines on the terminal and cards on the page of `butterfly-vp report`.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "platform/metrics/run_result.h"

namespace bvp {

struct Figure {
  enum class Shown {
    file,      ///< the key in summary.json; other places are given in the code that shows the figure
    headline,  ///< the figure is also a line on the terminal and a card of the page: its value must be a number or null
  };
  std::string key;       ///< in summary.json, with the unit in its name
  std::string unit;      ///< of its numbers; "1": a share; empty: it is no number
  std::string sentence;  ///< a sentence that says what the figure is, in Markdown
  std::function<nlohmann::ordered_json(const RunResult& result)> value;
  Shown shown = Shown::file;
  std::string label = {};  ///< for a headline: at most 16 characters
};

/// All figures, in the order of summary.json.
[[nodiscard]] const std::vector<Figure>& figures();

/// The figures of a layer, without the layer's name and its errors.
[[nodiscard]] nlohmann::ordered_json layer_figures(const LayerRow& row);

}  // namespace bvp
