// SPDX-License-Identifier: Apache-2.0
// The kernels that are configured in a PE, or in all PEs of an array: images are decoded and checked once, and kept.
#pragma once

#include <memory>
#include <vector>

#include "models/base/array_parameters.h"
#include "models/base/row_map.h"
#include "models/pe/cal_schedules.h"
#include "models/pe/context/addresses.h"
#include "models/pe/context/program.h"
#include "models/pe/pe_parameters.h"

namespace bvp {

/// What a kernel may use on PEs with these parameters.
[[nodiscard]] KernelLimits kernel_limits(const ArrayParameters& array, const PeParameters& parameters);

/// The first bases of a segment's streams by PE, and the lowest and the highest of each stream.
struct FirstBases {
  std::vector<StreamBases> of_pe;
  StreamBases lowest{}, highest{};
};

/// What distinguishes the PEs of a kernel from each other.
struct KernelPes {
  std::vector<FirstIteration> first;  // by PE, row-major within the kernel's array
  std::vector<u32> places;            // by PE: its position in the array, row-major
  std::vector<FirstBases> bases;      // by segment
  bool uniform = true;                // all PEs run the same iterations
  FirstIteration latest{};            // over all PEs, by level
  [[nodiscard]] std::size_t count() const { return first.size(); }
};

/// A kernel that has been decoded and checked.
struct Context {
  PeProgram program;                                         // of one PE; of PE 0 where the context is for all PEs
  u32 number = 0;                                            // of that PE within the kernel's array
  u64 words = 0;                                             // of configuration, 64 bits each, that a PE receives
  std::vector<std::shared_ptr<SegmentSchedules>> schedules;  // of the Cal segments; null for others
  KernelPes pes;                                             // empty where the context is for one PE

  /// PEs that get this context.
  [[nodiscard]] u64 receivers() const { return std::max<u64>(pes.count(), 1); }
  /// The schedule of a Cal segment in a firing with these bases, which are within bounds.
  [[nodiscard]] const CalSchedule& schedule(const CalUnit& cal, u32 segment, const StreamBases& bases) const {
    return schedules[segment]->at(cal, program.segments[segment], bases);
  }
};

class Contexts {
 public:
  enum class For { one_pe, all_pes };

  /// @param pe         row-major position in the array; 0 for all PEs
  /// @param schedules  of Cal, shared by PEs with the same parameters
  Contexts(const KernelLimits& limits, u32 pe, For whom, std::shared_ptr<CalSchedules> schedules);

  [[nodiscard]] const KernelLimits& limits() const { return limits_; }
  [[nodiscard]] const RowMap& rows() const { return rows_; }
  /// Leaves out rows of the array, as RowMap does, and forgets all kernels, whose PEs have other places then.
  [[nodiscard]] bool leave_out(u32 rows);
  /// The kernel of the active context; null: there is none.
  [[nodiscard]] const std::shared_ptr<const Context>& active() const { return active_; }
  [[nodiscard]] bool has_shadow() const { return shadow_ != nullptr; }

  /// Fills the shadow context with the kernel of this image.
  /// @throws KernelError  it is none that runs here; the contexts stay as they are
  const Context& configure(const u8* image, std::size_t size);
  /// The shadow context becomes the active one.
  void activate() { active_ = std::move(shadow_); }
  /// Empties both contexts.
  void clear() {
    active_.reset();
    shadow_.reset();
  }

 private:
  /// Networks use the same kernels tile after tile, so decoded kernels are kept.
  struct Known {
    std::vector<u8> image;
    std::shared_ptr<const Context> context;
  };
  static constexpr std::size_t most_known = 64;

  [[nodiscard]] std::shared_ptr<const Context> decode(const u8* image, std::size_t size) const;

  const KernelLimits limits_;
  RowMap rows_;
  const u32 pe_;
  const For whom_;
  const std::shared_ptr<CalSchedules> schedules_;
  std::shared_ptr<const Context> active_, shadow_;
  std::vector<Known> known_;
  std::size_t next_known_ = 0;  // to be replaced
};

}  // namespace bvp
