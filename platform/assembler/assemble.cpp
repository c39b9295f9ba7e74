// SPDX-License-Identifier: Apache-2.0
#include "platform/assembler/assemble.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "platform/assembler/expression.h"
#include "platform/support/nearest.h"

namespace bvp {
namespace {

constexpr std::size_t most_errors = 20;
constexpr i64 largest_array = 256;  // rows or columns of an image
constexpr i64 lowest_i32 = std::numeric_limits<i32>::min(), highest_i32 = std::numeric_limits<i32>::max();

/// Where the parts of a kernel stand in the text.
struct Places {
  TextPlace whole;
  std::array<TextPlace, instance_levels> levels;
  std::vector<TextPlace> segments, code, edges;
  std::vector<std::array<TextPlace, streams_per_segment>> streams;  // of each segment
};

/// What a name stands for, and where it got its meaning.
struct Meaning {
  i64 value = 0;
  TextPlace place;
};
using Names = std::map<std::string, Meaning, std::less<>>;

/// Makes a name stand for a value. @throws TextError  it stands for another one
void give_name(Names& names, const Token& name, i64 value, std::string_view what) {
  const auto [entry, is_new] = names.insert({std::string(name.text), {value, name.place}});
  if (is_new) return;
  throw TextError(name.place, fmt::format("found '{}', expected a name that no other {} has; line {} has this one",
                                          name.text, what, entry->second.place.line));
}

std::optional<i64> meaning_of(const Names& names, std::string_view name) {
  const auto found = names.find(name);
  return found == names.end() ? std::nullopt : std::optional<i64>(found->second.value);
}

/// Compares with a list of words. @throws TextError  it is none of them
template <class Words>
std::size_t index_of(const Token& word, const Words& words) {
  const auto found = std::find(std::begin(words), std::end(words), word.text);
  if (found != std::end(words)) return static_cast<std::size_t>(found - std::begin(words));
  fail_at(word, fmt::format("one of {}", fmt::join(words, ", ")));
}

class Assembler {
 public:
  Assembler(std::string_view text, const KernelLimits& limits)
      : tokens_(tokens_of(text)), reader_(tokens_), limits_(limits) {}

  Assembly assemble() {
    while (reader_.peek().kind != Token::Kind::end && errors_.size() < most_errors) {
      try {
        statement();
      } catch (const TextError& error) {
        errors_.push_back({error.place, error.what()});
        reader_.skip_line();
      }
      if (reader_.peek().kind == Token::Kind::line_end) reader_.take();
    }
    if (errors_.empty()) finish();
    std::stable_sort(errors_.begin(), errors_.end(),
                     [](const auto& a, const auto& b) { return a.place.line < b.place.line; });
    return {std::move(result_), std::move(errors_), places_.whole};
  }

 private:
  struct Statement {
    std::string_view word;
    void (Assembler::*read)(const Token& word);
  };
  static const std::array<Statement, 9> statements;

  Kernel& made() { return result_.kernel; }

  void statement() {
    if (reader_.peek().kind == Token::Kind::line_end) return;
    const Token word = reader_.expect_name("a statement or an instruction");
    const auto* found = std::find_if(statements.begin(), statements.end(),
                                     [&](const Statement& each) { return each.word == word.text; });
    if (found != statements.end()) {
      (this->*found->read)(word);
    } else if (word.text == "word") {
      raw_word(word);
    } else {
      instruction(word);
    }
    if (reader_.peek().kind != Token::Kind::line_end) fail_at(reader_.peek(), "the end of the line");
  }

  void need_kernel(const Token& before) const {
    if (!kernel_known_)
      throw TextError(before.place, fmt::format("found {}, expected 'kernel' before it", before.shown()));
  }

  // Numbers.

  [[nodiscard]] std::optional<i64> value_of(std::string_view name) const {
    const Kernel& kernel = result_.kernel;
    if (name == "by_column") return by_column;
    if (kernel_known_ && name == "lanes") return kernel.lanes;
    if (kernel_known_ && name == "rows") return kernel.pe_rows;
    if (kernel_known_ && name == "columns") return kernel.pe_columns;
    return meaning_of(constants_, name);
  }
  i64 number(std::string_view what, i64 first, i64 last) {
    return read_in_range(
        reader_, [this](std::string_view name) { return value_of(name); }, what, first, last);
  }
  template <std::size_t N, class Number>
  void numbers(std::array<Number, N>& values, std::string_view what, i64 first) {
    std::size_t count = 0;
    do {
      const Token begin = reader_.peek();
      const i64 value = number(what, first, std::numeric_limits<Number>::max());
      if (count == N) throw TextError(begin.place, fmt::format("{}: found more than {} numbers", what, N));
      values[count++] = static_cast<Number>(value);
    } while (reader_.take_if(","));
  }
  /// A number that has a name of its own, or an expression: 0 to last, or last + 1 in all.
  i64 named_number(const Names& names, std::string_view what, i64 last) {
    if (const std::optional<i64> value = meaning_of(names, reader_.peek().text)) {
      reader_.take();
      return *value;
    }
    if (last < 0) fail_at(reader_.peek(), fmt::format("no {}, because none has been declared", what));
    return number(what, 0, last);
  }

  /// Reads `NAME=` as often as there is one, and what belongs to the name.
  void attributes(std::initializer_list<std::pair<std::string_view, std::function<void()>>> known) {
    std::vector<std::string_view> given;
    while (reader_.peek().kind == Token::Kind::name) {
      const Token name = reader_.take();
      const auto* found =
          std::find_if(known.begin(), known.end(), [&](const auto& each) { return each.first == name.text; });
      if (found == known.end()) {
        std::vector<std::string_view> words;
        for (const auto& each : known) words.push_back(each.first);
        fail_at(name, fmt::format("one of {}", fmt::join(words, ", ")));
      }
      if (std::find(given.begin(), given.end(), name.text) != given.end()) {
        throw TextError(name.place, fmt::format("found '{}' a second time, expected it once", name.text));
      }
      given.push_back(name.text);
      reader_.expect("=");
      found->second();
    }
  }

  // Statements about the whole kernel.

  void constant(const Token&) {
    const Token name = reader_.expect_name("the name of a constant");
    constexpr std::array<std::string_view, 7> taken{"by_column", "lanes", "rows", "columns", "x", "y", "pe"};
    if (std::find(taken.begin(), taken.end(), name.text) != taken.end()) {
      fail_at(name, fmt::format("another name than {}, which have a meaning", fmt::join(taken, ", ")));
    }
    reader_.expect("=");
    const i64 value = number("a constant", std::numeric_limits<i64>::min(), std::numeric_limits<i64>::max());
    give_name(constants_, name, value, "constant");
    result_.constants.push_back({std::string(name.text), value});
  }

  void kernel(const Token& word) {
    if (kernel_known_) fail_at(word, "it once");
    i64 lanes = 0, rows = 0, columns = 0;
    attributes({{"lanes", [&] { lanes = number("lanes", 1, std::numeric_limits<u32>::max()); }},
                {"rows", [&] { rows = number("rows", 1, largest_array); }},
                {"columns", [&] { columns = number("columns", 1, largest_array); }},
                {"resident_words", [&] {
                   made().resident_words =
                       static_cast<u32>(number("resident_words", 0, std::numeric_limits<u32>::max()));
                 }}});
    if (lanes == 0 || rows == 0 || columns == 0) fail_at(reader_.peek(), "lanes, rows and columns");
    made().lanes = static_cast<u32>(lanes);
    made().pe_rows = static_cast<u32>(rows);
    made().pe_columns = static_cast<u32>(columns);
    made().pe_registers.resize(static_cast<std::size_t>(rows * columns));
    places_.whole = word.place;
    kernel_known_ = true;
  }

  void pe_register(const Token& word) {
    need_kernel(word);
    const Token name = reader_.expect_name("the name of a PE's register");
    const std::size_t count = made().pe_registers.front().size();
    if (count == pe_register_limit) {
      throw TextError(name.place, fmt::format("found more than {} registers of a PE", pe_register_limit));
    }
    reader_.expect("=");
    const std::vector<i32> values = reader_.peek().is("[") ? listed_values() : computed_values();
    give_name(pe_registers_, name, static_cast<i64>(count), "register of a PE");
    for (std::size_t pe = 0; pe < values.size(); ++pe) made().pe_registers[pe].push_back(values[pe]);
  }
  std::vector<i32> listed_values() {
    const Token begin = reader_.peek();
    reader_.expect("[");
    std::vector<i32> values;
    do {
      values.push_back(static_cast<i32>(number("a register", lowest_i32, highest_i32)));
    } while (reader_.take_if(","));
    reader_.expect("]");
    const std::size_t pes = made().pe_registers.size();
    if (values.size() == pes) return values;
    throw TextError(begin.place, fmt::format("found {} values, expected one for each of {} PEs", values.size(), pes));
  }
  /// An expression of x, y and pe.
  std::vector<i32> computed_values() {
    constexpr std::size_t most_tokens = 100;  // because it is computed for each PE
    const Token begin = reader_.peek();
    const std::size_t position = reader_.position();
    std::vector<i32> values;
    for (u32 pe = 0; pe < made().pe_registers.size(); ++pe) {
      reader_.go_to(position);
      const auto names = [&](std::string_view name) -> std::optional<i64> {
        if (name == "pe") return pe;
        if (name == "x") return pe % made().pe_columns;
        if (name == "y") return pe / made().pe_columns;
        return value_of(name);
      };
      values.push_back(static_cast<i32>(read_in_range(reader_, names, "a register", lowest_i32, highest_i32)));
      if (reader_.position() - position > most_tokens) {
        throw TextError(begin.place, fmt::format("found an expression of more than {} words", most_tokens));
      }
    }
    return values;
  }

  void launch_register(const Token&) {
    const Token name = reader_.expect_name("the name of a launch register");
    reader_.expect("=");
    const i64 value = number("a launch register", 0, launch_register_limit - 1);
    give_name(launch_registers_, name, value, "launch register");
    result_.launch_registers.push_back({std::string(name.text), value});
  }

  void level(const Token& word) {
    need_kernel(word);
    const auto index = static_cast<std::size_t>(number("a level", 0, instance_levels - 1));
    InstanceLevel& level = made().levels[index];
    places_.levels[index] = word.place;
    attributes({{"start", [&] { level.start_register = pe_register_number(); }},
                {"step", [&] { level.step = static_cast<u16>(number("step", 1, 65535)); }}});
  }
  /// The number of a PE's register as the records have it, from 1 on.
  u8 pe_register_number() {
    const auto last = static_cast<i64>(made().pe_registers.front().size()) - 1;
    return static_cast<u8>(1 + named_number(pe_registers_, "register of a PE", last));
  }

  // Segments.

  void segment(const Token& word) {
    need_kernel(word);
    const Token name = reader_.expect_name("the name of a segment");
    if (made().segments.size() == std::numeric_limits<u16>::max())
      throw TextError(name.place, "found too many segments");
    give_name(segments_, name, static_cast<i64>(made().segments.size()), "segment");
    Segment& segment = made().segments.emplace_back();
    segment.first_instruction = static_cast<u16>(made().code.size());
    places_.segments.push_back(name.place);
    places_.streams.emplace_back().fill(name.place);
    streams_.clear();
    stream_count_ = 0;
    open_ = Open::segment;
    bool has_unit = false;
    attributes({{"unit",
                 [&] {
                   segment.unit = static_cast<Unit>(index_of(reader_.take(), unit_names));
                   has_unit = true;
                 }},
                {"scope", [&] { segment.scope = static_cast<u8>(number("scope", 0, instance_levels)); }},
                {"tag", [&] { segment.tag = static_cast<u8>(number("tag", 0, 255)); }},
                {"trips", [&] { numbers(segment.trips, "trips", 1); }},
                {"code", [&] { shared_code(segment); }}});
    if (!has_unit) fail_at(reader_.peek(), "unit=load, cal, flow or store");
  }
  /// The code is that of an earlier segment, or instructions by the number of the first and how many there are.
  void shared_code(Segment& segment) {
    const Token begin = reader_.peek();
    const std::optional<i64> named = meaning_of(segments_, begin.text);
    open_ = Open::segment_without_code;
    if (named) {
      const Segment& owner = made().segments[static_cast<std::size_t>(*named)];
      if (&owner == &segment) fail_at(begin, "another segment");
      reader_.take();
      segment.first_instruction = owner.first_instruction;
      segment.instruction_count = owner.instruction_count;
      return;
    }
    const auto end = static_cast<i64>(made().code.size());
    if (end == 0) fail_at(begin, "an earlier segment with instructions");
    segment.first_instruction = static_cast<u16>(number("the first instruction", 0, end - 1));
    reader_.expect(",");
    segment.instruction_count =
        static_cast<u8>(number("instructions", 1, std::min<i64>(255, end - segment.first_instruction)));
  }

  void stream(const Token& word) {
    if (open_ != Open::segment && open_ != Open::segment_without_code) fail_at(word, "a segment before it");
    const Token name = reader_.expect_name("the name of a stream");
    if (stream_count_ == streams_per_segment) {
      throw TextError(name.place, fmt::format("found more than {} streams of a segment", streams_per_segment));
    }
    give_name(streams_, name, static_cast<i64>(stream_count_), "stream of this segment");
    places_.streams.back()[stream_count_] = name.place;
    Stream& stream = made().segments.back().streams[stream_count_++];
    attributes({{"base", [&] { stream.base = static_cast<i32>(number("base", lowest_i32, highest_i32)); }},
                {"pe", [&] { stream.pe_register = pe_register_number(); }},
                {"launch",
                 [&] {
                   stream.launch_register = static_cast<u8>(
                       1 + named_number(launch_registers_, "a launch register", launch_register_limit - 1));
                 }},
                {"trips", [&] { numbers(stream.trip_stride, "trips", lowest_i32); }},
                {"levels", [&] { numbers(stream.instance_stride, "levels", lowest_i32); }},
                {"rotate", [&] { rotation(stream); }}});
  }
  void rotation(Stream& stream) {
    stream.rotation_scope = static_cast<u8>(number("the scope of a rotation", 0, instance_levels));
    reader_.expect(",");
    stream.rotation_depth = static_cast<u8>(number("the depth of a rotation", 0, 255));
    reader_.expect(",");
    stream.rotation_stride = static_cast<i32>(number("the stride of a rotation", lowest_i32, highest_i32));
  }

  void code(const Token& word) {
    need_kernel(word);
    open_ = Open::code;
    streams_.clear();
  }

  // Instructions.

  void add_word(const Token& at, u64 word) {
    if (open_ == Open::nothing) fail_at(at, "'segment' or 'code' before it");
    if (open_ == Open::segment_without_code) fail_at(at, "no instructions in a segment whose code is elsewhere");
    if (made().code.size() == std::numeric_limits<u16>::max()) throw TextError(at.place, "found too many instructions");
    if (open_ == Open::segment) {
      u8& count = made().segments.back().instruction_count;
      if (count == 255) throw TextError(at.place, "found more than 255 instructions in a segment");
      ++count;
    }
    made().code.push_back(word);
    places_.code.push_back(at.place);
  }

  void raw_word(const Token& word) { add_word(word, number_of(reader_.take())); }

  void instruction(const Token& word) {
    const InstructionInfo* info = instruction_info(word.text);
    if (info == nullptr) fail_unknown(word);
    Instruction instruction;
    instruction.opcode = info->opcode;
    bool first = true;
    for (std::size_t i = 0; i < operand_count; ++i) {
      const Space space = info->*spaces_of[i];
      if (space == Space::none) continue;
      if (!first) reader_.expect(",");
      first = false;
      instruction.*operands_of[i] = operand(space, operand_fields[i]);
    }
    add_word(word, instruction.encode());
  }
  [[noreturn]] void fail_unknown(const Token& word) const {
    std::vector<std::string> words{"word"};
    for (const Statement& each : statements) words.emplace_back(each.word);
    for (const InstructionInfo& info : instructions()) words.emplace_back(info.name);
    const std::string near = nearest_word(std::string(word.text), words);
    fail_at(word, "a statement or an instruction" + (near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
  }
  Operand operand(Space space, OperandField field) {
    const i64 largest = field.largest_offset();
    if (is_immediate(space)) {
      return {0, static_cast<u16>(number(space == Space::peer ? "peer" : "distance", 0, largest))};
    }
    Operand operand;
    const Token name = reader_.take();
    if (name.is("$")) {
      operand.stream = static_cast<u8>(number("a stream", 0, streams_per_segment - 1));
    } else {
      const auto found = name.kind == Token::Kind::name ? meaning_of(streams_, name.text) : std::nullopt;
      if (!found) fail_at(name, streams_.empty() ? "a stream; this segment has none" : "a stream of this segment");
      operand.stream = static_cast<u8>(*found);
    }
    if (reader_.take_if("[")) {
      operand.offset = static_cast<u16>(number("an offset", 0, largest));
      reader_.expect("]");
    }
    return operand;
  }

  // Edges may name segments that follow.

  struct PendingEdge {
    Token from, to;
    Edge edge;
  };
  void edge(const Token& word) {
    need_kernel(word);
    PendingEdge pending;
    pending.from = reader_.expect_name("the name of a segment");
    reader_.expect("->");
    pending.to = reader_.expect_name("the name of a segment");
    Edge& edge = pending.edge;
    attributes({{"kind",
                 [&] {
                   constexpr std::array<const char*, 2> kinds{"data", "space"};
                   edge.kind = static_cast<EdgeKind>(index_of(reader_.take(), kinds));
                 }},
                {"initial", [&] { edge.initial = static_cast<u8>(number("initial", 0, 255)); }},
                {"peer", [&] { edge.peer_mask = static_cast<u8>(number("peer", 0, 255)); }}});
    edges_.push_back(pending);
  }
  u16 segment_named(const Token& name) {
    const std::optional<i64> found = meaning_of(segments_, name.text);
    if (!found) fail_at(name, "the name of a segment");
    return static_cast<u16>(*found);
  }

  // The end.

  void finish() {
    try {
      if (!kernel_known_) fail_at(reader_.peek(), "'kernel'");
      for (PendingEdge& pending : edges_) {
        pending.edge.from = segment_named(pending.from);
        pending.edge.to = segment_named(pending.to);
        places_.edges.push_back(pending.from.place);
        made().edges.push_back(pending.edge);
      }
      if (limits_.lanes == 0) limits_.lanes = made().lanes;
      made().check(limits_);
    } catch (const TextError& error) {
      errors_.push_back({error.place, error.what()});
    } catch (const KernelError& error) {
      errors_.push_back({place_of(error.part), error.what()});
    }
  }
  [[nodiscard]] TextPlace place_of(const KernelPart& part) const {
    switch (part.kind) {
      case KernelPart::Kind::level:
        return places_.levels[part.index];
      case KernelPart::Kind::segment:
        return places_.segments[part.index];
      case KernelPart::Kind::instruction:
        return places_.code[result_.kernel.segments[part.index].first_instruction + part.item];
      case KernelPart::Kind::stream:
        return places_.streams[part.index][part.item];
      case KernelPart::Kind::edge:
        return places_.edges[part.index];
      case KernelPart::Kind::whole:
        break;
    }
    return places_.whole;
  }

  /// What instructions and streams of the next lines belong to.
  enum class Open { nothing, segment, segment_without_code, code };

  const std::vector<Token> tokens_;
  TokenReader reader_;
  KernelLimits limits_;
  AssembledKernel result_;
  Places places_;
  std::vector<Assembly::Error> errors_;
  bool kernel_known_ = false;
  Names constants_, pe_registers_, launch_registers_, segments_;
  Names streams_;  // of the segment that is open
  std::size_t stream_count_ = 0;
  Open open_ = Open::nothing;
  std::vector<PendingEdge> edges_;
};

const std::array<Assembler::Statement, 9> Assembler::statements{{{"const", &Assembler::constant},
                                                                 {"kernel", &Assembler::kernel},
                                                                 {"register", &Assembler::pe_register},
                                                                 {"launch", &Assembler::launch_register},
                                                                 {"level", &Assembler::level},
                                                                 {"segment", &Assembler::segment},
                                                                 {"stream", &Assembler::stream},
                                                                 {"edge", &Assembler::edge},
                                                                 {"code", &Assembler::code}}};

}  // namespace

Assembly assemble(std::string_view text, KernelLimits limits) { return Assembler(text, limits).assemble(); }

}  // namespace bvp
