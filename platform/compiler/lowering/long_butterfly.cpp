// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/long_butterfly.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include "platform/compiler/lowering/transpose.h"

namespace bvp {

namespace {

/// The location of each index bit in DRAM: location l means a distance of 2^l points.
using Locations = std::vector<unsigned>;

/// Consecutive locations that one loop covers.
struct Run {
  unsigned first = 0, bits = 0;
  [[nodiscard]] u32 count() const { return u32{1} << bits; }
};

std::vector<Run> runs_of(const std::vector<unsigned>& sorted) {
  std::vector<Run> runs;
  for (const unsigned location : sorted) {
    if (!runs.empty() && runs.back().first + runs.back().bits == location) {
      ++runs.back().bits;
    } else {
      runs.push_back({location, 1});
    }
  }
  return runs;
}

/// One pass over the matrix.
struct Pass {
  std::size_t first_layer = 0, end_layer = 0;
  std::vector<unsigned> inner;  // index bits within a tile, in the order of their input locations
  std::vector<unsigned> outer;  // index bits that number the tiles, in the order of their input locations
  Locations from, to;
  bool packed = false;
};

class PassBuilder {
 public:
  PassBuilder(const TaskPlanner& plan, const LongButterfly& butterfly, const LongButterflyPlaces& places,
              const Pass& pass, bool first, bool last)
      : plan_(plan),
        target_(plan.target()),
        butterfly_(butterfly),
        places_(places),
        pass_(pass),
        first_(first),
        last_(last) {
    inner_out_ = pass.inner;
    std::sort(inner_out_.begin(), inner_out_.end(), [&](unsigned a, unsigned b) { return pass.to[a] < pass.to[b]; });
    in_runs_ = runs_of(locations(pass.inner, pass.from));
    out_runs_ = runs_of(locations(inner_out_, pass.to));
    outer_runs_ = runs_of(locations(pass.outer, pass.from));
  }

  /// Whether DMA descriptors and tile levels can express the pass.
  [[nodiscard]] bool possible() const {
    const auto too_many = [&](const std::vector<Run>& runs) {
      if (pass_.packed) return runs.size() > 2;
      return runs.size() > (butterfly_.along_rows || of_vectors(runs) || runs.front().first == 0 ? 2 : 1);
    };
    if (too_many(in_runs_) || too_many(out_runs_) || outer_runs_.size() > 2) return false;
    // Tiles that follow each other in the input must also follow each other in the output.
    for (std::size_t i = 1; i < pass_.outer.size(); ++i) {
      const unsigned a = pass_.outer[i - 1], b = pass_.outer[i];
      if (pass_.from[b] == pass_.from[a] + 1 && pass_.to[b] != pass_.to[a] + 1) return false;
    }
    return true;
  }

  [[nodiscard]] std::array<u32, 2> outer_counts() const {
    std::array<u32, 2> counts{1, 1};
    for (std::size_t i = 0; i < outer_runs_.size(); ++i) counts[i] = outer_runs_[i].count();
    return counts;
  }

  /// Identifies the tasks that make() makes: equal shapes give equal tasks.
  [[nodiscard]] Shape shape() const {
    Shape shape("long_butterfly");
    shape.add(butterfly_.along_rows, butterfly_.index_bits, butterfly_.complex, butterfly_.bit_reversed, first_, last_);
    shape.add(butterfly_.real_input, butterfly_.real_output, static_cast<bool>(butterfly_.bias), pass_.packed);
    shape.add_if(butterfly_.scale).add_if(butterfly_.activation).add_list(butterfly_.layer_bits);
    shape.add(butterfly_.normal).add_list(butterfly_.pays);
    shape.add(pass_.first_layer, pass_.end_layer).add_list(pass_.inner).add_list(pass_.outer);
    shape.add_list(pass_.from).add_list(pass_.to);
    shape.add(places_.input_re.pitch, places_.input_im.pitch, places_.output_re.pitch, places_.output_im.pitch);
    return shape.add(places_.residual.has_value(), places_.residual ? places_.residual->pitch : 0);
  }

  [[nodiscard]] TaskBuilder make(const Tiling& tiling) const {
    TaskBuilder task(target_, butterfly_.name, butterfly_.layer, tiling.tiles, tiling.rows, tiling.tail_rows);
    if (tiling.packed) task.pack();
    const bool complex_input = butterfly_.complex && !(first_ && butterfly_.real_input);
    const bool complex_output = butterfly_.complex && !(last_ && butterfly_.real_output);
    const TileBuffer in_re = buffer(task), in_im = butterfly_.complex ? buffer(task) : in_re;
    const TileBuffer out_re = reorders() || butterfly_.complex ? buffer(task) : in_re;
    const TileBuffer out_im = complex_output ? buffer(task) : out_re;
    move(task, true, places_.input_re, in_re);
    if (complex_input) move(task, true, places_.input_im, in_im);
    std::optional<TileBuffer> residual;
    if (last_ && places_.residual) {
      residual = buffer(task);
      move_as(task, true, *places_.residual, *residual, out_runs_, pass_.to);
    }
    transpose(task, "transpose_input", in_re);
    if (complex_input) transpose(task, "transpose_input_imaginary", in_im);
    if (residual) transpose(task, "transpose_residual", *residual);
    add_stages(task, {in_re, in_im, out_re, out_im, residual});
    transpose(task, "transpose_output", out_re);
    if (complex_output) transpose(task, "transpose_output_imaginary", out_im);
    move(task, false, places_.output_re, out_re);
    if (complex_output) move(task, false, places_.output_im, out_im);
    return task;
  }

 private:
  static std::vector<unsigned> locations(const std::vector<unsigned>& bits, const Locations& of) {
    std::vector<unsigned> result;
    for (const unsigned bit : bits) result.push_back(of[bit]);
    return result;
  }
  [[nodiscard]] bool reorders() const { return inner_out_ != pass_.inner; }
  [[nodiscard]] u32 points() const { return u32{1} << pass_.inner.size(); }

  [[nodiscard]] TileBuffer buffer(TaskBuilder& task) const {
    if (butterfly_.along_rows) return task.buffer(task.rows(), points());
    return task.column_buffer(points());
  }
  void transpose(TaskBuilder& task, const char* what, const TileBuffer& buffer) const {
    if (!butterfly_.along_rows) {
      add_transpose(task, plan_.kernels(), fmt::format("{}.{}", butterfly_.name, what), buffer, points(), true);
    }
  }
  [[nodiscard]] i32 stride(const TileBuffer& buffer, unsigned local_bit) const {
    return butterfly_.along_rows ? buffer.layout.row_stride(local_bit) : buffer.layout.column_stride(local_bit);
  }
  /// Whether whole vectors of neighbouring points can be moved along the columns.
  [[nodiscard]] bool of_vectors(const std::vector<Run>& runs) const {
    return target_.lanes == 1 || (runs.front().first == 0 && runs.front().count() >= target_.lanes);
  }
  [[nodiscard]] u64 point_bytes(const MatrixPlace& place) const { return butterfly_.along_rows ? place.pitch : 2; }

  void move(TaskBuilder& task, bool input, const MatrixPlace& place, const TileBuffer& buffer) const {
    move_as(task, input, place, buffer, input ? in_runs_ : out_runs_, input ? pass_.from : pass_.to);
  }

  /// How a transfer goes through DRAM and a tile's half: bytes of an element, and counts and strides of the levels.
  struct Walk {
    u32 length = 0;
    std::array<u32, 3> count{1, 1, 1};
    std::array<i32, 3> dram{}, half{};
  };

  [[nodiscard]] Walk walk_of(const TaskBuilder& task, const MatrixPlace& place, const PanelLayout& layout,
                             const std::vector<Run>& runs) const {
    const auto row = static_cast<i32>(layout.row_bytes()), panel = static_cast<i32>(layout.panel_bytes());
    const auto pitch = static_cast<i32>(place.pitch);
    const u64 point = point_bytes(place);
    const auto distance = [&](const Run& run) { return static_cast<i32>(point << run.first); };
    const u32 second_count = runs.size() > 1 ? runs[1].count() : 1;
    const i32 second_distance = runs.size() > 1 ? distance(runs[1]) : 0;
    if (butterfly_.along_rows) {
      return {layout.row_bytes(),
              {task.groups(), runs[0].count(), second_count},
              {row, distance(runs[0]), second_distance},
              {panel, row, row << runs[0].bits}};
    }
    if (pass_.packed) {
      return {2,
              {runs[0].count(), second_count, task.rows()},
              {distance(runs[0]), second_distance, pitch},
              {row, row << runs[0].bits, 2}};
    }
    if (of_vectors(runs)) {
      const u32 panels = runs[0].count() / target_.lanes;
      // The first run begins at location 0, except where a vector is a single point.
      return {layout.row_bytes(),
              {panels, second_count, task.rows()},
              {row << runs[0].first, second_distance, pitch},
              {panel, static_cast<i32>(panels) * panel, row}};
    }
    // Neighbours, if there are any, and the run of which some fill a row of a panel.
    const u32 neighbours = runs.front().first == 0 ? runs.front().count() : 1;
    const Run scattered = runs.front().first == 0 && runs.size() == 1 ? Run{} : runs.back();
    const u32 of_panel = std::min(scattered.count(), target_.lanes / neighbours);
    return {neighbours * 2,
            {of_panel, scattered.count() / of_panel, task.rows()},
            {distance(scattered), distance(scattered) * static_cast<i32>(of_panel), pitch},
            {static_cast<i32>(neighbours * 2), panel, row}};
  }

  /// What the tiles are apart in DRAM.
  [[nodiscard]] TileStrides tile_strides(const TaskBuilder& task, const MatrixPlace& place, const PanelLayout& layout,
                                         const Locations& of) const {
    TileStrides strides{};
    strides[0] =
        butterfly_.along_rows ? i64{task.groups()} * layout.row_bytes() : static_cast<i64>(place.pitch) * task.rows();
    for (std::size_t i = 0; i < outer_runs_.size(); ++i) {
      // The stride of a run is that of its first index bit on this side of the transfer.
      const auto bit = std::find_if(pass_.outer.begin(), pass_.outer.end(),
                                    [&](unsigned b) { return pass_.from[b] == outer_runs_[i].first; });
      strides[i + 1] = static_cast<i64>(point_bytes(place) << of[*bit]);
    }
    return strides;
  }

  void move_as(TaskBuilder& task, bool input, const MatrixPlace& place, const TileBuffer& buffer,
               const std::vector<Run>& runs, const Locations& of) const {
    const Walk walk = walk_of(task, place, buffer.layout, runs);
    TaskBuilder::Move move;
    const u32 all = butterfly_.along_rows ? task.groups() : task.rows();
    const u32 of_tail = butterfly_.along_rows ? task.tail_groups() : task.tail_rows();
    if (of_tail != all) {
      move.tail_index = butterfly_.along_rows ? 0 : 2;
      move.tail_count = of_tail;
    }
    const u64 in_half = target_.scratchpad_base + buffer.offset;
    move.descriptor.source = input ? place.address : in_half;
    move.descriptor.destination = input ? in_half : place.address;
    move.descriptor.length = walk.length;
    move.descriptor.count = walk.count;
    move.descriptor.source_stride = input ? walk.dram : walk.half;
    move.descriptor.destination_stride = input ? walk.half : walk.dram;
    (input ? move.source_strides : move.destination_strides) = tile_strides(task, place, buffer.layout, of);
    if (input) {
      task.add_input(move);
    } else {
      task.add_output(move);
    }
  }

  /// The index of the point 0 of a tile.
  [[nodiscard]] u32 tile_index(u32 tile) const {
    u32 index = 0;
    for (std::size_t i = 0; i < pass_.outer.size(); ++i) index |= (tile >> i & 1) << pass_.outer[i];
    return index;
  }
  static u32 index_of(const std::vector<unsigned>& inner, u32 base, u32 local) {
    for (std::size_t i = 0; i < inner.size(); ++i) base |= (local >> i & 1) << inner[i];
    return base;
  }

  /// The planes of a tile: what a stage reads, and what the last one writes.
  struct Planes {
    const TileBuffer &in_re, &in_im, &out_re, &out_im;
    const std::optional<TileBuffer>& residual;
  };

  /// Where a stage stands: its first layer, and whether it is the first or the last of the pass.
  struct StagePlace {
    std::size_t layer = 0;
    bool begins = false, ends = false;
  };

  [[nodiscard]] static unsigned local_of(const std::vector<unsigned>& order, unsigned bit) {
    return static_cast<unsigned>(std::find(order.begin(), order.end(), bit) - order.begin());
  }

  /// @param place  of the local bits in the buffer, before the stage and after it
  [[nodiscard]] ButterflyStage stage_of(const StagePlace& at, unsigned layers, const Planes& planes,
                                        std::vector<unsigned>& place) const {
    const TileBuffer &from = planes.in_re, &to = at.ends ? planes.out_re : planes.in_re;
    ButterflyStage stage;
    stage.complex = butterfly_.complex;
    stage.ratios = butterfly_.complex && plan_.target().twiddle_ratios;
    stage.normal = butterfly_.normal;
    stage.index_bits = static_cast<unsigned>(pass_.inner.size());
    for (unsigned i = 0; i < layers; ++i) {
      stage.layer_bits.push_back(local_of(pass_.inner, butterfly_.layer_bits[at.layer + i]));
      if (butterfly_.normal) stage.pays.push_back(butterfly_.pays[at.layer + i]);
    }
    const PanelLayout& layout = from.layout;
    stage.column_access = (butterfly_.along_rows ? layout.by_row() : layout.by_column()).column_access;
    for (const unsigned bit : place) stage.input_stride.push_back(stride(from, bit));
    if (!at.ends && butterfly_.bit_reversed) reverse_places(place, stage.layer_bits);
    for (unsigned i = 0; i < stage.index_bits; ++i) {
      stage.output_stride.push_back(stride(to, at.ends ? local_of(inner_out_, pass_.inner[i]) : place[i]));
    }
    const auto group_stride = [&](const TileBuffer& buffer) {
      return static_cast<i32>(butterfly_.along_rows ? buffer.layout.panel_bytes() : buffer.layout.group_bytes());
    };
    stage.input_group_stride = group_stride(from);
    stage.output_group_stride = group_stride(to);
    stage.real_input = first_ && at.begins && butterfly_.real_input;
    stage.real_output = last_ && at.ends && butterfly_.real_output;
    stage.scale = first_ && at.begins && butterfly_.scale.has_value();
    stage.scale_value = butterfly_.scale.value_or(0);
    if (last_ && at.ends) {
      stage.bias = static_cast<bool>(butterfly_.bias);
      stage.activation = butterfly_.activation;
      stage.residual = planes.residual.has_value();
      stage.residual_factor = butterfly_.residual_factor;
    }
    return stage;
  }

  [[nodiscard]] std::vector<LaunchStep::Register> registers_of(const ButterflyStage& stage, const StagePlace& at,
                                                               const Planes& planes) const {
    const TileBuffer &to_re = at.ends ? planes.out_re : planes.in_re, &to_im = at.ends ? planes.out_im : planes.in_im;
    std::vector<LaunchStep::Register> registers{{butterfly_register::input, planes.in_re.offset, false},
                                                {butterfly_register::output, to_re.offset, false}};
    if (stage.complex && !stage.real_input) {
      registers.push_back({butterfly_register::input_imaginary, planes.in_im.offset, false});
    }
    if (stage.complex && !stage.real_output) {
      registers.push_back({butterfly_register::output_imaginary, to_im.offset, false});
    }
    if (stage.residual) registers.push_back({butterfly_register::residual, planes.residual->offset, false});
    return registers;
  }

  /// Reserves room for the weights of a stage and loads those of each tile. Returns their place.
  [[nodiscard]] u32 add_weights(TaskBuilder& task, const KernelLibrary::Butterfly& kernel, std::size_t layer) const {
    const auto bytes = static_cast<u32>(kernel->weights.word_count() * 2);
    const u32 weights = task.reserve(bytes);
    const u64 pitch = (u64{bytes} + 255) / 256 * 256;
    const u64 address = task.add_constants(pitch << pass_.outer.size(), weights_of_tiles(kernel, layer, pitch));
    TileStrides strides{};
    u64 step = pitch;
    for (std::size_t i = 0; i < outer_runs_.size(); ++i) {
      strides[i + 1] = static_cast<i64>(step);
      step *= outer_runs_[i].count();
    }
    task.load_bytes(address, weights, bytes, strides);
    return weights;
  }

  void add_stages(TaskBuilder& task, const Planes& planes) const {
    const auto local_bits = static_cast<unsigned>(pass_.inner.size());
    const LayerNeeds needs =
        butterfly_.complex ? LayerNeeds::of_fft() : LayerNeeds::of_real(butterfly_.normal, butterfly_.pays);
    const auto stages =
        divide_into_stages(target_, local_bits, needs, static_cast<unsigned>(pass_.end_layer - pass_.first_layer));
    std::vector<unsigned> place(local_bits);
    std::iota(place.begin(), place.end(), 0u);
    StagePlace at{pass_.first_layer};
    for (std::size_t s = 0; s < stages.size(); ++s) {
      at.begins = s == 0;
      at.ends = s + 1 == stages.size();
      const ButterflyStage stage = stage_of(at, stages[s], planes, place);
      const auto kernel = plan_.kernels().butterfly(stage, task.groups());
      const u32 weights = add_weights(task, kernel, at.layer);
      add_butterfly_launches(
          task, kernel, stages.size() == 1 ? butterfly_.name : fmt::format("{}.stage{}", butterfly_.name, s), stage,
          task.groups(), task.tail_groups(), registers_of(stage, at, planes), {weights, false}, {});
      at.layer += stages[s];
    }
  }

  /// Tiles are weighted differently.
  /// @param layer  the first of the stage
  [[nodiscard]] std::vector<TaskConstants::Piece> weights_of_tiles(const KernelLibrary::Butterfly& kernel,
                                                                   std::size_t layer, u64 pitch) const {
    std::vector<TaskConstants::Piece> pieces;
    for (u32 tile = 0; tile < u32{1} << pass_.outer.size(); ++tile) {
      pieces.push_back({tile * pitch, [=, inner = pass_.inner, base = tile_index(tile), weights = butterfly_.weights,
                                       bias = butterfly_.bias, scale = butterfly_.output_scale] {
                          return kernel->weights.words(
                              [&](u32, unsigned number, u32 local) {
                                return weights(static_cast<unsigned>(layer) + number, index_of(inner, base, local));
                              },
                              [&](u32, u32 local) { return bias(index_of(inner, base, local)); },
                              [&](u32, u32 local) { return scale(index_of(inner, base, local)); });
                        }});
    }
    return pieces;
  }

  const TaskPlanner& plan_;
  const CompilerTarget& target_;
  const LongButterfly& butterfly_;
  const LongButterflyPlaces& places_;
  const Pass& pass_;
  const bool first_, last_;
  std::vector<unsigned> inner_out_;  // inner bits in the order of their output locations
  std::vector<Run> in_runs_, out_runs_, outer_runs_;
};

class Division {
 public:
  Division(const TaskPlanner& plan, const LongButterfly& butterfly, const LongButterflyPlaces& places)
      : plan_(plan), butterfly_(butterfly), places_(places) {}

  /// Finds the division with the least cost and returns the cost.
  u64 find() {
    // Tiles take as many neighbouring points as make good DMA bursts. If those do not fit, tiles take fewer: then the
    // passes need less space, but are slow.
    const unsigned lane_bits = log2_of(plan_.target().lanes);
    extras_ = butterfly_.along_rows ? std::vector<unsigned>{0, 2} : std::vector<unsigned>{lane_bits, lane_bits + 2};
    try_passes();
    if (best_) return best_cost_;
    collects_ = true;
    known_.clear();
    if (!butterfly_.along_rows) {
      extras_.resize(lane_bits + 1);
      std::iota(extras_.begin(), extras_.end(), 0u);
    }
    try_passes();
    if (best_ || !plan_.may_pack()) return best_cost_;
    // Tiles of down to two points.
    packed_ = true;
    known_.clear();
    try_passes();
    return best_cost_;
  }

  [[nodiscard]] Tasks make(DramPlan& dram) {
    Tasks tasks;
    find();
    if (!best_) {
      throw ScratchpadError(
          fmt::format("{}: {} points do not fit the scratchpad half of {} bytes in any number of passes "
                      "(raise soc.scratchpad.size_bytes)",
                      butterfly_.name, u64{1} << butterfly_.index_bits, plan_.half_bytes()));
    }
    LongButterflyPlaces between = places_;
    for (std::size_t i = 0; i < best_->size(); ++i) {
      const bool last = i + 1 == best_->size();
      LongButterflyPlaces of_pass = between;
      if (!last) {
        of_pass.output_re = like(dram, places_.input_re);
        of_pass.output_im = butterfly_.complex ? like(dram, places_.input_re) : of_pass.output_re;
      }
      const PassBuilder builder(plan_, butterfly_, of_pass, (*best_)[i], i == 0, last);
      if (packed_) {
        tasks.push_back(builder.make(packed_tiling(builder)));
      } else {
        tasks.push_back(plan_.best_task(butterfly_.others, builder.outer_counts(), builder.shape(),
                                        [&](const Tiling& tiling) { return builder.make(tiling); }));
      }
      between.input_re = of_pass.output_re;
      between.input_im = of_pass.output_im;
    }
    return tasks;
  }

 private:
  [[nodiscard]] MatrixPlace like(DramPlan& dram, const MatrixPlace& place) const {
    const u64 points = u64{1} << butterfly_.index_bits;
    return butterfly_.along_rows ? dram.matrix(points, place.columns) : dram.matrix(place.rows, points);
  }

  [[nodiscard]] Tiling packed_tiling(const PassBuilder& builder) const {
    const auto rows = static_cast<u32>(std::min<u64>(butterfly_.others, plan_.target().lanes));
    return TaskPlanner::packed_tiling(butterfly_.others, rows, builder.outer_counts());
  }

  /// Divides the layers into as few passes as possible. A single pass is only tried if its buffers are packed.
  void try_passes() {
    const unsigned layers = butterfly_.index_bits;
    for (unsigned passes = packed_ ? 1 : 2; passes <= layers && !best_; ++passes) {
      std::vector<unsigned> sizes(passes, 1);
      try_sizes(sizes, 0, layers);
    }
  }

  /// A bound that needs no kernels: whether the buffers of a tile of so many points fit.
  [[nodiscard]] bool may_fit(unsigned point_bits) const {
    const u64 buffer_bytes = u64{plan_.target().vector_bytes()} << point_bits;
    return buffer_bytes * (butterfly_.complex ? 3 : 1) <= plan_.half_bytes();
  }

  void try_sizes(std::vector<unsigned>& sizes, std::size_t at, unsigned left) {
    if (at + 1 == sizes.size()) {
      if (!may_fit(left)) return;
      sizes[at] = left;
      try_extras(sizes);
      return;
    }
    for (unsigned size = 1; size + (sizes.size() - at - 1) <= left && may_fit(size); ++size) {
      sizes[at] = size;
      try_sizes(sizes, at + 1, left - size);
    }
  }

  void try_extras(const std::vector<unsigned>& sizes) {
    for (const unsigned extra : extras_) {
      const std::vector<Pass> passes = make_passes(sizes, extra);
      u64 cost = 0;
      for (std::size_t i = 0; i < passes.size() && cost != impossible; ++i) {
        const Pass& pass = passes[i];
        const auto [known, fresh] = known_.try_emplace({pass.first_layer, pass.end_layer, pass.inner, pass.from}, 0);
        if (fresh) known->second = cost_of(pass, i == 0, i + 1 == passes.size());
        const u64 of_pass = known->second;
        cost = of_pass == impossible ? impossible : cost + of_pass;
      }
      if (cost >= best_cost_) continue;
      best_cost_ = cost;
      best_ = passes;
    }
  }

  [[nodiscard]] std::vector<Pass> make_passes(const std::vector<unsigned>& sizes, unsigned extra) const {
    const unsigned bits = butterfly_.index_bits;
    std::vector<Pass> passes;
    Locations location(bits);
    for (unsigned bit = 0; bit < bits; ++bit) location[bit] = bit;
    std::size_t first = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      Pass pass;
      pass.packed = packed_;
      pass.first_layer = first;
      pass.end_layer = first + sizes[i];
      pass.from = location;
      std::vector<bool> inner(bits, false);
      for (std::size_t layer = first; layer < pass.end_layer; ++layer) inner[butterfly_.layer_bits[layer]] = true;
      if (butterfly_.bit_reversed) {
        // A pass leaves its bits reversed among their own locations, and the last pass puts all bits where they belong.
        // The tiles of the last pass then need one loop for each earlier pass, which limits their number. If passes
        // also collect the earlier bits in their final order, two loops are enough.
        std::vector<unsigned> own(butterfly_.layer_bits.begin() + static_cast<std::ptrdiff_t>(first),
                                  butterfly_.layer_bits.begin() + static_cast<std::ptrdiff_t>(pass.end_layer));
        reverse_places(location, std::move(own));
        // The bits that earlier passes have worked on, in their final order.
        const auto done = static_cast<unsigned>(pass.end_layer);
        for (unsigned bit = bits - done; bit < bits && (collects_ || done == bits); ++bit) {
          location[bit] = bits - done + (bits - 1 - bit);
        }
      }
      pass.to = location;
      for (unsigned bit = 0; bit < bits; ++bit)
        inner[bit] = inner[bit] || pass.from[bit] < extra || pass.to[bit] < extra;
      for (unsigned bit = 0; bit < bits; ++bit) (inner[bit] ? pass.inner : pass.outer).push_back(bit);
      const auto by_location = [&](unsigned a, unsigned b) { return pass.from[a] < pass.from[b]; };
      std::sort(pass.inner.begin(), pass.inner.end(), by_location);
      std::sort(pass.outer.begin(), pass.outer.end(), by_location);
      first = pass.end_layer;
      passes.push_back(std::move(pass));
    }
    return passes;
  }

  /// The cost with small tiles.
  [[nodiscard]] u64 cost_of(const Pass& pass, bool first, bool last) const {
    if (!may_fit(static_cast<unsigned>(pass.inner.size()))) return impossible;
    const PassBuilder builder(plan_, butterfly_, places_, pass, first, last);
    if (!builder.possible()) return impossible;
    try {
      if (packed_) {
        const TaskBuilder task = builder.make(packed_tiling(builder));
        return plan_.fits(task) ? plan_.cost(task) : impossible;
      }
      const u32 all = plan_.groups(butterfly_.others);
      // Strips of several panels make longer DMA bursts.
      for (const u32 groups : {std::min(4u, all), 1u}) {
        const TaskBuilder task = builder.make(plan_.tiling(butterfly_.others, groups, builder.outer_counts()));
        if (plan_.fits(task)) return plan_.cost(task);
      }
      return impossible;
    } catch (const CompileError&) {
      return impossible;  // there is no kernel for this division
    }
  }

  static constexpr u64 impossible = long_butterfly_impossible;

  const TaskPlanner& plan_;
  const LongButterfly& butterfly_;
  const LongButterflyPlaces& places_;
  std::vector<unsigned> extras_;  // neighbouring points of a tile to choose from, as index bits
  bool packed_ = false;
  bool collects_ = false;  // bit-reversed: each pass brings the bits so far into their final order
  std::map<std::tuple<std::size_t, std::size_t, std::vector<unsigned>, Locations>, u64> known_;  // costs of passes
  std::optional<std::vector<Pass>> best_;
  u64 best_cost_ = impossible;
};

}  // namespace

Tasks long_butterfly(const TaskPlanner& plan, DramPlan& dram, const LongButterfly& butterfly,
                     const LongButterflyPlaces& places) {
  return Division(plan, butterfly, places).make(dram);
}

u64 long_butterfly_cost(const TaskPlanner& plan, const LongButterfly& butterfly, const LongButterflyPlaces& places) {
  return Division(plan, butterfly, places).find();
}

LongButterfly long_fft(const CompilerTarget& target, const std::string& name, unsigned index_bits, bool ortho) {
  LongButterfly fft;
  fft.name = name;
  fft.index_bits = index_bits;
  fft.complex = true;
  fft.bit_reversed = true;
  for (unsigned k = 0; k < index_bits; ++k) fft.layer_bits.push_back(index_bits - 1 - k);
  fft.weights = [index_bits, ratios = target.twiddle_ratios](unsigned layer, u32 index) {
    return fft_factor(index_bits, layer, index, ratios);
  };
  if (ortho) fft.scale = fft_scale(u64{1} << index_bits);
  return fft;
}

TaskBuilder copy_task(const CompilerTarget& target, const std::string& name, u32 layer, const MatrixPlace& from,
                      u64 columns, const MatrixPlace& to, u64 end) {
  const auto rows = static_cast<u32>(from.rows);
  TaskBuilder task(target, name, layer, {1, 1, 1}, rows, rows);
  TaskBuilder::Move copy;
  copy.descriptor.source = from.address;
  copy.descriptor.destination = to.address;
  copy.descriptor.length = static_cast<u32>(columns * 2);
  copy.descriptor.count = {rows, 1, 1};
  copy.descriptor.source_stride = {static_cast<i32>(from.pitch), 0, 0};
  copy.descriptor.destination_stride = {static_cast<i32>(to.pitch), 0, 0};
  task.add_input(copy);
  if (end > columns) {
    TaskBuilder::Move fill;
    fill.descriptor.destination = to.address + columns * 2;
    fill.descriptor.length = static_cast<u32>((end - columns) * 2);
    fill.descriptor.fill = dma_fill_flag;
    fill.descriptor.count = {rows, 1, 1};
    fill.descriptor.destination_stride = {static_cast<i32>(to.pitch), 0, 0};
    task.add_input(fill);
  }
  return task;
}

TaskBuilder zero_rows_task(const CompilerTarget& target, const std::string& name, u32 layer, const MatrixPlace& place,
                           u64 first, u64 end) {
  TaskBuilder task(target, name, layer, {1, 1, 1}, 1, 1);
  TaskBuilder::Move fill;
  fill.descriptor.destination = place.address + first * place.pitch;
  fill.descriptor.length = static_cast<u32>(place.pitch);
  fill.descriptor.fill = dma_fill_flag;
  fill.descriptor.count = {static_cast<u32>(end - first), 1, 1};
  fill.descriptor.destination_stride = {static_cast<i32>(place.pitch), 0, 0};
  task.add_input(fill);
  return task;
}

}  // namespace bvp
