// SPDX-License-Identifier: Apache-2.0
#include "platform/config/yaml_document.h"

#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>

#include <algorithm>

#include "models/base/types.h"
#include "platform/config/yaml_values.h"

namespace bvp {

std::string yaml_place(const std::string& label, const YAML::Mark& mark) {
  if (mark.is_null()) return label;
  return fmt::format("{}:{}:{}", label, mark.line + 1, mark.column + 1);
}

YAML::Node parse_yaml(const std::string& text, const std::string& label, Problems& problems) {
  if (text.size() > yaml_file_limit) {
    problems.add(label, "", "has {} bytes, expected at most {}", text.size(), yaml_file_limit);
    return {};
  }
  const auto control = std::find_if(text.begin(), text.end(), [](char c) {
    return static_cast<u8>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t';
  });
  if (control != text.end()) {
    problems.add(label, "", "is not a text file: byte 0x{:02x} at offset {}", static_cast<u8>(*control),
                 control - text.begin());
    return {};
  }
  if (text.find('\r') != std::string::npos && text.find('\n') == std::string::npos) {
    problems.add(label, "", "has lines that end with a carriage return alone, expected line feeds");
    return {};
  }
  try {
    if (has_second_document(text)) {
      problems.add(label, "", "is not a single YAML document");
      return {};
    }
    YAML::Node root = YAML::Load(text);
    if (root.IsNull()) {
      problems.add(label, "", "is empty, expected a map of keys");
    } else if (!root.IsMap()) {
      problems.add(yaml_place(label, root.Mark()), "", "found {}, expected a map of keys", kind_of(root));
    }
    return root;
  } catch (const YAML::DeepRecursion& error) {
    problems.add(yaml_place(label, error.mark), "", "lists and maps are nested too deeply");
    return {};
  } catch (const YAML::Exception& error) {
    const bool tab = text.find('\t') != std::string::npos;
    problems.add(yaml_place(label, error.mark), "", "is not YAML: {}{}", error.msg,
                 tab ? " (the file contains tabs; YAML is indented with spaces)" : "");
    return {};
  }
}

}  // namespace bvp
