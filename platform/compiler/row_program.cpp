// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/row_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace bvp {

namespace {

/// When a buffer of a tile is in use, in operations; loads are there before the first, stores end after the last.
struct Lifetime {
  std::size_t begin = std::numeric_limits<std::size_t>::max(), end = 0;
  u64 columns = 0;
  u32 offset = 0;
  [[nodiscard]] bool overlaps(const Lifetime& other) const { return begin <= other.end && other.begin <= end; }
};

}  // namespace

// ---------------------------------------------------------------- building

RowProgram::Value RowProgram::add_value(u64 columns, u64 written) {
  values_.push_back({columns, written});
  in_dram_.emplace_back();
  return values_.size() - 1;
}

RowProgram::Value RowProgram::load(const MatrixPlace& place) {
  Operation operation;
  operation.kind = Operation::Kind::load;
  operation.layer = layer_;
  operation.place = place;
  operation.outputs = {add_value(place.columns, place.columns)};
  operations_.push_back(std::move(operation));
  return values_.size() - 1;
}

RowProgram::Value RowProgram::norm(const std::string& name, const Tensor& weight, const Tensor& bias, double epsilon,
                                   Value x) {
  Operation operation;
  operation.kind = Operation::Kind::norm;
  operation.layer = layer_;
  operation.name = name;
  operation.inputs = {x};
  operation.weight = &weight;
  operation.bias = &bias;
  operation.epsilon = epsilon;
  operation.outputs = {add_value(values_[x].columns, values_[x].columns)};
  operations_.push_back(std::move(operation));
  return values_.size() - 1;
}

RowProgram::Value RowProgram::linear(const LinearOperator& op, Value x, std::optional<Value> residual) {
  Operation operation;
  operation.kind = Operation::Kind::linear;
  operation.layer = layer_;
  operation.name = op.name;
  operation.inputs = {x};
  if (residual) operation.inputs.push_back(*residual);
  operation.linear = op;
  operation.outputs = {add_value(op.outputs, LinearShape(op.inputs, op.outputs, plan_.target().lanes).written())};
  operations_.push_back(std::move(operation));
  return values_.size() - 1;
}

std::pair<RowProgram::Value, RowProgram::Value> RowProgram::fft(const FftOperator& op, Value x) {
  Operation operation;
  operation.kind = Operation::Kind::fft;
  operation.layer = layer_;
  operation.name = op.name;
  operation.inputs = {x};
  operation.fft = op;
  const Value re = add_value(op.points, op.points), im = add_value(op.points, op.points);
  operation.outputs = {re, im};
  if (divide_into_stages(plan_.target(), log2_of(op.points), true).size() > 1) {
    operation.outputs.push_back(add_value(op.points, op.points));
    operation.outputs.push_back(add_value(op.points, op.points));
  }
  operations_.push_back(std::move(operation));
  return {re, im};
}

void RowProgram::store(Value x, const MatrixPlace& place) {
  Operation operation;
  operation.kind = Operation::Kind::store;
  operation.layer = layer_;
  operation.inputs = {x};
  operation.place = place;
  operations_.push_back(std::move(operation));
}

// ---------------------------------------------------------------- tiles

u64 RowProgram::span_read(const Operation& operation, std::size_t input) const {
  switch (operation.kind) {
    case Operation::Kind::linear: {
      const LinearShape shape(operation.linear.inputs, operation.linear.outputs, plan_.target().lanes);
      // A residual is added to all columns that are written, and those cut off must stay zero.
      return input == 0 ? shape.points : shape.written();
    }
    case Operation::Kind::fft:
      return operation.fft.points;
    case Operation::Kind::store:
      return plan_.padded(values_[operation.inputs[input]].columns);
    default:
      return values_[operation.inputs[input]].columns;
  }
}

bool RowProgram::may_overwrite(const Operation& operation) const {
  if (operation.kind == Operation::Kind::norm) return true;
  // Several stacks read the same input, so only a single one may overwrite it.
  return operation.kind == Operation::Kind::linear &&
         LinearShape(operation.linear.inputs, operation.linear.outputs, plan_.target().lanes).stacks == 1;
}

Plan::Make RowProgram::task_of(const std::vector<Operation>& operations) const {
  // Which values share a buffer, when it is in use, and the columns that have to be zero from the start.
  struct Buffer {
    Lifetime life;
    u64 first_extent = 0;  // columns that its first value's operator writes
  };
  std::vector<Buffer> buffers;
  std::vector<std::size_t> buffer_of(values_.size(), 0), last_use(values_.size(), 0);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    // Stores are done behind all launches.
    const bool store = operations[i].kind == Operation::Kind::store;
    for (const Value input : operations[i].inputs) {
      last_use[input] = std::max(last_use[input], store ? operations.size() : i);
    }
  }
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    for (std::size_t input = 0; input < operation.inputs.size(); ++input) {
      Buffer& buffer = buffers[buffer_of[operation.inputs[input]]];
      buffer.life.end = std::max(buffer.life.end, last_use[operation.inputs[input]]);
      buffer.life.columns = std::max(buffer.life.columns, span_read(operation, input));
    }
    for (std::size_t output = 0; output < operation.outputs.size(); ++output) {
      const Value value = operation.outputs[output];
      if (may_overwrite(operation) && last_use[operation.inputs.front()] == i &&
          std::count(operation.inputs.begin(), operation.inputs.end(), operation.inputs.front()) == 1) {
        buffer_of[value] = buffer_of[operation.inputs.front()];
      } else {
        buffer_of[value] = buffers.size();
        buffers.push_back({});
        buffers.back().life.begin = operation.kind == Operation::Kind::load ? 0 : i;
        buffers.back().first_extent =
            operation.kind == Operation::Kind::load ? operation.place.columns : values_[value].written;
      }
      Lifetime& life = buffers[buffer_of[value]].life;
      life.end = std::max(life.end, i);
      life.columns = std::max(life.columns, values_[value].written);
    }
  }
  for (Buffer& buffer : buffers) {
    if (buffer.life.columns > buffer.first_extent) buffer.life.begin = 0;  // zeroed before the launches
  }
  return [=](const Plan::Tiling& tiling, bool measuring) {
    const Operation& first = operations.front();
    const auto named = std::find_if(operations.begin(), operations.end(),
                                    [](const Operation& operation) { return !operation.name.empty(); });
    const auto last_named = std::find_if(operations.rbegin(), operations.rend(),
                                         [](const Operation& operation) { return !operation.name.empty(); });
    std::string name = named == operations.end() ? "copy" : named->name;
    if (named != operations.end() && last_named->name != name) name += " .. " + last_named->name;
    TaskBuilder task(plan_.target(), name, first.layer, tiling.tiles, tiling.rows, tiling.tail_rows, measuring);
    // First fit, in the order of creation.
    std::vector<Lifetime> placed;
    for (const Buffer& buffer : buffers) {
      Lifetime life = buffer.life;
      const u32 size = task.buffer_size(life.columns);
      life.offset = 0;
      for (bool moved = true; moved;) {
        moved = false;
        for (const Lifetime& other : placed) {
          const u32 other_size = task.buffer_size(other.columns);
          if (life.overlaps(other) && life.offset < other.offset + other_size && other.offset < life.offset + size) {
            life.offset = other.offset + other_size;
            moved = true;
          }
        }
      }
      placed.push_back(life);
    }
    std::vector<TileBuffer> buffer_of_value(values_.size());
    for (std::size_t value = 0; value < values_.size(); ++value) {
      if (buffers.empty()) break;
      const Lifetime& life = placed[buffer_of[value]];
      buffer_of_value[value] = task.buffer_at(life.offset, life.columns);
    }
    for (const Operation& operation : operations) {
      if (operation.kind != Operation::Kind::load) continue;
      const TileBuffer& buffer = buffer_of_value[operation.outputs.front()];
      task.load(operation.place, plan_.padded(operation.place.columns), buffer, tiling.rows, true,
                {static_cast<i64>(operation.place.pitch) * tiling.rows, 0, 0});
    }
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      task.zero_columns(task.buffer_at(placed[i].offset, placed[i].columns), buffers[i].first_extent,
                        placed[i].columns);
    }
    for (const Operation& operation : operations) emit(task, operation, buffer_of_value);
    return task;
  };
}

void RowProgram::emit(TaskBuilder& task, const Operation& operation, const std::vector<TileBuffer>& buffer_of) const {
  const CompilerTarget& target = plan_.target();
  task.set_layer(operation.layer);
  const auto input = [&](std::size_t index) { return buffer_of[operation.inputs[index]]; };
  const auto output = [&](std::size_t index) { return buffer_of[operation.outputs[index]]; };
  switch (operation.kind) {
    case Operation::Kind::load:
      break;
    case Operation::Kind::norm:
      add_layer_norm(task, target, operation.name, *operation.weight, *operation.bias, operation.epsilon, input(0),
                     output(0));
      break;
    case Operation::Kind::linear: {
      LinearOperator op = operation.linear;
      if (operation.inputs.size() > 1) op.residual = input(1);
      add_butterfly_linear(task, target, op, input(0), output(0));
      break;
    }
    case Operation::Kind::fft: {
      FftOperator op = operation.fft;
      op.groups = task.groups();
      op.tail_groups = task.tail_groups();
      const bool stages = operation.outputs.size() > 2;
      add_fft(task, target, op, input(0), input(0), output(stages ? 2 : 0), output(stages ? 3 : 1), output(0),
              output(1));
      break;
    }
    case Operation::Kind::store:
      task.store(operation.place, plan_.padded(operation.place.columns), input(0), task.rows(), true,
                 {static_cast<i64>(operation.place.pitch) * task.rows(), 0, 0});
      break;
  }
}

// ---------------------------------------------------------------- cutting

std::vector<RowProgram::Operation> RowProgram::part(std::size_t first, std::size_t end) {
  std::vector<Operation> result;
  std::vector<bool> made(values_.size(), false);
  for (std::size_t i = first; i < end; ++i) {
    const Operation& operation = operations_[i];
    for (const Value input : operation.inputs) {
      if (made[input]) continue;
      // Made by an earlier part; what is only there to be loaded is loaded again.
      made[input] = true;
      Operation load;
      load.kind = Operation::Kind::load;
      load.layer = operation.layer;
      load.outputs = {input};
      const auto maker = std::find_if(operations_.begin(), operations_.end(), [&](const Operation& other) {
        return std::count(other.outputs.begin(), other.outputs.end(), input) != 0;
      });
      if (maker->kind == Operation::Kind::load) {
        load.place = maker->place;
      } else {
        if (!in_dram_[input]) in_dram_[input] = plan_.matrix(rows_, values_[input].columns);
        load.place = *in_dram_[input];
      }
      result.push_back(std::move(load));
    }
    if (operation.kind == Operation::Kind::load) continue;  // when it is needed
    for (const Value output : operation.outputs) made[output] = true;
    result.push_back(operation);
  }
  for (std::size_t i = first; i < end; ++i) {
    if (operations_[i].kind == Operation::Kind::load) continue;
    for (const Value output : operations_[i].outputs) {
      const bool needed = std::any_of(
          operations_.begin() + static_cast<std::ptrdiff_t>(end), operations_.end(),
          [&](const Operation& later) { return std::count(later.inputs.begin(), later.inputs.end(), output) != 0; });
      if (!needed) continue;
      if (!in_dram_[output]) in_dram_[output] = plan_.matrix(rows_, values_[output].columns);
      Operation store;
      store.kind = Operation::Kind::store;
      store.layer = operations_[i].layer;
      store.inputs = {output};
      store.place = *in_dram_[output];
      result.push_back(std::move(store));
    }
  }
  return result;
}

bool RowProgram::part_fits(std::size_t first, std::size_t end) {
  const std::vector<Operation> operations = part(first, end);
  if (operations.empty()) return true;
  return plan_.fits(task_of(operations)(plan_.tiling(rows_, 1, {1, 1}), true));
}

void RowProgram::flush() {
  for (std::size_t first = 0; first < operations_.size();) {
    std::size_t end = first + 1;
    const auto is_work = [&](std::size_t i) {
      return operations_[i].kind != Operation::Kind::load && operations_[i].kind != Operation::Kind::store;
    };
    // Loads before an operator and stores behind it go with it.
    const auto extend = [&](std::size_t from) {
      while (from < operations_.size() && !is_work(from)) ++from;
      if (from < operations_.size()) ++from;
      while (from < operations_.size() && operations_[from].kind == Operation::Kind::store) ++from;
      return from;
    };
    end = extend(first);
    while (fuse_ && end < operations_.size() && part_fits(first, extend(end))) end = extend(end);
    const std::vector<Operation> operations = part(first, end);
    if (!operations.empty()) plan_.add_row_task(rows_, {1, 1}, task_of(operations));
    first = end;
  }
  operations_.clear();
  values_.clear();
  in_dram_.clear();
}

}  // namespace bvp
