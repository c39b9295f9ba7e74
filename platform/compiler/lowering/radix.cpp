// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/radix.h"

#include <fmt/format.h>

#include <cmath>

#include "platform/network/half.h"

namespace bvp {

Circle::Circle(u64 n) {
  for (u64 i = 0; i < n; ++i) {
    const double angle = 2.0 * M_PI * static_cast<double>(i) / static_cast<double>(n);
    cosines_.push_back(to_half(std::cos(angle)));
    sines_.push_back(to_half(std::sin(angle)));
    minus_sines_.push_back(to_half(-std::sin(angle)));
  }
}

RadixWeight joining_weights(const SharedCircle& circle, u32 points, bool real_output) {
  // re cos + im sin is the real part of (re + i im)(cos - i sin), and re (-sin) + im cos its imaginary part.
  return [=](u32 position, u32 result, u32 term) {
    const bool of_imaginary = !real_output && result % 2 == 1;
    const u64 part = real_output ? result : result / 2, angle = u64{term / 2} * (position + part * points);
    if (of_imaginary) return term % 2 == 0 ? circle->minus_sine(angle) : circle->cosine(angle);
    return term % 2 == 0 ? circle->cosine(angle) : circle->sine(angle);
  };
}

LaunchStep radix_launch(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, const RadixSpec& spec,
                        u32 groups, u32 tail_groups, std::vector<LaunchStep::Register> registers,
                        const RadixWeight& weight) {
  const auto kernel = named(name, [&] { return kernels.radix(spec, groups); });
  LaunchStep step;
  step.name = name;
  step.mapping = fmt::format(
      "{} parts of {} points joined: {} terms and {} results a position, PEs {} x {} x {} (lane groups, "
      "panels, positions)",
      spec.parts, spec.points, spec.terms(), spec.results(), kernel->shared_by[0], kernel->shared_by[1],
      kernel->shared_by[2]);
  step.counts = {groups, kernel->counts[0], kernel->counts[1], kernel->counts[2]};
  step.tail_count = tail_groups;
  step.registers = std::move(registers);
  const u32 weights = task.add_weights(kernel->word_count(), [=] { return kernel->words(weight); });
  step.registers.push_back({radix_register::weights, weights, true});
  if (!kernel->constants.empty()) {
    step.registers.push_back({radix_register::constants, task.add_weights(kernel->constants), true});
  }
  step.kernel = kernel_of(kernel);
  return step;
}

LaunchStep interleave_launch(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name,
                             InterleaveSpec spec, const TileBuffer& x, const TileBuffer& y) {
  spec.x = x.layout;
  spec.y = y.layout;
  const auto kernel = named(name, [&] { return kernels.interleave(spec, task.groups()); });
  LaunchStep step;
  step.name = name;
  step.mapping = fmt::format("columns of {} parts in turn, PEs {} x {} (lane groups, panels)", spec.parts,
                             kernel->shared_by[0], kernel->shared_by[1]);
  step.counts = {task.groups(), kernel->counts[0], kernel->counts[1], kernel->counts[2]};
  step.tail_count = task.tail_groups();
  step.registers = {LaunchStep::Register::of(interleave_register::x, x),
                    LaunchStep::Register::of(interleave_register::y, y)};
  step.kernel = kernel_of(kernel);
  return step;
}

}  // namespace bvp
