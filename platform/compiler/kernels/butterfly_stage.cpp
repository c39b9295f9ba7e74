// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/butterfly_stage.h"

#include <algorithm>
#include <utility>

#include "models/isa/kernel.h"

namespace bvp {

namespace {

/// Moves `count` neighbouring bits from those that the stage does not combine to the windows: the highest ones, unless
/// other bits need fewer loops.
void take_windows(const ButterflyStage& stage, unsigned count, std::vector<unsigned>& extra,
                  std::vector<unsigned>& window) {
  std::size_t best = extra.size() - count, fewest = ~std::size_t{0};
  for (std::size_t first = extra.size() - count + 1; first-- > 0;) {
    std::vector<unsigned> bits(extra.begin() + static_cast<std::ptrdiff_t>(first),
                               extra.begin() + static_cast<std::ptrdiff_t>(first + count));
    // The strides of reversed bits fall from bit to bit, but loops count upwards.
    std::sort(bits.begin(), bits.end(),
              [&](unsigned a, unsigned b) { return stage.input_stride[a] < stage.input_stride[b]; });
    const std::size_t loops = linear_runs(
                                  bits, [&](unsigned bit) { return stage.input_stride[bit]; },
                                  [&](unsigned bit) { return stage.output_stride[bit]; })
                                  .size();
    if (loops >= fewest) continue;
    fewest = loops;
    best = first;
    window = bits;
  }
  const auto begin = extra.begin() + static_cast<std::ptrdiff_t>(best);
  extra.erase(begin, begin + count);
}

}  // namespace

BitPlan plan_bits(const ButterflyStage& stage, unsigned local_bits, unsigned pe_bits) {
  BitPlan plan;
  const unsigned total = stage.index_bits;
  std::vector<bool> factor(total, false);
  for (const unsigned bit : stage.layer_bits) factor[bit] = true;
  std::vector<unsigned> extra;
  for (unsigned bit = 0; bit < total; ++bit) {
    if (!factor[bit]) extra.push_back(bit);
  }
  take_windows(stage, total - local_bits - pe_bits, extra, plan.window);
  // PEs take the next bits, which need no exchange.
  while (plan.pe.size() < pe_bits && !extra.empty()) {
    plan.pe.push_back(extra.back());
    extra.pop_back();
  }
  const auto exchanges = static_cast<unsigned>(pe_bits - plan.pe.size());
  plan.first_exchange = static_cast<unsigned>(stage.layer_bits.size()) - exchanges;
  for (unsigned layer = plan.first_exchange; layer < stage.layer_bits.size(); ++layer) {
    plan.pe.push_back(stage.layer_bits[layer]);
  }
  plan.local = extra;
  for (unsigned layer = 0; layer < plan.first_exchange; ++layer) plan.local.push_back(stage.layer_bits[layer]);
  std::sort(plan.local.begin(), plan.local.end());
  return plan;
}

unsigned pe_bits_of(const CompilerTarget& target, unsigned index_bits) {
  return std::min(log2_of(target.usable_pes()), index_bits - 1);
}

unsigned stage_limit_bits(const CompilerTarget& target) {
  const u32 points = target.stage_points != 0 ? target.stage_points : CompilerTarget::default_stage_points;
  return log2_of(CompilerTarget::floor_power_of_two(points));
}

void reverse_places(std::vector<unsigned>& place_of_bit, std::vector<unsigned> bits) {
  std::sort(bits.begin(), bits.end());
  for (std::size_t low = 0, high = bits.size(); low + 1 < high; ++low) {
    --high;
    if (low < high) std::swap(place_of_bit[bits[low]], place_of_bit[bits[high]]);
  }
}

LayerNeeds LayerNeeds::of_real(bool normal, const std::vector<bool>& pays) {
  const bool all_weights = !normal || std::find(pays.begin(), pays.end(), true) != pays.end();
  return {false, scalars_of(all_weights ? PairForm::weights : PairForm::ratios), normal ? 2u : 1u};
}

std::vector<unsigned> divide_into_stages(const CompilerTarget& target, unsigned index_bits, const LayerNeeds& needs,
                                         unsigned layer_count) {
  // Finds the largest number of layers whose smallest closed set fits, and then as few and as equal stages as possible.
  const unsigned pe_bits = pe_bits_of(target, index_bits);
  const u64 planes = needs.complex ? 2 : 1;
  unsigned limit = std::max(stage_limit_bits(target), pe_bits + 1);
  // An FFT reverses its local bits when it stores them, so each of them, except the group bit, needs a loop of its own.
  if (needs.complex) limit = std::min(limit, pe_bits + static_cast<unsigned>(trip_levels) + 1);
  // The operand memory holds one context, a place for vectors that are sent and not used, the residual, temporaries,
  // the weights of one window with bias and scale, and constants.
  const auto vectors = [&](unsigned bits) {
    const u64 group = u64{1} << (std::max(bits, pe_bits + 1) - pe_bits - 1);
    // Small groups need fewer temporaries, which leaves room for another context.
    const u64 scalars = (u64{bits} * needs.pair_scalars + u64{2} * needs.point_scalars) * group,
              temporaries = group == 1 ? 2 : 2 * 8;
    const u64 groups = pe_bits == 0 || target.exchange_by_half ? 3 : 4;
    return planes * groups * group + 2 * group + temporaries + scalars / target.lanes + 1 + 4 / target.lanes + 1;
  };
  while (target.stage_points == 0 && limit > 1 && vectors(limit) > target.operand_vectors) --limit;
  if (!target.layer_overlap) limit = 1;
  const unsigned stages = (layer_count + limit - 1) / limit;
  std::vector<unsigned> layers;
  for (unsigned i = 0, left = layer_count; i < stages; ++i) {
    layers.push_back((left + stages - i - 1) / (stages - i));
    left -= layers.back();
  }
  return layers;
}

}  // namespace bvp
