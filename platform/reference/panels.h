// SPDX-License-Identifier: Apache-2.0
// Activations in the order the references compute in: tokens in panels of 16, features one after the other in each.
#pragma once

#include <cstddef>
#include <vector>

#include "models/base/types.h"

namespace bvp {

inline constexpr std::size_t panel_width = 16;

inline std::size_t panels_for(std::size_t tokens) { return (tokens + panel_width - 1) / panel_width; }

/// Token t of batch element e is lane t mod 16 of panel e * panels_for(tokens) + t / 16; unused lanes are 0 at first.
template <class Value>
class Panels {
 public:
  Panels(std::size_t panels, std::size_t features)
      : panels_(panels), features_(features), values_(panels * features * panel_width) {}

  [[nodiscard]] std::size_t panels() const { return panels_; }
  [[nodiscard]] std::size_t features() const { return features_; }
  [[nodiscard]] Value* row(std::size_t panel, std::size_t feature) {
    return values_.data() + (panel * features_ + feature) * panel_width;
  }
  [[nodiscard]] const Value* row(std::size_t panel, std::size_t feature) const {
    return values_.data() + (panel * features_ + feature) * panel_width;
  }

 private:
  std::size_t panels_, features_;
  std::vector<Value> values_;
};

/// Makes panels from row-major [batch, tokens, features]; `convert` makes each value.
template <class Value, class Source, class Convert>
Panels<Value> to_panels(const Source* values, std::size_t batch, std::size_t tokens, std::size_t features,
                        const Convert& convert) {
  Panels<Value> panels(batch * panels_for(tokens), features);
  for (std::size_t element = 0; element < batch; ++element) {
    for (std::size_t token = 0; token < tokens; ++token) {
      const Source* from = values + (element * tokens + token) * features;
      const std::size_t panel = element * panels_for(tokens) + token / panel_width;
      for (std::size_t feature = 0; feature < features; ++feature) {
        panels.row(panel, feature)[token % panel_width] = convert(from[feature]);
      }
    }
  }
  return panels;
}

/// Returns the values as row-major [batch, tokens, features].
template <class Value>
std::vector<Value> from_panels(const Panels<Value>& panels, std::size_t batch, std::size_t tokens) {
  const std::size_t features = panels.features();
  std::vector<Value> values(batch * tokens * features);
  for (std::size_t element = 0; element < batch; ++element) {
    for (std::size_t token = 0; token < tokens; ++token) {
      Value* to = values.data() + (element * tokens + token) * features;
      const std::size_t panel = element * panels_for(tokens) + token / panel_width;
      for (std::size_t feature = 0; feature < features; ++feature) {
        to[feature] = panels.row(panel, feature)[token % panel_width];
      }
    }
  }
  return values;
}

}  // namespace bvp
