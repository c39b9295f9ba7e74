// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/long_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "platform/compiler/kernels/row_part_kernel.h"
#include "platform/compiler/kernels/row_passes.h"
#include "platform/compiler/lowering/operators.h"
#include "platform/compiler/lowering/transpose.h"

namespace bvp {

namespace {

using RowStep = RowPartSpec::Step;

class LongRows {
 public:
  /// @param statistics  columns of the statistics
  LongRows(const TaskPlanner& plan, DramPlan& dram, std::string name, u32 layer, const MatrixPlace& input,
           const MatrixPlace& output, u32 statistics)
      : plan_(plan), dram_(dram), name_(std::move(name)), layer_(layer), input_(input), output_(output) {
    statistics_ = dram.matrix(input.rows, statistics);
  }

  void set_norm(const LongNorm& norm) { norm_ = &norm; }
  [[nodiscard]] const MatrixPlace& statistics() const { return statistics_; }

  /// Makes tasks for each step over all parts of the columns, one step after the other, with as few parts as fit.
  [[nodiscard]] Tasks make(const std::vector<RowStep>& steps) {
    divide(steps);
    if (parts_.size() > 1) sums_ = dram_.matrix(input_.rows, u64{2} * sum_ways(plan_.target()));
    Tasks tasks;
    for (const RowStep step : steps) {
      for (const Part& part : parts_) {
        const auto make_tile = [&](const Tiling& tiling) { return make(step, part, tiling); };
        tasks.push_back(packed_ ? make_tile(least_tiling())
                                : plan_.best_task(input_.rows, {1, 1}, shape(step, part), make_tile));
      }
    }
    return tasks;
  }

 private:
  /// Columns [first, end).
  struct Part {
    std::string suffix;
    u64 first = 0, end = 0;
    bool is_first = true, is_last = true;
    [[nodiscard]] u32 columns() const { return static_cast<u32>(end - first); }
  };

  void divide(const std::vector<RowStep>& steps) {
    if (divide_into(steps, plan_.target().lanes)) return;
    packed_ = plan_.may_pack();
    // Each interleaved part of a sum takes its columns in the same order whatever the parts of the columns are.
    if (packed_ && divide_into(steps, sum_ways(plan_.target()))) return;
    for (const RowStep step : steps) {
      for (const Part& part : parts_) {
        if (const TaskBuilder task = measured(step, part); !plan_.fits(task)) throw plan_.does_not_fit(task);
      }
    }
  }

  /// Returns false if parts of `unit` columns do not fit.
  bool divide_into(const std::vector<RowStep>& steps, u64 unit) {
    const u64 units = (input_.columns + unit - 1) / unit;
    for (u64 count = 1;; count += std::max<u64>(1, count / 8)) {
      count = std::min(count, units);
      set_parts((units + count - 1) / count * unit);
      const auto fits = [&](RowStep step) {
        return std::all_of(parts_.begin(), parts_.end(),
                           [&](const Part& part) { return plan_.fits(measured(step, part)); });
      };
      if (std::all_of(steps.begin(), steps.end(), fits)) return true;
      if (count == units) return false;
    }
  }

  void set_parts(u64 columns) {
    parts_.clear();
    for (u64 first = 0; first < input_.columns; first += columns) {
      Part part;
      part.first = first;
      part.end = std::min(first + columns, input_.columns);
      part.is_first = first == 0;
      part.is_last = part.end == input_.columns;
      if (!part.is_first || !part.is_last) part.suffix = fmt::format(".part{}", parts_.size());
      parts_.push_back(part);
    }
  }

  [[nodiscard]] TaskBuilder measured(RowStep step, const Part& part) const { return make(step, part, least_tiling()); }
  [[nodiscard]] Tiling least_tiling() const {
    const u32 lanes = plan_.target().lanes;
    return packed_ ? TaskPlanner::packed_tiling(input_.rows, lanes, {1, 1}) : plan_.tiling(input_.rows, 1, {1, 1});
  }

  /// Identifies the tasks that make() makes: equal shapes give equal tasks.
  [[nodiscard]] Shape shape(RowStep step, const Part& part) const {
    Shape shape("long_rows");
    return shape.add(step, part.first, part.end, input_.columns, input_.pitch, output_.pitch, statistics_.pitch,
                     sums_.pitch);
  }

  /// Weights and biases of the part are loaded with the tile.
  [[nodiscard]] std::function<std::vector<u16>()> scalars_of(const Part& part) const {
    return [&target = plan_.target(), weight = norm_->weight, bias = norm_->bias, first = part.first,
            columns = part.columns()] {
      return row_scalars(
          target, columns, [&](u32 column) { return weight->data[first + column]; },
          [&](u32 column) { return bias->data[first + column]; });
    };
  }

  [[nodiscard]] static const char* name_of(RowStep step) {
    switch (step) {
      case RowStep::sum:
        return ".mean";
      case RowStep::squares:
        return ".deviation";
      case RowStep::scale:
        return ".scale";
      case RowStep::maximum:
        return ".maximum";
      default:
        return ".exponent";
    }
  }

  [[nodiscard]] TaskBuilder make(RowStep step, const Part& part, const Tiling& tiling) const {
    const CompilerTarget& target = plan_.target();
    const std::string name = name_ + name_of(step) + part.suffix;
    TaskBuilder task(target, name, layer_, tiling.tiles, tiling.rows, tiling.tail_rows);
    if (tiling.packed) task.pack();
    const auto buffer_of = [&](u64 columns) { return task.column_buffer(columns); };
    const auto move = [&](bool load, const MatrixPlace& place, u64 columns, const TileBuffer& buffer) {
      const TileStrides strides{static_cast<i64>(place.pitch) * tiling.rows, 0, 0};
      if (load) task.load(place, columns, buffer, tiling.rows, true, strides);
      add_transpose(task, plan_.kernels(), name + ".transpose", buffer, columns, true);
      if (!load) task.store(place, columns, buffer, tiling.rows, true, strides);
    };
    const auto from_part = [&](MatrixPlace place) {
      place.address += part.first * 2;
      return place;
    };
    const bool sums = step == RowStep::sum || step == RowStep::squares || step == RowStep::exponent;
    const bool makes_values = step == RowStep::scale || step == RowStep::exponent;
    const bool makes_statistics = step == RowStep::maximum || (sums && part.is_last);

    RowPartSpec spec;
    spec.step = step;
    spec.columns = part.columns();
    spec.first = part.is_first;
    spec.last = part.is_last;
    spec.row_columns = static_cast<u32>(input_.columns);
    const TileBuffer x = buffer_of(part.columns());
    spec.layout = x.layout;
    std::vector<LaunchStep::Register> registers{{row_part_register::input, x.offset, false},
                                                {row_part_register::output, x.offset, false}};
    move(true, from_part(input_), part.columns(), x);
    const TileBuffer statistics = buffer_of(statistics_.columns);
    registers.push_back({row_part_register::statistics, statistics.offset, false});
    // The first steps find no such matrix.
    if ((step != RowStep::sum && step != RowStep::maximum) || (step == RowStep::maximum && !part.is_first)) {
      move(true, statistics_, statistics_.columns, statistics);
    }
    std::optional<TileBuffer> sums_so_far;
    if (sums && (!part.is_first || !part.is_last)) {
      sums_so_far = buffer_of(u64{2} * sum_ways(target));
      registers.push_back({row_part_register::sums, sums_so_far->offset, false});
      if (!part.is_first) move(true, sums_, sums_so_far->columns, *sums_so_far);
    }
    if (step == RowStep::scale) {
      const auto bytes = static_cast<u32>(row_scalar_words(target, part.columns()) * 2);
      const u32 offset = task.reserve(bytes);
      task.load_bytes(task.add_constants(bytes, {{0, scalars_of(part)}}), offset, bytes, {});
      registers.push_back({row_part_register::scalars, offset, false});
    }
    if (norm_ != nullptr) spec.epsilon = norm_->epsilon;
    if (step == RowStep::exponent) spec.power = softmax_power(input_.columns);
    std::vector<KernelResult> results;
    if (step == RowStep::scale) results.push_back(task.result(x, part.columns()));
    if (step == RowStep::exponent && part.is_last) results.push_back(task.result(statistics, 1));
    add_launch(task, name, spec, std::move(registers), std::move(results));
    if (sums_so_far && !part.is_last) move(false, sums_, sums_so_far->columns, *sums_so_far);
    if (makes_statistics) move(false, statistics_, statistics_.columns, statistics);
    if (makes_values) move(false, from_part(output_), part.columns(), x);
    return task;
  }

  void add_launch(TaskBuilder& task, const std::string& name, const RowPartSpec& spec,
                  std::vector<LaunchStep::Register> registers, std::vector<KernelResult> results) const {
    const auto kernel = named(name, [&] { return plan_.kernels().row_part(spec, task.groups()); });
    LaunchStep step;
    step.name = name;
    step.mapping =
        fmt::format("{} PEs a lane group of rows, {} of {} columns", kernel->sharing, spec.columns, spec.row_columns);
    step.exchange_cycles = kernel->exchange_cycles;
    step.counts = {task.groups(), kernel->counts[0], kernel->counts[1], kernel->counts[2]};
    step.tail_count = task.tail_groups();
    step.registers = std::move(registers);
    step.results = std::move(results);
    if (!kernel->weights.empty()) {
      step.registers.push_back({row_part_register::constants, task.add_weights(kernel->weights), true});
    }
    step.kernel = kernel_of(kernel);
    task.add_launch(std::move(step));
  }

  const TaskPlanner& plan_;
  DramPlan& dram_;
  const std::string name_;
  const u32 layer_;
  const MatrixPlace &input_, &output_;
  const LongNorm* norm_ = nullptr;
  MatrixPlace statistics_, sums_;
  std::vector<Part> parts_;
  bool packed_ = false;
};

}  // namespace

Tasks long_norm(const TaskPlanner& plan, DramPlan& dram, const LongNorm& norm, const MatrixPlace& input,
                const MatrixPlace& output) {
  LongRows rows(plan, dram, norm.name, norm.layer, input, output, norm_column::count);
  rows.set_norm(norm);
  return rows.make({RowStep::sum, RowStep::squares, RowStep::scale});
}

LongSoftmax long_softmax(const TaskPlanner& plan, DramPlan& dram, const std::string& name, u32 layer,
                         const MatrixPlace& scores) {
  LongRows rows(plan, dram, name, layer, scores, scores, softmax_column::count);
  return {rows.make({RowStep::maximum, RowStep::exponent}), rows.statistics()};
}

}  // namespace bvp
