// SPDX-License-Identifier: Apache-2.0
// The kernels of a machine. A kernel follows from its spec, the lane groups of a launch and the machine, so that each
// is made once, however many layers and candidates for a tile use it.
#pragma once

#include <map>
#include <memory>
#include <utility>

#include "platform/compiler/cost/cost.h"
#include "platform/compiler/kernels/block_layers.h"
#include "platform/compiler/kernels/butterfly_kernel.h"
#include "platform/compiler/kernels/merge_kernel.h"
#include "platform/compiler/kernels/product_kernel.h"
#include "platform/compiler/kernels/radix_kernels.h"
#include "platform/compiler/kernels/row_kernels.h"
#include "platform/compiler/kernels/row_part_kernel.h"
#include "platform/compiler/kernels/spectrum_kernels.h"
#include "platform/compiler/kernels/sum_kernels.h"
#include "platform/compiler/kernels/transpose_kernel.h"
#include "platform/compiler/target.h"

namespace bvp {

class KernelLibrary {
 public:
  /// The target must outlive the library.
  explicit KernelLibrary(const CompilerTarget& target) : target_(target) {}
  KernelLibrary(const KernelLibrary&) = delete;
  KernelLibrary& operator=(const KernelLibrary&) = delete;

  [[nodiscard]] const CompilerTarget& target() const { return target_; }

  // Like the functions make_..._kernel, which say what they throw.
  using Butterfly = std::shared_ptr<const ButterflyKernel>;
  [[nodiscard]] Butterfly butterfly(const ButterflyStage& stage, u32 groups) const {
    return once(butterflies_, stage, groups, [&] { return make_butterfly_kernel(target_, stage, groups); });
  }
  using BlockLayers = std::shared_ptr<const BlockLayersKernel>;
  [[nodiscard]] BlockLayers block_layers(const BlockLayersSpec& spec) const {
    return once(block_layers_, spec, 0, [&] { return make_block_layers_kernel(target_, spec); });
  }
  using Row = std::shared_ptr<const RowKernel>;
  [[nodiscard]] Row layer_norm(const LayerNormSpec& spec, u32 groups) const {
    return once(layer_norms_, spec, groups, [&] { return make_layer_norm_kernel(target_, spec, groups); });
  }
  [[nodiscard]] Row softmax(const SoftmaxSpec& spec, u32 groups) const {
    return once(softmaxes_, spec, groups, [&] { return make_softmax_kernel(target_, spec, groups); });
  }
  [[nodiscard]] Row row_part(const RowPartSpec& spec, u32 groups) const {
    return once(row_parts_, spec, groups, [&] { return make_row_part_kernel(target_, spec, groups); });
  }
  using Product = std::shared_ptr<const ProductKernel>;
  [[nodiscard]] Product product(const ProductSpec& spec, u32 groups) const {
    return once(products_, spec, groups, [&] { return make_product_kernel(target_, spec, groups); });
  }
  using Merge = std::shared_ptr<const MergeKernel>;
  [[nodiscard]] Merge merge(const MergeSpec& spec, u32 groups) const {
    return once(merges_, spec, groups, [&] { return make_merge_kernel(target_, spec, groups); });
  }
  using Sum = std::shared_ptr<const SumKernel>;
  [[nodiscard]] Sum add(const AddSpec& spec, u32 groups) const {
    return once(adds_, spec, groups, [&] { return make_add_kernel(target_, spec, groups); });
  }
  [[nodiscard]] Sum row_sum(const RowSumSpec& spec) const {
    return once(row_sums_, spec, 0, [&] { return make_row_sum_kernel(target_, spec); });
  }
  using Spectrum = std::shared_ptr<const SpectrumKernel>;
  [[nodiscard]] Spectrum separation(const SeparationSpec& spec, u32 groups) const {
    return once(separations_, spec, groups, [&] { return make_separation_kernel(target_, spec, groups); });
  }
  [[nodiscard]] Spectrum mirror(const MirrorSpec& spec, u32 groups) const {
    return once(mirrors_, spec, groups, [&] { return make_mirror_kernel(target_, spec, groups); });
  }
  [[nodiscard]] Spectrum scaled_sum(const ScaledSumSpec& spec, u32 groups) const {
    return once(scaled_sums_, spec, groups, [&] { return make_scaled_sum_kernel(target_, spec, groups); });
  }
  using Radix = std::shared_ptr<const RadixKernel>;
  [[nodiscard]] Radix radix(const RadixSpec& spec, u32 groups) const {
    return once(radices_, spec, groups, [&] { return make_radix_kernel(target_, spec, groups); });
  }
  using Interleave = std::shared_ptr<const InterleaveKernel>;
  [[nodiscard]] Interleave interleave(const InterleaveSpec& spec, u32 groups) const {
    return once(interleaves_, spec, groups, [&] { return make_interleave_kernel(target_, spec, groups); });
  }
  /// preparation_cycles of a kernel of this library.
  [[nodiscard]] u64 preparation(const Kernel& kernel) const {
    const auto [found, fresh] = preparations_.try_emplace(&kernel, 0);
    if (fresh) found->second = preparation_cycles(target_, kernel);
    return found->second;
  }
  /// kernel_times of a kernel of this library.
  [[nodiscard]] const KernelTimes& times(const Kernel& kernel) const {
    const auto [found, fresh] = times_.try_emplace(&kernel);
    if (fresh) found->second = kernel_times(target_, kernel);
    return found->second;
  }
  using Transpose = std::shared_ptr<const TransposeKernel>;
  [[nodiscard]] Transpose transpose(const TransposeSpec& spec, u32 groups) const {
    return once(transposes_, spec, groups, [&] { return make_transpose_kernel(target_, spec, groups); });
  }

 private:
  template <class Spec, class Kernel>
  using Known = std::map<std::pair<Spec, u32>, std::shared_ptr<const Kernel>>;

  template <class Spec, class Kernel, class Make>
  static std::shared_ptr<const Kernel> once(Known<Spec, Kernel>& known, const Spec& spec, u32 groups,
                                            const Make& make) {
    const auto found = known.find({spec, groups});
    if (found != known.end()) return found->second;
    return known.emplace(std::pair{spec, groups}, std::make_shared<const Kernel>(make())).first->second;
  }

  const CompilerTarget& target_;
  mutable Known<ButterflyStage, ButterflyKernel> butterflies_;
  mutable Known<BlockLayersSpec, BlockLayersKernel> block_layers_;
  mutable Known<LayerNormSpec, RowKernel> layer_norms_;
  mutable Known<SoftmaxSpec, RowKernel> softmaxes_;
  mutable Known<RowPartSpec, RowKernel> row_parts_;
  mutable Known<ProductSpec, ProductKernel> products_;
  mutable Known<MergeSpec, MergeKernel> merges_;
  mutable Known<AddSpec, SumKernel> adds_;
  mutable Known<RowSumSpec, SumKernel> row_sums_;
  mutable Known<TransposeSpec, TransposeKernel> transposes_;
  mutable Known<SeparationSpec, SpectrumKernel> separations_;
  mutable Known<MirrorSpec, SpectrumKernel> mirrors_;
  mutable Known<ScaledSumSpec, SpectrumKernel> scaled_sums_;
  mutable Known<RadixSpec, RadixKernel> radices_;
  mutable Known<InterleaveSpec, InterleaveKernel> interleaves_;
  mutable std::map<const Kernel*, u64> preparations_;
  mutable std::map<const Kernel*, KernelTimes> times_;
};

/// The kernel of a launch, which lives as long as the launch does.
template <class Made>
std::shared_ptr<const Kernel> kernel_of(const std::shared_ptr<const Made>& made) {
  return {made, &made->kernel};
}

}  // namespace bvp
