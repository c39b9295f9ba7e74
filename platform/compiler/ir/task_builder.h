// SPDX-License-Identifier: Apache-2.0
// A task: its buffers in a scratchpad half, its DMA steps and launch steps.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "models/abi/records.h"
#include "models/isa/kernel.h"
#include "platform/compiler/cost/cost.h"
#include "platform/compiler/target.h"
#include "platform/program/compiled_network.h"
#include "platform/program/kernel_result.h"
#include "platform/program/layout.h"

namespace bvp {

/// How addresses change from tile to tile: bytes per tile index, innermost level first.
using TileStrides = std::array<i64, 3>;

/// A matrix buffer in the scratchpad half, or a tile's part of a resident matrix.
struct TileBuffer {
  u32 offset = 0;  // within the half; resident: of the first tile's part, from the beginning of the scratchpad
  u32 columns = 0;
  PanelLayout layout;
  bool resident = false;
  TileStrides strides{};  // resident: from the part of one tile to that of another
};

/// A step of one DMA command that is the same in every tile.
[[nodiscard]] Step dma_step(const DmaDescriptor& descriptor, u8 channel);

/// A launch as the compiler sees it; its image gets an address when the network is laid out.
struct LaunchStep {
  std::string name, mapping;
  std::shared_ptr<const Kernel> kernel;  // launches that are alike share it
  std::array<u32, instance_levels> counts{1, 1, 1, 1};
  unsigned row_level = 0;   // the instance level that counts lane groups of rows
  u32 tail_count = 0;       // its count in the last innermost tile
  u64 exchange_cycles = 0;  // in which a PE's units wait for others, for each count of row_level that it takes
  u32 layer = layer_none;
  bool own_weights = false;  // they come with the tile
  struct Register {
    unsigned number = 0;
    u32 offset = 0;
    bool weights = false;  // relative to the task's weight area, otherwise to the half
    // Whether the buffer is a part of a resident matrix. All such buffers of one launch have the same strides.
    bool resident = false;
    TileStrides strides{};
    /// The place of a buffer.
    [[nodiscard]] static Register of(unsigned number, const TileBuffer& buffer) {
      return {number, buffer.offset, false, buffer.resident, buffer.strides};
    }
  };
  std::vector<Register> registers;
  std::vector<KernelResult> results;  // that are complete when the launch is
};

/// Cycles of the launch for a full tile, by the cost model.
/// @param times  of its kernel
[[nodiscard]] u64 step_cycles(const CompilerTarget& target, const KernelTimes& times, const LaunchStep& step);

/// Contents of DRAM that only one task reads, in pieces.
struct TaskConstants {
  struct Piece {
    u64 offset = 0;  // in bytes
    std::function<std::vector<u16>()> words;
  };
  u64 address = 0;  // provisional
  u64 bytes = 0;
  std::vector<Piece> pieces;
};

class TaskBuilder {
 public:
  /// @param rows       of a full tile
  /// @param tail_rows  of the last innermost tile
  TaskBuilder(const CompilerTarget& target, std::string name, u32 layer, std::array<u32, 3> tiles, u32 rows,
              u32 tail_rows);
  /// Makes the task a packed one; must be called first. Its buffers consist of vectors and not of whole tiles: as many
  /// rows as requested or, in a column_buffer, one vector for each column of the lane group, which the DMA transposes
  /// value by value. A tile of a packed task has at most one lane group of rows.
  void pack() { packed_ = true; }
  [[nodiscard]] bool packed() const { return packed_; }
  /// The layer to which the launches belong that are added from now on.
  void set_layer(u32 layer) { layer_ = layer; }

  [[nodiscard]] u32 rows() const { return rows_; }
  [[nodiscard]] u32 tail_rows() const { return tail_rows_; }
  [[nodiscard]] u32 groups() const { return (rows_ + target_->lanes - 1) / target_->lanes; }
  [[nodiscard]] u32 tail_groups() const { return (tail_rows_ + target_->lanes - 1) / target_->lanes; }

  /// A buffer of at least `columns` columns and `rows` rows (0: the tile's).
  TileBuffer buffer(u64 columns, u32 rows = 0);
  /// A buffer of at least `columns` columns and `rows` rows for a matrix that is accessed by column.
  TileBuffer column_buffer(u64 columns, u32 rows = 0);
  /// A buffer like that of buffer(), at an offset that the caller chooses.
  TileBuffer buffer_at(u32 offset, u64 columns, u32 rows = 0);
  [[nodiscard]] u32 buffer_size(u64 columns, u32 rows = 0) const;

  /// The rows of a tile, in its tail fewer.
  [[nodiscard]] KernelResult::Extent row_extent() const {
    return {rows_, u64{rows_} * (tiles_[0] - 1) + tail_rows_, 0};
  }
  /// A result in a buffer that has the tile's rows.
  [[nodiscard]] KernelResult result(const TileBuffer& buffer, u64 columns) const {
    return {buffer.offset, buffer.layout, row_extent(), in_every_tile(columns)};
  }

  /// Loads rows of a DRAM matrix into a buffer, or stores them. `varying`: the rows are those of the tile, fewer in its
  /// tail.
  void load(const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows, bool varying,
            TileStrides strides);
  void store(const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows, bool varying,
             TileStrides strides);
  /// Loads or stores `rows` rows of a tile; the last innermost tile moves `tail_rows` rows, maybe none.
  void load_rows(const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows, u32 tail_rows,
                 TileStrides strides) {
    move(true, place, columns, buffer, rows, tail_rows, strides);
  }
  void store_rows(const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows, u32 tail_rows,
                  TileStrides strides) {
    move(false, place, columns, buffer, rows, tail_rows, strides);
  }
  /// Loads or stores strips of columns: `panels` panels of each tile, `tail_panels` of the last innermost tile.
  void load_strip(const MatrixPlace& place, const TileBuffer& buffer, u32 rows, u32 panels, u32 tail_panels,
                  TileStrides strides);
  void store_strip(const MatrixPlace& place, const TileBuffer& buffer, u32 rows, u32 panels, u32 tail_panels,
                   TileStrides strides);
  /// Parts of a matrix that lie one below the other in a buffer: in DRAM `count` lie side by side, and behind them
  /// there are further ones, `sets` in all.
  struct Stack {
    u32 count = 1;
    i64 distance = 0;  // bytes from one part to the next in DRAM
    u32 rows = 0;      // from one part to the next in the buffer
    u32 sets = 1;
    i64 set_distance = 0;  // bytes from one set to the next in DRAM
  };
  /// Loads or stores `rows` rows of each part; `place` says where the first part is.
  void load_stack(const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows, const Stack& stack,
                  TileStrides strides) {
    move_stack(true, place, columns, buffer, rows, stack, strides);
  }
  void store_stack(const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows, const Stack& stack,
                   TileStrides strides) {
    move_stack(false, place, columns, buffer, rows, stack, strides);
  }
  /// Gathers rows of a table in DRAM into a buffer, one for each row of the tile: the index of row r is the u32 number
  /// r at `indices`, which moves from tile to tile by `strides`.
  void gather(const MatrixPlace& table, u64 indices, const TileBuffer& buffer, TileStrides strides);
  /// Gathers blocks of rows: those `top` of the table's blocks that have the highest scores when the task runs, in
  /// ascending order. `place` says which columns; its rows, those of all blocks, begin at another place for each tile.
  struct Choice {
    u64 scores = 0;               // in DRAM: fp16, one of each block
    TileStrides score_strides{};  // from tile to tile
    TileStrides table_strides{};  // likewise, of the first block
    u32 blocks = 0, top = 0, block_rows = 0;
    bool chosen = false;  // the gather of blocks before this one has chosen, by the same scores
  };
  void gather_blocks(const MatrixPlace& place, u64 columns, const TileBuffer& buffer, const Choice& choice);
  /// Zeroes columns [first, end) of all rows, where the buffer's layout has them.
  void zero_columns(const TileBuffer& buffer, u64 first, u64 end);
  /// Zeroes rows [first, end) of a part of a resident matrix that is a column strip: `panels` panels per tile,
  /// `tail_panels` in the last innermost tile.
  void zero_resident_rows(const TileBuffer& buffer, u32 first, u32 end, u32 panels, u32 tail_panels);
  /// Zeroes rows [first, end) of all panels.
  void zero_rows(const TileBuffer& buffer, u32 first, u32 end);

  /// Allocates `bytes` bytes in the half, aligned to a tile of the scratchpad (in a packed task: to a vector); returns
  /// the offset.
  u32 reserve(u32 bytes);
  /// Adds a DMA transfer as given, which moves from tile to tile by `strides` on both sides (0: the side lies in the
  /// scratchpad half).
  struct Move {
    DmaDescriptor descriptor{};
    TileStrides source_strides{}, destination_strides{};
    u32 tail_index = tail_none, tail_count = 0;
    bool with_half = true;  // what lies in the scratchpad moves with the half, otherwise by the strides
  };
  void add_input(const Move& move) { add_dma(move, true); }
  void add_output(const Move& move) { add_dma(move, false); }

  /// Adds words to the weight area; returns their byte offset in it. Weights are made when the network is laid out: the
  /// task that is chosen among many needs them, and the others only their number.
  u32 add_weights(std::size_t count, std::function<std::vector<u16>()> words);
  u32 add_weights(const std::vector<u16>& words) {
    return add_weights(words.size(), [words] { return words; });
  }
  /// Adds contents of DRAM that only this task reads; returns an address for its steps, which is replaced when the
  /// contents are placed.
  u64 add_constants(u64 bytes, std::vector<TaskConstants::Piece> pieces);
  /// `place` returns the address of constants in DRAM.
  void place_constants(const std::function<u64(const TaskConstants&)>& place);
  void add_launch(LaunchStep step);
  /// Adds an input of `bytes` contiguous bytes, which goes to `offset` in the half.
  void load_bytes(u64 address, u32 offset, u32 bytes, TileStrides strides);
  /// `runs` runs of `bytes` contiguous bytes between DRAM and the half.
  void load_runs(u64 address, u32 offset, u32 runs, u32 bytes, u64 pitch, u32 half_pitch, TileStrides strides);
  void store_runs(u64 address, u32 offset, u32 runs, u32 bytes, u64 pitch, u32 half_pitch, TileStrides strides);

  /// Bytes of each half in which resident matrices lie while the task runs.
  void set_resident_bytes(u64 bytes) { resident_bytes_ = bytes; }
  [[nodiscard]] u64 resident_bytes() const { return resident_bytes_; }
  /// Launches read up to this offset in the half. What they find beyond the buffers is not used, but must be in the
  /// scratchpad.
  void read_up_to(u64 offset) { read_end_ = std::max(read_end_, offset); }
  [[nodiscard]] u64 read_end() const { return read_end_; }
  /// Tiles of this size are impossible, however much room there is; larger ones may do.
  void refuse() { refused_ = true; }
  [[nodiscard]] bool refused() const { return refused_; }
  [[nodiscard]] u32 buffer_bytes() const { return buffer_bytes_; }
  [[nodiscard]] std::size_t weight_words() const { return weight_words_; }
  /// Makes the weights.
  [[nodiscard]] std::vector<u16> weights() const;
  [[nodiscard]] const std::vector<LaunchStep>& launches() const { return launches_; }
  [[nodiscard]] const std::vector<Step>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<Step>& outputs() const { return outputs_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] u32 layer() const { return first_layer_; }
  [[nodiscard]] const std::array<u32, 3>& tiles() const { return tiles_; }
  /// Says that no input is an output of the task before: this task and that one are parts of the same work.
  void set_independent() { independent_ = true; }
  [[nodiscard]] bool independent() const { return independent_; }
  /// Commands of a tile.
  [[nodiscard]] u64 commands() const { return inputs_.size() + launches_.size() + outputs_.size(); }
  /// With the one that loads the weights.
  [[nodiscard]] std::size_t steps() const {
    return inputs_.size() + launches_.size() + outputs_.size() + (weight_words_ == 0 ? 0 : 1);
  }
  [[nodiscard]] u64 dram_read_bytes() const { return read_bytes_; }
  [[nodiscard]] u64 dram_write_bytes() const { return write_bytes_; }
  /// What the cost model expects of the DMA.
  struct Traffic {
    u64 load_cycles = 0, store_cycles = 0;  // of a channel, for a tile's inputs or outputs
    u64 accessed_bytes = 0;                 // of all tiles both ways: whole accesses of the DRAM
  };
  /// Rows in DRAM that are shorter than a burst can be moved down the panels, in long bursts with many DRAM accesses,
  /// or row by row, in short bursts with fewer accesses. Which order costs less depends on the rest of the task.
  [[nodiscard]] const Traffic& traffic() const { return traffic_; }
  [[nodiscard]] const Traffic& traffic_by_rows() const { return traffic_by_rows_; }
  void go_by_rows();

 private:
  /// `by_rows`: the cost with the other order, if there is a choice.
  void add_dma(const Move& move, bool input, const Move* by_rows = nullptr);
  [[nodiscard]] bool in_scratchpad(u64 address) const;
  [[nodiscard]] Step step_of(const Move& move, bool input) const;
  [[nodiscard]] u64 of_all_tiles(const Move& move, u64 of_tile) const;
  void count_traffic(const Move& move, Traffic& traffic) const;
  /// Makes the scratchpad's side of a transfer a part of a resident matrix, if the buffer is one.
  static void place_resident(Move& move, bool load, const TileBuffer& buffer) {
    if (!buffer.resident) return;
    move.with_half = false;
    (load ? move.destination_strides : move.source_strides) = buffer.strides;
  }
  /// `counts`: panels, rows. `tail_dimension`: which of them the last innermost tile has fewer of, 2: none.
  void move_panels(bool load, const MatrixPlace& place, const TileBuffer& buffer, std::array<u32, 2> counts,
                   TileStrides strides, unsigned tail_dimension, u32 tail_count);
  static Move move_of(bool load, u64 address, u64 scratchpad, u32 length, std::array<u32, 3> count,
                      std::array<i32, 3> dram_stride, std::array<i32, 3> scratchpad_stride, TileStrides strides,
                      u32 tail_index, u32 tail_count);
  void add_move(bool load, u64 address, u64 scratchpad, u32 length, std::array<u32, 3> count,
                std::array<i32, 3> dram_stride, std::array<i32, 3> scratchpad_stride, TileStrides strides,
                u32 tail_index, u32 tail_count);
  void move_stack(bool load, const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows,
                  const Stack& stack, TileStrides strides);
  void move(bool load, const MatrixPlace& place, u64 columns, const TileBuffer& buffer, u32 rows, u32 tail_rows,
            TileStrides strides);
  void fill(u64 scratchpad, u32 length, u32 count, i32 stride);

  const CompilerTarget* target_;
  std::string name_;
  u32 first_layer_, layer_;
  std::array<u32, 3> tiles_;
  u32 rows_, tail_rows_;
  bool packed_ = false, refused_ = false, independent_ = false;
  u32 buffer_bytes_ = 0;
  u64 resident_bytes_ = 0, read_end_ = 0;
  std::vector<Step> inputs_, outputs_;
  std::vector<LaunchStep> launches_;
  std::vector<std::function<std::vector<u16>()>> weights_;
  std::size_t weight_words_ = 0;
  std::vector<TaskConstants> constants_;
  u64 read_bytes_ = 0, write_bytes_ = 0;
  Traffic traffic_, traffic_by_rows_;
  struct ShortRows {
    bool input;
    std::size_t step;
    Step by_rows;
  };
  std::vector<ShortRows> short_rows_;  // DMA steps for which there is a choice of order
};

using Tasks = std::vector<TaskBuilder>;

inline void append(Tasks& tasks, Tasks more) {
  tasks.insert(tasks.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace bvp
