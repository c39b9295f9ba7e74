// SPDX-License-Identifier: Apache-2.0
#include "platform/run/dataset_memory.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstring>
#include <stdexcept>

#include "models/abi/dataset.h"
#include "platform/run/loader.h"
#include "platform/run/memory_image.h"
#include "platform/soc/memory_map.h"
#include "platform/support/input_error.h"

namespace bvp {
namespace {

constexpr u64 alignment = 64;
u64 aligned(u64 address) { return (address + alignment - 1) / alignment * alignment; }

/// One of the network's inputs: the memory that it takes in the compiled network, for one batch.
struct Region {
  u64 address = 0, bytes = 0;
  [[nodiscard]] bool has(u64 at) const { return at >= address && at - address < bytes; }
};

Region region_of(const MatrixPlace& place) { return {place.address, place.rows * place.pitch}; }

class DatasetMemory {
 public:
  explicit DatasetMemory(RunInputs& inputs)
      : inputs_(inputs), compiled_(inputs.compiled), dataset_(*inputs.dataset), end_(compiled_.end) {}

  /// @param batch  samples of a batch
  void add(u64 batch, u64 classes) {
    const u64 batches = dataset_.samples() / batch;
    if (!dataset_.tokens.empty()) {
      const u64 bytes = dataset_.tokens.size() * sizeof(u32);
      inputs_.dataset_place.samples = move({compiled_.tokens.address, bytes / batches}, batches);
      compiled_.blobs.push_back(blob_of(inputs_.dataset_place.samples, dataset_.tokens.data(), bytes));
    } else {
      add_matrices(compiled_.patches.rows > 0 ? compiled_.patches : compiled_.input, dataset_.input, batches);
    }
    if (compiled_.mask.rows > 0) add_matrices(compiled_.mask, dataset_.mask, batches);
    inputs_.dataset_place.read_end = end_;
    add_header(batch, batches, classes);
    compiled_.end = end_;
  }

 private:
  [[nodiscard]] u64 take(u64 bytes) {
    const u64 address = aligned(end_);
    end_ = address + bytes;
    return address;
  }

  /// Takes room for the region of every batch; what reads the region reads that of the first batch from now on, and is
  /// listed to be moved from batch to batch. Returns the place of the first one.
  u64 move(const Region& region, u64 batches) {
    const u64 place = take(region.bytes * batches);
    const auto distance = static_cast<i64>(place - region.address);
    move_steps(compiled_.descriptor, region, distance);
    if (inputs_.spare) move_steps(inputs_.spare->descriptor, region, distance);
    return place;
  }

  /// Moves what the steps of one network read.
  void move_steps(u64 descriptor, const Region& region, i64 distance) {
    const NetworkHeader header = record<NetworkHeader>(descriptor);
    for (u32 i = 0; i < header.step_count; ++i) {
      const u64 command = header.steps + i * sizeof(Step) + offsetof(Step, command);
      const Step step = record<Step>(header.steps + i * sizeof(Step));
      if (static_cast<CommandOpcode>(step.command.opcode) != CommandOpcode::dma) continue;
      const u64 source = command + offsetof(Command, registers) + offsetof(DmaDescriptor, source);
      // The indices of a gather lie in the place of a launch's image.
      for (const u64 word : {source, command + offsetof(Command, image)}) {
        const u64 address = record<u64>(word);
        if (!region.has(address)) continue;
        write(word, address + static_cast<u64>(distance));
        moves_.push_back({word, static_cast<i64>(region.bytes)});
      }
    }
  }

  void add_matrices(MatrixPlace place, const Tensor& tensor, u64 batches) {
    const u64 first = move(region_of(place), batches);
    if (inputs_.dataset_place.samples == 0) inputs_.dataset_place.samples = first;
    place.address = first;
    place.rows *= batches;
    add_matrix(compiled_.blobs, place, tensor);
  }

  void add_header(u64 batch, u64 batches, u64 classes) {
    inputs_.dataset_place.predictions = take(dataset_.samples() * sizeof(u32));
    inputs_.dataset_place.header = take(sizeof(DatasetHeader) + moves_.size() * sizeof(DatasetMove));
    DatasetHeader header{};
    header.magic = dataset_magic;
    header.batches = static_cast<u32>(batches);
    header.batch = static_cast<u32>(batch);
    header.classes = static_cast<u32>(classes);
    header.network = compiled_.descriptor;
    header.logits = compiled_.logits.address;
    header.logits_pitch = static_cast<u32>(compiled_.logits.pitch);
    header.move_count = static_cast<u32>(moves_.size());
    header.predictions = inputs_.dataset_place.predictions;
    MemoryBlob blob = blob_of(inputs_.dataset_place.header, &header, sizeof header);
    const u8* moves = reinterpret_cast<const u8*>(moves_.data());
    blob.bytes.insert(blob.bytes.end(), moves, moves + moves_.size() * sizeof(DatasetMove));
    compiled_.blobs.push_back(std::move(blob));
  }

  /// The bytes of a record in the memory contents.
  template <class Record>
  u8* bytes_of(u64 address) {
    for (MemoryBlob& blob : compiled_.blobs) {
      if (address >= blob.address && address + sizeof(Record) <= blob.address + blob.bytes.size()) {
        return blob.bytes.data() + (address - blob.address);
      }
    }
    throw std::logic_error("a record of the network lies beyond the memory contents");
  }
  template <class Record>
  Record record(u64 address) {
    Record record;
    std::memcpy(&record, bytes_of<Record>(address), sizeof record);
    return record;
  }
  void write(u64 address, u64 word) { std::memcpy(bytes_of<u64>(address), &word, sizeof word); }

  RunInputs& inputs_;
  CompiledNetwork& compiled_;
  const Dataset& dataset_;
  u64 end_;  // first free address
  std::vector<DatasetMove> moves_;
};

}  // namespace

void add_dataset(const Scenario& scenario, RunInputs& inputs) {
  DatasetMemory(inputs).add(scenario.network.batch, scenario.network.classes);
  if (inputs.compiled.end > memory_map::dram_base + scenario.soc.dram.geometry.size_bytes.as<u64>()) {
    throw InputError(about_key(scenario, "soc.dram.size_bytes",
                               fmt::format("the network leaves no room for the {} samples of run.dataset; expected a "
                                           "larger DRAM, or fewer samples (run.samples)",
                                           inputs.dataset->samples())));
  }
}

void take_batch(RunInputs& inputs, u64 batch, u64 index) {
  const Dataset& dataset = *inputs.dataset;
  const u64 first = index * batch;
  if (!dataset.tokens.empty()) {
    const auto tokens = static_cast<std::ptrdiff_t>(dataset.tokens.size() / dataset.samples());
    const auto begin = dataset.tokens.begin() + static_cast<std::ptrdiff_t>(first) * tokens;
    inputs.tokens.assign(begin, begin + static_cast<std::ptrdiff_t>(batch) * tokens);
  } else {
    inputs.input = rows_of(dataset.input, first, batch);
  }
  if (!dataset.mask.shape.empty()) inputs.mask = rows_of(dataset.mask, first, batch);
}

}  // namespace bvp
