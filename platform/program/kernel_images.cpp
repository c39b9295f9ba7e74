// SPDX-License-Identifier: Apache-2.0
#include "platform/program/kernel_images.h"

#include <cstring>
#include <map>
#include <stdexcept>

namespace bvp {
namespace {

/// Copies records out of the blobs. @throws std::logic_error  the compiler has not left them
template <class Record>
std::vector<Record> records_at(const CompiledNetwork& network, u64 address, std::size_t count) {
  std::vector<Record> records(count);
  const std::optional<MemoryView> memory = memory_at(network, address, count * sizeof(Record));
  if (!memory) throw std::logic_error("a table of the network is in no blob");
  std::memcpy(records.data(), memory->bytes, memory->size);
  return records;
}

}  // namespace

std::optional<MemoryView> memory_at(const CompiledNetwork& network, u64 address, u64 size) {
  for (const MemoryBlob& blob : network.blobs) {
    if (address < blob.address || address - blob.address > blob.bytes.size()) continue;
    const u64 offset = address - blob.address;
    if (size <= blob.bytes.size() - offset) return MemoryView{address, blob.bytes.data() + offset, size};
  }
  return std::nullopt;
}

NetworkHeader header_of(const CompiledNetwork& network) {
  return records_at<NetworkHeader>(network, network.descriptor, 1).front();
}

std::vector<Step> steps_of(const CompiledNetwork& network) {
  const NetworkHeader header = header_of(network);
  return records_at<Step>(network, header.steps, header.step_count);
}

std::vector<MemoryView> kernel_images(const CompiledNetwork& network) {
  std::map<u64, MemoryView> images;
  for (const Step& step : steps_of(network)) {
    if (step.command.opcode != static_cast<u8>(CommandOpcode::launch)) continue;
    const auto image = memory_at(network, step.command.image, step.command.image_bytes);
    if (!image) throw std::logic_error("a kernel image is in no blob");
    images[image->address] = *image;
  }
  std::vector<MemoryView> sorted;
  for (const auto& [address, image] : images) sorted.push_back(image);
  return sorted;
}

}  // namespace bvp
