// SPDX-License-Identifier: Apache-2.0
// How a stage of a butterfly is spread over PEs, instances and launches.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "platform/compiler/kernels/butterfly_stage.h"
#include "platform/compiler/kernels/butterfly_weights.h"

namespace bvp {

inline constexpr std::size_t most_loops = 3;  ///< over windows and stacks; the last instance level counts lane groups

/// A run of bits that one instance level counts.
struct InstanceLoop {
  u32 count = 1;
  i32 input_stride = 0, output_stride = 0;
  u32 weight_sets = 1;  ///< weight sets per step
};

struct ShapeWanted {
  u32 groups = 1;  ///< lane groups of rows of a full launch
  unsigned local_bits = 1, pe_bits = 0;
  bool several_launches = false;  ///< a window that needs too many loops may become launches
  bool several_groups = false;    ///< an instance of a small closed set may take several lane groups
};

struct StageShape {
  unsigned local_bits = 1, pe_bits = 0;
  BitPlan plan;
  Bits launch_bits;      ///< window bits that number the launches
  u32 group_points = 1;  ///< points of one group: half of the local ones
  u32 planes = 1;
  unsigned exchanges = 0;
  u32 multiplicity = 1;             ///< lane groups of an instance
  std::vector<InstanceLoop> loops;  ///< levels 0..2
  u32 weight_sets = 1;

  [[nodiscard]] unsigned layers() const { return plan.first_exchange + exchanges; }
  [[nodiscard]] unsigned exchange_pe_bit(unsigned exchange) const { return pe_bits - exchanges + exchange; }
  [[nodiscard]] PairLoops pair_loops(const ButterflyStage& stage, unsigned layer) const {
    return bvp::pair_loops(plan, local_bits, stage.layer_bits[layer], layer < plan.first_exchange);
  }
  /// Whether the layer combines points of the same group.
  [[nodiscard]] bool within_groups(const ButterflyStage& stage, unsigned layer) const {
    return pair_loops(stage, layer).position + 1 < local_bits;
  }
  /// Trips of level 0 of a layer's Cal segment.
  [[nodiscard]] u32 repeat_of(const ButterflyStage& stage, unsigned layer) const {
    const u32 inner = u32{1} << pair_loops(stage, layer).inner;
    return inner > 1 ? inner : multiplicity;
  }
};

/// Returns nullopt if there are more loops than instance levels. @throws MappingError  as plan_bits()
[[nodiscard]] std::optional<StageShape> shape_of(const ButterflyStage& stage, const ShapeWanted& wanted);

}  // namespace bvp
