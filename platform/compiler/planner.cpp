// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>

#include "platform/compiler/operators.h"

namespace bvp {

namespace {

constexpr u32 ring_entries = 256;

class Planner {
 public:
  Planner(const CompilerTarget& target, const Network& network, const TensorMap& parameters)
      : target_(target), network_(network), parameters_(parameters) {}

  CompiledNetwork compile() {
    check();
    // The tiles of one task share a half with the weights of the next: plan once to learn the largest weights.
    plan();
    for (const TaskBuilder& task : tasks_) weight_area_ = std::max(weight_area_, align(task.weights().size() * 2));
    plan();
    lay_out();
    return std::move(result_);
  }

 private:
  void plan() {
    tasks_.clear();
    result_ = {};
    rows_ = network_.batch * network_.tokens;
    bump_ = target_.dram_base;
    header_address_ = allocate(sizeof(NetworkHeader));
    ring_address_ = allocate(u64{ring_entries} * sizeof(Command));
    result_.input = matrix(rows_, network_.hidden);
    MatrixPlace x = result_.input;
    for (u32 layer = 0; layer < network_.layers.size(); ++layer) {
      layer_ = layer;
      x = add_layer(x);
      result_.layer_outputs.push_back(x);
    }
    if (network_.norm == NormPlacement::post) result_.output = x;
  }

  // ------------------------------------------------------------ DRAM

  u64 allocate(u64 bytes) {
    const u64 address = bump_;
    bump_ = (bump_ + bytes + 4095) / 4096 * 4096;
    if (bump_ > target_.dram_base + target_.dram_bytes) {
      throw CompileError(fmt::format("the network needs more than the {} bytes of DRAM (raise soc.dram.size_bytes)",
                                     target_.dram_bytes));
    }
    return address;
  }

  /// Rows are padded to whole vectors, and readers may reach one row beyond the last.
  MatrixPlace matrix(u64 rows, u64 columns) {
    const u64 pitch = (columns + target_.lanes - 1) / target_.lanes * target_.vector_bytes();
    return {allocate((rows + 1) * pitch), rows, columns, pitch};
  }

  // ------------------------------------------------------------ tiles

  [[nodiscard]] const Tensor& parameter(const std::string& name) const { return parameters_.at(name); }
  [[nodiscard]] std::string prefix() const { return fmt::format("layers.{}", layer_); }
  [[nodiscard]] u64 padded(u64 columns) const { return (columns + target_.lanes - 1) / target_.lanes * target_.lanes; }

  [[nodiscard]] u64 half_bytes() const { return target_.scratchpad_bytes / 2; }

  using Make = std::function<TaskBuilder(std::array<u32, 3> tiles, u32 rows, u32 tail_rows)>;

  /// Makes a task over `rows` rows, cut into tiles of whole lane groups: the largest tiles whose buffers and
  /// weights fit a half, but several where there is enough to overlap moving and computing.
  void add_row_task(u64 rows, std::array<u32, 2> outer, const Make& make) {
    const u32 lanes = target_.lanes;
    const auto groups = static_cast<u32>((rows + lanes - 1) / lanes);
    const u64 one = footprint(make({1, outer[0], outer[1]}, lanes, lanes));
    const u64 two = footprint(make({1, outer[0], outer[1]}, 2 * lanes, 2 * lanes));
    const u64 per_group = std::max<u64>(1, two - one), fixed = one - std::min(one, per_group);
    if (one > half_bytes()) {
      throw CompileError(
          fmt::format("layer {}: {} rows need {} bytes of a scratchpad half, it has {} "
                      "(raise soc.scratchpad.size_bytes)",
                      layer_, lanes, one, half_bytes()));
    }
    u32 fitting = static_cast<u32>(std::min<u64>(groups, (half_bytes() - fixed) / per_group));
    fitting = std::max(1u, fitting);
    const u32 wanted = outer[0] * outer[1] > 1 ? 1 : std::min(4u, groups / 8 + 1);
    while (true) {
      const u32 tiles = std::max((groups + fitting - 1) / fitting, wanted);
      const u32 tile_groups = (groups + tiles - 1) / tiles;
      const u32 count = (groups + tile_groups - 1) / tile_groups;
      const auto tile_rows = static_cast<u32>(std::min<u64>(rows, u64{tile_groups} * lanes));
      const auto tail_rows = static_cast<u32>(rows - u64{count - 1} * tile_groups * lanes);
      TaskBuilder task = make({count, outer[0], outer[1]}, tile_rows, tail_rows);
      if (footprint(task) <= half_bytes()) {
        tasks_.push_back(std::move(task));
        return;
      }
      if (fitting == 1) throw CompileError(fmt::format("layer {}: a tile does not fit a scratchpad half", layer_));
      --fitting;
    }
  }

  /// Buffers and weights of a task; the two lie in one half.
  [[nodiscard]] u64 footprint(const TaskBuilder& task) const {
    return align(task.buffer_bytes()) + std::max(weight_area_, align(task.weights().size() * 2));
  }
  [[nodiscard]] u64 align(u64 bytes) const {
    const u64 tile = u64{target_.lanes} * target_.lanes * 2;
    const u64 unit = std::max<u64>(tile, 64);
    return (bytes + unit - 1) / unit * unit;
  }

  static TileStrides row_strides(const MatrixPlace& place, u32 tile_rows) {
    return {static_cast<i64>(place.pitch) * tile_rows, 0, 0};
  }

  // ------------------------------------------------------------ layers

  void check() const {
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
      const EncoderLayer& layer = network_.layers[i];
      if (layer.ffn == LinearKind::dense ||
          (layer.mixing == Mixing::attention && layer.projections == LinearKind::dense)) {
        throw CompileError(
            fmt::format("network.layers.{}: dense linear layers are not available yet, use butterfly", i));
      }
    }
  }

  MatrixPlace add_layer(const MatrixPlace& x) {
    return network_.layers[layer_].mixing == Mixing::fft2d ? add_fft_layer(x) : add_attention_layer(x);
  }

  void norm(TaskBuilder& task, const std::string& name, const TileBuffer& from, const TileBuffer& to) {
    add_layer_norm(task, target_, name, parameter(name + ".weight"), parameter(name + ".bias"), network_.epsilon, from,
                   to);
  }

  MatrixPlace add_fft_layer(const MatrixPlace& x) {
    const u64 hidden = network_.hidden, points = std::max<u64>(2, next_power_of_two(hidden));
    const u64 tokens = network_.tokens, token_points = std::max<u64>(2, next_power_of_two(tokens));
    const bool pre = network_.norm == NormPlacement::pre;
    const bool ortho = network_.fft_norm == FftNorm::ortho;
    const u32 layer = layer_;
    const MatrixPlace re = matrix(rows_, points), im = matrix(rows_, points);

    add_row_task(rows_, {1, 1}, [&](std::array<u32, 3> tiles, u32 rows, u32 tail_rows) {
      TaskBuilder task(target_, prefix() + ".fft_hidden", layer, tiles, rows, tail_rows);
      const TileBuffer in = task.buffer(points), out_re = task.buffer(points), out_im = task.buffer(points);
      const bool stages = divide_into_stages(target_, log2_of(points), true).size() > 1;
      const TileBuffer work_re = stages ? task.buffer(points) : out_re, work_im = stages ? task.buffer(points) : out_im;
      task.load(x, padded(hidden), in, rows, true, row_strides(x, rows));
      task.zero_columns(in, hidden, points);
      if (pre) norm(task, prefix() + ".norm1", in, in);
      FftOperator fft;
      fft.name = prefix() + ".fft_hidden";
      fft.points = points;
      fft.ortho = ortho;
      fft.real_input = true;
      fft.groups = task.groups();
      fft.tail_groups = task.tail_groups();
      add_fft(task, target_, fft, in, in, work_re, work_im, out_re, out_im);
      task.store(re, padded(points), out_re, rows, true, row_strides(re, rows));
      task.store(im, padded(points), out_im, rows, true, row_strides(im, rows));
      return task;
    });

    const MatrixPlace mixed = matrix(rows_, hidden);
    const u32 lanes = target_.lanes;
    const auto panels = static_cast<u32>((hidden + lanes - 1) / lanes);
    const auto rows = static_cast<u32>(tokens);
    const auto make_strip = [&](u32 width) {
      const u32 count = (panels + width - 1) / width, tail = panels - (count - 1) * width;
      TaskBuilder task(target_, prefix() + ".fft_tokens", layer, {count, static_cast<u32>(network_.batch), 1}, rows,
                       rows);
      const auto buffer = [&] { return task.buffer(u64{width} * lanes, static_cast<u32>(token_points)); };
      const TileBuffer in_re = buffer(), in_im = buffer(), out = buffer(), residual = buffer();
      const auto strides = [&](const MatrixPlace& place) {
        return TileStrides{i64{width} * lanes * 2, static_cast<i64>(tokens * place.pitch), 0};
      };
      task.load_strip(re, in_re, rows, width, tail, strides(re));
      task.load_strip(im, in_im, rows, width, tail, strides(im));
      task.load_strip(x, residual, rows, width, tail, strides(x));
      task.zero_rows(in_re, rows, static_cast<u32>(token_points));
      task.zero_rows(in_im, rows, static_cast<u32>(token_points));
      FftOperator fft;
      fft.name = prefix() + ".fft_tokens";
      fft.points = token_points;
      fft.along_rows = true;
      fft.ortho = ortho && tokens > 1;  // a transform of one point is padded to two, its scale stays 1
      fft.real_output = true;
      fft.residual = residual;
      fft.groups = width;
      fft.tail_groups = tail;
      add_fft(task, target_, fft, in_re, in_im, in_re, in_im, out, out);
      task.store_strip(mixed, out, rows, width, tail, strides(mixed));
      return task;
    };
    u32 width = std::max(1u, (panels + 3) / 4);
    while (width > 1 && footprint(make_strip(width)) > half_bytes()) --width;
    TaskBuilder strip = make_strip(width);
    if (footprint(strip) > half_bytes()) {
      throw CompileError(
          fmt::format("layer {}: the FFT over {} tokens needs {} bytes of a scratchpad half, it has {} "
                      "(raise soc.scratchpad.size_bytes)",
                      layer, tokens, footprint(strip), half_bytes()));
    }
    tasks_.push_back(std::move(strip));

    const LinearShape up(hidden, network_.ffn);
    return add_ffn(
        ".ffn",
        [&](TaskBuilder& task) {
          const TileBuffer h = task.buffer(up.points);
          task.load(mixed, padded(hidden), h, task.rows(), true, row_strides(mixed, task.rows()));
          task.zero_columns(h, hidden, up.points);
          return h;
        },
        [](TaskBuilder&, const TileBuffer&) {});
  }

  MatrixPlace add_attention_layer(const MatrixPlace& x) {
    const u64 hidden = network_.hidden, width = hidden / network_.heads, tokens = network_.tokens;
    const bool pre = network_.norm == NormPlacement::pre;
    const u32 layer = layer_;
    const LinearShape shape(hidden, hidden);
    const std::string attention = prefix() + ".attention";
    const auto linear = [&](const std::string& part) {
      LinearOperator op;
      op.name = attention + "." + part;
      op.twiddle = &parameter(op.name + ".twiddle");
      op.bias = &parameter(op.name + ".bias");
      op.inputs = op.outputs = hidden;
      return op;
    };
    const MatrixPlace q = matrix(rows_, hidden), k = matrix(rows_, hidden), v = matrix(rows_, hidden);
    add_row_task(rows_, {1, 1}, [&](std::array<u32, 3> tiles, u32 rows, u32 tail_rows) {
      TaskBuilder task(target_, attention + ".projections", layer, tiles, rows, tail_rows);
      const TileBuffer in = task.buffer(shape.points);
      task.load(x, padded(hidden), in, rows, true, row_strides(x, rows));
      task.zero_columns(in, hidden, shape.points);
      if (pre) norm(task, prefix() + ".norm1", in, in);
      for (const auto& [part, place] :
           {std::pair<std::string, const MatrixPlace*>{"query", &q}, {"key", &k}, {"value", &v}}) {
        const TileBuffer out = task.buffer(shape.written());
        add_butterfly_linear(task, target_, linear(part), in, out);
        task.store(*place, padded(hidden), out, rows, true, row_strides(*place, rows));
      }
      return task;
    });

    const MatrixPlace mixed = matrix(rows_, hidden);
    add_row_task(tokens, {static_cast<u32>(network_.heads), static_cast<u32>(network_.batch)},
                 [&](std::array<u32, 3> tiles, u32 rows, u32 tail_rows) {
                   TaskBuilder task(target_, attention + ".core", layer, tiles, rows, tail_rows);
                   const auto strides = [&](const MatrixPlace& place, bool tile) {
                     return TileStrides{tile ? static_cast<i64>(place.pitch) * rows : 0, static_cast<i64>(width * 2),
                                        static_cast<i64>(place.pitch * tokens)};
                   };
                   const auto all = static_cast<u32>(tokens);
                   const TileBuffer keys = task.buffer(width, all), values = task.buffer(width, all);
                   const TileBuffer queries = task.buffer(width), scores = task.buffer(tokens);
                   const TileBuffer reciprocal = task.buffer(1), out = task.buffer(width);
                   task.load(k, width, keys, all, false, strides(k, false));
                   task.load(v, width, values, all, false, strides(v, false));
                   task.load(q, width, queries, rows, true, strides(q, true));
                   add_attention(task, target_, attention, tokens, width, queries, keys, values, scores, reciprocal,
                                 out);
                   task.store(mixed, width, out, rows, true, strides(mixed, true));
                   return task;
                 });

    return add_ffn(
        ".output_ffn",
        [&](TaskBuilder& task) {
          // The residual is read for all points that the projection writes: it lies below, so that stays in the half.
          const u64 points = std::max(shape.points, LinearShape(hidden, network_.ffn).points);
          const TileBuffer residual = task.buffer(shape.points), h = task.buffer(points);
          task.load(x, padded(hidden), residual, task.rows(), true, row_strides(x, task.rows()));
          // The projection adds it to all its points, and those behind the hidden ones must stay 0.
          task.zero_columns(residual, hidden, shape.points);
          task.load(mixed, padded(hidden), h, task.rows(), true, row_strides(mixed, task.rows()));
          task.zero_columns(h, hidden, points);
          residual_ = residual;
          return h;
        },
        [&](TaskBuilder& task, const TileBuffer& h) {
          LinearOperator op = linear("output");
          op.residual = residual_;
          add_butterfly_linear(task, target_, op, h, h);
        });
  }

  /// The rest of a layer from the mixed tokens on. `input` makes the buffer of the tokens and loads it, `before`
  /// adds what still has to be done to them.
  MatrixPlace add_ffn(const std::string& name, const std::function<TileBuffer(TaskBuilder&)>& input,
                      const std::function<void(TaskBuilder&, const TileBuffer&)>& before) {
    const u64 hidden = network_.hidden;
    const bool pre = network_.norm == NormPlacement::pre;
    const bool final = pre && layer_ + 1 == network_.layers.size();
    const LinearShape up(hidden, network_.ffn), down(network_.ffn, hidden);
    const MatrixPlace out = matrix(rows_, hidden);
    if (final) result_.output = matrix(rows_, hidden);
    add_row_task(rows_, {1, 1}, [&](std::array<u32, 3> tiles, u32 rows, u32 tail_rows) {
      TaskBuilder task(target_, prefix() + name, layer_, tiles, rows, tail_rows);
      const TileBuffer h = input(task);
      const TileBuffer n = pre ? task.buffer(up.points) : h;
      const u64 columns = std::max(up.written(), down.points);
      const TileBuffer mid = task.buffer(columns);
      // Several stacks read the same input, so only a single one may overwrite it.
      const TileBuffer z = down.stacks > 1 ? task.buffer(down.written()) : mid;
      if (pre) task.zero_columns(n, hidden, up.points);
      task.zero_columns(mid, up.written(), down.points);
      before(task, h);
      norm(task, prefix() + (pre ? ".norm2" : ".norm1"), h, n);
      const auto linear = [&](const std::string& part, u64 inputs, u64 outputs) {
        LinearOperator op;
        op.name = prefix() + ".ffn." + part;
        op.twiddle = &parameter(op.name + ".twiddle");
        op.bias = &parameter(op.name + ".bias");
        op.inputs = inputs;
        op.outputs = outputs;
        return op;
      };
      LinearOperator first = linear("up", hidden, network_.ffn);
      first.activation =
          network_.activation == Activation::gelu ? ButterflyStage::Activation::gelu : ButterflyStage::Activation::relu;
      add_butterfly_linear(task, target_, first, n, mid);
      LinearOperator second = linear("down", network_.ffn, hidden);
      second.residual = h;
      add_butterfly_linear(task, target_, second, mid, z);
      if (!pre) norm(task, prefix() + ".norm2", z, z);
      task.store(out, padded(hidden), z, rows, true, row_strides(out, rows));
      if (final) {
        norm(task, "final_norm", z, n);
        task.store(result_.output, padded(hidden), n, rows, true, row_strides(result_.output, rows));
      }
      return task;
    });
    return out;
  }

  // ------------------------------------------------------------ memory image

  void blob(u64 address, const void* bytes, std::size_t size) {
    MemoryBlob result;
    result.address = address;
    const auto* first = static_cast<const u8*>(bytes);
    result.bytes.assign(first, first + size);
    result_.blobs.push_back(std::move(result));
  }

  void lay_out() {
    const u64 weight_area = half_bytes() - weight_area_;
    std::vector<Task> tasks;
    std::vector<Step> steps;
    std::map<std::vector<u8>, u64> images;
    for (u32 index = 0; index < tasks_.size(); ++index) {
      const TaskBuilder& builder = tasks_[index];
      const u64 area = weight_area + (index % 2) * half_bytes();
      Task task{};
      task.layer = builder.layer();
      task.flags = index == 0 ? 0 : task_flag_depends;
      task.tiles = builder.tiles();
      task.first_step = static_cast<u32>(steps.size());
      std::strncpy(reinterpret_cast<char*>(task.name.data()), builder.name().c_str(), task.name.size() - 1);
      TaskInfo info;
      info.name = builder.name();
      info.layer = builder.layer();
      info.tiles = u64{task.tiles[0]} * task.tiles[1] * task.tiles[2];
      info.tile_rows = builder.rows();
      info.scratchpad_bytes = builder.buffer_bytes();
      info.weight_bytes = builder.weights().size() * 2;
      info.dram_read_bytes = builder.dram_read_bytes() + info.weight_bytes;
      info.dram_write_bytes = builder.dram_write_bytes();
      if (!builder.weights().empty()) {
        const u64 address = allocate(builder.weights().size() * 2);
        blob(address, builder.weights().data(), builder.weights().size() * 2);
        DmaDescriptor descriptor{};
        descriptor.source = address;
        descriptor.destination = target_.scratchpad_base + area;
        descriptor.length = static_cast<u32>(builder.weights().size() * 2);
        descriptor.count = {1, 1, 1};
        steps.push_back(dma_step(descriptor, 0));
        task.weight_steps = 1;
      }
      steps.insert(steps.end(), builder.inputs().begin(), builder.inputs().end());
      task.input_steps = static_cast<u32>(builder.inputs().size());
      for (const LaunchStep& launch : builder.launches()) {
        const auto tag = index << 16 | static_cast<u32>(steps.size() - task.first_step);
        steps.push_back(launch_step(launch, area, images));
        KernelInfo kernel;
        kernel.name = launch.name;
        kernel.tag = tag;
        kernel.layer = builder.layer();
        kernel.instructions = static_cast<u32>(launch.kernel.code.size());
        kernel.segments = static_cast<u32>(launch.kernel.segments.size());
        kernel.image_bytes = steps.back().command.image_bytes;
        kernel.mapping = launch.mapping;
        result_.kernels.push_back(std::move(kernel));
      }
      task.compute_steps = static_cast<u32>(builder.launches().size());
      steps.insert(steps.end(), builder.outputs().begin(), builder.outputs().end());
      task.output_steps = static_cast<u32>(builder.outputs().size());
      tasks.push_back(task);
      result_.tasks.push_back(std::move(info));
    }
    NetworkHeader header{};
    header.magic = network_magic;
    header.version = network_version;
    header.task_count = static_cast<u32>(tasks.size());
    header.step_count = static_cast<u32>(steps.size());
    header.layer_count = static_cast<u32>(network_.layers.size());
    header.half_bytes = static_cast<u32>(half_bytes());
    header.tasks = allocate(tasks.size() * sizeof(Task));
    header.steps = allocate(steps.size() * sizeof(Step));
    header.ring = ring_address_;
    header.ring_entries = ring_entries;
    blob(header.tasks, tasks.data(), tasks.size() * sizeof(Task));
    blob(header.steps, steps.data(), steps.size() * sizeof(Step));
    blob(header_address_, &header, sizeof(header));
    result_.descriptor = header_address_;
    result_.end = bump_;
  }

  Step launch_step(const LaunchStep& launch, u64 weight_area, std::map<std::vector<u8>, u64>& images) {
    Step step{};
    Command& command = step.command;
    command.opcode = static_cast<u8>(CommandOpcode::launch);
    command.signal = semaphore_none;
    command.wait = {semaphore_none, semaphore_none};
    const std::vector<u8> image = launch.kernel.encode();
    auto [found, fresh] = images.try_emplace(image, 0);
    if (fresh) {
      found->second = allocate(image.size());
      blob(found->second, image.data(), image.size());
      result_.kernel_image_bytes += image.size();
    }
    command.image = found->second;
    command.image_bytes = static_cast<u32>(image.size());
    command.counts = launch.counts;
    for (const LaunchStep::Register& reg : launch.registers) {
      command.registers[reg.number] = static_cast<u32>(reg.weights ? weight_area + reg.offset : reg.offset);
      if (!reg.weights) step.half_mask |= 1u << reg.number;
    }
    step.tail_index = launch.tail_count == launch.counts[launch.row_level] ? tail_none : launch.row_level;
    step.tail_count = launch.tail_count;
    return step;
  }

  const CompilerTarget& target_;
  const Network& network_;
  const TensorMap& parameters_;
  CompiledNetwork result_;
  std::vector<TaskBuilder> tasks_;
  TileBuffer residual_;
  u64 bump_ = 0, rows_ = 0, weight_area_ = 0;
  u64 header_address_ = 0, ring_address_ = 0;
  u32 layer_ = 0;
};

}  // namespace

CompiledNetwork compile_network(const CompilerTarget& target, const Network& network, const TensorMap& parameters) {
  return Planner(target, network, parameters).compile();
}

}  // namespace bvp
