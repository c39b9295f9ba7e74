// SPDX-License-Identifier: Apache-2.0
#include "platform/config/yaml_values.h"

#include <yaml-cpp/eventhandler.h>

#include <charconv>
#include <sstream>

#include "platform/support/printable.h"

namespace bvp {

namespace {

/// An event handler that ignores the events of a document.
class IgnoreEvents final : public YAML::EventHandler {
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

std::optional<double> parse_real(std::string_view text) {
  if (has_leading_zero(text)) return std::nullopt;
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return "'" + printable(node.Scalar()) + "'";
  return "nothing";
}

bool has_second_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  IgnoreEvents events;
  return parser.HandleNextDocument(events) && parser.HandleNextDocument(events);
}

bool is_quoted(const YAML::Node& node) { return node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str"; }

bool has_leading_zero(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

std::optional<i64> parse_integer(std::string_view text) {
  if (has_leading_zero(text)) return std::nullopt;
  const bool negative = !text.empty() && text.front() == '-';
  if (negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
  }
  if (text.empty() || text.front() == '-') return std::nullopt;
  i64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return negative ? -value : value;
}

std::optional<ParamValue> parse_value(const ParamBase& parameter, const std::string& text, bool quoted) {
  switch (parameter.type()) {
    case ParamType::boolean:
      if (!quoted && text == "true") return true;
      if (!quoted && text == "false") return false;
      return std::nullopt;
    case ParamType::integer:
      if (const auto value = parse_integer(text); value && !quoted) return *value;
      return std::nullopt;
    case ParamType::real:
      if (const auto value = parse_real(text); value && !quoted) return *value;
      return std::nullopt;
    case ParamType::text:
      return text;
  }
  return std::nullopt;
}

}  // namespace bvp
