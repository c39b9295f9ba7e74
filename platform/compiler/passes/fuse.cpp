// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/passes/fuse.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "platform/compiler/lowering/long_butterfly.h"
#include "platform/compiler/lowering/long_rows.h"
#include "platform/compiler/lowering/transpose.h"

namespace bvp {

// ---------------------------------------------------------------- building

RowProgram::Value RowProgram::add_value(const Matrix& matrix) {
  values_.push_back(matrix);
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

RowProgram::Value RowProgram::load(const ResidentMatrix& matrix) {
  MatrixPlace place;
  place.columns = matrix.columns;
  const Value value = load(place);
  operations_.back().resident = matrix;
  return value;
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
  operation.linear.block_layers = block_layers(op, residual.has_value());
  const LinearShape shape = operation.linear.shape(plan_.target().lanes);
  operation.outputs = {add_value({op.outputs, shape.written(), shape.worked()})};
  operations_.push_back(std::move(operation));
  return values_.size() - 1;
}

unsigned RowProgram::block_layers(const LinearOperator& op, bool residual) const {
  const LinearShape whole(op.inputs, op.outputs, plan_.target().lanes);
  if (!plan_.target().pruning || (op.activation && residual)) return 0;
  unsigned most = 0;
  while (most < most_block_layers && whole.points >> (most + 1) >= std::max<u64>(plan_.target().lanes, 2)) ++most;
  Shape shape("block layers");
  shape.add(rows_, op.inputs, op.outputs, residual).add_if(op.activation);
  shape.add_list(op.paying_layers(0, log2_of(whole.points)));
  return plan_.once(plan_.decisions().block_layers, shape, [&] {
    unsigned best = 0;
    std::optional<u64> least;
    for (unsigned layers = 1; layers <= most; ++layers) {
      const LinearShape in_blocks(op.inputs, op.outputs, plan_.target().lanes, layers);
      const u64 all = u64{1} << layers;
      if (in_blocks.blocks == all && in_blocks.kept == all) continue;  // there is nothing to leave out
      if (!least) least = cycles_with(op, 0, residual);
      const u64 cycles = cycles_with(op, layers, residual);
      if (cycles < *least) best = layers;
      least = std::min(*least, cycles);
    }
    return best;
  });
}

u64 RowProgram::cycles_with(LinearOperator op, unsigned block_layers, bool residual) const {
  // Tiles of operators in butterfly form rarely have more lane groups.
  const auto rows = static_cast<u32>(std::min<u64>(rows_, u64{4} * plan_.target().lanes));
  op.block_layers = block_layers;
  const LinearShape shape = op.shape(plan_.target().lanes);
  TaskBuilder task(plan_.target(), op.name, layer_, {1, 1, 1}, rows, rows);
  const u64 columns = std::max(shape.read(), shape.worked());
  const auto buffer = [&](u32 number) {
    return for_columns(plan_.target(), task.buffer_at(number * task.buffer_size(columns), columns));
  };
  if (residual) op.residual = buffer(2);
  try {
    add_butterfly_linear(task, plan_.kernels(), op, buffer(0), buffer(1));
  } catch (const CompileError&) {
    return std::numeric_limits<u64>::max();  // no kernel; whoever takes this form learns why
  }
  // Where tiles are small, the firmware's commands are not hidden.
  const double commanding = static_cast<double>(task.launches().size()) * plan_.target().firmware.command_cycles;
  return plan_.cycles(task) + static_cast<u64>(commanding);
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
  if (divide_into_stages(plan_.target(), log2_of(op.points), LayerNeeds::of_fft(), log2_of(op.points)).size() > 1) {
    operation.outputs.push_back(add_value(op.points, op.points));
    operation.outputs.push_back(add_value(op.points, op.points));
  }
  operations_.push_back(std::move(operation));
  return {re, im};
}

RowProgram::Value RowProgram::scaled_sum(const std::string& name, u16 factor, Value s, Value x) {
  Operation operation;
  operation.kind = Operation::Kind::scaled_sum;
  operation.layer = layer_;
  operation.name = name;
  operation.inputs = {x, s};
  operation.factor = factor;
  operation.outputs = {add_value(values_[x].columns, values_[x].columns)};
  operations_.push_back(std::move(operation));
  return values_.size() - 1;
}

void RowProgram::store(Value x, const MatrixPlace& place) {
  Operation operation;
  operation.kind = Operation::Kind::store;
  operation.layer = layer_;
  operation.inputs = {x};
  operation.place = place;
  operations_.push_back(std::move(operation));
}

void RowProgram::keep(Value x, const ResidentMatrix& matrix, u64 resident_bytes) {
  store(x, {});
  operations_.back().resident = matrix;
  operations_.back().resident_bytes = resident_bytes;
}

// ---------------------------------------------------------------- tiles

u64 RowProgram::span_used(const std::vector<Operation>& operations, Value value) const {
  u64 span = 0;
  for (const Operation& operation : operations) {
    for (std::size_t input = 0; input < operation.inputs.size(); ++input) {
      if (operation.inputs[input] != value) continue;
      span = std::max(span, span_read(operations, operation, input));
      // A norm and a sum may leave their result in the same buffer, where they write no other columns.
      if (operation.kind == Operation::Kind::norm || operation.kind == Operation::Kind::scaled_sum) {
        span = std::max(span, span_used(operations, operation.outputs.front()));
      }
    }
  }
  return span;
}

u64 RowProgram::span_read(const std::vector<Operation>& operations, const Operation& operation,
                          std::size_t input) const {
  switch (operation.kind) {
    case Operation::Kind::linear: {
      const LinearShape shape = operation.linear.shape(plan_.target().lanes);
      if (input == 0) return shape.read();
      // A residual is added to all columns that are written. Those that are cut off must stay zero as far as they are
      // read.
      if (!plan_.target().pruning) return shape.written();
      const u64 used = span_used(operations, operation.outputs.front());
      return std::min(shape.written(), plan_.padded(std::max(operation.linear.outputs, used)));
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
  if (operation.kind == Operation::Kind::norm || operation.kind == Operation::Kind::scaled_sum) return true;
  // Several stacks read the same input, so only an operator with a single stack may overwrite it.
  return operation.kind == Operation::Kind::linear && operation.linear.shape(plan_.target().lanes).stacks == 1;
}

u64 RowProgram::written(const Operation& operation, Value value) const {
  return operation.kind == Operation::Kind::load ? operation.place.columns : values_[value].written;
}

RowProgram::Residents RowProgram::residents(const std::vector<Operation>& operations) const {
  Residents result;
  result.of.resize(values_.size());
  for (const Operation& operation : operations) {
    if (!operation.resident) continue;
    const bool load = operation.kind == Operation::Kind::load;
    result.of[load ? operation.outputs.front() : operation.inputs.front()] = operation.resident;
    result.bytes = std::max(result.bytes, operation.resident_bytes);
  }
  return result;
}

std::vector<std::size_t> RowProgram::last_uses(const std::vector<Operation>& operations) const {
  std::vector<std::size_t> last(values_.size(), 0);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    // Stores happen after all launches.
    const bool store = operations[i].kind == Operation::Kind::store;
    for (const Value input : operations[i].inputs) last[input] = std::max(last[input], store ? operations.size() : i);
  }
  return last;
}

bool RowProgram::overwrites(const std::vector<Operation>& operations, std::size_t index, const Residents& resident,
                            const std::vector<std::size_t>& last_use) const {
  const Operation& operation = operations[index];
  return may_overwrite(operation) && !resident.of[operation.inputs.front()] &&
         last_use[operation.inputs.front()] == index &&
         std::count(operation.inputs.begin(), operation.inputs.end(), operation.inputs.front()) == 1;
}

RowProgram::BufferPlan RowProgram::plan_buffers(const std::vector<Operation>& operations,
                                                const Residents& resident) const {
  BufferPlan plan;
  plan.of.resize(values_.size(), 0);
  const std::vector<std::size_t> last_use = last_uses(operations);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    for (std::size_t input = 0; input < operation.inputs.size(); ++input) {
      if (resident.of[operation.inputs[input]]) continue;
      Buffer& buffer = plan.buffers[plan.of[operation.inputs[input]]];
      buffer.life.end = std::max(buffer.life.end, last_use[operation.inputs[input]]);
      buffer.read_extent = std::max(buffer.read_extent, span_read(operations, operation, input));
      buffer.life.columns = std::max(buffer.life.columns, buffer.read_extent);
    }
    for (const Value value : operation.outputs) {
      if (resident.of[value]) continue;
      if (overwrites(operations, i, resident, last_use)) {
        plan.of[value] = plan.of[operation.inputs.front()];
      } else {
        const bool loaded = operation.kind == Operation::Kind::load;
        plan.of[value] = plan.buffers.size();
        plan.buffers.push_back({{}, loaded, written(operation, value), 0});
        plan.buffers.back().life.begin = loaded ? 0 : i;
      }
      Lifetime& life = plan.buffers[plan.of[value]].life;
      life.end = std::max(life.end, i);
      life.columns = std::max({life.columns, written(operation, value), values_[value].worked});
    }
  }
  for (Buffer& buffer : plan.buffers) {
    if (buffer.read_extent > buffer.first_extent) buffer.life.begin = 0;  // zeroed before the launches
  }
  return plan;
}

std::string RowProgram::name_of(const std::vector<Operation>& operations) {
  const auto is_named = [](const Operation& operation) { return !operation.name.empty(); };
  const auto first = std::find_if(operations.begin(), operations.end(), is_named);
  const auto last = std::find_if(operations.rbegin(), operations.rend(), is_named);
  if (first == operations.end()) return "copy";
  return first->name == last->name ? first->name : first->name + " .. " + last->name;
}

void RowProgram::place(std::vector<Buffer>& buffers, const TaskBuilder& task) {
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    Lifetime& life = buffers[i].life;
    const u32 size = task.buffer_size(life.columns);
    life.offset = 0;
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t j = 0; j < i; ++j) {
        const Lifetime& other = buffers[j].life;
        const u32 other_size = task.buffer_size(other.columns);
        if (life.overlaps(other) && life.offset < other.offset + other_size && other.offset < life.offset + size) {
          life.offset = other.offset + other_size;
          moved = true;
        }
      }
    }
  }
}

std::vector<TileBuffer> RowProgram::buffers_of_values(TaskBuilder& task, const Tiling& tiling,
                                                      const Residents& resident, const BufferPlan& plan) const {
  std::vector<TileBuffer> buffers(values_.size());
  for (std::size_t value = 0; value < values_.size(); ++value) {
    if (const auto& matrix = resident.of[value]) {
      const i64 tile_bytes = i64{tiling.rows} * matrix->layout.row_bytes();
      buffers[value] = {matrix->offset, static_cast<u32>(matrix->columns), matrix->layout, true, {tile_bytes, 0, 0}};
      // Launches of the last tile may write all rows of a full one.
      const bool beyond = plan_.padded(tiling.rows) * tiling.tiles[0] > matrix->layout.rows;
      task.set_resident_bytes(beyond ? plan_.half_bytes() + 1 : resident.bytes);
      continue;
    }
    if (plan.buffers.empty()) continue;
    const Lifetime& life = plan.buffers[plan.of[value]].life;
    buffers[value] = task.buffer_at(life.offset, life.columns);
  }
  return buffers;
}

TaskBuilder RowProgram::build_task(const std::vector<Operation>& operations, const Tiling& tiling,
                                   const Residents& resident, BufferPlan plan) const {
  TaskBuilder task(plan_.target(), name_of(operations), operations.front().layer, tiling.tiles, tiling.rows,
                   tiling.tail_rows);
  place(plan.buffers, task);
  const std::vector<TileBuffer> buffers = buffers_of_values(task, tiling, resident, plan);
  for (const Operation& operation : operations) {
    if (operation.kind != Operation::Kind::load || operation.resident) continue;
    task.load(operation.place, plan_.padded(operation.place.columns), buffers[operation.outputs.front()], tiling.rows,
              true, {static_cast<i64>(operation.place.pitch) * tiling.rows, 0, 0});
  }
  for (const Buffer& planned : plan.buffers) {
    // A matrix that is loaded is transposed after it has been padded with zeros.
    const TileBuffer buffer = task.buffer_at(planned.life.offset, planned.life.columns);
    task.zero_columns(planned.loaded ? buffer : for_columns(plan_.target(), buffer), planned.first_extent,
                      std::max(planned.first_extent, planned.read_extent));
  }
  for (const Operation& operation : operations) {
    if (operation.kind != Operation::Kind::linear || operation.inputs.size() < 2) continue;
    task.read_up_to(buffers[operation.inputs[1]].offset +
                    u64{task.buffer_size(values_[operation.outputs.front()].written)});
  }
  for (const Operation& operation : operations) emit(task, operation, buffers, operations);
  add_transposes_back(task, operations, buffers);
  return task;
}

TaskPlanner::Make RowProgram::task_of(const std::vector<Operation>& operations) const {
  const Residents resident = residents(operations);
  const BufferPlan plan = plan_buffers(operations, resident);
  return [=](const Tiling& tiling) { return build_task(operations, tiling, resident, plan); };
}

const RowProgram::Operation* RowProgram::user_of(Value value, const std::vector<Operation>& operations) {
  const auto user = std::find_if(operations.begin(), operations.end(), [&](const Operation& operation) {
    return operation.kind != Operation::Kind::store &&
           std::count(operation.inputs.begin(), operation.inputs.end(), value) != 0;
  });
  return user == operations.end() ? nullptr : &*user;
}

void RowProgram::add_transposes_back(TaskBuilder& task, const std::vector<Operation>& operations,
                                     const std::vector<TileBuffer>& buffer_of) const {
  // The values are transposed at the end, because other operators may read them before.
  std::vector<bool> done(values_.size(), false);
  for (const Operation& operation : operations) {
    if (operation.kind != Operation::Kind::store || operation.resident || done[operation.inputs.front()]) continue;
    const Value value = operation.inputs.front();
    done[value] = true;
    const auto maker = std::find_if(operations.begin(), operations.end(), [&](const Operation& other) {
      return std::count(other.outputs.begin(), other.outputs.end(), value) != 0;
    });
    const Operation* const owner = maker->kind == Operation::Kind::load ? user_of(value, operations) : &*maker;
    if (owner == nullptr) continue;  // only loaded and stored
    task.set_layer(operation.layer);
    const bool imaginary = owner->kind == Operation::Kind::fft && owner->outputs.front() != value;
    add_transpose(task, plan_.kernels(),
                  fmt::format("{}.transpose_output{}", owner->name, imaginary ? "_imaginary" : ""), buffer_of[value],
                  values_[value].columns, true);
  }
}

void RowProgram::emit(TaskBuilder& task, const Operation& operation, const std::vector<TileBuffer>& buffer_of,
                      const std::vector<Operation>& operations) const {
  const CompilerTarget& target = plan_.target();
  task.set_layer(operation.layer);
  const auto input = [&](std::size_t index) { return for_columns(target, buffer_of[operation.inputs[index]]); };
  const auto output = [&](std::size_t index) { return for_columns(target, buffer_of[operation.outputs[index]]); };
  switch (operation.kind) {
    case Operation::Kind::load:
      if (const Operation* const user = user_of(operation.outputs.front(), operations)) {
        task.set_layer(user->layer);
        const char* const what = user->inputs.front() == operation.outputs.front() ? "input" : "residual";
        add_transpose(task, plan_.kernels(), fmt::format("{}.transpose_{}", user->name, what),
                      buffer_of[operation.outputs.front()], operation.place.columns, true);
      }
      break;
    case Operation::Kind::norm:
      add_layer_norm(task, plan_.kernels(), operation.name, *operation.weight, *operation.bias, operation.epsilon,
                     input(0), output(0));
      break;
    case Operation::Kind::linear: {
      LinearOperator op = operation.linear;
      if (operation.inputs.size() > 1) op.residual = input(1);
      add_butterfly_linear(task, plan_.kernels(), op, input(0), output(0));
      break;
    }
    case Operation::Kind::fft: {
      FftOperator op = operation.fft;
      op.groups = task.groups();
      op.tail_groups = task.tail_groups();
      const bool stages = operation.outputs.size() > 2;
      add_fft(task, plan_.kernels(), op, input(0), input(0), output(stages ? 2 : 0), output(stages ? 3 : 1), output(0),
              output(1));
      break;
    }
    case Operation::Kind::scaled_sum:
      add_scaled_sum(task, plan_.kernels(), operation.name, values_[operation.outputs.front()].columns,
                     operation.factor, input(1), input(0), output(0));
      break;
    case Operation::Kind::store:
      if (operation.resident) break;
      task.store(operation.place, plan_.padded(operation.place.columns), buffer_of[operation.inputs.front()],
                 task.rows(), true, {static_cast<i64>(operation.place.pitch) * task.rows(), 0, 0});
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
        load.resident = maker->resident;
      } else {
        if (!in_dram_[input]) in_dram_[input] = dram_.matrix(rows_, values_[input].columns);
        load.place = *in_dram_[input];
      }
      result.push_back(std::move(load));
    }
    if (operation.kind == Operation::Kind::load) continue;  // a load is done when an operation needs it
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
      if (!in_dram_[output]) in_dram_[output] = dram_.matrix(rows_, values_[output].columns);
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

bool RowProgram::fits(const std::vector<Operation>& operations) const {
  if (operations.empty()) return true;
  try {
    return plan_.fits(task_of(operations)(plan_.tiling(rows_, 1, {1, 1})));
  } catch (const CompileError&) {
    // The steps of a long layer norm are smaller kernels; other operators have no smaller kernels.
    const bool norm = std::any_of(operations.begin(), operations.end(),
                                  [](const Operation& operation) { return operation.kind == Operation::Kind::norm; });
    if (!norm) throw;
    return false;
  }
}

std::vector<TaskPlanner::RowPart> RowProgram::divide() {
  std::vector<TaskPlanner::RowPart> parts;
  for (std::size_t first = 0; first < operations_.size();) {
    const auto is_work = [&](std::size_t i) {
      return operations_[i].kind != Operation::Kind::load && operations_[i].kind != Operation::Kind::store;
    };
    // An operator keeps the loads before it and the stores after it.
    const auto extend = [&](std::size_t from) {
      while (from < operations_.size() && !is_work(from)) ++from;
      if (from < operations_.size()) ++from;
      while (from < operations_.size() && operations_[from].kind == Operation::Kind::store) ++from;
      return from;
    };
    TaskPlanner::RowPart found{extend(first), {}, false};
    std::vector<Operation> operations = part(first, found.end);
    if (fits(operations)) {
      while (fuse_ && found.end < operations_.size()) {
        std::vector<Operation> more = part(first, extend(found.end));
        if (!fits(more)) break;
        operations = std::move(more);
        found.end = extend(found.end);
      }
      found.empty = operations.empty();
      if (!found.empty) {
        const TaskPlanner::Make make = task_of(operations);
        const auto tiling = plan_.choose_tiling(rows_, {1, 1}, shape().add(first, found.end), make);
        if (!tiling) throw plan_.does_not_fit(make(plan_.tiling(rows_, 1, {1, 1})));
        found.tiling = tiling->choice;
      }
    } else if (std::any_of(operations.begin(), operations.end(),
                           [](const Operation& operation) { return operation.resident.has_value(); })) {
      throw ScratchpadError("there is no room for matrices that stay in the scratchpad");
    }
    first = found.end;
    parts.push_back(found);
  }
  return parts;
}

Shape RowProgram::shape() const {
  Shape shape("rows");
  shape.add(rows_, fuse_);
  for (const Operation& operation : operations_) {
    shape.add(operation.kind).add_list(operation.inputs).add_list(operation.outputs);
    shape.add(operation.place.columns, operation.place.pitch);
    shape.add(operation.linear.inputs, operation.linear.outputs).add_if(operation.linear.activation);
    const std::shared_ptr<const NormalButterfly>& normal = operation.linear.normal;
    shape.add_list(operation.linear.paying_layers(0, normal == nullptr ? 0 : normal->factors()));
    shape.add(operation.fft.points, operation.fft.ortho);
    shape.add(operation.resident ? operation.resident->offset + 1 : 0, operation.resident_bytes);
    shape.add(operation.weight == nullptr ? 0 : operation.weight->shape.back());
  }
  return shape;
}

Tasks RowProgram::flush() {
  Tasks tasks;
  std::size_t first = 0;
  for (const TaskPlanner::RowPart& found : plan_.once(plan_.decisions().row_parts, shape(), [&] { return divide(); })) {
    const std::vector<Operation> operations = part(first, found.end);
    if (found.tiling) {
      tasks.push_back(task_of(operations)(*found.tiling));
    } else if (!found.empty) {
      append(tasks, long_tasks(operations));
    }
    first = found.end;
  }
  clear();
  return tasks;
}

void RowProgram::clear() {
  operations_.clear();
  values_.clear();
  in_dram_.clear();
}

// ---------------------------------------------------------------- long rows

u64 RowProgram::written_by_passes(const Operation& operation, Value value) const {
  if (operation.kind != Operation::Kind::linear) return values_[value].written;
  return LinearShape(operation.linear.inputs, operation.linear.outputs, plan_.target().lanes).written();
}

Tasks RowProgram::long_tasks(const std::vector<Operation>& operations) {
  Tasks tasks;
  const auto work = std::find_if(operations.begin(), operations.end(), [](const Operation& operation) {
    return operation.kind != Operation::Kind::load && operation.kind != Operation::Kind::store;
  });
  const auto loaded = [&](Value value) {
    return std::find_if(operations.begin(), operations.end(),
                        [&](const Operation& operation) {
                          return operation.kind == Operation::Kind::load && operation.outputs.front() == value;
                        })
        ->place;
  };
  const auto is_result = [&](Value value) {
    return work != operations.end() && std::count(work->outputs.begin(), work->outputs.end(), value) != 0;
  };
  for (const Operation& operation : operations) {
    if (operation.kind != Operation::Kind::store || is_result(operation.inputs.front())) continue;
    const MatrixPlace from = loaded(operation.inputs.front());
    tasks.push_back(copy_task(plan_.target(), "copy", operation.layer, from, from.columns, operation.place, 0));
  }
  if (work == operations.end()) return tasks;
  // An output is written to the place of its first store if that has room for all columns that are written.
  const auto result_of = [&](Value value) {
    const u64 written = written_by_passes(*work, value), pitch = written * 2;
    for (const Operation& operation : operations) {
      if (operation.kind == Operation::Kind::store && operation.inputs.front() == value &&
          operation.place.pitch >= pitch) {
        return operation.place;
      }
    }
    MatrixPlace place = dram_.matrix(rows_, written);
    place.columns = values_[value].columns;
    return place;
  };
  std::vector<MatrixPlace> results;
  for (std::size_t i = 0; i < std::min<std::size_t>(2, work->outputs.size()); ++i) {
    results.push_back(result_of(work->outputs[i]));
  }
  const MatrixPlace x = loaded(work->inputs.front());
  if (work->kind == Operation::Kind::linear) {
    std::optional<MatrixPlace> residual;
    if (work->inputs.size() > 1) residual = loaded(work->inputs[1]);
    append(tasks, long_linear(*work, x, residual, results[0]));
  } else if (work->kind == Operation::Kind::norm) {
    append(tasks,
           long_norm(plan_, dram_, {work->name, work->layer, work->weight, work->bias, work->epsilon}, x, results[0]));
  } else {
    append(tasks, long_fft_tasks(*work, x, results[0], results[1]));
  }
  for (const Operation& operation : operations) {
    if (operation.kind != Operation::Kind::store) continue;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (operation.inputs.front() != work->outputs[i] || operation.place.address == results[i].address) continue;
      tasks.push_back(copy_task(plan_.target(), work->name + ".copy", work->layer, results[i], operation.place.columns,
                                operation.place, 0));
    }
  }
  return tasks;
}

MatrixPlace RowProgram::zero_padded(Tasks& tasks, const Operation& operation, const MatrixPlace& place, u64 columns) {
  if (place.columns == columns) return place;
  const MatrixPlace padded = dram_.matrix(rows_, columns);
  tasks.push_back(
      copy_task(plan_.target(), operation.name + ".pad", operation.layer, place, place.columns, padded, columns));
  return padded;
}

Tasks RowProgram::long_linear(const Operation& operation, const MatrixPlace& x,
                              const std::optional<MatrixPlace>& residual, const MatrixPlace& output) {
  Tasks tasks;
  const LinearOperator& op = operation.linear;
  const LinearShape shape(op.inputs, op.outputs, plan_.target().lanes);
  if (shape.stacks > 1) {
    if (auto apart = stacks_apart(operation, x, residual, output)) return std::move(*apart);
  }
  LongButterfly butterfly;
  butterfly.name = op.name;
  butterfly.layer = operation.layer;
  butterfly.index_bits = log2_of(shape.points);
  butterfly.others = rows_;
  for (unsigned k = 0; k < butterfly.index_bits; ++k) butterfly.layer_bits.push_back(k);
  butterfly.activation = op.activation;
  butterfly.normal = op.normal != nullptr;
  butterfly.pays = op.paying_layers(0, butterfly.index_bits);
  LongButterflyPlaces places;
  places.input_re = zero_padded(tasks, operation, x, shape.points);
  std::optional<MatrixPlace> padded_residual;
  if (residual) padded_residual = zero_padded(tasks, operation, *residual, shape.written());
  for (u32 stack = 0; stack < shape.stacks; ++stack) {
    butterfly.weights = [=](unsigned layer, u32 index) { return twiddle_of(op, shape, stack, layer, index); };
    butterfly.bias = [=](u32 index) { return bias_of(op, shape, stack, index); };
    butterfly.output_scale = [=](u32 index) { return scale_of(op, shape, stack, index); };
    const auto part_of = [&](MatrixPlace place) {
      place.address += stack * shape.points * 2;
      return place;
    };
    places.output_re = part_of(output);
    if (padded_residual) places.residual = part_of(*padded_residual);
    append(tasks, long_butterfly(plan_, dram_, butterfly, places));
  }
  return tasks;
}

std::optional<Tasks> RowProgram::stacks_apart(const Operation& operation, const MatrixPlace& x,
                                              const std::optional<MatrixPlace>& residual, const MatrixPlace& output) {
  const LinearShape shape(operation.linear.inputs, operation.linear.outputs, plan_.target().lanes);
  // Whole panels, so that the parts can be stored side by side.
  const u64 step = std::max<u64>(1, plan_.target().lanes / shape.points);
  const auto part_of = [&](MatrixPlace place, u64 first, u64 columns) {
    place.address += first * shape.points * 2;
    place.columns = columns;
    return place;
  };
  const auto program_of = [&](u64 first, u64 stacks) {
    const u64 columns = std::min(stacks * shape.points, shape.outputs - first * shape.points);
    auto result = std::make_unique<RowProgram>(plan_, dram_, rows_, true);
    RowProgram& program = *result;
    program.set_layer(operation.layer);
    LinearOperator op = operation.linear;
    op.first_stack = static_cast<u32>(first);
    op.outputs = columns;
    const Value input = program.load(x);
    std::optional<Value> added;
    if (residual) added = program.load(part_of(*residual, first, columns));
    program.store(program.linear(op, input, added), part_of(output, first, columns));
    return result;
  };
  const auto make_of = [](RowProgram& program) { return program.task_of(program.part(0, program.operations_.size())); };
  const auto fitting = [&](u64 stacks) {
    const auto program = program_of(0, stacks);
    return plan_.fits(make_of(*program)(plan_.tiling(rows_, 1, {1, 1})));
  };
  if (!fitting(step)) return std::nullopt;
  Tasks tasks;
  u64 stacks = step;
  while (stacks * 2 < shape.stacks && fitting(stacks * 2)) stacks *= 2;
  for (u64 first = 0; first < shape.stacks; first += stacks) {
    if (first * shape.points >= shape.outputs) break;
    const auto program = program_of(first, stacks);
    tasks.push_back(plan_.best_task(rows_, {1, 1}, program->shape(), make_of(*program)));
  }
  return tasks;
}

Tasks RowProgram::long_fft_tasks(const Operation& operation, const MatrixPlace& x, const MatrixPlace& re,
                                 const MatrixPlace& im) {
  Tasks tasks;
  LongButterfly butterfly =
      long_fft(plan_.target(), operation.name, log2_of(operation.fft.points), operation.fft.ortho);
  if (operation.fft.scale) butterfly.scale = operation.fft.scale;
  butterfly.layer = operation.layer;
  butterfly.others = rows_;
  butterfly.real_input = true;
  LongButterflyPlaces places;
  places.input_re = places.input_im = zero_padded(tasks, operation, x, operation.fft.points);
  places.output_re = re;
  places.output_im = im;
  append(tasks, long_butterfly(plan_, dram_, butterfly, places));
  return tasks;
}

}  // namespace bvp
