// SPDX-License-Identifier: Apache-2.0
#include "models/isa/kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "models/abi/image_header.h"

namespace bvp {

namespace {

// Segment record: u8 unit, scope, tag, instruction count; u16 first instruction; u8 trip levels, streams;
// u16 trips[trip levels]; then per stream a word of small fields and of which strides follow, i32 base, the
// strides that are not 0. The levels (4 x {u16 register, u16 step}) and the register count lie between the
// header and the code.
constexpr std::size_t levels_bytes = instance_levels * 4 + 4;
/// The greatest distance of a segment's operand from the base of its stream, so that the sum of two such distances
/// stays within 32 bits.
constexpr i64 farthest_trip = i64{1} << 29;
constexpr unsigned stream_rotation_bit = 21, stream_trip_bit = 22, stream_instance_bit = 28;

class Writer {
 public:
  template <class T>
  void put(T value) {
    const auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i) bytes.push_back(static_cast<u8>(static_cast<u64>(bits) >> (8 * i)));
  }
  std::vector<u8> bytes;
};

class Reader {
 public:
  Reader(const u8* bytes, std::size_t begin, std::size_t end) : bytes_(bytes), position_(begin), end_(end) {}
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

void put_stream(Writer& writer, const Stream& stream) {
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

Stream get_stream(Reader& reader) {
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

void pad_to_word(Writer& writer) {
  while (writer.bytes.size() % 8 != 0) writer.bytes.push_back(0);
}

}  // namespace

std::vector<u8> Kernel::encode() const {
  Writer writer;
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
  header.edge_count = static_cast<u32>(edges.size());
  header.resident_words = resident_words;
  std::memcpy(writer.bytes.data(), &header, sizeof(header));
  return std::move(writer.bytes);
}

Kernel Kernel::decode(const u8* bytes, std::size_t size) {
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
  if (header.pe_rows == 0 || header.pe_columns == 0 || header.pe_rows > 256 || header.pe_columns > 256) {
    throw KernelError("kernel image: impossible array dimensions");
  }
  Kernel kernel;
  kernel.lanes = header.lanes;
  kernel.pe_rows = header.pe_rows;
  kernel.pe_columns = header.pe_columns;
  kernel.resident_words = header.resident_words;
  Reader levels(bytes, sizeof(header), header.offset_code);
  for (InstanceLevel& level : kernel.levels) {
    level.start_register = static_cast<u8>(levels.get<u16>());
    level.step = levels.get<u16>();
  }
  const u32 registers = levels.get<u32>();
  if (registers > pe_register_limit) throw KernelError("kernel image: too many PE registers");

  Reader code(bytes, header.offset_code, header.offset_segments);
  kernel.code.reserve((header.offset_segments - header.offset_code) / sizeof(u64));
  for (u32 i = 0; i < header.code_count; ++i) kernel.code.push_back(code.get<u64>());
  Reader segments(bytes, header.offset_segments, header.offset_edges);
  kernel.segments.reserve(std::min<std::size_t>(header.segment_count, unit_count * segments_per_unit_limit));
  for (u32 i = 0; i < header.segment_count; ++i) {
    Segment segment;
    segment.unit = static_cast<Unit>(segments.get<u8>());
    segment.scope = segments.get<u8>();
    segment.tag = segments.get<u8>();
    segment.instruction_count = segments.get<u8>();
    segment.first_instruction = segments.get<u16>();
    const unsigned trip_count = segments.get<u8>();
    const unsigned streams = segments.get<u8>();
    if (trip_count > trip_levels || streams > streams_per_segment) {
      throw KernelError(
          fmt::format("kernel image: segment {} has {} trip levels and {} streams", i, trip_count, streams));
    }
    for (unsigned level = 0; level < trip_count; ++level) segment.trips[level] = segments.get<u16>();
    for (unsigned stream = 0; stream < streams; ++stream) segment.streams[stream] = get_stream(segments);
    kernel.segments.push_back(segment);
  }
  Reader edges(bytes, header.offset_edges, header.offset_pe_registers);
  for (u32 i = 0; i < header.edge_count; ++i) {
    Edge edge;
    edge.from = edges.get<u16>();
    edge.to = edges.get<u16>();
    edge.peer_mask = edges.get<u8>();
    edge.initial = edges.get<u8>();
    const u8 kind = edges.get<u8>();
    if (kind > 1 || edges.get<u8>() != 0)
      throw KernelError(fmt::format("kernel image: edge {} has an unknown kind", i));
    edge.kind = static_cast<EdgeKind>(kind);
    kernel.edges.push_back(edge);
  }
  Reader values(bytes, header.offset_pe_registers, size);
  kernel.pe_registers.resize(std::size_t{kernel.pe_rows} * kernel.pe_columns);
  for (auto& pe : kernel.pe_registers) {
    pe.reserve(registers);
    for (u32 i = 0; i < registers; ++i) pe.push_back(values.get<i32>());
  }
  return kernel;
}

void Kernel::check(const KernelLimits& limits) const {
  const auto require = [](bool condition, const auto&... message) {
    if (!condition) throw KernelError("kernel: " + fmt::format(message...));
  };
  const std::size_t registers = pe_registers.empty() ? 0 : pe_registers.front().size();
  const auto power_of_two = [](u32 n) { return n != 0 && (n & (n - 1)) == 0; };
  require(lanes == limits.lanes, fmt::runtime("it is for {} lanes, the array has {}"), lanes, limits.lanes);
  require(power_of_two(pe_rows) && power_of_two(pe_columns) && pe_rows <= limits.rows && pe_columns <= limits.columns,
          fmt::runtime("it is for {} x {} PEs, the array has {} x {}"), pe_rows, pe_columns, limits.rows,
          limits.columns);
  require(code.size() <= limits.instructions,
          fmt::runtime("{} instructions do not fit the instruction store of {} (soc.pe.instruction_store)"),
          code.size(), limits.instructions);
  for (const InstanceLevel& level : levels) {
    require(level.start_register <= registers && level.step >= 1, fmt::runtime("an instance level is malformed"));
  }
  std::array<std::size_t, unit_count> per_unit{};
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    require(static_cast<unsigned>(segment.unit) < unit_count && segment.scope <= instance_levels,
            fmt::runtime("segment {} names unit {} and scope {}"), i, static_cast<unsigned>(segment.unit),
            segment.scope);
    require(++per_unit[static_cast<std::size_t>(segment.unit)] <= segments_per_unit_limit,
            fmt::runtime("more than {} segments of one unit"), segments_per_unit_limit);
    require(segment.instruction_count > 0 && segment.first_instruction + segment.instruction_count <= code.size(),
            fmt::runtime("segment {} runs out of the code"), i);
    u64 trips = 1;
    for (const u16 trip : segment.trips) {
      require(trip > 0, fmt::runtime("segment {} has a trip count of 0"), i);
      trips *= trip;
      require(trips <= 65536, fmt::runtime("segment {} makes more than 65536 trips"), i);
    }
    for (unsigned k = 0; k < segment.instruction_count; ++k) {
      const auto instruction = Instruction::decode(code[segment.first_instruction + k]);
      require(instruction.has_value(), fmt::runtime("illegal instruction {:#018x} in segment {}"),
              code[segment.first_instruction + k], i);
      if (instruction_info(instruction->opcode).unit != segment.unit) {
        throw KernelError(fmt::format("kernel: instruction '{}' in a segment of the {} unit",
                                      instruction->disassemble(), unit_names[static_cast<std::size_t>(segment.unit)]));
      }
      require(limits.swapping_fma || instruction->opcode != Opcode::fmar,
              fmt::runtime("segment {} has an fmar, which the PEs do not have (soc.pe.swapping_fma)"), i);
      const u32 distance = instruction->c.offset;
      if (instruction_info(instruction->opcode).c == Space::distance && !(power_of_two(distance) && distance < lanes)) {
        throw KernelError(fmt::format("kernel: instruction '{}' moves by a distance that {} lanes do not have",
                                      instruction->disassemble(), lanes));
      }
    }
    for (const Stream& stream : segment.streams) {
      require(stream.pe_register <= registers && stream.launch_register <= launch_register_limit &&
                  stream.rotation_scope <= instance_levels,
              fmt::runtime("a stream of segment {} names a register or scope that does not exist"), i);
      i64 reach = 0;
      for (std::size_t level = 0; level < trip_levels; ++level) {
        reach += std::abs(i64{stream.trip_stride[level]}) * segment.trips[level];
      }
      if (reach > farthest_trip) {
        throw ReachError(fmt::format("kernel: a stream of segment {} steps over {} bytes, at most {} are possible", i,
                                     reach, farthest_trip));
      }
      for (const auto& values : pe_registers) {
        const i64 base = i64{stream.base} + (stream.pe_register == 0 ? 0 : values[stream.pe_register - 1u]);
        require(base == static_cast<i32>(base), fmt::runtime("a stream of segment {} begins at {}"), i, base);
      }
    }
  }
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const Edge& edge = edges[i];
    require(edge.from < segments.size() && edge.to < segments.size() && edge.peer_mask < pe_rows * pe_columns,
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
}

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
