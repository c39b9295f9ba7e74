// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/ir/task_builder.h"

#include <algorithm>
#include <utility>

#include "platform/compiler/cost/cost.h"

namespace bvp {

TaskBuilder::TaskBuilder(const CompilerTarget& target, std::string name, u32 layer, std::array<u32, 3> tiles, u32 rows,
                         u32 tail_rows)
    : target_(&target),
      name_(std::move(name)),
      first_layer_(layer),
      layer_(layer),
      tiles_(tiles),
      rows_(rows),
      tail_rows_(tail_rows) {}

TileBuffer TaskBuilder::buffer(u64 columns, u32 rows) { return buffer_at(buffer_bytes_, columns, rows); }

TileBuffer TaskBuilder::buffer_at(u32 offset, u64 columns, u32 rows) {
  const u32 lanes = target_->lanes;
  TileBuffer buffer;
  const u32 count = rows == 0 ? rows_ : rows;
  buffer.layout = {lanes, packed_ ? count : (count + lanes - 1) / lanes * lanes};
  buffer.columns = buffer.layout.panels(columns) * lanes;
  buffer.offset = offset;
  buffer_bytes_ = std::max(buffer_bytes_, offset + buffer.layout.bytes(columns));
  return buffer;
}

TileBuffer TaskBuilder::column_buffer(u64 columns, u32 rows) {
  if (!packed_) {
    TileBuffer result = buffer(columns, rows);
    result.layout.transposed = !target_->column_access;
    return result;
  }
  TileBuffer result;
  result.layout = {target_->lanes, target_->lanes, true};
  result.columns = static_cast<u32>(columns);
  result.offset = buffer_bytes_;
  buffer_bytes_ += result.columns * result.layout.row_bytes();
  return result;
}

u32 TaskBuilder::buffer_size(u64 columns, u32 rows) const {
  const u32 lanes = target_->lanes;
  return PanelLayout{lanes, ((rows == 0 ? rows_ : rows) + lanes - 1) / lanes * lanes}.bytes(columns);
}

namespace {

u64 bytes_of(const DmaDescriptor& descriptor) {
  return u64{descriptor.length} * descriptor.count[0] * descriptor.count[1] * descriptor.count[2];
}

/// Bytes at consecutive addresses.
u64 run_of(const DmaDescriptor& descriptor, const std::array<i32, 3>& stride) {
  u64 run = descriptor.length;
  for (std::size_t i = 0; i < 3 && (descriptor.count[i] == 1 || stride[i] == static_cast<i64>(run)); ++i) {
    run *= descriptor.count[i];
  }
  return run;
}

}  // namespace

bool TaskBuilder::in_scratchpad(u64 address) const {
  return address >= target_->scratchpad_base && address - target_->scratchpad_base < target_->scratchpad_bytes;
}

u64 TaskBuilder::of_all_tiles(const Move& move, u64 of_tile) const {
  const u64 total = of_tile * tiles_[0] * tiles_[1] * tiles_[2];
  if (move.tail_index == tail_none) return total;
  const u64 of_tail = of_tile / move.descriptor.count[move.tail_index] * move.tail_count;
  return total - (of_tile - of_tail) * tiles_[1] * tiles_[2];
}

void TaskBuilder::count_traffic(const Move& move, Traffic& traffic) const {
  const DmaDescriptor& descriptor = move.descriptor;
  const bool fill = descriptor.fill != 0;
  const u64 bytes = bytes_of(descriptor);
  const u64 source_run = fill ? bytes : run_of(descriptor, descriptor.source_stride);
  const u64 destination_run = run_of(descriptor, descriptor.destination_stride);
  if (fill && in_scratchpad(descriptor.destination)) {
    traffic.load_cycles += target_->transfers.setup_cycles + bytes / target_->transfers.channel_bytes_per_cycle;
  }
  if (!fill && !in_scratchpad(descriptor.source)) {
    traffic.load_cycles += transfer_cycles(*target_, bytes, source_run, destination_run, true);
    traffic.accessed_bytes += of_all_tiles(move, accessed_bytes(*target_, bytes, source_run));
  }
  if (!in_scratchpad(descriptor.destination)) {
    traffic.store_cycles += transfer_cycles(*target_, bytes, destination_run, source_run, false);
    traffic.accessed_bytes += of_all_tiles(move, accessed_bytes(*target_, bytes, destination_run));
  }
}

Step TaskBuilder::step_of(const Move& move, bool input) const {
  const DmaDescriptor& descriptor = move.descriptor;
  const bool from_half = descriptor.fill == 0 && in_scratchpad(descriptor.source);
  Step step = dma_step(descriptor, input ? 0 : 1);
  step.source_stride = move.source_strides;
  step.destination_stride = move.destination_strides;
  if (move.with_half) {
    step.half_mask = (from_half ? 1u : 0u) | (in_scratchpad(descriptor.destination) ? 2u : 0u);
  }
  step.tail_index = move.tail_index;
  step.tail_count = move.tail_count;
  return step;
}

void TaskBuilder::add_dma(const Move& move, bool input, const Move* by_rows) {
  std::vector<Step>& steps = input ? inputs_ : outputs_;
  if (by_rows != nullptr) short_rows_.push_back({input, steps.size(), step_of(*by_rows, input)});
  steps.push_back(step_of(move, input));
  const DmaDescriptor& descriptor = move.descriptor;
  const u64 bytes = of_all_tiles(move, bytes_of(descriptor));
  if (descriptor.fill == 0 && !in_scratchpad(descriptor.source)) read_bytes_ += bytes;
  if (!in_scratchpad(descriptor.destination)) write_bytes_ += bytes;
  count_traffic(move, traffic_);
  count_traffic(by_rows == nullptr ? move : *by_rows, traffic_by_rows_);
}

void TaskBuilder::go_by_rows() {
  for (const ShortRows& rows : short_rows_) (rows.input ? inputs_ : outputs_)[rows.step] = rows.by_rows;
  short_rows_.clear();
  traffic_ = traffic_by_rows_;
}

TaskBuilder::Move TaskBuilder::move_of(bool load, u64 address, u64 scratchpad, u32 length, std::array<u32, 3> count,
                                       std::array<i32, 3> dram_stride, std::array<i32, 3> scratchpad_stride,
                                       TileStrides strides, u32 tail_index, u32 tail_count) {
  Move move;
  move.descriptor.source = load ? address : scratchpad;
  move.descriptor.destination = load ? scratchpad : address;
  move.descriptor.length = length;
  move.descriptor.count = count;
  move.descriptor.source_stride = load ? dram_stride : scratchpad_stride;
  move.descriptor.destination_stride = load ? scratchpad_stride : dram_stride;
  (load ? move.source_strides : move.destination_strides) = strides;
  move.tail_index = tail_index;
  move.tail_count = tail_count;
  return move;
}

void TaskBuilder::add_move(bool load, u64 address, u64 scratchpad, u32 length, std::array<u32, 3> count,
                           std::array<i32, 3> dram_stride, std::array<i32, 3> scratchpad_stride, TileStrides strides,
                           u32 tail_index, u32 tail_count) {
  add_dma(move_of(load, address, scratchpad, length, count, dram_stride, scratchpad_stride, strides, tail_index,
                  tail_count),
          load);
}

void TaskBuilder::move(bool load, const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows,
                       u32 tail_rows, TileStrides strides) {
  const u32 lanes = target_->lanes;
  const auto row = static_cast<i32>(buffer.layout.row_bytes());
  const auto pitch = static_cast<i32>(place.pitch);
  const u64 base = target_->scratchpad_base + buffer.offset;
  const auto whole = static_cast<u32>(columns / lanes), rest = static_cast<u32>(columns % lanes);
  const bool has_tail = tail_rows != rows;
  if (packed_ && buffer.layout.transposed) {
    add_move(load, place.address, base, 2, {static_cast<u32>(columns), rows, 1}, {2, pitch, 0}, {row, 2, 0}, strides,
             has_tail ? 1 : tail_none, tail_rows);
    return;
  }
  if (whole > 0) {
    move_panels(load, place, buffer, {whole, rows}, strides, has_tail ? 1 : 2, tail_rows);
  }
  if (rest > 0) {
    Move partial =
        move_of(load, place.address + u64{whole} * lanes * 2, base + u64{whole} * buffer.layout.panel_bytes(), rest * 2,
                {1, rows, 1}, {0, pitch, 0}, {0, row, 0}, strides, has_tail ? 1 : tail_none, tail_rows);
    place_resident(partial, load, buffer);
    add_dma(partial, load);
  }
}

void TaskBuilder::move_panels(bool load, const MatrixPlace& place, const TileBuffer& buffer, std::array<u32, 2> counts,
                              TileStrides strides, unsigned tail_dimension, u32 tail_count) {
  const auto panel = static_cast<i32>(buffer.layout.panel_bytes()), row = static_cast<i32>(buffer.layout.row_bytes());
  const std::array<i32, 2> dram{row, static_cast<i32>(place.pitch)}, half{panel, row};
  const auto in_order = [&](std::size_t first, std::size_t second) {
    const u32 tail_index = tail_dimension > 1 ? tail_none : (tail_dimension == first ? 0 : 1);
    Move move = move_of(load, place.address, target_->scratchpad_base + buffer.offset, target_->vector_bytes(),
                        {counts[first], counts[second], 1}, {dram[first], dram[second], 0},
                        {half[first], half[second], 0}, strides, tail_index, tail_count);
    place_resident(move, load, buffer);
    return move;
  };
  // A burst is contiguous on one side: along a row in DRAM, or down a panel in the scratchpad.
  const Move by_rows = in_order(0, 1), by_panels = in_order(1, 0);
  const auto dram_run = [&](const Move& move) {
    return run_of(move.descriptor, load ? move.descriptor.source_stride : move.descriptor.destination_stride);
  };
  const u64 bytes = bytes_of(by_rows.descriptor), row_run = dram_run(by_rows);
  if (row_run >= target_->transfers.burst_bytes) {
    add_dma(by_rows, load);
  } else if (accessed_bytes(*target_, bytes, row_run) < accessed_bytes(*target_, bytes, dram_run(by_panels))) {
    add_dma(by_panels, load, &by_rows);
  } else {
    add_dma(by_panels, load);
  }
}

void TaskBuilder::load(const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows, bool varying,
                       TileStrides strides) {
  move(true, place, columns, buffer, rows, varying ? tail_rows_ : rows, strides);
}

void TaskBuilder::store(const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows, bool varying,
                        TileStrides strides) {
  move(false, place, columns, buffer, rows, varying ? tail_rows_ : rows, strides);
}

void TaskBuilder::move_stack(bool load, const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows,
                             const Stack& stack, TileStrides strides) {
  const u32 lanes = target_->lanes, vector = target_->vector_bytes();
  const auto row = static_cast<i32>(buffer.layout.row_bytes()), panel = static_cast<i32>(buffer.layout.panel_bytes());
  const auto whole = static_cast<u32>(columns / lanes), rest = static_cast<u32>(columns % lanes);
  const i32 part = static_cast<i32>(stack.rows) * row, set = static_cast<i32>(stack.count) * part;
  const auto pitch = static_cast<i32>(place.pitch), distance = static_cast<i32>(stack.distance);
  const auto add = [&](u32 first, u32 panels, u32 length) {
    const u64 address = place.address + u64{first} * vector;
    const u64 scratchpad = target_->scratchpad_base + buffer.offset + u64{first} * buffer.layout.panel_bytes();
    if (panels == 1) {
      add_move(load, address, scratchpad, length, {stack.count, rows, stack.sets},
               {distance, pitch, static_cast<i32>(stack.set_distance)}, {part, row, set}, strides, tail_none, 0);
      return;
    }
    for (u32 i = 0; i < stack.sets; ++i) {
      add_move(load, address + static_cast<u64>(stack.set_distance * i), scratchpad + u64{i} * static_cast<u32>(set),
               length, {panels, stack.count, rows}, {static_cast<i32>(vector), distance, pitch}, {panel, part, row},
               strides, tail_none, 0);
    }
  };
  if (whole > 0) add(0, whole, vector);
  if (rest > 0) add(whole, 1, rest * 2);
}

void TaskBuilder::load_strip(const MatrixPlace& place, const TileBuffer& buffer, u32 rows, u32 panels, u32 tail_panels,
                             TileStrides strides) {
  move_panels(true, place, buffer, {panels, rows}, strides, panels != tail_panels ? 0 : 2, tail_panels);
}

void TaskBuilder::store_strip(const MatrixPlace& place, const TileBuffer& buffer, u32 rows, u32 panels, u32 tail_panels,
                              TileStrides strides) {
  move_panels(false, place, buffer, {panels, rows}, strides, panels != tail_panels ? 0 : 2, tail_panels);
}

namespace {

/// A step whose transfer is indexed.
/// @param table_rows  the bound of the indices
Step gather_step(const DmaDescriptor& descriptor, u64 indices, u64 table_rows) {
  Step step = dma_step(descriptor, 0);
  step.command.flags |= command_flag_indexed;
  step.command.image = indices;
  step.command.image_bytes = static_cast<u32>(table_rows);
  step.flags = step_flag_gather;
  return step;
}

/// The transfer begins when its indices have come.
u64 gather_cycles(const CompilerTarget& target, u64 indices, u64 bytes, u64 dram_run, u64 other_run) {
  const TransferTiming& timing = target.transfers;
  const double reading = timing.read_latency + static_cast<double>(indices * sizeof(u32)) / timing.dram_bytes_per_cycle;
  return static_cast<u64>(reading) + transfer_cycles(target, bytes, dram_run, other_run, true);
}

}  // namespace

void TaskBuilder::gather(const MatrixPlace& table, u64 indices, const TileBuffer& buffer, TileStrides strides) {
  const u32 panels = buffer.layout.panels(table.columns);
  DmaDescriptor descriptor{};
  descriptor.source = table.address;
  descriptor.destination = target_->scratchpad_base + buffer.offset;
  descriptor.length = target_->vector_bytes();
  descriptor.count = {panels, 1, rows_};
  descriptor.source_stride = {static_cast<i32>(target_->vector_bytes()), 0, static_cast<i32>(table.pitch)};
  descriptor.destination_stride = {static_cast<i32>(buffer.layout.panel_bytes()), 0,
                                   static_cast<i32>(buffer.layout.row_bytes())};
  Step step = gather_step(descriptor, indices, table.rows);
  step.source_stride = strides;
  step.half_mask = 2;
  if (tail_rows_ != rows_) {
    step.tail_index = 2;
    step.tail_count = tail_rows_;
  }
  inputs_.push_back(step);
  const u64 row_bytes = u64{panels} * target_->vector_bytes();
  const u64 rows = (u64{rows_} * (tiles_[0] - 1) + tail_rows_) * tiles_[1] * tiles_[2];
  read_bytes_ += (row_bytes + sizeof(u32)) * rows;
  for (Traffic* const traffic : {&traffic_, &traffic_by_rows_}) {
    traffic->accessed_bytes += (accessed_bytes(*target_, row_bytes, row_bytes) + sizeof(u32)) * rows;
    traffic->load_cycles += gather_cycles(*target_, rows_, row_bytes * rows_, row_bytes, target_->vector_bytes());
  }
}

void TaskBuilder::gather_blocks(const MatrixPlace& place, u64 columns, const TileBuffer& buffer, const Choice& choice) {
  const u32 lanes = target_->lanes, rows = choice.block_rows;
  const auto whole = static_cast<u32>(columns / lanes), rest = static_cast<u32>(columns % lanes);
  const auto pitch = static_cast<i32>(place.pitch);
  const auto row = static_cast<i32>(buffer.layout.row_bytes()), panel = static_cast<i32>(buffer.layout.panel_bytes());
  u32 candidates = choice.chosen ? 0 : choice.blocks;
  const auto add = [&](u32 first_panel, u32 panels, u32 length) {
    // A burst is contiguous on one side: along a row in DRAM, or down a panel in the scratchpad.
    const bool by_rows = panels * length >= target_->transfers.burst_bytes;
    DmaDescriptor descriptor{};
    descriptor.source = place.address + u64{first_panel} * target_->vector_bytes();
    descriptor.destination = target_->scratchpad_base + buffer.offset + u64{first_panel} * buffer.layout.panel_bytes();
    descriptor.length = length;
    descriptor.count = {by_rows ? panels : rows, by_rows ? rows : panels, choice.top};
    descriptor.source_stride = {by_rows ? row : pitch, by_rows ? pitch : row, static_cast<i32>(rows) * pitch};
    descriptor.destination_stride = {by_rows ? panel : row, by_rows ? row : panel, static_cast<i32>(rows) * row};
    Step step = gather_step(descriptor, choice.scores, choice.blocks);
    step.command.counts[0] = std::exchange(candidates, 0);
    step.flags |= step_flag_choose;
    step.source_stride = choice.score_strides;
    step.destination_stride = choice.table_strides;
    step.half_mask = 2;
    inputs_.push_back(step);
    const u64 bytes = u64{panels} * length * rows, tiles = u64{tiles_[0]} * tiles_[1] * tiles_[2];
    const u64 dram_run = by_rows ? u64{panels} * length : length, half_run = by_rows ? length : u64{rows} * length;
    read_bytes_ += bytes * choice.top * tiles;
    for (Traffic* const traffic : {&traffic_, &traffic_by_rows_}) {
      traffic->accessed_bytes += accessed_bytes(*target_, bytes, dram_run) * choice.top * tiles;
      traffic->load_cycles += gather_cycles(*target_, choice.top, bytes * choice.top, dram_run, half_run);
    }
  };
  if (whole > 0) add(0, whole, target_->vector_bytes());
  if (rest > 0) add(whole, 1, rest * 2);
}

void TaskBuilder::fill(u64 scratchpad, u32 length, u32 count, i32 stride) {
  Move move;
  move.descriptor.destination = scratchpad;
  move.descriptor.length = length;
  move.descriptor.fill = dma_fill_flag;
  move.descriptor.count = {count, 1, 1};
  move.descriptor.destination_stride = {stride, 0, 0};
  add_dma(move, true);
}

u32 TaskBuilder::reserve(u32 bytes) {
  const u32 unit = packed_ ? target_->vector_bytes() : std::max(64u, static_cast<u32>(target_->tile_bytes()));
  const u32 offset = (buffer_bytes_ + unit - 1) / unit * unit;
  buffer_bytes_ = offset + (bytes + unit - 1) / unit * unit;
  return offset;
}

void TaskBuilder::zero_columns(const TileBuffer& buffer, u64 first, u64 end) {
  const u32 lanes = target_->lanes;
  const u64 base = target_->scratchpad_base + buffer.offset;
  const auto row = static_cast<i32>(buffer.layout.row_bytes());
  const auto part = static_cast<u32>(first % lanes);
  if (first >= end) return;
  const u64 part_panel = base + first / lanes * buffer.layout.panel_bytes();
  if (part != 0 && buffer.layout.transposed) {
    fill(part_panel + u64{part} * buffer.layout.row_bytes(), (lanes - part) * buffer.layout.row_bytes(),
         buffer.layout.rows / lanes, static_cast<i32>(buffer.layout.group_bytes()));
  } else if (part != 0) {
    fill(part_panel + u64{part} * 2, (lanes - part) * 2, buffer.layout.rows, row);
  }
  const u32 first_panel = buffer.layout.panels(first), end_panel = buffer.layout.panels(end);
  if (first_panel < end_panel) {
    fill(base + u64{first_panel} * buffer.layout.panel_bytes(), (end_panel - first_panel) * buffer.layout.panel_bytes(),
         1, 0);
  }
}

void TaskBuilder::zero_resident_rows(const TileBuffer& buffer, u32 first, u32 end, u32 panels, u32 tail_panels) {
  if (first >= end) return;
  Move move;
  move.descriptor.destination = target_->scratchpad_base + buffer.offset + u64{first} * buffer.layout.row_bytes();
  move.descriptor.length = (end - first) * buffer.layout.row_bytes();
  move.descriptor.fill = dma_fill_flag;
  move.descriptor.count = {panels, 1, 1};
  move.descriptor.destination_stride = {static_cast<i32>(buffer.layout.panel_bytes()), 0, 0};
  move.destination_strides = buffer.strides;
  move.tail_index = panels != tail_panels ? 0 : tail_none;
  move.tail_count = tail_panels;
  move.with_half = false;
  add_dma(move, true);
}

void TaskBuilder::zero_rows(const TileBuffer& buffer, u32 first, u32 end) {
  if (first >= end) return;
  fill(target_->scratchpad_base + buffer.offset + u64{first} * buffer.layout.row_bytes(),
       (end - first) * buffer.layout.row_bytes(), buffer.columns / target_->lanes,
       static_cast<i32>(buffer.layout.panel_bytes()));
}

u32 TaskBuilder::add_weights(std::size_t count, std::function<std::vector<u16>()> words) {
  const auto offset = static_cast<u32>(weight_words_ * 2);
  weights_.push_back(std::move(words));
  weight_words_ += count;
  return offset;
}

std::vector<u16> TaskBuilder::weights() const {
  std::vector<u16> all;
  all.reserve(weight_words_);
  for (const auto& words : weights_) {
    const std::vector<u16> more = words();
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

namespace {

/// Provisional addresses of a task's constants begin here: no bus address is as high, nor is a provisional address of a
/// matrix as low.
constexpr u64 constants_base = u64{1} << 51;

}  // namespace

u64 TaskBuilder::add_constants(u64 bytes, std::vector<TaskConstants::Piece> pieces) {
  const u64 address = constants_.empty() ? constants_base : constants_.back().address + constants_.back().bytes;
  constants_.push_back({address, bytes, std::move(pieces)});
  return address;
}

void TaskBuilder::place_constants(const std::function<u64(const TaskConstants&)>& place) {
  for (const TaskConstants& constants : constants_) {
    const u64 address = place(constants);
    for (Step& step : inputs_) {
      DmaDescriptor descriptor;
      __builtin_memcpy(&descriptor, step.command.registers.data(), sizeof(descriptor));
      if (descriptor.source < constants.address || descriptor.source - constants.address >= constants.bytes) continue;
      descriptor.source = address + (descriptor.source - constants.address);
      __builtin_memcpy(step.command.registers.data(), &descriptor, sizeof(descriptor));
    }
  }
  constants_.clear();
}

void TaskBuilder::add_launch(LaunchStep step) {
  step.layer = layer_;
  launches_.push_back(std::move(step));
}

void TaskBuilder::load_bytes(u64 address, u32 offset, u32 bytes, TileStrides strides) {
  load_runs(address, offset, 1, bytes, 0, 0, strides);
}

void TaskBuilder::load_runs(u64 address, u32 offset, u32 runs, u32 bytes, u64 pitch, u32 half_pitch,
                            TileStrides strides) {
  add_move(true, address, target_->scratchpad_base + offset, bytes, {runs, 1, 1}, {static_cast<i32>(pitch), 0, 0},
           {static_cast<i32>(half_pitch), 0, 0}, strides, tail_none, 0);
}

void TaskBuilder::store_runs(u64 address, u32 offset, u32 runs, u32 bytes, u64 pitch, u32 half_pitch,
                             TileStrides strides) {
  add_move(false, address, target_->scratchpad_base + offset, bytes, {runs, 1, 1}, {static_cast<i32>(pitch), 0, 0},
           {static_cast<i32>(half_pitch), 0, 0}, strides, tail_none, 0);
}

u64 step_cycles(const CompilerTarget& target, const KernelTimes& times, const LaunchStep& step) {
  const u32 by_launch = step.kernel->levels[step.row_level].step;
  const u64 taken = (step.counts[step.row_level] + by_launch - 1) / by_launch;
  return launch_cycles(target, times, step.counts) + taken * step.exchange_cycles;
}

Step dma_step(const DmaDescriptor& descriptor, u8 channel) {
  Step step{};
  step.command.opcode = static_cast<u8>(CommandOpcode::dma);
  step.command.unit = channel;
  step.command.signal = semaphore_none;
  step.command.wait = {semaphore_none, semaphore_none};
  static_assert(sizeof(step.command.registers) == sizeof(descriptor));
  __builtin_memcpy(step.command.registers.data(), &descriptor, sizeof(descriptor));
  step.tail_index = tail_none;
  return step;
}

}  // namespace bvp
