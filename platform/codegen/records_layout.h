// SPDX-License-Identifier: Apache-2.0
// The records in memory as data, from which the C header and the reference pages are written.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bvp {

struct RecordField {
  std::string type;  // as in the declaration: "u32" or the name of another record
  std::string name;
  std::size_t elements;
  std::size_t offset;
  std::size_t bytes;
  std::string description;
};

struct RecordLayout {
  std::string name;
  std::size_t bytes;
  std::string description;
  std::vector<RecordField> fields;
};

struct NamedConstant {
  std::string name;
  unsigned long long value;
  std::string description;
};

/// Every record; a record comes after those that it contains.
[[nodiscard]] std::vector<RecordLayout> record_layouts();
[[nodiscard]] std::vector<NamedConstant> record_constants();
[[nodiscard]] std::vector<NamedConstant> command_opcodes();
[[nodiscard]] std::vector<NamedConstant> sequencer_errors();
[[nodiscard]] std::vector<NamedConstant> dma_statuses();

}  // namespace bvp
