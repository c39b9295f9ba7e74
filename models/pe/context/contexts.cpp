// SPDX-License-Identifier: Apache-2.0
#include "models/pe/context/contexts.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "models/abi/image_header.h"

namespace bvp {

namespace {

KernelPes all_pes(const Kernel& kernel, const RowMap& rows, u32 array_columns) {
  KernelPes pes;
  const u32 count = kernel.pe_rows * kernel.pe_columns;
  pes.first.reserve(count);
  pes.places.reserve(count);
  for (u32 pe = 0; pe < count; ++pe) {
    const FirstIteration& first = pes.first.emplace_back(first_iteration(kernel, pe));
    pes.places.push_back(rows.in_array(pe / kernel.pe_columns) * array_columns + pe % kernel.pe_columns);
    pes.uniform = pes.uniform && first == pes.first.front();
    for (std::size_t level = 0; level < instance_levels; ++level) {
      pes.latest[level] = std::max(pes.latest[level], first[level]);
    }
  }
  pes.bases.reserve(kernel.segments.size());
  for (const Segment& segment : kernel.segments) {
    FirstBases& bases = pes.bases.emplace_back();
    bases.of_pe.reserve(count);
    for (u32 pe = 0; pe < count; ++pe) {
      const StreamBases& own = bases.of_pe.emplace_back(first_bases(kernel, segment, pe, pes.first[pe]));
      for (std::size_t s = 0; s < streams_per_segment; ++s) {
        bases.lowest[s] = pe == 0 ? own[s] : std::min(bases.lowest[s], own[s]);
        bases.highest[s] = pe == 0 ? own[s] : std::max(bases.highest[s], own[s]);
      }
    }
  }
  return pes;
}

}  // namespace

KernelLimits kernel_limits(const ArrayParameters& array, const PeParameters& parameters) {
  return {static_cast<u32>(array.lanes),
          static_cast<u32>(array.rows),
          static_cast<u32>(array.columns),
          static_cast<u32>(parameters.operand_vectors),
          static_cast<u32>(parameters.accumulators),
          static_cast<u32>(parameters.instruction_store),
          parameters.swapping_fma};
}

Contexts::Contexts(const KernelLimits& limits, u32 pe, For whom, std::shared_ptr<CalSchedules> schedules)
    : limits_(limits), rows_(limits.rows), pe_(pe), whom_(whom), schedules_(std::move(schedules)) {}

bool Contexts::leave_out(u32 rows) {
  if (!rows_.leave_out(rows)) return false;
  clear();
  known_.clear();
  next_known_ = 0;
  return true;
}

const Context& Contexts::configure(const u8* image, std::size_t size) {
  const auto known = std::find_if(known_.begin(), known_.end(), [&](const Known& each) {
    return each.image.size() == size && std::memcmp(each.image.data(), image, size) == 0;
  });
  if (known != known_.end()) {
    shadow_ = known->context;
    return *shadow_;
  }
  shadow_ = decode(image, size);
  if (known_.size() < most_known) known_.emplace_back();
  known_[next_known_] = {{image, image + size}, shadow_};
  next_known_ = (next_known_ + 1) % most_known;
  return *shadow_;
}

std::shared_ptr<const Context> Contexts::decode(const u8* image, std::size_t size) const {
  const Kernel kernel = Kernel::decode(image, size);
  kernel.check(limits_);
  const u32 x = pe_ % limits_.columns;
  // The context for all PEs is that of the kernel's first one.
  const std::optional<u32> y = whom_ == For::all_pes ? 0 : rows_.in_kernel(pe_ / limits_.columns);
  if (!y || x >= kernel.pe_columns || *y >= kernel.pe_rows || kernel.pe_rows > rows_.count()) {
    throw KernelError("kernel: this PE is outside of its array");
  }
  auto context = std::make_shared<Context>();
  ImageHeader header;
  std::memcpy(&header, image, sizeof header);
  context->words = (u64{header.common_bytes} + header.per_pe_bytes + 7) / 8;
  context->number = *y * kernel.pe_columns + x;
  context->program = make_program(kernel, context->number);
  context->schedules.reserve(context->program.segments.size());
  for (const SegmentProgram& segment : context->program.segments) {
    context->schedules.push_back(segment.unit == Unit::cal ? schedules_->of(segment) : nullptr);
  }
  if (whom_ == For::all_pes) context->pes = all_pes(kernel, rows_, limits_.columns);
  return context;
}

}  // namespace bvp
