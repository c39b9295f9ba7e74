// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/planner.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/kernels/kernel_library.h"
#include "platform/compiler/passes/encoder.h"
#include "platform/compiler/passes/lay_out.h"
#include "platform/compiler/passes/normal_forms.h"
#include "platform/compiler/passes/tile.h"
#include "platform/program/kernel_images.h"

namespace bvp {

namespace {

/// Divisions of the scratchpad that are planned and compared with each other.
constexpr unsigned most_tries = 4;

class Planner {
 public:
  Planner(const CompilerTarget& target, const Network& network, const TensorMap& parameters,
          const CompiledNetwork* beside)
      : kernels_(target), network_(network), parameters_(parameters), beside_(beside) {}

  /// How a scratchpad half is divided into tiles and weights of the next task.
  struct Division {
    u64 weight_area = 0;
    bool packed = false;
    u64 cost = 0;        // the cost of the plan
    u64 least_cost = 0;  // the cost if tiles had all of the half
    FftForm fft = FftForm::none;
  };

  /// @throws CompileError  the network does not fit
  Division best_division() {
    std::optional<Division> division = divide_tiles();
    // If whole tiles do not fit, buffers are packed, and they get most of the half.
    for (u64 most_weights = half_bytes() / 8; !division && most_weights >= target().vector_bytes(); most_weights /= 2) {
      division = divide(most_weights, true);
    }
    if (!division) throw ScratchpadError(too_small_);
    return *division;
  }

  [[nodiscard]] CompiledNetwork compile(const Division& division) const {
    const u64 area = division.weight_area;
    const TaskPlanner planner(kernels_, {area, area, division.packed});
    DramPlan dram(target(), beside_);
    const NetworkTables tables = allocate_tables(dram);
    const EncoderPlan plan = plan_network(planner, dram);
    CompiledNetwork network = lay_out(planner, area, dram, plan, tables);
    network.reductions.pruned = target().pruning;
    network.reductions.twiddle_ratios = target().twiddle_ratios;
    return network;
  }

 private:
  /// The best division into whole tiles; nullopt if a task does not fit.
  std::optional<Division> divide_tiles() {
    std::optional<Division> best;
    // If the weights of one task leave too little of a half for the tiles of another, the weights are limited.
    u64 most_weights = half_bytes();
    for (; !best && most_weights >= target().tile_bytes(); most_weights /= 2) best = divide(most_weights, false);
    if (!best) return best;
    // Fewer weights may be worth an additional task anyway, because larger tiles read their operands from DRAM less
    // often.
    Division last = *best;
    for (unsigned tries = 1; tries < most_tries && last.weight_area > 0 && last.least_cost < best->cost; ++tries) {
      const auto division = divide(last.weight_area - 1, false);
      if (!division) break;
      last = *division;
      if (last.cost < best->cost) best = last;
    }
    return best;
  }

  /// Plans all tasks; returns nullopt if a task does not fit a half.
  std::optional<Division> divide(u64 most_weights, bool packed) {
    try {
      // The tiles of one task share a half with the weights of the next: plan once to learn the largest weights.
      const Outline trial = outline({0, most_weights, packed});
      const Outline plan = outline({trial.largest_weights, trial.largest_weights, packed});
      return Division{trial.largest_weights, packed, plan.cost, trial.cost, plan.fft};
    } catch (const ScratchpadError& error) {
      too_small_ = error.what();
      return std::nullopt;
    }
  }

  /// What a division is chosen by.
  struct Outline {
    u64 cost = 0, largest_weights = 0;
    FftForm fft = FftForm::none;
  };
  [[nodiscard]] Outline outline(const TaskLimits& limits) const {
    const TaskPlanner planner(kernels_, limits);
    DramPlan dram(target(), beside_);
    allocate_tables(dram);
    const EncoderPlan plan = plan_network(planner, dram);
    Outline result{planner.cost(plan.tasks), 0, plan.fft};
    for (const TaskBuilder& task : plan.tasks) {
      result.largest_weights = std::max(result.largest_weights, planner.weight_bytes(task));
    }
    return result;
  }

  static NetworkTables allocate_tables(DramPlan& dram) {
    NetworkTables tables;
    tables.header = dram.allocate(sizeof(NetworkHeader));
    tables.ring = dram.beside() != nullptr ? header_of(*dram.beside()).ring
                                           : dram.allocate(u64{NetworkTables::ring_entries} * sizeof(Command));
    return tables;
  }

  [[nodiscard]] EncoderPlan plan_network(const TaskPlanner& planner, DramPlan& dram) const {
    EncoderPlan plan = plan_encoder(planner, dram, network_, parameters_, normal_forms_);
    // These matrices are used outside of the tasks too.
    const auto keep = [&](const MatrixPlace& place, MatrixPlace CompiledNetwork::*of) {
      if (place.rows != 0) dram.keep(place, beside_ != nullptr ? &(beside_->*of) : nullptr);
    };
    keep(plan.patches, &CompiledNetwork::patches);
    keep(plan.mask, &CompiledNetwork::mask);
    keep(plan.input, &CompiledNetwork::input);
    for (std::size_t i = 0; i < plan.layer_outputs.size(); ++i) {
      dram.keep(plan.layer_outputs[i], beside_ != nullptr ? &beside_->layer_outputs.at(i) : nullptr);
    }
    keep(plan.output, &CompiledNetwork::output);
    keep(plan.logits, &CompiledNetwork::logits);
    return plan;
  }

  [[nodiscard]] const CompilerTarget& target() const { return kernels_.target(); }
  [[nodiscard]] u64 half_bytes() const { return target().half_bytes(); }

  const KernelLibrary kernels_;
  const Network& network_;
  const TensorMap& parameters_;
  const CompiledNetwork* const beside_;
  const NormalForms normal_forms_;
  std::string too_small_;  // what did not fit
};

/// A way to plan the network, with its best division.
struct Candidate {
  CompilerTarget target;
  Planner planner;
  Planner::Division division;

  Candidate(const CompilerTarget& of_target, const Network& network, const TensorMap& parameters,
            const CompiledNetwork* beside)
      : target(of_target), planner(target, network, parameters, beside), division(planner.best_division()) {}
  Candidate(const Candidate&) = delete;
  Candidate& operator=(const Candidate&) = delete;
};

/// Compiles with the form of butterflies that the target says, in the form of transforms and with the place of tokens
/// that cost least.
CompiledNetwork compile_in(const CompilerTarget& target, const Network& network, const TensorMap& parameters,
                           const CompiledNetwork* beside) {
  auto best = std::make_unique<Candidate>(target, network, parameters, beside);
  if (best->division.fft != FftForm::real) return best->planner.compile(best->division);
  const auto try_other = [&](const CompilerTarget& other) {
    try {
      auto candidate = std::make_unique<Candidate>(other, network, parameters, beside);
      if (candidate->division.cost < best->division.cost) best = std::move(candidate);
    } catch (const CompileError&) {
      // The network does not fit in this way.
    }
  };
  CompilerTarget other = target;
  other.fft = FftChoice::real;
  other.token_bytes = token_bytes_of(target, network);
  if (other.token_bytes > 0 && other.token_bytes < target.scratchpad_bytes / 2) try_other(other);
  if (target.fft == FftChoice::cheaper) {
    other = target;
    other.fft = FftChoice::complex;
    try_other(other);
  }
  CompiledNetwork compiled = best->planner.compile(best->division);
  if (best->target.fft != target.fft && compiled.fft == FftForm::complex) compiled.not_real_because = "it costs more";
  return compiled;
}

}  // namespace

CompiledNetwork compile_network(const CompilerTarget& target, const Network& network, const TensorMap& parameters,
                                const CompiledNetwork* beside) {
  CompilerTarget form = target;
  std::string not_normalised_because;
  if (target.normalised && !target.swapping_fma) {
    not_normalised_because = "the PEs have no fmar (soc.pe.swapping_fma)";
  } else if (target.normalised) {
    try {
      CompiledNetwork network_in_normal_form = compile_in(form, network, parameters, beside);
      network_in_normal_form.reductions.normalised = true;
      return network_in_normal_form;
    } catch (const CompileError& error) {
      // The normal form takes other instructions and more slots than pairs, which may fit where it does not.
      not_normalised_because = error.what();
    }
  }
  form.normalised = false;
  CompiledNetwork network_in_pairs = compile_in(form, network, parameters, beside);
  network_in_pairs.reductions.not_normalised_because = not_normalised_because;
  return network_in_pairs;
}

}  // namespace bvp
