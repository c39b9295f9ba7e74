// SPDX-License-Identifier: Apache-2.0
#include "platform/assembler/kernel_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "platform/assembler/assemble.h"

namespace bvp {
namespace {

char letter_of(Space space) {
  switch (space) {
    case Space::vector:
      return 'v';
    case Space::scalar:
      return 's';
    case Space::accumulator:
      return 'a';
    case Space::scratchpad:
      return 'm';
    default:
      return 'u';  // used by no instruction
  }
}

/// The numbers up to the last that is not `usual`: "8,2"; empty if all are.
template <class List, class Number>
std::string listed(const List& values, Number usual) {
  std::size_t count = values.size();
  while (count > 0 && values[count - 1] == usual) --count;
  return fmt::format("{}", fmt::join(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count), ","));
}

class KernelText {
 public:
  explicit KernelText(const Kernel& kernel) : kernel_(kernel) {}

  std::string text() {
    add_kernel();
    for (std::size_t i = 0; i < kernel_.segments.size(); ++i) add_segment(kernel_.segments[i]);
    add_code_up_to(kernel_.code.size());
    if (!kernel_.edges.empty()) text_ += "\n";
    for (const Edge& edge : kernel_.edges) add_edge(edge);
    return std::move(text_);
  }

 private:
  /// A segment whose instructions stand below it.
  struct Owner {
    u16 first;
    u8 count;
    std::string name;
  };
  using StreamNames = std::array<std::string, streams_per_segment>;

  template <class... Values>
  void add(fmt::format_string<Values...> format, Values&&... values) {
    text_ += fmt::format(format, std::forward<Values>(values)...);
  }

  void add_kernel() {
    add("kernel lanes={} rows={} columns={}", kernel_.lanes, kernel_.pe_rows, kernel_.pe_columns);
    if (kernel_.resident_words != 0) add(" resident_words={}", kernel_.resident_words);
    text_ += "\n";
    const std::size_t registers = kernel_.pe_registers.empty() ? 0 : kernel_.pe_registers.front().size();
    for (std::size_t i = 0; i < registers; ++i) add_register(i);
    for (std::size_t i = 0; i < instance_levels; ++i) {
      const InstanceLevel& level = kernel_.levels[i];
      if (level.start_register == 0 && level.step == 1) continue;
      add("level {}", i);
      if (level.start_register != 0) add(" start=r{}", level.start_register - 1);
      if (level.step != 1) add(" step={}", level.step);
      text_ += "\n";
    }
  }

  [[nodiscard]] i64 register_value(std::size_t number, u32 x, u32 y) const {
    return kernel_.pe_registers[y * kernel_.pe_columns + x][number];
  }
  /// A register whose values are equally far apart along rows and columns is written as an expression.
  void add_register(std::size_t number) {
    const u32 rows = kernel_.pe_rows, columns = kernel_.pe_columns;
    const i64 first = register_value(number, 0, 0);
    const i64 along_x = columns > 1 ? register_value(number, 1, 0) - first : 0;
    const i64 along_y = rows > 1 ? register_value(number, 0, 1) - first : 0;
    bool even = true;
    for (u32 y = 0; y < rows; ++y) {
      for (u32 x = 0; x < columns; ++x)
        even = even && register_value(number, x, y) == first + x * along_x + y * along_y;
    }
    add("register r{} = ", number);
    if (even) {
      add("{}", first);
      if (along_x != 0) add(" + {} * x", along_x);
      if (along_y != 0) add(" + {} * y", along_y);
    } else {
      text_ += "[";
      for (u32 pe = 0; pe < kernel_.pe_registers.size(); ++pe) {
        if (pe > 0) text_ += pe % columns == 0 ? ",\n    " : ", ";
        add("{}", kernel_.pe_registers[pe][number]);
      }
      text_ += "]";
    }
    text_ += "\n";
  }

  void add_segment(const Segment& segment) {
    const std::size_t unit = static_cast<std::size_t>(segment.unit);
    const std::string name = fmt::format("{}{}", unit_names[unit], named_[unit]++);
    names_.push_back(name);
    const std::size_t end = std::size_t{segment.first_instruction} + segment.instruction_count;
    const bool own = segment.first_instruction >= written_;
    // Of instructions that are written already only in part, the others follow first.
    add_code_up_to(own ? segment.first_instruction : end);
    add("\nsegment {} unit={} scope={}", name, unit_names[unit], segment.scope);
    if (segment.tag != 0) add(" tag={}", segment.tag);
    if (const std::string trips = listed(segment.trips, 1); !trips.empty()) add(" trips={}", trips);
    if (!own) add(" code={}", place_of_code(segment));
    text_ += "\n";
    const StreamNames streams = names_of_streams(segment);
    for (std::size_t i = 0; i < streams_per_segment; ++i) {
      if (!streams[i].empty()) add_stream(segment.streams[i], streams[i]);
    }
    if (!own) return;
    for (std::size_t i = segment.first_instruction; i < end; ++i) add_word(kernel_.code[i], streams);
    owners_.push_back({segment.first_instruction, segment.instruction_count, name});
    written_ = end;
  }
  [[nodiscard]] std::string place_of_code(const Segment& segment) const {
    for (const Owner& owner : owners_) {
      if (owner.first == segment.first_instruction && owner.count == segment.instruction_count) return owner.name;
    }
    return fmt::format("{},{}", segment.first_instruction, segment.instruction_count);
  }

  /// The names of the streams that have to be written: each says in which space an instruction uses it first.
  [[nodiscard]] StreamNames names_of_streams(const Segment& segment) const {
    std::array<Space, streams_per_segment> spaces{};
    std::size_t count = streams_per_segment;
    for (std::size_t k = 0; k < segment.instruction_count; ++k) {
      const auto instruction = Instruction::decode(kernel_.code[segment.first_instruction + k]);
      const InstructionInfo& info = instruction_info(instruction->opcode);
      for (std::size_t i = 0; i < operand_count; ++i) {
        const Space space = info.*spaces_of[i];
        Space& first = spaces[((*instruction).*operands_of[i]).stream];
        if (space != Space::none && !is_immediate(space) && first == Space::none) first = space;
      }
    }
    const auto is_plain = [&](std::size_t i) { return stream_attributes(segment.streams[i], false).empty(); };
    while (count > 0 && spaces[count - 1] == Space::none && is_plain(count - 1)) --count;
    StreamNames names;
    for (std::size_t i = 0; i < count; ++i) names[i] = fmt::format("{}{}", letter_of(spaces[i]), i);
    return names;
  }

  static std::string stream_attributes(const Stream& stream, bool of_scratchpad) {
    std::string text;
    if (of_scratchpad && stream.base < 0) {
      text += fmt::format(" base=by_column+{}", stream.base - by_column);
    } else if (stream.base != 0) {
      text += fmt::format(" base={}", stream.base);
    }
    if (stream.pe_register != 0) text += fmt::format(" pe=r{}", stream.pe_register - 1);
    if (stream.launch_register != 0) text += fmt::format(" launch={}", stream.launch_register - 1);
    if (const std::string strides = listed(stream.trip_stride, 0); !strides.empty()) text += " trips=" + strides;
    if (const std::string strides = listed(stream.instance_stride, 0); !strides.empty()) text += " levels=" + strides;
    if (stream.rotation_scope != 0 || stream.rotation_depth != 0 || stream.rotation_stride != 0) {
      text += fmt::format(" rotate={},{},{}", stream.rotation_scope, stream.rotation_depth, stream.rotation_stride);
    }
    return text;
  }
  void add_stream(const Stream& stream, const std::string& name) {
    add("  stream {}{}\n", name, stream_attributes(stream, name.front() == 'm'));
  }

  /// @param streams  names of the streams; of a stream without one, the number is written
  void add_word(u64 word, const StreamNames& streams) {
    const std::optional<Instruction> instruction = Instruction::decode(word);
    if (!instruction) {
      add("  word {:#018x}\n", word);
      return;
    }
    const InstructionInfo& info = instruction_info(instruction->opcode);
    const char* between = " ";
    add("  {}", info.name);
    for (std::size_t i = 0; i < operand_count; ++i) {
      const Space space = info.*spaces_of[i];
      if (space == Space::none) continue;
      const Operand& operand = (*instruction).*operands_of[i];
      text_ += std::exchange(between, ", ");
      if (is_immediate(space)) {
        add("{}", operand.offset);
        continue;
      }
      const std::string& name = streams[operand.stream];
      text_ += name.empty() ? fmt::format("${}", operand.stream) : name;
      if (operand.offset != 0) add("[{}]", operand.offset);
    }
    text_ += "\n";
  }

  /// Instructions that stand below no segment.
  void add_code_up_to(std::size_t end) {
    if (written_ >= end) return;
    text_ += "\ncode\n";
    for (; written_ < end; ++written_) add_word(kernel_.code[written_], {});
  }

  void add_edge(const Edge& edge) {
    add("edge {} -> {}", names_[edge.from], names_[edge.to]);
    if (edge.kind == EdgeKind::space) text_ += " kind=space";
    if (edge.initial != 0) add(" initial={}", edge.initial);
    if (edge.peer_mask != 0) add(" peer={}", edge.peer_mask);
    text_ += "\n";
  }

  const Kernel& kernel_;
  std::string text_;
  std::vector<std::string> names_;  // of the segments
  std::array<std::size_t, unit_count> named_{};
  std::vector<Owner> owners_;
  std::size_t written_ = 0;  // instructions
};

}  // namespace

std::string kernel_text(const Kernel& kernel) { return KernelText(kernel).text(); }

}  // namespace bvp
