// SPDX-License-Identifier: Apache-2.0
#include "test/reference_timing/kernel_image.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>

#include "models/abi/image_header.h"

namespace bvp::ticking {

namespace {

struct Listed {
  std::string name;
  Space d, a, b, c;
};

const std::map<unsigned, Listed>& listed_instructions() {
  static const std::map<unsigned, Listed> list{
#define BVP_INSTRUCTION(name, opcode, unit, timing, energy, d, a, b, c, operations, function, meaning) \
  {opcode, {#name, Space::d, Space::a, Space::b, Space::c}},
#include "models/isa/instructions.def"
  };
  return list;
}

unsigned bits(std::uint64_t word, unsigned lowest, unsigned count) {
  return static_cast<unsigned>(word >> lowest & ((std::uint64_t{1} << count) - 1));
}

Instruction read_instruction(std::uint64_t word) {
  const auto found = listed_instructions().find(bits(word, 0, 6));
  if (found == listed_instructions().end()) throw std::runtime_error("an opcode that is not listed");
  const Listed& listed = found->second;
  Instruction instruction;
  instruction.d = {listed.d, bits(word, 17, 2), static_cast<int>(bits(word, 6, 11))};
  instruction.a = {listed.a, bits(word, 30, 2), static_cast<int>(bits(word, 19, 11))};
  instruction.b = {listed.b, bits(word, 48, 2), static_cast<int>(bits(word, 32, 16))};
  instruction.c = {listed.c, bits(word, 61, 2), static_cast<int>(bits(word, 50, 11))};
  instruction.accumulates = listed.d == Space::accumulator && listed.name != "azero";
  for (const char* special : {"exp", "erf", "rcp", "rsqrt", "tanh", "ascale", "arsqrt"}) {
    if (listed.name == special) instruction.kind = Instruction::Kind::special;
  }
  if (listed.name == "max" || listed.name == "maxs") instruction.kind = Instruction::Kind::maximum;
  return instruction;
}

class Bytes {
 public:
  Bytes(const std::vector<std::uint8_t>& bytes, std::size_t position) : bytes_(bytes), position_(position) {}
  std::uint64_t next(unsigned count) {
    if (count > bytes_.size() || position_ > bytes_.size() - count) throw std::runtime_error("the image ends early");
    std::uint64_t value = 0;
    for (unsigned i = 0; i < count; ++i) value |= std::uint64_t{bytes_[position_++]} << (8 * i);
    return value;
  }
  unsigned number(unsigned count) { return static_cast<unsigned>(next(count)); }
  std::int32_t signed_number() { return static_cast<std::int32_t>(next(4)); }

 private:
  const std::vector<std::uint8_t>& bytes_;
  std::size_t position_;
};

Stream read_stream(Bytes& bytes) {
  Stream stream;
  const std::uint64_t word = bytes.next(4);
  stream.pe_register = bits(word, 0, 5);
  stream.launch_register = bits(word, 5, 5);
  stream.rotation_scope = bits(word, 10, 3);
  stream.rotation_depth = bits(word, 13, 8);
  stream.base = bytes.signed_number();
  if (bits(word, 21, 1) != 0) stream.rotation_stride = bytes.signed_number();
  for (unsigned level = 0; level < trip_levels; ++level) {
    if (bits(word, 22 + level, 1) != 0) stream.trip_stride[level] = bytes.signed_number();
  }
  for (unsigned level = 0; level < loop_levels; ++level) {
    if (bits(word, 28 + level, 1) != 0) stream.loop_stride[level] = bytes.signed_number();
  }
  return stream;
}

bool sends_to(const Segment& segment, unsigned mask) {
  return segment.unit == flow_unit && std::any_of(segment.code.begin(), segment.code.end(), [&](const auto& send) {
           return static_cast<unsigned>(send.b.offset) == mask;
         });
}

}  // namespace

KernelImage KernelImage::read(const std::vector<std::uint8_t>& image) {
  ImageHeader header;
  if (image.size() < sizeof(header)) throw std::runtime_error("the image is shorter than its header");
  std::memcpy(&header, image.data(), sizeof(header));
  if (header.magic != image_magic || header.total_bytes != image.size()) throw std::runtime_error("no kernel image");

  KernelImage kernel;
  kernel.lanes = header.lanes;
  kernel.pe_rows = header.pe_rows;
  kernel.pe_columns = header.pe_columns;
  Bytes loops(image, sizeof(header));
  for (Loop& loop : kernel.loops) {
    loop.start_register = loops.number(2);
    loop.step = loops.number(2);
  }
  const unsigned registers = loops.number(4);

  Bytes words(image, header.offset_code);
  std::vector<Instruction> code;
  for (unsigned i = 0; i < header.code_count; ++i) code.push_back(read_instruction(words.next(8)));

  Bytes table(image, header.offset_segments);
  for (unsigned i = 0; i < header.segment_count; ++i) {
    Segment segment;
    segment.unit = table.number(1);
    segment.scope = table.number(1);
    segment.tag = table.number(1);
    const unsigned count = table.number(1), first = table.number(2), trips = table.number(1), used = table.number(1);
    for (unsigned level = 0; level < trips; ++level) segment.trips.at(level) = table.number(2);
    for (unsigned s = 0; s < used; ++s) segment.stream.at(s) = read_stream(table);
    for (unsigned k = 0; k < count; ++k) segment.code.push_back(code.at(first + k));
    kernel.segments.push_back(segment);
  }

  Bytes edges(image, header.offset_edges);
  constexpr unsigned edge_bytes = 8;
  const unsigned edge_count = (header.offset_pe_registers - header.offset_edges) / edge_bytes;
  for (unsigned i = 0; i < edge_count; ++i) {
    Edge edge;
    edge.from = edges.number(2);
    edge.to = edges.number(2);
    edge.peer_mask = edges.number(1);
    edge.initial = edges.number(1);
    edge.space = edges.number(1) != 0;
    edges.number(1);
    const Segment& from = kernel.segments.at(edge.from);
    edge.scope = std::min(from.scope, kernel.segments.at(edge.to).scope);
    edge.rides = !edge.space && sends_to(from, edge.peer_mask);
    kernel.edges.push_back(edge);
  }

  Bytes values(image, header.offset_pe_registers);
  kernel.pe_registers.resize(std::size_t{kernel.pe_rows} * kernel.pe_columns);
  for (auto& of_pe : kernel.pe_registers) {
    for (unsigned i = 0; i < registers; ++i) of_pe.push_back(values.signed_number());
  }
  return kernel;
}

}  // namespace bvp::ticking
