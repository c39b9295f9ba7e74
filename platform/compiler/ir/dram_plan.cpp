// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/ir/dram_plan.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

namespace bvp {

u64 DramPlan::allocate(u64 bytes) {
  const u64 address = end_;
  end_ = whole_pages(end_ + bytes);
  if (end_ > target_.dram_base + target_.dram_bytes) {
    throw CompileError(fmt::format("the network needs more than the {} bytes of DRAM (raise soc.dram.size_bytes)",
                                   target_.dram_bytes));
  }
  return address;
}

MatrixPlace DramPlan::matrix(u64 rows, u64 columns) {
  const u64 pitch = padded(columns) * 2;
  return {scratch((rows + 1) * pitch), rows, columns, pitch};
}

void DramPlan::keep(const MatrixPlace& place, const MatrixPlace* of) {
  if (of == nullptr) return matrices_.keep(place);
  if (of->rows != place.rows || of->columns != place.columns || of->pitch != place.pitch) {
    throw CompileError("an input or output of the network has another shape on fewer rows of PEs");
  }
  matrices_.keep(place, of->address);
}

const MatrixPlaces& DramPlan::settle(const Tasks& tasks) {
  matrices_.settle(tasks, [this](u64 bytes) { return allocate(bytes); });
  return matrices_;
}

MatrixPlace DramPlan::constant(const Tensor& tensor, bool transposed) {
  u64 rows = tensor.shape.size() > 1 ? tensor.shape.front() : 1, columns = tensor.shape.back();
  if (transposed) std::swap(rows, columns);
  const u64 pitch = padded(columns) * 2, all_rows = padded(rows);
  const MatrixPlace place{allocate(all_rows * pitch), rows, columns, pitch};
  if (!target_.data) return place;
  blob(place.address, [=, values = &tensor] {
    std::vector<u8> bytes(all_rows * pitch);
    for (u64 row = 0; row < rows; ++row) {
      u8* const to = bytes.data() + row * pitch;
      if (!transposed) {
        std::memcpy(to, values->data.data() + row * columns, columns * 2);
        continue;
      }
      for (u64 column = 0; column < columns; ++column) {
        std::memcpy(to + column * 2, values->data.data() + column * rows + row, 2);
      }
    }
    return bytes;
  });
  return place;
}

MatrixPlace DramPlan::constant(u64 rows, u64 columns, std::function<u16(u64 row, u64 column)> value) {
  const u64 pitch = padded(columns) * 2, all_rows = padded(rows);
  const MatrixPlace place{allocate(all_rows * pitch), rows, columns, pitch};
  if (!target_.data) return place;
  blob(place.address, [=, value = std::move(value)] {
    std::vector<u16> words(all_rows * pitch / 2);
    for (u64 row = 0; row < rows; ++row) {
      for (u64 column = 0; column < columns; ++column) words[row * pitch / 2 + column] = value(row, column);
    }
    return bytes_of(words);
  });
  return place;
}

void DramPlan::place_constants(TaskBuilder& task) {
  task.place_constants([this](const TaskConstants& constants) {
    const u64 address = allocate(constants.bytes);
    if (!target_.data) return address;
    for (const TaskConstants::Piece& piece : constants.pieces) {
      blob(address + piece.offset, [words = piece.words] { return bytes_of(words()); });
    }
    return address;
  });
}

void DramPlan::blob(u64 address, const void* bytes, std::size_t size) {
  const auto* const first = static_cast<const u8*>(bytes);
  blob(address, [copy = std::vector<u8>(first, first + size)] { return copy; });
}

std::vector<MemoryBlob> DramPlan::take_blobs() {
  std::vector<MemoryBlob> blobs;
  for (const Contents& contents : contents_) blobs.push_back({contents.address, contents.bytes()});
  contents_.clear();
  return blobs;
}

std::vector<u8> bytes_of(const std::vector<u16>& words) {
  std::vector<u8> bytes(words.size() * 2);
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return bytes;
}

}  // namespace bvp
