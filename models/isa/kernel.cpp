// SPDX-License-Identifier: Apache-2.0
#include "models/isa/kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "models/abi/image_checksum.h"
#include "models/abi/image_header.h"

namespace bvp {

namespace {

// Segment record: u8 unit, scope, tag, instruction count; u16 first instruction; u8 trip levels, streams;
// u16 trips[trip levels]; then per stream a word of small fields and of which strides follow, i32 base, the
// strides that are not 0. The levels (4 x {u16 register, u16 step}) and the register count lie between the
// header and the code.
constexpr u32 edge_bytes = 8;
constexpr std::size_t levels_bytes = instance_levels * 4 + 4;
/// The greatest distance of a segment's operand from the base of its stream, so that the sum of two such distances
/// stays within 32 bits.
constexpr i64 farthest_trip = i64{1} << 29;
constexpr unsigned stream_rotation_bit = 21, stream_trip_bit = 22, stream_instance_bit = 28;

class ImageWriter {
 public:
  template <class T>
  void put(T value) {
    const auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i) bytes.push_back(static_cast<u8>(static_cast<u64>(bits) >> (8 * i)));
  }
  std::vector<u8> bytes;
};

class ImageReader {
 public:
  ImageReader(const u8* bytes, std::size_t begin, std::size_t end) : bytes_(bytes), position_(begin), end_(end) {}
  template <class T>
  T get() {
    if (end_ - position_ < sizeof(T)) throw KernelError("kernel image: a section is cut off");
    u64 bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) bits |= static_cast<u64>(bytes_[position_ + i]) << (8 * i);
    position_ += sizeof(T);
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(bits));
  }

 private:
  const u8* bytes_;
  std::size_t position_, end_;
};

template <std::size_t N>
std::size_t used_levels(const std::array<u16, N>& trips) {
  std::size_t used = N;
  while (used > 0 && trips[used - 1] == 1) --used;
  return used;
}

bool empty(const Stream& stream) {
  return std::memcmp(&stream, std::array<u8, sizeof(Stream)>{}.data(), sizeof(Stream)) == 0;
}

void put_stream(ImageWriter& writer, const Stream& stream) {
  u32 word = u32{stream.pe_register} | u32{stream.launch_register} << 5 | u32{stream.rotation_scope} << 10 |
             u32{stream.rotation_depth} << 13;
  if (stream.rotation_stride != 0) word |= u32{1} << stream_rotation_bit;
  for (std::size_t i = 0; i < trip_levels; ++i) word |= u32{stream.trip_stride[i] != 0} << (stream_trip_bit + i);
  for (std::size_t i = 0; i < instance_levels; ++i) {
    word |= u32{stream.instance_stride[i] != 0} << (stream_instance_bit + i);
  }
  writer.put(word);
  writer.put(stream.base);
  if (stream.rotation_stride != 0) writer.put(stream.rotation_stride);
  for (const i32 stride : stream.trip_stride) {
    if (stride != 0) writer.put(stride);
  }
  for (const i32 stride : stream.instance_stride) {
    if (stride != 0) writer.put(stride);
  }
}

Stream get_stream(ImageReader& reader) {
  Stream stream;
  const u32 word = reader.get<u32>();
  stream.pe_register = word & 31;
  stream.launch_register = word >> 5 & 31;
  stream.rotation_scope = word >> 10 & 7;
  stream.rotation_depth = static_cast<u8>(word >> 13);
  stream.base = reader.get<i32>();
  if ((word >> stream_rotation_bit & 1) != 0) stream.rotation_stride = reader.get<i32>();
  for (std::size_t i = 0; i < trip_levels; ++i) {
    if ((word >> (stream_trip_bit + i) & 1) != 0) stream.trip_stride[i] = reader.get<i32>();
  }
  for (std::size_t i = 0; i < instance_levels; ++i) {
    if ((word >> (stream_instance_bit + i) & 1) != 0) stream.instance_stride[i] = reader.get<i32>();
  }
  return stream;
}

void pad_to_word(ImageWriter& writer) {
  while (writer.bytes.size() % 8 != 0) writer.bytes.push_back(0);
}

/// Reads the header of an image and checks that its sections lie one after the other within the image.
ImageHeader header_of(const u8* bytes, std::size_t size) {
  ImageHeader header{};
  if (size < sizeof(header) + levels_bytes) throw KernelError("kernel image: shorter than its header");
  std::memcpy(&header, bytes, sizeof(header));
  if (header.magic != image_magic || header.version != image_version || header.total_bytes != size) {
    throw KernelError("kernel image: wrong magic number, version or size");
  }
  const bool ordered = header.offset_code <= header.offset_segments && header.offset_segments <= header.offset_edges &&
                       header.offset_edges <= header.offset_pe_registers && header.offset_pe_registers <= size &&
                       header.offset_code >= sizeof(header) + levels_bytes;
  if (!ordered) throw KernelError("kernel image: its sections overlap or lie outside of it");
  if ((header.offset_pe_registers - header.offset_edges) % edge_bytes != 0) {
    throw KernelError("kernel image: its edge table is cut off");
  }
  if (header.pe_rows == 0 || header.pe_columns == 0 || header.pe_rows > 256 || header.pe_columns > 256) {
    throw KernelError("kernel image: impossible array dimensions");
  }
  return header;
}

/// @param index  of the segment within the kernel, for the message of an error
Segment get_segment(ImageReader& reader, u32 index) {
  Segment segment;
  segment.unit = static_cast<Unit>(reader.get<u8>());
  segment.scope = reader.get<u8>();
  segment.tag = reader.get<u8>();
  segment.instruction_count = reader.get<u8>();
  segment.first_instruction = reader.get<u16>();
  const unsigned trip_count = reader.get<u8>();
  const unsigned streams = reader.get<u8>();
  if (trip_count > trip_levels || streams > streams_per_segment) {
    throw KernelError(
        fmt::format("kernel image: segment {} has {} trip levels and {} streams", index, trip_count, streams));
  }
  for (unsigned level = 0; level < trip_count; ++level) segment.trips[level] = reader.get<u16>();
  for (unsigned stream = 0; stream < streams; ++stream) segment.streams[stream] = get_stream(reader);
  return segment;
}

/// @param index  of the edge within the kernel, for the message of an error
Edge get_edge(ImageReader& reader, u32 index) {
  Edge edge;
  edge.from = reader.get<u16>();
  edge.to = reader.get<u16>();
  edge.peer_mask = reader.get<u8>();
  edge.initial = reader.get<u8>();
  const u8 kind = reader.get<u8>();
  if (kind > 1 || reader.get<u8>() != 0) {
    throw KernelError(fmt::format("kernel image: edge {} has an unknown kind", index));
  }
  edge.kind = static_cast<EdgeKind>(kind);
  return edge;
}

bool is_power_of_two(u32 n) { return n != 0 && (n & (n - 1)) == 0; }

/// The checks of a kernel for a machine. Each throws KernelError.
class KernelCheck {
 public:
  KernelCheck(const Kernel& kernel, const KernelLimits& limits) : kernel_(kernel), limits_(limits) {}

  void check() {
    check_machine();
    for (std::size_t i = 0; i < kernel_.segments.size(); ++i) check_segment(i);
    for (std::size_t i = 0; i < kernel_.edges.size(); ++i) check_edge(i);
  }

 private:
  using Kind = KernelPart::Kind;

  template <class... Message>
  void require(bool condition, const Message&... message) const {
    if (!condition) throw KernelError("kernel: " + fmt::format(message...), part_);
  }

  [[nodiscard]] std::size_t registers() const {
    return kernel_.pe_registers.empty() ? 0 : kernel_.pe_registers.front().size();
  }

  /// What concerns the kernel as a whole.
  void check_machine() {
    const u32 pe_rows = kernel_.pe_rows, pe_columns = kernel_.pe_columns;
    require(kernel_.lanes == limits_.lanes, fmt::runtime("it is for {} lanes, the array has {}"), kernel_.lanes,
            limits_.lanes);
    require(is_power_of_two(pe_rows) && is_power_of_two(pe_columns) && pe_rows <= limits_.rows &&
                pe_columns <= limits_.columns,
            fmt::runtime("it is for {} x {} PEs, the array has {} x {}"), pe_rows, pe_columns, limits_.rows,
            limits_.columns);
    require(kernel_.code.size() <= limits_.instructions,
            fmt::runtime("{} instructions do not fit the instruction store of {} (soc.pe.instruction_store)"),
            kernel_.code.size(), limits_.instructions);
    for (std::size_t i = 0; i < instance_levels; ++i) {
      const InstanceLevel& level = kernel_.levels[i];
      part_ = {Kind::level, i, 0};
      require(level.start_register <= registers() && level.step >= 1, fmt::runtime("an instance level is malformed"));
    }
  }

  void check_segment(std::size_t i) {
    const Segment& segment = kernel_.segments[i];
    part_ = {Kind::segment, i, 0};
    require(static_cast<unsigned>(segment.unit) < unit_count && segment.scope <= instance_levels,
            fmt::runtime("segment {} names unit {} and scope {}"), i, static_cast<unsigned>(segment.unit),
            segment.scope);
    require(++segments_of_unit_[static_cast<std::size_t>(segment.unit)] <= segments_per_unit_limit,
            fmt::runtime("more than {} segments of one unit"), segments_per_unit_limit);
    require(
        segment.instruction_count > 0 && segment.first_instruction + segment.instruction_count <= kernel_.code.size(),
        fmt::runtime("segment {} runs out of the code"), i);
    u64 trips = 1;
    for (const u16 trip : segment.trips) {
      require(trip > 0, fmt::runtime("segment {} has a trip count of 0"), i);
      trips *= trip;
      require(trips <= 65536, fmt::runtime("segment {} makes more than 65536 trips"), i);
    }
    for (unsigned k = 0; k < segment.instruction_count; ++k) {
      part_ = {Kind::instruction, i, k};
      check_instruction(i, kernel_.code[segment.first_instruction + k]);
    }
    for (std::size_t s = 0; s < streams_per_segment; ++s) {
      part_ = {Kind::stream, i, s};
      check_stream(i, segment.streams[s]);
    }
  }

  void check_instruction(std::size_t segment, u64 word) const {
    const Unit unit = kernel_.segments[segment].unit;
    const auto instruction = Instruction::decode(word);
    require(instruction.has_value(), fmt::runtime("illegal instruction {:#018x} in segment {}"), word, segment);
    const InstructionInfo& info = instruction_info(instruction->opcode);
    if (info.unit != unit) {
      throw KernelError(fmt::format("kernel: instruction '{}' in a segment of the {} unit", instruction->disassemble(),
                                    unit_names[static_cast<std::size_t>(unit)]),
                        part_);
    }
    const bool swaps = instruction->opcode == Opcode::fmar || instruction->opcode == Opcode::fnmar;
    require(limits_.swapping_fma || !swaps,
            fmt::runtime("segment {} has an {}, which the PEs do not have (soc.pe.swapping_fma)"), segment, info.name);
    const u32 distance = instruction->c.offset;
    if (info.c == Space::distance && !(is_power_of_two(distance) && distance < kernel_.lanes)) {
      throw KernelError(fmt::format("kernel: instruction '{}' moves by a distance that {} lanes do not have",
                                    instruction->disassemble(), kernel_.lanes),
                        part_);
    }
  }

  void check_stream(std::size_t segment, const Stream& stream) const {
    require(stream.pe_register <= registers() && stream.launch_register <= launch_register_limit &&
                stream.rotation_scope <= instance_levels,
            fmt::runtime("a stream of segment {} names a register or scope that does not exist"), segment);
    i64 reach = 0;
    for (std::size_t level = 0; level < trip_levels; ++level) {
      reach += std::abs(i64{stream.trip_stride[level]}) * kernel_.segments[segment].trips[level];
    }
    if (reach > farthest_trip) {
      throw ReachError(fmt::format("kernel: a stream of segment {} steps over {} bytes, at most {} are possible",
                                   segment, reach, farthest_trip),
                       part_);
    }
    for (const auto& values : kernel_.pe_registers) {
      const i64 base = i64{stream.base} + (stream.pe_register == 0 ? 0 : values[stream.pe_register - 1u]);
      require(base == static_cast<i32>(base), fmt::runtime("a stream of segment {} begins at {}"), segment, base);
    }
  }

  void check_edge(std::size_t i) {
    part_ = {Kind::edge, i, 0};
    const std::vector<Segment>& segments = kernel_.segments;
    const std::vector<Edge>& edges = kernel_.edges;
    const Edge& edge = edges[i];
    require(edge.from < segments.size() && edge.to < segments.size() &&
                edge.peer_mask < kernel_.pe_rows * kernel_.pe_columns,
            fmt::runtime("edge {} names a segment or PE that does not exist"), i);
    require(edge.peer_mask == 0 || segments[edge.from].scope == segments[edge.to].scope,
            fmt::runtime("edge {} joins different scopes of two PEs"), i);
    // A packet carries one token.
    const bool of_flow = edge.peer_mask != 0 && edge.kind == EdgeKind::data && segments[edge.from].unit == Unit::flow;
    const bool alone =
        std::none_of(edges.begin(), edges.begin() + static_cast<std::ptrdiff_t>(i), [&](const Edge& other) {
          return other.from == edge.from && other.peer_mask == edge.peer_mask && other.kind == edge.kind;
        });
    require(!of_flow || alone, fmt::runtime("edge {} is a second data edge from a Flow segment to one peer"), i);
  }

  const Kernel& kernel_;
  const KernelLimits& limits_;
  KernelPart part_;  // that is being checked
  std::array<std::size_t, unit_count> segments_of_unit_{};
};

}  // namespace

std::vector<u8> Kernel::encode() const {
  ImageWriter writer;
  writer.bytes.resize(sizeof(ImageHeader));
  for (const InstanceLevel& level : levels) {
    writer.put<u16>(level.start_register);
    writer.put<u16>(level.step);
  }
  const std::size_t registers = pe_registers.empty() ? 0 : pe_registers.front().size();
  writer.put<u32>(static_cast<u32>(registers));
  pad_to_word(writer);
  ImageHeader header{};
  header.offset_code = static_cast<u32>(writer.bytes.size());
  for (const u64 word : code) writer.put(word);
  header.offset_segments = static_cast<u32>(writer.bytes.size());
  for (const Segment& segment : segments) {
    std::size_t streams = streams_per_segment;
    while (streams > 0 && empty(segment.streams[streams - 1])) --streams;
    const std::size_t trip_count = used_levels(segment.trips);
    writer.put(static_cast<u8>(segment.unit));
    writer.put(segment.scope);
    writer.put(segment.tag);
    writer.put(segment.instruction_count);
    writer.put(segment.first_instruction);
    writer.put(static_cast<u8>(trip_count));
    writer.put(static_cast<u8>(streams));
    for (std::size_t i = 0; i < trip_count; ++i) writer.put(segment.trips[i]);
    for (std::size_t i = 0; i < streams; ++i) put_stream(writer, segment.streams[i]);
  }
  pad_to_word(writer);
  header.offset_edges = static_cast<u32>(writer.bytes.size());
  for (const Edge& edge : edges) {
    writer.put(edge.from);
    writer.put(edge.to);
    writer.put(edge.peer_mask);
    writer.put(edge.initial);
    writer.put(static_cast<u8>(edge.kind));
    writer.put<u8>(0);
  }
  header.offset_pe_registers = static_cast<u32>(writer.bytes.size());
  for (const auto& values : pe_registers) {
    for (const i32 value : values) writer.put(value);
  }
  pad_to_word(writer);

  header.magic = image_magic;
  header.version = image_version;
  header.total_bytes = static_cast<u32>(writer.bytes.size());
  header.lanes = lanes;
  header.pe_rows = pe_rows;
  header.pe_columns = pe_columns;
  header.common_bytes = header.offset_pe_registers - static_cast<u32>(sizeof(ImageHeader));
  header.per_pe_bytes = static_cast<u32>(registers * 4);
  header.code_count = static_cast<u32>(code.size());
  header.segment_count = static_cast<u32>(segments.size());
  header.resident_words = resident_words;
  std::memcpy(writer.bytes.data(), &header, sizeof(header));
  header.checksum = image_checksum(writer.bytes.data(), writer.bytes.size());
  std::memcpy(writer.bytes.data(), &header, sizeof(header));
  return std::move(writer.bytes);
}

Kernel Kernel::decode(const u8* bytes, std::size_t size) {
  const ImageHeader header = header_of(bytes, size);
  Kernel kernel;
  kernel.lanes = header.lanes;
  kernel.pe_rows = header.pe_rows;
  kernel.pe_columns = header.pe_columns;
  kernel.resident_words = header.resident_words;
  ImageReader levels(bytes, sizeof(header), header.offset_code);
  for (InstanceLevel& level : kernel.levels) {
    const u16 start = levels.get<u16>();
    if (start > pe_register_limit) throw KernelError("kernel image: a loop starts at a register that cannot exist");
    level.start_register = static_cast<u8>(start);
    level.step = levels.get<u16>();
  }
  const u32 registers = levels.get<u32>();
  if (registers > pe_register_limit) throw KernelError("kernel image: too many PE registers");

  ImageReader code(bytes, header.offset_code, header.offset_segments);
  kernel.code.reserve((header.offset_segments - header.offset_code) / sizeof(u64));
  for (u32 i = 0; i < header.code_count; ++i) kernel.code.push_back(code.get<u64>());
  ImageReader segments(bytes, header.offset_segments, header.offset_edges);
  kernel.segments.reserve(std::min<std::size_t>(header.segment_count, unit_count * segments_per_unit_limit));
  for (u32 i = 0; i < header.segment_count; ++i) kernel.segments.push_back(get_segment(segments, i));
  ImageReader edges(bytes, header.offset_edges, header.offset_pe_registers);
  const u32 edge_count = (header.offset_pe_registers - header.offset_edges) / edge_bytes;
  for (u32 i = 0; i < edge_count; ++i) kernel.edges.push_back(get_edge(edges, i));
  ImageReader values(bytes, header.offset_pe_registers, size);
  kernel.pe_registers.resize(std::size_t{kernel.pe_rows} * kernel.pe_columns);
  for (auto& pe : kernel.pe_registers) {
    pe.reserve(registers);
    for (u32 i = 0; i < registers; ++i) pe.push_back(values.get<i32>());
  }
  return kernel;
}

void Kernel::check(const KernelLimits& limits) const { KernelCheck(*this, limits).check(); }

std::string Kernel::disassemble() const {
  std::string text = fmt::format("kernel for {} lanes, {} x {} PEs: {} instructions, {} segments, {} edges\n", lanes,
                                 pe_rows, pe_columns, code.size(), segments.size(), edges.size());
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    text +=
        fmt::format("segment {} {} scope {} tag {} trips {}\n", i, unit_names[static_cast<std::size_t>(segment.unit)],
                    segment.scope, segment.tag, fmt::join(segment.trips, "x"));
    for (std::size_t s = 0; s < streams_per_segment; ++s) {
      const Stream& stream = segment.streams[s];
      if (empty(stream)) continue;
      text += fmt::format("  stream {}: base {} pe_reg {} launch_reg {} trips [{}] instances [{}] rotation {}%{}*{}\n",
                          s, stream.base, stream.pe_register, stream.launch_register,
                          fmt::join(stream.trip_stride, ","), fmt::join(stream.instance_stride, ","),
                          stream.rotation_scope, stream.rotation_depth, stream.rotation_stride);
    }
    for (unsigned k = 0; k < segment.instruction_count; ++k) {
      const u64 word = code.at(segment.first_instruction + k);
      const auto instruction = Instruction::decode(word);
      text += "  " + (instruction ? instruction->disassemble() : fmt::format("illegal {:#018x}", word)) + "\n";
    }
  }
  for (const Edge& edge : edges) {
    text += fmt::format("edge {} -> {} peer^{} initial {} {}\n", edge.from, edge.to, edge.peer_mask, edge.initial,
                        edge.kind == EdgeKind::data ? "data" : "space");
  }
  return text;
}

}  // namespace bvp
