// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/ir/matrix_places.h"

#include <algorithm>
#include <cstring>

namespace bvp {

namespace {

/// Provisional addresses begin here: no bus address is as high.
constexpr u64 provisional_base = u64{1} << 52;
constexpr u64 page = 4096;

u64 whole_pages(u64 bytes) { return (bytes + page - 1) / page * page; }

DmaDescriptor descriptor_of(const Step& step) {
  DmaDescriptor descriptor;
  static_assert(sizeof(step.command.registers) == sizeof(descriptor));
  std::memcpy(&descriptor, step.command.registers.data(), sizeof(descriptor));
  return descriptor;
}

}  // namespace

u64 MatrixPlaces::add(u64 bytes) {
  Matrix matrix;
  matrix.provisional = matrices_.empty() ? provisional_base : matrices_.back().provisional + matrices_.back().bytes;
  matrix.bytes = whole_pages(bytes);
  matrices_.push_back(matrix);
  return matrix.provisional;
}

const MatrixPlaces::Matrix* MatrixPlaces::find(u64 address) const {
  const auto after = std::upper_bound(matrices_.begin(), matrices_.end(), address,
                                      [](u64 value, const Matrix& matrix) { return value < matrix.provisional; });
  return after == matrices_.begin() ? nullptr : &*std::prev(after);
}

void MatrixPlaces::keep(const MatrixPlace& place, u64 at) {
  const Matrix* const found = find(place.address);
  if (found == nullptr) return;
  Matrix& matrix = matrices_[static_cast<std::size_t>(found - matrices_.data())];
  matrix.kept = true;
  if (at != 0) matrix.kept_at = at - (place.address - matrix.provisional);
}

void MatrixPlaces::use(u64 address, std::size_t task) {
  const Matrix* const found = find(address);
  if (found == nullptr) return;
  Matrix& matrix = matrices_[static_cast<std::size_t>(found - matrices_.data())];
  matrix.first = std::min(matrix.first, task);
  matrix.last = std::max(matrix.last, task);
}

void MatrixPlaces::settle(const Tasks& tasks, const std::function<u64(u64)>& allocate) {
  for (std::size_t task = 0; task < tasks.size(); ++task) {
    for (const auto* steps : {&tasks[task].inputs(), &tasks[task].outputs()}) {
      for (const Step& step : *steps) {
        const DmaDescriptor descriptor = descriptor_of(step);
        use(descriptor.source, task);
        use(descriptor.destination, task);
        use(step.command.image, task);  // where a gather finds its indices
      }
    }
  }
  // First fit in the order of first use; the pool grows as needed.
  std::vector<Matrix*> order;
  for (Matrix& matrix : matrices_) {
    if (matrix.kept) {
      matrix.address = matrix.kept_at != 0 ? matrix.kept_at : allocate(matrix.bytes);
    } else if (matrix.used()) {
      order.push_back(&matrix);
    }
  }
  std::stable_sort(order.begin(), order.end(), [](const Matrix* a, const Matrix* b) { return a->first < b->first; });
  u64 pool = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    Matrix& matrix = *order[i];
    // The earlier matrices that are still in use, by address.
    std::vector<const Matrix*> others;
    for (std::size_t other = 0; other < i; ++other) {
      if (order[other]->last >= matrix.first) others.push_back(order[other]);
    }
    std::sort(others.begin(), others.end(), [](const Matrix* a, const Matrix* b) { return a->address < b->address; });
    for (const Matrix* other : others) {
      if (matrix.address + matrix.bytes <= other->address) break;
      matrix.address = std::max(matrix.address, other->address + other->bytes);
    }
    pool = std::max(pool, matrix.address + matrix.bytes);
  }
  const u64 base = pool == 0 ? 0 : allocate(pool);
  for (Matrix* matrix : order) matrix->address += base;
}

u64 MatrixPlaces::settled(u64 address) const {
  const Matrix* const matrix = find(address);
  return matrix == nullptr ? address : matrix->address + (address - matrix->provisional);
}

MatrixPlace MatrixPlaces::settled(MatrixPlace place) const {
  place.address = settled(place.address);
  return place;
}

Step MatrixPlaces::settled(Step step) const {
  DmaDescriptor descriptor = descriptor_of(step);
  descriptor.source = settled(descriptor.source);
  descriptor.destination = settled(descriptor.destination);
  std::memcpy(step.command.registers.data(), &descriptor, sizeof(descriptor));
  step.command.image = settled(step.command.image);
  return step;
}

}  // namespace bvp
