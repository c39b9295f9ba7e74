// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/ends.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "platform/compiler/kernels/sum_kernels.h"
#include "platform/compiler/lowering/operators.h"
#include "platform/compiler/lowering/products.h"
#include "platform/network/half.h"

namespace bvp {

namespace {

/// Tokens that are summed up before the sum is added to the others (docs/numerics.md).
constexpr u32 pool_block = 64;

LaunchStep launch_of(const KernelLibrary::Sum& kernel, const std::string& name, std::string mapping, u32 outer) {
  LaunchStep step;
  step.name = name;
  step.mapping = std::move(mapping);
  step.counts = {outer, kernel->counts[0], kernel->counts[1], kernel->counts[2]};
  step.tail_count = outer;
  step.kernel = kernel_of(kernel);
  return step;
}

/// The mean of the tokens of each batch element.
class MeanPooling {
 public:
  MeanPooling(const TaskPlanner& plan, DramPlan& dram, const Network& network, const MatrixPlace& input)
      : plan_(plan),
        dram_(dram),
        input_(input),
        batch_(static_cast<u32>(network.batch)),
        tokens_(network.tokens),
        full_(static_cast<u32>(network.tokens / pool_block)),
        rest_(static_cast<u32>(network.tokens % pool_block)),
        panels_(static_cast<u32>(plan.padded(network.hidden) / plan.target().lanes)) {}

  [[nodiscard]] Tasks make() {
    partial_ = dram_.matrix(u64{blocks()} * 2 * batch_, input_.columns);
    pooled_ = dram_.matrix(batch_, input_.columns);
    if (full_ > 0) add_sums(0, pool_block, rest_ > 0 ? full_ : full_ * batch_);
    if (rest_ > 0) add_sums(full_, rest_, 1);
    add_mean(pooled_);
    return std::move(tasks_);
  }
  /// The result of the tasks, a row for each batch element.
  [[nodiscard]] const MatrixPlace& pooled() const { return pooled_; }

 private:
  using Make = std::function<TaskBuilder(u32 tile_blocks, u32 tile_panels)>;

  [[nodiscard]] u32 blocks() const { return full_ + (rest_ > 0 ? 1 : 0); }
  [[nodiscard]] u64 columns(u32 panels) const { return u64{panels} * plan_.target().lanes; }
  [[nodiscard]] i64 strip(u32 panels) const { return static_cast<i64>(columns(panels) * 2); }
  [[nodiscard]] static i64 rows_of(const MatrixPlace& place, u64 rows) { return static_cast<i64>(rows * place.pitch); }

  /// A part of a sum: `count` terms from `first` on. Earlier parts have summed up the terms before.
  struct Part {
    u32 first = 0, count = 0;
    bool is_last = true, packed = false;
  };

  /// `count` terms in parts of `size`.
  [[nodiscard]] static std::vector<Part> parts_of(u32 count, u32 size, bool packed) {
    std::vector<Part> parts;
    for (u32 first = 0; first < count; first += size) {
      parts.push_back({first, std::min(size, count - first), first + size >= count, packed});
    }
    return parts;
  }

  /// Divides the terms into as few parts as fit in tiles of one panel. `smallest` makes the smallest task for a part.
  template <class Smallest>
  [[nodiscard]] std::vector<Part> divide(u32 count, bool packed, const Smallest& smallest) const {
    for (u32 size = count;; size = (size + 1) / 2) {
      std::vector<Part> parts = parts_of(count, size, packed);
      const auto fits = [&](const Part& part) { return plan_.fits(smallest(part)); };
      if (std::all_of(parts.begin(), parts.end(), fits)) return parts;
      if (size > 1) continue;
      if (packed || !plan_.may_pack()) throw plan_.does_not_fit(smallest(parts.back()));
      return divide(count, true, smallest);
    }
  }

  /// Cuts blocks and panels into equal tiles, with the least cost.
  void add_best(u32 blocks, const Make& make) {
    u64 best_cost = std::numeric_limits<u64>::max();
    u32 best_blocks = 1, best_panels = 1;
    for (u32 tile_blocks = 1; tile_blocks <= blocks; ++tile_blocks) {
      for (u32 tile_panels = 1; tile_panels <= panels_; ++tile_panels) {
        if (blocks % tile_blocks != 0 || panels_ % tile_panels != 0) continue;
        const TaskBuilder task = make(tile_blocks, tile_panels);
        if (!plan_.fits(task)) break;
        const u64 cost = plan_.cost(task);
        if (cost >= best_cost) continue;
        best_cost = cost;
        best_blocks = tile_blocks;
        best_panels = tile_panels;
      }
    }
    tasks_.push_back(make(best_blocks, best_panels));
  }

  /// Adds tasks for the sums of `blocks` blocks of `rows` tokens, from block `first` on.
  void add_sums(u32 first, u32 rows, u32 blocks) {
    const std::vector<Part> parts =
        divide(rows, false, [&](const Part& part) { return sums(first, part, blocks, 1, 1); });
    // The rows of several blocks are consecutive only if the blocks are whole.
    for (const Part& part : parts) {
      add_best(parts.size() > 1 ? 1 : blocks,
               [&](u32 tile_blocks, u32 tile_panels) { return sums(first, part, blocks, tile_blocks, tile_panels); });
    }
  }

  /// @param blocks  of a batch element or, where these have whole blocks alone and so follow each other without a gap,
  /// of
  ///                all of them
  [[nodiscard]] TaskBuilder sums(u32 first, const Part& part, u32 blocks, u32 tile_blocks, u32 tile_panels) const {
    const CompilerTarget& target = plan_.target();
    const u32 tile_rows = part.count * tile_blocks;
    std::string name = first == 0 ? "classifier.sums" : "classifier.sums_rest";
    if (part.first > 0 || !part.is_last) name += fmt::format(".from{}", part.first);
    const u32 elements = rest_ > 0 ? batch_ : 1;
    TaskBuilder task(target, name, layer_none, {blocks / tile_blocks, panels_ / tile_panels, elements}, tile_rows,
                     tile_rows);
    if (part.packed) task.pack();
    const TileBuffer x = task.buffer(columns(tile_panels)), y = task.buffer(columns(tile_panels), 2 * tile_blocks);
    MatrixPlace from = input_, to = partial_;
    from.address += (u64{first} * pool_block + part.first) * from.pitch;
    to.address += u64{first} * 2 * to.pitch;
    task.load(from, columns(tile_panels), x, tile_rows, false,
              {rows_of(from, u64{pool_block} * tile_blocks), strip(tile_panels), rows_of(from, tokens_)});
    const TileStrides sum_strides{rows_of(to, u64{2} * tile_blocks), strip(tile_panels),
                                  rows_of(to, u64{2} * this->blocks())};
    if (part.first > 0) task.load(to, columns(tile_panels), y, 2 * tile_blocks, false, sum_strides);
    RowSumSpec spec;
    spec.resume = part.first > 0;
    spec.rows = part.count;
    spec.blocks = tile_blocks;
    spec.columns = columns(tile_panels);
    spec.x = x.layout;
    spec.y = y.layout;
    spec.factor = to_half(static_cast<double>(power()) / static_cast<double>(tokens_));
    add_launch(task, name, spec, x, y);
    task.store(to, columns(tile_panels), y, 2 * tile_blocks, false, sum_strides);
    return task;
  }

  /// Adds the task for the sum of all blocks. The sum of earlier parts is one more pair of rows.
  void add_mean(const MatrixPlace& pooled) {
    const std::vector<Part> parts = divide(blocks(), false, [&](const Part& part) { return mean(pooled, part, 1, 1); });
    if (parts.size() > 1) sum_ = dram_.matrix(u64{2} * batch_, input_.columns);
    for (const Part& part : parts) {
      // The sums of several batch elements are consecutive only if they are not divided.
      add_best(parts.size() > 1 ? 1 : batch_,
               [&](u32 elements, u32 tile_panels) { return mean(pooled, part, elements, tile_panels); });
    }
  }

  /// @param elements  batch elements of a tile
  [[nodiscard]] TaskBuilder mean(const MatrixPlace& pooled, const Part& part, u32 elements, u32 tile_panels) const {
    const u32 earlier = part.first > 0 ? 2 : 0, rows = 2 * part.count;
    std::string name = "classifier.mean";
    if (part.first > 0 || !part.is_last) name += fmt::format(".from{}", part.first);
    TaskBuilder task(plan_.target(), name, layer_none, {1, panels_ / tile_panels, batch_ / elements}, 1, 1);
    if (part.packed) task.pack();
    const TileBuffer x = task.buffer(columns(tile_panels), (earlier + rows) * elements);
    const TileBuffer y = task.buffer(columns(tile_panels), (part.is_last ? 1 : 2) * elements);
    TileBuffer pairs = x;
    pairs.offset += earlier * x.layout.row_bytes();
    MatrixPlace from = partial_;
    from.address += u64{2} * part.first * from.pitch;
    task.load(from, columns(tile_panels), pairs, rows * elements, false,
              {0, strip(tile_panels), rows_of(from, u64{2} * blocks() * elements)});
    if (earlier > 0) {
      task.load(sum_, columns(tile_panels), x, earlier, false, {0, strip(tile_panels), rows_of(sum_, 2)});
    }
    RowSumSpec spec;
    spec.join = true;
    spec.suspend = !part.is_last;
    spec.rows = (earlier + rows) / 2;
    spec.blocks = elements;
    spec.columns = columns(tile_panels);
    spec.x = x.layout;
    spec.y = y.layout;
    spec.factor = to_half(1 / static_cast<double>(power()));
    add_launch(task, name, spec, x, y);
    const MatrixPlace& to = part.is_last ? pooled : sum_;
    const u32 results = (part.is_last ? 1 : 2) * elements;
    task.store(to, columns(tile_panels), y, results, false, {0, strip(tile_panels), rows_of(to, results)});
    return task;
  }

  void add_launch(TaskBuilder& task, const std::string& name, const RowSumSpec& spec, const TileBuffer& x,
                  const TileBuffer& y) const {
    const auto kernel = named(name, [&] { return plan_.kernels().row_sum(spec); });
    const u32 constants = task.add_weights(kernel->constants);
    LaunchStep step =
        launch_of(kernel, name,
                  fmt::format("{} {} of {} {}", spec.blocks, spec.blocks == 1 ? "block" : "blocks", spec.rows,
                              spec.join ? "pairs of rows with the halves of fp32 sums" : "tokens"),
                  spec.blocks);
    step.registers = {{row_sum_register::x, x.offset, false},
                      {row_sum_register::y, y.offset, false},
                      {row_sum_register::constants, constants, true}};
    task.add_launch(std::move(step));
  }

  /// The largest power of two that divides the number of tokens: both factors are then fp16 numbers of full precision.
  [[nodiscard]] u64 power() const { return u64{1} << (63 - static_cast<unsigned>(__builtin_clzll(tokens_))); }

  const TaskPlanner& plan_;
  DramPlan& dram_;
  Tasks tasks_;
  const MatrixPlace& input_;
  const u32 batch_;
  const u64 tokens_;
  const u32 full_, rest_;  // number of whole blocks, and of the tokens after them
  const u32 panels_;
  MatrixPlace partial_;  // two rows for each block and batch element: the halves of its fp32 sum
  MatrixPlace pooled_;
  MatrixPlace sum_;  // two rows for each batch element: the halves of the fp32 sum of the blocks so far
};

/// The first token of each batch element, where it lies.
MatrixPlace first_tokens(const Network& network, const MatrixPlace& input) {
  MatrixPlace place = input;
  place.rows = network.batch;
  if (network.batch > 1) place.pitch *= network.tokens;
  if (place.pitch > static_cast<u64>(std::numeric_limits<i32>::max())) {
    throw CompileError(
        fmt::format("classifier: sequences of {} bytes lie too far apart for a DMA descriptor", place.pitch));
  }
  return place;
}

/// The tasks of the embedding: strips of columns of all tokens, one after the other.
class EmbeddingTasks {
 public:
  EmbeddingTasks(const TaskPlanner& plan, DramPlan& dram, const Network& network, const TensorMap& parameters,
                 const MatrixPlace& output)
      : plan_(plan),
        target_(plan.target()),
        network_(network),
        output_(output),
        table_(dram.constant(parameters.at("embedding.token"))),
        position_(dram.constant(parameters.at("embedding.position"))) {
    tokens_.count = network.batch * network.tokens;
    tokens_.address = dram.token_ids(tokens_.count * sizeof(u32));
  }

  [[nodiscard]] Embedding make() const {
    Embedding result;
    result.tokens = tokens_;
    const Strips strips = choose_strips();
    for (u64 first = 0; first < network_.hidden; first += strips.width) {
      const u64 end = std::min(first + strips.width, network_.hidden);
      result.tasks.push_back(task_of(first, end, best_tiling(first, end, strips.packed)));
    }
    return result;
  }

 private:
  struct Strips {
    u64 width = 0;  // columns of a strip
    bool packed = false;
  };

  /// @param count  lane groups of tokens in a tile; of a packed task, tokens
  [[nodiscard]] Tiling tiling_of(u32 count, bool packed) const {
    const auto batch = static_cast<u32>(network_.batch);
    return packed ? TaskPlanner::packed_tiling(network_.tokens, count, {batch, 1})
                  : plan_.tiling(network_.tokens, count, {batch, 1});
  }

  /// As few strips of whole panels as possible. Tasks are packed if not even a strip of one panel fits otherwise.
  [[nodiscard]] Strips choose_strips() const {
    const u64 panels = plan_.padded(network_.hidden) / target_.lanes;
    Strips strips{network_.hidden, false};
    for (u64 count = 1; !plan_.fits(task_of(0, strips.width, tiling_of(1, strips.packed))); ++count) {
      if (count == panels) {
        if (strips.packed || !plan_.may_pack()) {
          throw plan_.does_not_fit(task_of(0, strips.width, tiling_of(1, strips.packed)));
        }
        strips.packed = true;
        count = 0;
      }
      strips.width = std::min(network_.hidden, (panels + count) / (count + 1) * target_.lanes);
    }
    return strips;
  }

  /// The tiling of the columns [first, end) that costs least.
  [[nodiscard]] Tiling best_tiling(u64 first, u64 end, bool packed) const {
    const u32 indices = target_.transfers.index_entries;
    const u32 most_rows = target_.tile_rows > 0 ? std::min(target_.tile_rows, indices) : indices;
    const u32 most = packed ? std::min(target_.lanes, most_rows)
                            : std::min(plan_.groups(network_.tokens), std::max(1u, most_rows / target_.lanes));
    u64 best_cost = std::numeric_limits<u64>::max();
    Tiling best;
    // The kernel takes powers of two of packed rows.
    for (u32 count = 1; count <= most; count += packed ? count : 1) {
      const TaskBuilder task = task_of(first, end, tiling_of(count, packed));
      if (!plan_.fits(task)) break;
      const u64 cost = plan_.cost(task);
      if (cost >= best_cost) continue;
      best_cost = cost;
      best = tiling_of(count, packed);
    }
    return best;
  }

  /// The columns [first, end) of all tokens.
  [[nodiscard]] TaskBuilder task_of(u64 first, u64 end, const Tiling& tiling) const {
    const auto strip = [&](MatrixPlace place) {
      place.address += first * 2;
      place.columns = end - first;
      return place;
    };
    TaskBuilder task(target_, "embedding", layer_none, tiling.tiles, tiling.rows, tiling.tail_rows);
    if (tiling.packed) task.pack();
    // Rows of both tables are padded with zeros, so that whole panels are moved and added.
    const TileBuffer y = task.buffer(end - first), x = task.buffer(end - first);
    const auto of_tile = [&](u64 row_bytes) { return static_cast<i64>(row_bytes * tiling.rows); };
    task.load(strip(position_), plan_.padded(end - first), x, tiling.rows, true, {of_tile(position_.pitch), 0, 0});
    task.gather(strip(table_), tokens_.address, y,
                {of_tile(sizeof(u32)), static_cast<i64>(network_.tokens * sizeof(u32)), 0});
    AddSpec spec;
    spec.columns = end - first;
    spec.layout = y.layout;
    const auto kernel = named("embedding", [&] { return plan_.kernels().add(spec, task.groups()); });
    LaunchStep step = launch_of(kernel, "embedding", "tokens and positions, value by value", task.groups());
    step.tail_count = task.tail_groups();
    step.registers = {{add_register::x, x.offset, false}, {add_register::y, y.offset, false}};
    step.results = {task.result(y, end - first)};
    task.add_launch(std::move(step));
    task.store(strip(output_), end - first, y, tiling.rows, true,
               {of_tile(output_.pitch), static_cast<i64>(network_.tokens * output_.pitch), 0});
    return task;
  }

  const TaskPlanner& plan_;
  const CompilerTarget& target_;
  const Network& network_;
  const MatrixPlace& output_;
  const MatrixPlace table_, position_;
  TokenPlace tokens_;
};

}  // namespace

Embedding embedding(const TaskPlanner& plan, DramPlan& dram, const Network& network, const TensorMap& parameters,
                    const MatrixPlace& output) {
  return EmbeddingTasks(plan, dram, network, parameters, output).make();
}

namespace {

/// A dense layer that belongs to no layer of the encoder.
DenseLayer dense_end(const TensorMap& parameters, const std::string& name) {
  DenseLayer dense;
  dense.name = name;
  dense.layer = layer_none;
  dense.weight = &parameters.at(name + ".weight");
  dense.bias = &parameters.at(name + ".bias");
  return dense;
}

}  // namespace

Tasks patch_embedding(const TaskPlanner& plan, DramPlan& dram, const Network& network, const TensorMap& parameters,
                      const MatrixPlace& patches, const MatrixPlace& output) {
  DenseLayer dense = dense_end(parameters, "embedding.patch");
  // The positions are the residual of each batch element.
  const Tensor& position = parameters.at("embedding.position");
  const u64 tokens = network.tokens, hidden = network.hidden;
  dense.residual = dram.constant(network.batch * tokens, hidden, [=, &position](u64 row, u64 column) {
    return position.data[row % tokens * hidden + column];
  });
  return dense_layer(plan, dram, dense, patches, output);
}

Classifier classifier(const TaskPlanner& plan, DramPlan& dram, const Network& network, const TensorMap& parameters,
                      const MatrixPlace& input) {
  Classifier result;
  MatrixPlace pooled;
  if (network.pooling == Pooling::mean) {
    MeanPooling pooling(plan, dram, network, input);
    result.tasks = pooling.make();
    pooled = pooling.pooled();
  } else {
    pooled = first_tokens(network, input);
  }
  if (network.pooler) {
    DenseLayer pooler = dense_end(parameters, "pooler");
    pooler.activation = Activation::tanh;
    const MatrixPlace output = dram.matrix(network.batch, network.hidden);
    append(result.tasks, dense_layer(plan, dram, pooler, pooled, output));
    pooled = output;
  }
  result.logits = dram.matrix(network.batch, network.classes);
  append(result.tasks, dense_layer(plan, dram, dense_end(parameters, "classifier"), pooled, result.logits));
  return result;
}

}  // namespace bvp
