// SPDX-License-Identifier: Apache-2.0
// Kernels on the simulated array against plain arithmetic.
#include <array>
#include <cmath>
#include <numeric>
#include <random>

#include "platform/compiler/kernels/row_part_kernel.h"
#include "platform/compiler/kernels/row_passes.h"
#include "platform/compiler/lowering/operators.h"
#include "platform/compiler/lowering/transpose.h"
#include "platform/network/half.h"
#include "test/support/array_bench.h"

namespace {

using namespace bvp;
using test::ArrayBench;
using test::ArrayConfig;

u16 add(u16 a, u16 b) { return to_half(from_half(a) + from_half(b)); }
u16 mul(u16 a, u16 b) { return to_half(from_half(a) * from_half(b)); }
u16 fma(u16 a, u16 b, u16 c) { return to_half(from_half(a) * from_half(b) + from_half(c)); }

std::vector<u16> random_words(std::size_t count, unsigned seed, double scale = 1.0) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal(0, scale);
  std::vector<u16> words(count);
  for (u16& word : words) word = to_half(normal(generator));
  return words;
}

/// Instructions that a launch issues in each unit: those of the image times the firings of their segments.
std::array<u64, unit_count> instructions_of(const Kernel& kernel, const std::array<u32, instance_levels>& counts) {
  std::array<u64, unit_count> sum{};
  for (const std::vector<i32>& registers : kernel.pe_registers) {
    std::array<u64, instance_levels + 1> firings{1};
    bool any = true;
    for (std::size_t level = 0; level < instance_levels; ++level) {
      const InstanceLevel& of = kernel.levels[level];
      const i64 start = of.start_register == 0 ? 0 : registers[of.start_register - 1u];
      u64 own = 0;
      for (i64 i = start; i < counts[level]; i += of.step) ++own;
      firings[level + 1] = firings[level] * own;
      any = any && own > 0;
    }
    for (const Segment& segment : kernel.segments) {
      if (segment.scope > 0 && !any) continue;
      u64 issued = firings[segment.scope] * segment.instruction_count;
      for (const u16 trips : segment.trips) issued *= trips;
      sum[static_cast<std::size_t>(segment.unit)] += issued;
    }
  }
  return sum;
}

/// Runs the launches of a task on tile 0, one after the other; returns the cycles of each.
std::vector<Cycle> run_task(ArrayBench& bench, const TaskBuilder& task, u32 weight_area) {
  bench.write(weight_area, task.weights());
  std::vector<Cycle> cycles;
  for (const LaunchStep& launch : task.launches()) {
    REQUIRE(bench.configure(launch.kernel->encode()));
    std::vector<std::pair<unsigned, u32>> registers;
    for (const auto& reg : launch.registers)
      registers.emplace_back(reg.number, reg.offset + (reg.weights ? weight_area : 0));
    bench.launches = 0;
    bench.reported = 0;
    const auto issued = [&](std::size_t unit) { return bench.counter(unit_names[unit], "instructions"); };
    const std::array<u64, unit_count> before{issued(0), issued(1), issued(2), issued(3)};
    bench.launch(launch.counts, registers);
    cycles.push_back(bench.run());
    INFO(launch.name << ": " << launch.mapping);
    if (cycles.back() == 0) FAIL(bench.pes[0]->pending() << bench.pes[0]->error());
    REQUIRE(cycles.back() > 0);
    REQUIRE(bench.failures == 0);
    const auto expected = instructions_of(*launch.kernel, launch.counts);
    for (std::size_t unit = 0; unit < unit_count; ++unit) {
      INFO(unit_names[unit]);
      REQUIRE(issued(unit) - before[unit] == expected[unit]);
    }
  }
  return cycles;
}

std::vector<u16> expected_butterfly(const std::vector<u16>& x, const Tensor& twiddle, u64 rows, u64 inputs,
                                    u64 outputs) {
  const u64 stacks = twiddle.shape[0], bits = twiddle.shape[1], n = u64{1} << bits;
  std::vector<u16> result(rows * outputs);
  for (u64 row = 0; row < rows; ++row) {
    for (u64 stack = 0; stack < stacks; ++stack) {
      std::vector<u16> y(n, 0);
      for (u64 i = 0; i < inputs; ++i) y[i] = x[row * inputs + i];
      for (u64 k = 0; k < bits; ++k) {
        const u64 s = u64{1} << k;
        for (u64 pair = 0; pair < n / 2; ++pair) {
          const u64 i = pair / s * 2 * s + pair % s;
          const u16* t = &twiddle.data[((stack * bits + k) * (n / 2) + pair) * 4];
          const u16 low = y[i], high = y[i + s];
          y[i] = fma(t[1], high, mul(t[0], low));
          y[i + s] = fma(t[3], high, mul(t[2], low));
        }
      }
      for (u64 i = 0; i < n && stack * n + i < outputs; ++i) result[row * outputs + stack * n + i] = y[i];
    }
  }
  return result;
}

/// The same in normal form, with the bias: what a pair's matrix has in common is taken out and owed (docs/numerics.md).
std::vector<u16> expected_normal(const std::vector<u16>& x, const Tensor& twiddle, const Tensor& bias, u64 rows,
                                 u64 inputs, u64 outputs) {
  const u64 stacks = twiddle.shape[0], bits = twiddle.shape[1], n = u64{1} << bits;
  std::vector<double> owed(stacks * n, 1.0);
  std::vector<std::vector<u16>> y(rows * stacks, std::vector<u16>(n, 0));
  for (u64 i = 0; i < rows * stacks * inputs; ++i)
    y[i / inputs][i % inputs] = x[i / inputs / stacks * inputs + i % inputs];
  for (u64 k = 0; k < bits; ++k) {
    const u64 s = u64{1} << k;
    std::vector<std::array<double, 2>> rows_of_pairs;
    bool pays = false;
    for (u64 i = 0; i < stacks * n; ++i) {  // a row of a pair's matrix for each output point
      const u64 stack = i / n, lower = i % n & ~s, pair = lower / (2 * s) * s + lower % s;
      const u16* t = &twiddle.data[((stack * bits + k) * (n / 2) + pair) * 4] + (i % n == lower ? 0 : 2);
      rows_of_pairs.push_back(
          {from_half(t[0]) * owed[stack * n + lower], from_half(t[1]) * owed[stack * n + lower + s]});
      const double large = std::max(std::abs(rows_of_pairs.back()[0]), std::abs(rows_of_pairs.back()[1]));
      pays = pays || (large != 0 && (large < 1.0 / 8192 || large > 256));
    }
    for (u64 i = 0; i < stacks * n; ++i) {
      const auto [a, b] = rows_of_pairs[i];
      owed[i] = pays ? 1 : (std::abs(b) > std::abs(a) ? b : a);
    }
    for (u64 row = 0; row < rows * stacks; ++row) {
      const std::vector<u16> from = y[row];
      for (u64 i = 0; i < n; ++i) {
        const auto [a, b] = rows_of_pairs[row % stacks * n + i];
        const u16 low = from[i & ~s], high = from[i | s];
        if (pays) {
          y[row][i] = fma(to_half(b), high, mul(to_half(a), low));
        } else if (std::abs(b) > std::abs(a)) {
          y[row][i] = fma(to_half(a / b), low, high);
        } else {
          y[row][i] = fma(a == 0 ? u16{0} : to_half(b / a), high, low);
        }
      }
    }
  }
  std::vector<u16> result(rows * outputs);
  for (u64 i = 0; i < rows * outputs; ++i) {
    const u64 point = i % outputs;
    result[i] = fma(y[i / outputs * stacks + point / n][point % n], to_half(owed[point]), bias.data[point]);
  }
  return result;
}

/// How the butterflies of a test are computed.
enum class Form {
  pairs,
  normal,
  paying,  ///< in normal form, with weights so small and large that some factors pay
};

struct BpmmCase {
  u64 inputs, outputs, rows;
  unsigned block_layers = 0;
};

// This function is long because it lays out every operand of a kernel, runs it and compares every result.
Cycle check_bpmm(ArrayConfig& config, const BpmmCase& sizes, bool report = false, Form form = Form::pairs) {
  SimulationContext context;
  ArrayBench bench("bench", config);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const CompilerTarget target = config.target();
  const LinearShape shape(sizes.inputs, sizes.outputs, static_cast<u32>(config.array.lanes), sizes.block_layers);
  const unsigned bits = log2_of(shape.points);
  Tensor twiddle{{shape.stacks, bits, shape.points / 2, 2, 2}, {}};
  twiddle.data = random_words(Tensor::elements(twiddle.shape), 1, 0.7);
  if (form == Form::paying) {
    // Pairs of small weights among larger ones.
    for (std::size_t i = 0; i < twiddle.data.size(); ++i) {
      twiddle.data[i] = to_half(from_half(twiddle.data[i]) * (i / 4 % 5 == 0 ? 0.002 : 1.5));
    }
  }
  Tensor bias{{sizes.outputs}, random_words(sizes.outputs, 2)};
  const auto x = random_words(sizes.rows * sizes.inputs, 3);
  const auto residual = random_words(sizes.rows * sizes.outputs, 4);

  const auto rows = static_cast<u32>(sizes.rows);
  TaskBuilder task(target, "task", 0, {1, 1, 1}, rows, rows);
  const TileBuffer in = task.buffer(shape.points), out = task.buffer(shape.worked()),
                   res = task.buffer(shape.written());
  LinearOperator op;
  op.name = "bpmm";
  op.twiddle = &twiddle;
  op.bias = &bias;
  op.inputs = sizes.inputs;
  op.outputs = sizes.outputs;
  op.block_layers = sizes.block_layers;
  op.residual = res;
  if (form != Form::pairs) {
    op.normal = std::make_shared<const NormalButterfly>(twiddle.data.data(), shape.stacks, bits, 1.0);
    const std::vector<bool> paying = op.paying_layers(0, bits);
    if (form == Form::paying && bits >= 8) CHECK(std::count(paying.begin(), paying.end(), true) > 0);
  }
  add_butterfly_linear(task, KernelLibrary(target), op, in, out);
  std::vector<u16> padded(sizes.rows * shape.points, 0), padded_residual(sizes.rows * shape.written(), 0);
  for (u64 row = 0; row < sizes.rows; ++row) {
    for (u64 i = 0; i < sizes.inputs; ++i) padded[row * shape.points + i] = x[row * sizes.inputs + i];
    for (u64 i = 0; i < sizes.outputs; ++i)
      padded_residual[row * shape.written() + i] = residual[row * sizes.outputs + i];
  }
  bench.write_matrix(in.offset, in.layout, shape.points, padded);
  // What nobody has written must not matter.
  bench.write_matrix(out.offset, out.layout, shape.worked(), std::vector<u16>(sizes.rows * shape.worked(), 0x7e00));
  bench.write_matrix(res.offset, res.layout, shape.written(), padded_residual);
  const u32 weight_area = (task.buffer_bytes() + 8191) / 8192 * 8192;
  const auto cycles = run_task(bench, task, weight_area);
  Cycle total = 0;
  for (const Cycle c : cycles) total += c;
  if (report) {
    const double slots = 2.0 * static_cast<double>(shape.written() * bits) * static_cast<double>(task.groups());
    WARN(sizes.inputs << "->" << sizes.outputs << " x " << sizes.rows << ": " << total << " cycles, BPMM slots/PE "
                      << slots / static_cast<double>(target.usable_pes()) << ", Cal issue "
                      << bench.counter("cal", "issue") << ", flow " << bench.counter("flow", "issue") << ", load "
                      << bench.counter("load", "issue") << ", utilisation "
                      << static_cast<double>(bench.counter("cal", "issue")) /
                             static_cast<double>(total * target.usable_pes())
                      << " " << task.launches().front().mapping);
  }
  std::vector<u16> expected;
  if (form == Form::pairs) {
    expected = expected_butterfly(x, twiddle, sizes.rows, sizes.inputs, sizes.outputs);
    for (u64 i = 0; i < expected.size(); ++i) expected[i] = add(expected[i], bias.data[i % sizes.outputs]);
  } else {
    expected = expected_normal(x, twiddle, bias, sizes.rows, sizes.inputs, sizes.outputs);
  }
  for (u64 i = 0; i < expected.size(); ++i) expected[i] = add(expected[i], residual[i]);
  const auto got = bench.read_matrix(out.offset, out.layout, sizes.rows, shape.written());
  u64 wrong = 0;
  for (u64 row = 0; row < sizes.rows; ++row) {
    for (u64 i = 0; i < sizes.outputs; ++i) {
      wrong += got[row * shape.written() + i] != expected[row * sizes.outputs + i] ? 1 : 0;
    }
  }
  CHECK(wrong == 0);
  return total;
}

using Complex = std::array<std::vector<u16>, 2>;

u16 sub(u16 a, u16 b) { return to_half(from_half(a) - from_half(b)); }
u16 neg_fma(u16 a, u16 b, u16 c) { return to_half(from_half(c) - from_half(a) * from_half(b)); }

/// The product of b with a factor, larger part apart: what is to be multiplied by that part, and the part.
std::array<u16, 3> expected_turn(double angle, u16 b_re, u16 b_im) {
  const double re = std::cos(angle), im = -std::sin(angle);
  if (std::abs(im) > std::abs(re) + 1e-9) {
    const u16 ratio = to_half(re / im);
    return {to_half(from_half(ratio) * from_half(b_re) - from_half(b_im)), fma(b_im, ratio, b_re), to_half(im)};
  }
  const u16 ratio = to_half(im / re);
  return {neg_fma(b_im, ratio, b_re), fma(b_re, ratio, b_im), to_half(re)};
}

/// One transform of the points, decimation in time, in the operation order of docs/numerics.md.
void expected_fft(std::vector<u16>& re, std::vector<u16>& im, bool scale, bool ratios) {
  const std::size_t n = re.size();
  const unsigned bits = log2_of(n);
  std::vector<u16> r(n), i(n);
  for (std::size_t m = 0; m < n; ++m) {
    std::size_t p = 0;
    for (unsigned b = 0; b < bits; ++b) p |= (m >> b & 1) << (bits - 1 - b);
    const u16 factor = to_half(1.0 / std::sqrt(static_cast<double>(n)));
    r[p] = scale ? mul(re[m], factor) : re[m];
    i[p] = scale ? mul(im[m], factor) : im[m];
  }
  for (std::size_t s = 1; s < n; s *= 2) {
    for (std::size_t pair = 0; pair < n / 2; ++pair) {
      const std::size_t lo = pair / s * 2 * s + pair % s, hi = lo + s;
      const double angle = M_PI * static_cast<double>(pair % s) / static_cast<double>(s);
      if (ratios) {
        const auto [t_re, t_im, large] = expected_turn(angle, r[hi], i[hi]);
        r[hi] = neg_fma(t_re, large, r[lo]);
        i[hi] = neg_fma(t_im, large, i[lo]);
        r[lo] = fma(t_re, large, r[lo]);
        i[lo] = fma(t_im, large, i[lo]);
        continue;
      }
      const u16 wr = to_half(std::cos(angle)), wi = to_half(-std::sin(angle));
      const u16 tr = neg_fma(i[hi], wi, mul(r[hi], wr)), ti = fma(r[hi], wi, mul(i[hi], wr));
      r[hi] = sub(r[lo], tr);
      i[hi] = sub(i[lo], ti);
      r[lo] = add(r[lo], tr);
      i[lo] = add(i[lo], ti);
    }
  }
  re = r;
  im = i;
}

void check_fft(ArrayConfig& config, u64 points, u64 others, bool along_rows, bool report = false) {
  SimulationContext context;
  ArrayBench bench("bench", config);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const CompilerTarget target = config.target();
  const u64 rows = along_rows ? points : others, columns = along_rows ? others : points;
  const auto tile_rows = static_cast<u32>(rows);
  TaskBuilder task(target, "task", 0, {1, 1, 1}, tile_rows, tile_rows);
  const TileBuffer in = task.buffer(columns), in_im = task.buffer(columns), out = task.buffer(columns),
                   out_im = task.buffer(columns);
  FftOperator op;
  op.name = "fft";
  op.points = points;
  op.along_rows = along_rows;
  op.real_input = !along_rows;
  op.groups = op.tail_groups = static_cast<u32>((others + target.lanes - 1) / target.lanes);
  const auto re = random_words(rows * columns, 5);
  const auto im = along_rows ? random_words(rows * columns, 6) : std::vector<u16>(rows * columns, 0);
  bench.write_matrix(in.offset, in.layout, columns, re);
  bench.write_matrix(in_im.offset, in_im.layout, columns, im);
  if (along_rows) {
    add_fft(task, KernelLibrary(target), op, in, in_im, in, in_im, out, out_im);
  } else {
    // A real input has no imaginary plane to work in.
    const TileBuffer work = task.buffer(columns), work_im = task.buffer(columns);
    add_fft(task, KernelLibrary(target), op, in, in_im, work, work_im, out, out_im);
  }
  const auto cycles = run_task(bench, task, (task.buffer_bytes() + 8191) / 8192 * 8192);
  if (report) {
    Cycle total = 0;
    for (const Cycle c : cycles) total += c;
    WARN("FFT " << points << " x " << others << ": " << total << " cycles, utilisation "
                << static_cast<double>(bench.counter("cal", "issue")) / static_cast<double>(total * target.usable_pes())
                << " flow "
                << static_cast<double>(bench.counter("flow", "issue")) /
                       static_cast<double>(total * target.usable_pes()));
  }
  const auto got_re = bench.read_matrix(out.offset, out.layout, rows, columns);
  const auto got_im = bench.read_matrix(out_im.offset, out_im.layout, rows, columns);
  u64 wrong = 0;
  for (u64 other = 0; other < others; ++other) {
    std::vector<u16> r(points), i(points);
    const auto place = [&](u64 point) { return along_rows ? point * columns + other : other * columns + point; };
    for (u64 point = 0; point < points; ++point) {
      r[point] = re[place(point)];
      i[point] = im[place(point)];
    }
    expected_fft(r, i, true, target.twiddle_ratios);
    for (u64 point = 0; point < points; ++point) {
      wrong += r[point] != got_re[place(point)] || i[point] != got_im[place(point)] ? 1 : 0;
    }
  }
  CHECK(wrong == 0);
}

double value(u16 word) { return from_half(word); }

/// A stage of butterflies without bias, activation and residual over `points` columns of 1,024 rows.
ButterflyStage plain_stage(u64 points, const PanelLayout& layout, bool complex) {
  const unsigned bits = log2_of(points);
  ButterflyStage stage;
  stage.complex = complex;
  stage.index_bits = bits;
  stage.column_access = true;
  stage.real_input = complex;
  stage.scale = complex;
  stage.scale_value = to_half(0.5);
  for (unsigned bit = 0; bit < bits; ++bit) {
    stage.layer_bits.push_back(bit);
    stage.input_stride.push_back(layout.column_stride(bit));
    stage.output_stride.push_back(layout.column_stride(bit));
  }
  stage.input_group_stride = stage.output_group_stride = static_cast<i32>(layout.group_bytes());
  return stage;
}

std::vector<u16> plain_weights(const ButterflyKernel& kernel) {
  const auto of_pair = [](u32, unsigned layer, u32 index) {
    const double angle = 0.1 + layer + index * 0.37;
    return std::array<u16, 4>{to_half(std::cos(angle)), to_half(-std::sin(angle)), to_half(std::sin(angle)),
                              to_half(std::cos(angle))};
  };
  return kernel.weights.words(of_pair, {});
}

struct Task1024 {
  Cycle cycles = 0;
  u64 cal_issue = 0;
  u64 accounted = 0;  // cycles of the Cal units in all counters
};

Task1024 run_plain(ArrayConfig& config, u64 points, bool complex) {
  SimulationContext context;
  ArrayBench bench("bench", config);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const CompilerTarget target = config.target();
  const PanelLayout layout{32, 1024};
  const ButterflyKernel kernel = make_butterfly_kernel(target, plain_stage(points, layout, complex), 32);
  bench.write(3u << 20, plain_weights(kernel));
  REQUIRE(bench.configure(kernel.kernel.encode()));
  bench.launch({kernel.counts[0], kernel.counts[1], kernel.counts[2], 32 / kernel.groups_per_instance},
               {{butterfly_register::input, 0},
                {butterfly_register::output, 0},
                {butterfly_register::output_imaginary, 1u << 20},
                {butterfly_register::weights, 3u << 20}});
  Task1024 result;
  result.cycles = bench.run();
  REQUIRE(result.cycles > 0);
  result.cal_issue = bench.counter("cal", "issue");
  // PEs that finish early have nothing to do until the last one is done.
  for (const auto& pe : bench.pes) pe->settle();
  for (const char* name : {"issue", "special", "stall", "wait_load", "wait_compute", "wait_flow", "wait_space",
                           "wait_launch", "wait_drain", "wait_no_kernel"}) {
    result.accounted += bench.counter("cal", name);
  }
  const Cycle idle_after = ClockDomain(config.array.clock_hz).now() - result.cycles;
  result.accounted -= idle_after * bench.pes.size();
  return result;
}

Kernel plain_kernel(ArrayConfig& config) {
  const CompilerTarget target = config.target();
  return make_butterfly_kernel(target, plain_stage(512, {32, 128}, false), 4).kernel;
}

/// A BPMM of 512 points over 128 rows after some damage to its kernel or weights: the output, empty if it failed.
std::vector<u16> run_damaged(ArrayConfig& config, const std::function<void(Kernel&, std::vector<u16>&)>& damage) {
  SimulationContext context;
  ArrayBench bench("bench", config);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING);
  const CompilerTarget target = config.target();
  const PanelLayout layout{32, 128};
  ButterflyKernel kernel = make_butterfly_kernel(target, plain_stage(512, layout, false), 4);
  std::vector<u16> weights = plain_weights(kernel);
  damage(kernel.kernel, weights);
  bench.write_matrix(0, layout, 512, random_words(128 * 512, 20));
  bench.write(3u << 20, weights);
  if (!bench.configure(kernel.kernel.encode())) return {};
  bench.launch({kernel.counts[0], kernel.counts[1], kernel.counts[2], 4}, {{butterfly_register::input, 0},
                                                                           {butterfly_register::output, 1u << 20},
                                                                           {butterfly_register::weights, 3u << 20}});
  if (bench.run(100000) == 0 || bench.failures != 0) return {};
  return bench.read_matrix(1u << 20, layout, 128, 512);
}

}  // namespace

TEST_CASE("FFT on the default array is bit-exact", "[kernels]") {
  for (const auto& [points, others, along_rows] : {std::tuple<u64, u64, bool>{64, 64, false},
                                                   {512, 32, false},
                                                   {2, 32, false},
                                                   {16, 100, false},
                                                   {1024, 32, false},
                                                   {4096, 32, false},
                                                   {64, 128, true},
                                                   {512, 64, true},
                                                   {256, 96, true},
                                                   {1024, 64, true},
                                                   {2048, 32, true}}) {
    INFO(points << " points x " << others << (along_rows ? " along rows" : " along columns"));
    for (const bool ratios : {false, true}) {
      ArrayConfig config;
      config.twiddle_ratios = ratios;
      check_fft(config, points, others, along_rows);
    }
  }
}

TEST_CASE("FFT throughput", "[kernels][.report]") {
  for (const u64 points : {64u, 128u, 256u, 512u}) {
    ArrayConfig config;
    check_fft(config, points, points < 512 ? 1024 : 512, false, true);  // as much as the scratchpad holds
  }
}

TEST_CASE("layer normalisation", "[kernels]") {
  for (const auto& [columns, rows] :
       {std::pair<u64, u32>{512, 64}, {100, 40}, {32, 600}, {7, 32}, {97, 33}, {768, 32}}) {
    INFO(columns << " columns, " << rows << " rows");
    ArrayConfig config;
    SimulationContext context;
    ArrayBench bench("bench", config);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    const CompilerTarget target = config.target();
    TaskBuilder task(target, "task", 0, {1, 1, 1}, rows, rows);
    const TileBuffer x = task.buffer(columns);
    const auto words = random_words(rows * columns, 7, 3.0);
    bench.write_matrix(x.offset, x.layout, columns, words);
    const Tensor weight{{columns}, random_words(columns, 8)}, bias{{columns}, random_words(columns, 9)};
    add_layer_norm(task, KernelLibrary(target), "norm", weight, bias, 1e-5, x, x);
    run_task(bench, task, (task.buffer_bytes() + 8191) / 8192 * 8192);
    const auto got = bench.read_matrix(x.offset, x.layout, rows, columns);
    double worst = 0;
    for (u64 row = 0; row < rows; ++row) {
      double mean = 0, variance = 0;
      for (u64 i = 0; i < columns; ++i) mean += value(words[row * columns + i]) / static_cast<double>(columns);
      for (u64 i = 0; i < columns; ++i)
        variance += std::pow(value(words[row * columns + i]) - mean, 2) / static_cast<double>(columns);
      for (u64 i = 0; i < columns; ++i) {
        const double y = (value(words[row * columns + i]) - mean) / std::sqrt(variance + 1e-5) * value(weight.data[i]) +
                         value(bias.data[i]);
        worst = std::max(worst, std::abs(y - value(got[row * columns + i])) / (1 + std::abs(y)));
      }
    }
    CHECK(worst < 5e-3);
  }
}

namespace {

/// The fp32 sum of a row in interleaved parts, as docs/numerics.md says.
float sum_in_parts(const std::vector<float>& terms, u32 ways) {
  std::vector<float> parts(ways, 0.0F);
  for (std::size_t i = 0; i < terms.size(); ++i) parts[i % ways] += terms[i];
  for (u32 half = ways / 2; half > 0; half /= 2) {
    for (u32 i = 0; i < half; ++i) parts[i] += parts[i + half];
  }
  return parts[0];
}

std::vector<u16> expected_norm(const std::vector<u16>& x, const Tensor& weight, const Tensor& bias, u32 ways) {
  const auto size = static_cast<double>(x.size());
  std::vector<float> terms;
  for (const u16 value : x) terms.push_back(from_half(value));
  const float mean = sum_in_parts(terms, ways) * static_cast<float>(1 / size);
  terms.clear();
  const auto difference = [&](u16 value) { return to_half(from_half(value) - mean); };
  for (const u16 value : x) terms.push_back(from_half(difference(value)) * from_half(difference(value)));
  const float sum = sum_in_parts(terms, ways) + static_cast<float>(size * 1e-5);
  const float s = static_cast<float>(1 / std::sqrt(static_cast<double>(sum))) * static_cast<float>(std::sqrt(size));
  std::vector<u16> y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    y.push_back(fma(to_half(from_half(difference(x[i])) * s), weight.data[i], bias.data[i]));
  }
  return y;
}

struct LongRowCase {
  std::vector<u32> parts;  // columns
  u32 rows, lanes, pe_rows, operand_vectors;
  [[nodiscard]] u32 columns() const { return std::accumulate(parts.begin(), parts.end(), 0u); }
};
const std::vector<LongRowCase> long_row_cases{{{96, 64, 40}, 40, 32, 4, 256}, {{32, 5}, 70, 32, 1, 256},
                                              {{512, 512}, 32, 32, 4, 256},   {{24, 16, 8, 7}, 20, 8, 2, 64},
                                              {{5, 2}, 3, 1, 4, 256},         {{64, 64, 9}, 33, 32, 4, 96},
                                              {{100}, 40, 32, 4, 256}};

/// The launches of all parts of long rows, with the sums and statistics in the scratchpad.
class LongRowBench {
 public:
  LongRowBench(const LongRowCase& sizes, const ArrayConfig& config)
      : sizes_(sizes), target_(config.target()), task_(target_, "task", 0, {1, 1, 1}, sizes.rows, sizes.rows) {
    for (const u32 columns : sizes.parts) parts_.push_back(task_.buffer(columns));
    sums_ = task_.buffer(u64{2} * sum_ways(target_));
    statistics_ = task_.buffer(norm_column::count);
  }

  void add(RowPartSpec::Step step, const std::vector<u32>& scalars = {}) {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      RowPartSpec spec;
      spec.step = step;
      spec.columns = sizes_.parts[i];
      spec.first = i == 0;
      spec.last = i + 1 == parts_.size();
      spec.layout = parts_[i].layout;
      spec.row_columns = sizes_.columns();
      RowKernel kernel = make_row_part_kernel(target_, spec, task_.groups());
      LaunchStep launch;
      launch.name = "part";
      launch.counts = {task_.groups(), kernel.counts[0], kernel.counts[1], kernel.counts[2]};
      launch.registers = {{row_part_register::input, parts_[i].offset, false},
                          {row_part_register::output, parts_[i].offset, false},
                          {row_part_register::sums, sums_.offset, false},
                          {row_part_register::statistics, statistics_.offset, false}};
      if (!kernel.weights.empty()) {
        launch.registers.push_back({row_part_register::constants, task_.add_weights(kernel.weights), true});
      }
      if (!scalars.empty()) launch.registers.push_back({row_part_register::scalars, scalars[i], false});
      launch.kernel = std::make_shared<const Kernel>(std::move(kernel.kernel));
      task_.add_launch(std::move(launch));
    }
  }

  [[nodiscard]] TaskBuilder& task() { return task_; }
  [[nodiscard]] const CompilerTarget& target() const { return target_; }

  void write(ArrayBench& bench, const std::vector<u16>& words) const {
    u32 first = 0;
    for (const TileBuffer& part : parts_) {
      const u32 count = sizes_.parts[static_cast<std::size_t>(&part - parts_.data())];
      std::vector<u16> own;
      for (u32 row = 0; row < sizes_.rows; ++row) {
        for (u32 i = 0; i < count; ++i) own.push_back(words[row * sizes_.columns() + first + i]);
      }
      bench.write_matrix(part.offset, part.layout, count, own);
      first += count;
    }
  }
  [[nodiscard]] std::vector<u16> read_row(ArrayBench& bench, u32 row) const {
    std::vector<u16> words;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const u32 count = sizes_.parts[i];
      const auto part = bench.read_matrix(parts_[i].offset, parts_[i].layout, sizes_.rows, count);
      words.insert(words.end(), part.begin() + row * count, part.begin() + (row + 1) * count);
    }
    return words;
  }
  [[nodiscard]] std::vector<u16> read_statistics(ArrayBench& bench) const {
    return bench.read_matrix(statistics_.offset, statistics_.layout, sizes_.rows, softmax_column::count);
  }

 private:
  const LongRowCase& sizes_;
  const CompilerTarget target_;
  TaskBuilder task_;
  std::vector<TileBuffer> parts_;
  TileBuffer sums_, statistics_;
};

void configure(ArrayConfig& config, const LongRowCase& sizes) {
  config.array.lanes = sizes.lanes;
  config.array.rows = sizes.pe_rows;
  config.pe.operand_vectors = sizes.operand_vectors;
}

}  // namespace

TEST_CASE("layer normalisation in parts of the columns has the bits of whole rows", "[kernels]") {
  for (const LongRowCase& sizes : long_row_cases) {
    INFO(sizes.parts.size() << " parts of " << sizes.columns() << " columns, " << sizes.rows << " rows, " << sizes.lanes
                            << " lanes");
    ArrayConfig config;
    configure(config, sizes);
    SimulationContext context;
    ArrayBench bench("bench", config);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    LongRowBench rows(sizes, config);
    const u64 columns = sizes.columns();
    const auto words = random_words(sizes.rows * columns, 7, 3.0);
    const Tensor weight{{columns}, random_words(columns, 8)}, bias{{columns}, random_words(columns, 9)};
    std::vector<u32> scalars;
    for (u32 i = 0, first = 0; i < sizes.parts.size(); first += sizes.parts[i++]) {
      const auto own = row_scalars(
          rows.target(), sizes.parts[i], [&](u32 column) { return weight.data[first + column]; },
          [&](u32 column) { return bias.data[first + column]; });
      scalars.push_back(rows.task().reserve(static_cast<u32>(own.size() * 2)));
      bench.write(scalars.back(), own);
    }
    rows.write(bench, words);
    rows.add(RowPartSpec::Step::sum);
    rows.add(RowPartSpec::Step::squares);
    rows.add(RowPartSpec::Step::scale, scalars);
    run_task(bench, rows.task(), (rows.task().buffer_bytes() + 8191) / 8192 * 8192);
    u32 wrong = 0;
    for (u32 row = 0; row < sizes.rows; ++row) {
      const std::vector<u16> x(words.begin() + row * columns, words.begin() + (row + 1) * columns);
      wrong += rows.read_row(bench, row) != expected_norm(x, weight, bias, sum_ways(rows.target())) ? 1 : 0;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("softmax in parts of the keys has the bits of whole rows", "[kernels]") {
  for (const LongRowCase& sizes : long_row_cases) {
    INFO(sizes.parts.size() << " parts of " << sizes.columns() << " columns, " << sizes.rows << " rows, " << sizes.lanes
                            << " lanes");
    ArrayConfig config;
    configure(config, sizes);
    SimulationContext context;
    ArrayBench bench("bench", config);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    LongRowBench rows(sizes, config);
    const u32 columns = sizes.columns();
    // Down to where all but the maximum of an earlier part would be lost.
    const auto words = random_words(sizes.rows * columns, 17, 8.0);
    rows.write(bench, words);
    rows.add(RowPartSpec::Step::maximum);
    rows.add(RowPartSpec::Step::exponent);
    run_task(bench, rows.task(), (rows.task().buffer_bytes() + 8191) / 8192 * 8192);
    const auto statistics = rows.read_statistics(bench);
    u32 wrong = 0;
    for (u32 row = 0; row < sizes.rows; ++row) {
      const std::vector<u16> x(words.begin() + row * columns, words.begin() + (row + 1) * columns);
      const u16 maximum =
          *std::max_element(x.begin(), x.end(), [](u16 a, u16 b) { return from_half(a) < from_half(b); });
      std::vector<u16> e;
      std::vector<float> terms;
      for (const u16 value : x) {
        e.push_back(to_half(std::exp(static_cast<double>(from_half(sub(value, maximum))))));
        terms.push_back(from_half(e.back()));
      }
      const u16 total = to_half(sum_in_parts(terms, sum_ways(rows.target())));
      const u16* of_row = &statistics[row * softmax_column::count];
      wrong += rows.read_row(bench, row) != e ? 1 : 0;
      wrong += of_row[softmax_column::reciprocal] != to_half(1.0 / static_cast<double>(from_half(total))) ? 1 : 0;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("attention over more keys than fp16 counts", "[kernels]") {
  // All scores are alike, so that the sum of exponentials is the number of keys. What a power does is the same for any
  // number of keys, so few of them show the bits, and many the range.
  CHECK(softmax_power(16384) == 0);
  CHECK(softmax_power(16385) == 1);
  CHECK(softmax_power(70000) == 3);
  CHECK(softmax_power(u64{1} << 20) == 6);
  for (const auto& [keys, power] : {std::pair<u64, unsigned>{70000, softmax_power(70000)}, {50, 3}}) {
    INFO(keys << " keys");
    ArrayConfig config;
    config.array.lanes = 8;
    config.scratchpad.size_bytes = 8 << 20;
    SimulationContext context;
    ArrayBench bench("bench", config);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    const CompilerTarget target = config.target();
    constexpr u32 queries = 3;
    TaskBuilder task(target, "task", 0, {1, 1, 1}, queries, queries);
    const auto all = static_cast<u32>(keys);
    const TileBuffer k = task.buffer(1, all), v = task.buffer(1, all), q = task.buffer(1), scores = task.buffer(keys),
                     statistics = task.buffer(softmax_column::count), out = task.buffer(1);
    std::vector<u16> values(keys);
    double mean = 0;
    for (u64 i = 0; i < keys; ++i) {
      values[i] = to_half(1 + static_cast<double>(i % 7) / 8);
      mean += value(values[i]) / static_cast<double>(keys);
    }
    bench.write_matrix(k.offset, k.layout, 1, std::vector<u16>(keys, 0));
    bench.write_matrix(v.offset, v.layout, 1, values);
    bench.write_matrix(q.offset, q.layout, 1, random_words(queries, 12));
    add_attention(task, KernelLibrary(target), "attention", keys, 1, power, q, k, v, {}, scores, statistics, true, out);
    run_task(bench, task, (task.buffer_bytes() + 8191) / 8192 * 8192);
    const auto got = bench.read_matrix(out.offset, out.layout, queries, 1);
    const auto kept = bench.read_matrix(statistics.offset, statistics.layout, queries, softmax_column::count);
    for (u32 row = 0; row < queries; ++row) {
      const u16 total = to_half(std::ldexp(static_cast<double>(keys), -static_cast<int>(power)));
      CHECK(kept[row * softmax_column::count + softmax_column::sum] == total);
      CHECK(kept[row * softmax_column::count + softmax_column::reciprocal] == to_half(1 / value(total)));
      CHECK(value(got[row]) == Approx(mean).epsilon(2e-3));
    }
  }
}

TEST_CASE("attention of one head", "[kernels]") {
  for (const auto& [keys, queries, width] : {std::tuple<u64, u32, u64>{128, 64, 64},
                                             {196, 100, 64},
                                             {64, 32, 16},
                                             {40, 40, 24},
                                             {33, 33, 5},
                                             {20, 20, 48},
                                             {256, 256, 33},
                                             {128, 128, 8},
                                             {128, 128, 4},
                                             {64, 64, 1}}) {
    INFO(keys << " keys, " << queries << " queries, width " << width);
    ArrayConfig config;
    SimulationContext context;
    ArrayBench bench("bench", config);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    const CompilerTarget target = config.target();
    TaskBuilder task(target, "task", 0, {1, 1, 1}, queries, queries);
    const auto all = static_cast<u32>(keys);
    const TileBuffer k = task.buffer(width, all), v = task.buffer(width, all), q = task.buffer(width),
                     scores = task.buffer(keys), statistics = task.buffer(softmax_column::count),
                     out = task.buffer(width);
    const auto kw = random_words(keys * width, 10), vw = random_words(keys * width, 11),
               qw = random_words(queries * width, 12);
    bench.write_matrix(k.offset, k.layout, width, kw);
    bench.write_matrix(v.offset, v.layout, width, vw);
    bench.write_matrix(q.offset, q.layout, width, qw);
    add_attention(task, KernelLibrary(target), "attention", keys, width, 0, q, k, v, {}, scores, statistics, false,
                  out);
    run_task(bench, task, (task.buffer_bytes() + 8191) / 8192 * 8192);
    const auto got = bench.read_matrix(out.offset, out.layout, queries, width);
    double error = 0, norm = 0;
    for (u64 row = 0; row < queries; ++row) {
      std::vector<double> s(keys), o(width, 0);
      double sum = 0;
      for (u64 key = 0; key < keys; ++key) {
        for (u64 d = 0; d < width; ++d) s[key] += value(qw[row * width + d]) * value(kw[key * width + d]);
        s[key] = std::exp(s[key] / std::sqrt(static_cast<double>(width)));
        sum += s[key];
      }
      for (u64 key = 0; key < keys; ++key) {
        for (u64 d = 0; d < width; ++d) o[d] += s[key] / sum * value(vw[key * width + d]);
      }
      for (u64 d = 0; d < width; ++d) {
        error += std::pow(o[d] - value(got[row * width + d]), 2);
        norm += o[d] * o[d];
      }
    }
    CHECK(std::sqrt(error / norm) < 3e-3);
  }
}

TEST_CASE("attention of heads that lie one below the other", "[kernels]") {
  struct Case {
    u32 heads, queries;
    u64 keys, width;
    bool pattern;
  };
  for (const Case& c : {Case{2, 32, 65, 32, false}, Case{8, 32, 40, 64, true}, Case{3, 8, 24, 33, false},
                        Case{4, 1, 100, 16, false}, Case{5, 20, 64, 8, true}, Case{16, 32, 33, 5, true}}) {
    INFO(c.heads << " heads, " << c.queries << " queries, " << c.keys << " keys, width " << c.width);
    ArrayConfig config;
    SimulationContext context;
    ArrayBench bench("bench", config);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    const CompilerTarget target = config.target();
    const u32 lanes = target.lanes, stacked = static_cast<u32>((c.keys + lanes - 1) / lanes) * lanes;
    TaskBuilder task(target, "task", 0, {1, 1, 1}, c.heads * lanes, c.heads * lanes);
    const TileBuffer k = task.buffer(c.width, c.heads * stacked), v = task.buffer(c.width, c.heads * stacked),
                     q = task.buffer(c.width), scores = task.buffer(c.keys),
                     statistics = task.buffer(softmax_column::count), out = task.buffer(c.width),
                     pattern = task.buffer(c.keys, lanes);
    const u64 rows = u64{c.heads} * stacked;
    const auto kw = random_words(rows * c.width, 30), vw = random_words(rows * c.width, 31),
               qw = random_words(u64{c.heads} * lanes * c.width, 32);
    // A query of a pattern sees every key whose number differs from its own by an even number.
    std::vector<u16> hidden(lanes * c.keys, 0);
    const auto sees = [&](u64 query, u64 key) { return !c.pattern || (query + key) % 2 == 0; };
    for (u64 query = 0; query < lanes; ++query) {
      for (u64 key = 0; key < c.keys; ++key) hidden[query * c.keys + key] = sees(query, key) ? 0 : 0xfc00;
    }
    bench.write_matrix(k.offset, k.layout, c.width, kw);
    bench.write_matrix(v.offset, v.layout, c.width, vw);
    bench.write_matrix(q.offset, q.layout, c.width, qw);
    bench.write_matrix(pattern.offset, pattern.layout, c.keys, hidden);
    std::optional<WeightPlace> place;
    if (c.pattern) place = WeightPlace{pattern.offset, false};
    add_attention(task, KernelLibrary(target), "attention", c.keys, c.width, 0, q, k, v, {}, scores, statistics, false,
                  out, place, HeadStack{stacked, c.queries == lanes});
    run_task(bench, task, (task.buffer_bytes() + 8191) / 8192 * 8192);
    const auto got = bench.read_matrix(out.offset, out.layout, c.heads * lanes, c.width);
    double error = 0, norm = 0;
    for (u64 head = 0; head < c.heads; ++head) {
      for (u64 query = 0; query < c.queries; ++query) {
        const u64 row = head * lanes + query;
        std::vector<double> s(c.keys), o(c.width, 0);
        double sum = 0;
        for (u64 key = 0; key < c.keys; ++key) {
          for (u64 d = 0; d < c.width; ++d) {
            s[key] += value(qw[row * c.width + d]) * value(kw[(head * stacked + key) * c.width + d]);
          }
          s[key] = sees(query, key) ? std::exp(s[key] / std::sqrt(static_cast<double>(c.width))) : 0;
          sum += s[key];
        }
        for (u64 key = 0; key < c.keys; ++key) {
          for (u64 d = 0; d < c.width; ++d) o[d] += s[key] / sum * value(vw[(head * stacked + key) * c.width + d]);
        }
        for (u64 d = 0; d < c.width; ++d) {
          error += std::pow(o[d] - value(got[row * c.width + d]), 2);
          norm += o[d] * o[d];
        }
      }
    }
    CHECK(std::sqrt(error / norm) < 3e-3);
  }
}

TEST_CASE("dense products with bias, activation and residual", "[kernels]") {
  struct Case {
    u64 inputs, outputs;
    u32 rows;
    std::optional<Activation> activation;
    bool residual;
    u32 lanes;
    u32 accumulators = 32;
  };
  for (const Case& c : {Case{64, 64, 64, {}, false, 32}, Case{96, 128, 100, Activation::gelu, false, 32},
                        Case{33, 64, 40, Activation::relu, true, 32}, Case{256, 32, 600, Activation::gelu, true, 32},
                        Case{100, 24, 33, {}, true, 8}, Case{7, 5, 3, Activation::gelu, true, 1},
                        Case{40, 64, 64, {}, true, 32, 6}, Case{40, 70, 64, {}, false, 32, 24}}) {
    INFO(c.inputs << " inputs, " << c.outputs << " outputs, " << c.rows << " rows, " << c.lanes << " lanes, "
                  << c.accumulators << " accumulators");
    ArrayConfig config;
    config.pe.accumulators = c.accumulators;
    config.array.lanes = c.lanes;
    SimulationContext context;
    ArrayBench bench("bench", config);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    const CompilerTarget target = config.target();
    TaskBuilder task(target, "task", 0, {1, 1, 1}, c.rows, c.rows);
    const TileBuffer x = task.buffer(c.inputs), w = task.buffer(c.inputs, static_cast<u32>(c.outputs)),
                     b = task.buffer(c.outputs, 1), y = task.buffer(c.outputs), r = task.buffer(c.outputs);
    const auto xw = random_words(c.rows * c.inputs, 20), ww = random_words(c.outputs * c.inputs, 21, 0.2),
               bw = random_words(c.outputs, 22), rw = random_words(c.rows * c.outputs, 23);
    bench.write_matrix(x.offset, x.layout, c.inputs, xw);
    bench.write_matrix(w.offset, w.layout, c.inputs, ww);
    bench.write(b.offset, bw);
    bench.write_matrix(r.offset, r.layout, c.outputs, rw);
    DenseOperator op;
    op.name = "dense";
    op.inputs = c.inputs;
    op.outputs = c.outputs;
    op.bias = b;
    op.activation = c.activation;
    if (c.residual) op.residual = r;
    add_dense(task, KernelLibrary(target), op, x, w, y);
    run_task(bench, task, (task.buffer_bytes() + 8191) / 8192 * 8192);
    const auto got = bench.read_matrix(y.offset, y.layout, c.rows, c.outputs);
    std::size_t wrong = 0;
    for (u64 row = 0; row < c.rows; ++row) {
      for (u64 j = 0; j < c.outputs; ++j) {
        float sum = 0;
        for (u64 k = 0; k < c.inputs; ++k) sum += from_half(xw[row * c.inputs + k]) * from_half(ww[j * c.inputs + k]);
        u16 value = add(to_half(sum), bw[j]);
        if (c.activation == Activation::relu && from_half(value) < 0) value = 0;
        if (c.activation == Activation::gelu) {
          const u16 e = to_half(std::erf(static_cast<double>(from_half(mul(value, to_half(0.70710678))))));
          const u16 half = mul(value, to_half(0.5));
          value = fma(half, e, half);
        }
        if (c.residual) value = add(value, rw[row * c.outputs + j]);
        wrong += value != got[row * c.outputs + j] ? 1 : 0;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("a large dense product keeps Cal busy", "[kernels]") {
  ArrayConfig config;
  SimulationContext context;
  ArrayBench bench("bench", config);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const CompilerTarget target = config.target();
  TaskBuilder task(target, "task", 0, {1, 1, 1}, 256, 256);
  const TileBuffer x = task.buffer(768), w = task.buffer(768, 256), b = task.buffer(256, 1), y = task.buffer(256);
  DenseOperator op;
  op.name = "dense";
  op.inputs = 768;
  op.outputs = 256;
  op.bias = b;
  add_dense(task, KernelLibrary(target), op, x, w, y);
  const Cycle cycles = run_task(bench, task, (task.buffer_bytes() + 8191) / 8192 * 8192).front();
  CHECK(static_cast<double>(bench.counter("cal", "issue")) / static_cast<double>(cycles * 16) >= 0.85);
}

TEST_CASE("BPMM on the default array is bit-exact", "[kernels]") {
  for (const auto& sizes : {BpmmCase{512, 512, 64},     BpmmCase{64, 64, 128},      BpmmCase{128, 128, 32},
                            BpmmCase{256, 300, 100},    BpmmCase{32, 32, 64},       BpmmCase{16, 64, 64},
                            BpmmCase{8, 8, 32},         BpmmCase{2, 2, 32},         BpmmCase{100, 300, 40},
                            BpmmCase{1024, 1024, 32},   BpmmCase{512, 2048, 32},    BpmmCase{2048, 512, 64},
                            BpmmCase{4096, 100, 32},    BpmmCase{768, 3072, 32},    BpmmCase{2048, 512, 64, 2},
                            BpmmCase{3072, 768, 64, 2}, BpmmCase{3072, 768, 40, 1}, BpmmCase{2304, 200, 32, 3},
                            BpmmCase{1025, 100, 32, 3}, BpmmCase{64, 32, 200, 1},   BpmmCase{768, 3072, 32, 2},
                            BpmmCase{768, 768, 40, 2},  BpmmCase{600, 1300, 64, 2}, BpmmCase{130, 1000, 33, 2}}) {
    for (const Form form : {Form::pairs, Form::normal, Form::paying}) {
      INFO(sizes.inputs << " -> " << sizes.outputs << ", " << sizes.rows << " rows, form " << static_cast<int>(form));
      ArrayConfig config;
      check_bpmm(config, sizes, false, form);
    }
  }
}

TEST_CASE("BPMM and FFT compute correctly on other machines", "[kernels]") {
  struct Machine {
    i64 rows, columns, lanes, banks, operand_vectors;
  };
  for (const Machine& machine : {Machine{1, 1, 32, 16, 256},
                                 {1, 4, 32, 2, 256},
                                 {2, 2, 8, 16, 256},
                                 {8, 8, 32, 16, 256},
                                 {3, 5, 16, 4, 256},
                                 {4, 4, 64, 64, 128},
                                 {4, 4, 1, 1, 256},
                                 {4, 4, 2, 2, 512},
                                 {1, 2, 4, 2, 256},
                                 {4, 4, 32, 16, 100}}) {
    INFO(machine.rows << " x " << machine.columns << " PEs, " << machine.lanes << " lanes, " << machine.banks
                      << " banks, " << machine.operand_vectors << " vectors");
    ArrayConfig config;
    config.array.rows = machine.rows;
    config.array.columns = machine.columns;
    config.array.lanes = machine.lanes;
    config.scratchpad.banks = machine.banks;
    config.pe.operand_vectors = machine.operand_vectors;
    for (const auto& sizes : {BpmmCase{64, 64, 64}, BpmmCase{256, 100, 40}, BpmmCase{512, 512, 32},
                              BpmmCase{256, 100, 40, 1}, BpmmCase{400, 70, 72, 2}, BpmmCase{300, 700, 33, 2}}) {
      for (const Form form : {Form::pairs, Form::normal, Form::paying}) {
        INFO(sizes.inputs << " -> " << sizes.outputs << ", " << sizes.rows << " rows, form " << static_cast<int>(form));
        check_bpmm(config, sizes, false, form);
      }
    }
    for (const bool ratios : {false, true}) {
      config.twiddle_ratios = ratios;
      check_fft(config, 128, 64, false);
      check_fft(config, 256, 64, true);
    }
  }
}

TEST_CASE("kernels compute correctly on any rows that are left", "[kernels]") {
  ArrayConfig config;
  for (const u32 left_out : {1u, 2u, 4u, 8u, 1u | 4u, 2u | 4u, 1u | 2u, 1u | 2u | 4u}) {
    INFO("rows left out: bits " << left_out);
    config.rows_left_out = left_out;
    check_bpmm(config, {512, 512, 64}, false, Form::normal);
    check_bpmm(config, {256, 300, 100}, false, Form::pairs);
    check_fft(config, 128, 64, false);
    check_fft(config, 256, 64, true);
  }
}

TEST_CASE("a PE takes no kernel in a row that is left out, and rows only between launches", "[kernels]") {
  SimulationContext context;
  ArrayConfig config;
  config.scratchpad.column_access = false;
  ArrayBench bench("bench", config);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const CompilerTarget target = config.target();
  TaskBuilder task(target, "task", 0, {1, 1, 1}, 64, 64);
  add_transpose(task, KernelLibrary(target), "transpose", task.buffer(64), 64, true);
  const LaunchStep& step = task.launches().front();
  const std::vector<u8> image = step.kernel->encode();
  std::vector<std::pair<unsigned, u32>> registers;
  for (const auto& reg : step.registers) registers.emplace_back(reg.number, reg.offset);
  const auto leave_out = [&](u32 pe, u32 rows) {
    return test::write_config(bench.to_pe[pe], rows_address, &rows, sizeof rows);
  };
  const auto takes = [&](u32 pe) {
    return test::write_config(bench.to_pe[pe], configure_address, image.data(), image.size());
  };
  CHECK(takes(4));
  CHECK_FALSE(leave_out(4, 0xf));   // none would be left
  CHECK_FALSE(leave_out(4, 0x10));  // there is no such row
  CHECK(leave_out(4, 2));
  CHECK_FALSE(takes(4));
  CHECK(leave_out(4, 0));
  REQUIRE(bench.configure(image));
  bench.launch(step.counts, registers);
  CHECK_FALSE(leave_out(4, 1));
  CHECK(bench.run() > 0);
  CHECK(leave_out(4, 1));
}

TEST_CASE("tiles are transposed on the array, whatever their bits", "[kernels]") {
  struct Machine {
    i64 rows, columns, lanes, operand_vectors, instruction_store, contexts;
    u32 matrix_rows, matrix_columns;
    std::size_t passes;
  };
  for (const Machine& machine : {Machine{4, 4, 32, 256, 32, 8, 128, 512, 1},
                                 {4, 4, 32, 256, 32, 8, 40, 100, 1},
                                 {4, 4, 64, 256, 32, 8, 192, 256, 1},
                                 {2, 4, 64, 16, 8, 8, 64, 192, 3},
                                 {2, 2, 32, 64, 32, 1, 64, 96, 2},
                                 {1, 1, 8, 256, 8, 3, 24, 72, 1},
                                 {3, 5, 16, 48, 16, 8, 64, 48, 2},
                                 {4, 4, 4, 16, 32, 8, 20, 44, 1},
                                 {4, 4, 2, 256, 32, 8, 6, 64, 1},
                                 {4, 4, 1, 256, 32, 8, 5, 7, 0}}) {
    INFO(machine.rows << " x " << machine.columns << " PEs, " << machine.lanes << " lanes, " << machine.operand_vectors
                      << " vectors, " << machine.matrix_rows << " x " << machine.matrix_columns << " values");
    ArrayConfig config;
    config.array.rows = machine.rows;
    config.array.columns = machine.columns;
    config.array.lanes = machine.lanes;
    config.pe.operand_vectors = machine.operand_vectors;
    config.pe.instruction_store = machine.instruction_store;
    config.pe.contexts = machine.contexts;
    config.scratchpad.column_access = false;
    SimulationContext context;
    ArrayBench bench("bench", config);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    const CompilerTarget target = config.target();
    TaskBuilder task(target, "task", 0, {1, 1, 1}, machine.matrix_rows, machine.matrix_rows);
    const TileBuffer before = task.buffer(machine.matrix_columns), buffer = task.buffer(machine.matrix_columns),
                     behind = task.buffer(machine.matrix_columns);
    add_transpose(task, KernelLibrary(target), "transpose", buffer, machine.matrix_columns, true);
    CHECK(task.launches().size() == machine.passes);
    std::mt19937 random(1);
    std::vector<u16> words(3 * buffer.layout.bytes(machine.matrix_columns) / 2);
    for (u16& word : words) word = static_cast<u16>(random());  // among them NaNs with every payload
    bench.write(before.offset, words);
    const std::vector<Cycle> cycles = run_task(bench, task, 3u << 20);
    std::vector<u16> expected = words;
    const u32 lanes = target.lanes;
    for (u32 tile = buffer.offset / 2; tile < behind.offset / 2; tile += lanes * lanes) {
      for (u32 i = 0; i < lanes * lanes; ++i) expected[tile + i] = words[tile + i % lanes * lanes + i / lanes];
    }
    CHECK(bench.read(before.offset, words.size()) == expected);
    // The cost model predicts the cycles, if instances hide each other's latency.
    if (machine.contexts == 1) continue;
    u64 predicted = 0;
    for (const LaunchStep& launch : task.launches()) {
      predicted += step_cycles(target, kernel_times(target, *launch.kernel), launch);
    }
    u64 taken = 0;
    for (const Cycle of_launch : cycles) taken += of_launch;
    CHECK(taken <= predicted + predicted / 4);
  }
}

TEST_CASE("a column access stops a PE whose scratchpad has none", "[kernels]") {
  ArrayConfig config;
  config.scratchpad.column_access = false;
  SimulationContext context;
  ArrayBench bench("bench", config);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const ButterflyKernel kernel = make_butterfly_kernel(config.target(), plain_stage(64, {32, 1024}, false), 32);
  REQUIRE(bench.configure(kernel.kernel.encode()));
  bench.launch({kernel.counts[0], kernel.counts[1], kernel.counts[2], 32 / kernel.groups_per_instance}, {});
  bench.run();
  CHECK(bench.failures > 0);
  CHECK(bench.pes[0]->error().find("refused a load") != std::string::npos);
}

TEST_CASE("more lanes and more PEs are worth what they should be", "[kernels]") {
  const auto cycles_of = [](i64 side, i64 lanes) {
    ArrayConfig config;
    config.array.rows = side;
    config.array.columns = side;
    config.array.lanes = lanes;
    return check_bpmm(config, {512, 512, 1024});
  };
  const Cycle base = cycles_of(4, 32);
  CHECK(static_cast<double>(cycles_of(4, 8)) / static_cast<double>(base) >= 3.5);
  CHECK(static_cast<double>(base) / static_cast<double>(cycles_of(8, 32)) >= 3.2);
}

TEST_CASE("Cal is busy and its slots are conserved", "[kernels]") {
  for (const u64 points : {64u, 128u, 256u, 512u}) {
    INFO(points << " points");
    ArrayConfig config;
    const Task1024 bpmm = run_plain(config, points, false);
    const u64 groups = 1024 / 32, bits = log2_of(points);
    // Two slots a point and layer, nothing else: no bias, no residual.
    CHECK(bpmm.cal_issue == 2 * points * bits * groups);
    CHECK(bpmm.accounted == bpmm.cycles * 16);
    CHECK(static_cast<double>(bpmm.cal_issue) / static_cast<double>(bpmm.cycles * 16) >= 0.8);
    const Task1024 fft = run_plain(config, points, true);
    // Eight slots a butterfly; one to scale and one to clear the imaginary part of each point.
    CHECK(fft.cal_issue == (4 * points * bits + 2 * points) * groups + 16);
    CHECK(fft.accounted == fft.cycles * 16);
    CHECK(static_cast<double>(fft.cal_issue) / static_cast<double>(fft.cycles * 16) >= 0.8);
  }
}

TEST_CASE("results depend on every part of the kernel", "[kernels]") {
  ArrayConfig config;
  const std::vector<u16> right = run_damaged(config, [](Kernel&, std::vector<u16>&) {});
  const auto differs = [&](const std::function<void(Kernel&, std::vector<u16>&)>& damage) {
    const std::vector<u16> got = run_damaged(config, damage);
    return got.empty() || got != right;  // an error or a hang is as good as a wrong result
  };
  SECTION("instructions, every bit") {
    const std::size_t count = plain_kernel(config).code.size();
    for (std::size_t word = 0; word < count; ++word) {
      for (unsigned bit = 0; bit < 64; ++bit) {
        INFO("instruction " << word << ", bit " << bit);
        CHECK(differs([&](Kernel& kernel, std::vector<u16>&) { kernel.code[word] ^= u64{1} << bit; }));
      }
    }
  }
  SECTION("images, bits anywhere: refused, wrong, or where nothing looks, but never undefined") {
    std::mt19937 random(5);
    const std::size_t bits = plain_kernel(config).encode().size() * 8;
    u64 noticed = 0;
    for (int i = 0; i < 200; ++i) {
      const std::size_t bit = random() % bits;
      noticed += differs([&](Kernel& kernel, std::vector<u16>&) {
        std::vector<u8> image = kernel.encode();
        image[bit / 8] = static_cast<u8>(image[bit / 8] ^ 1u << bit % 8);
        try {
          kernel = Kernel::decode(image.data(), image.size());
        } catch (const KernelError&) {
          kernel.code.clear();  // refused: as good as an error later
        }
      });
    }
    CHECK(noticed > 100);
  }
  SECTION("weights, the lowest bit of each of a sample") {
    std::mt19937 random(4);
    for (int i = 0; i < 20; ++i) {
      CHECK(differs([&](Kernel&, std::vector<u16>& weights) {
        // 512 points of 9 layers on 16 PEs: the last words of a PE's block and the constants are not weights.
        const std::size_t block = weights.size() / 32 * 32 / 16;
        weights[(random() % 16) * (block - block % 32) + random() % 512] ^= 1;
      }));
    }
  }
  SECTION("targets of vectors") {
    for (const unsigned mask : {1u, 2u, 4u, 8u}) {
      CHECK(differs([&](Kernel& kernel, std::vector<u16>&) {
        for (u64& word : kernel.code) {
          auto instruction = Instruction::decode(word);
          if (instruction->opcode == Opcode::send && instruction->b.offset == mask) {
            instruction->b.offset = static_cast<u16>(mask ^ 3);
            word = instruction->encode();
          }
        }
      }));
    }
  }
  SECTION("registers of a single PE") {
    const std::size_t count = plain_kernel(config).pe_registers.front().size();
    for (std::size_t pe = 0; pe < 16; pe += 5) {
      for (std::size_t index = 0; index < count; ++index) {
        INFO("PE " << pe << ", register " << index);
        CHECK(differs([&](Kernel& kernel, std::vector<u16>&) { kernel.pe_registers[pe][index] ^= 32; }));
      }
    }
  }
  SECTION("tokens that are never sent, each edge in turn") {
    const std::size_t edges = plain_kernel(config).edges.size();
    for (std::size_t edge = 0; edge < edges; ++edge) {
      INFO("edge " << edge);
      // The damaged edge makes the segment wait for itself before its first firing.
      CHECK(run_damaged(config, [&](Kernel& kernel, std::vector<u16>&) {
              Edge& lost = kernel.edges[edge];
              lost.from = lost.to;
              lost.peer_mask = lost.initial = 0;
            }).empty());
    }
  }
  SECTION("edges that are not there, each in turn") {
    // With one instance in flight nothing but the tokens keeps the layers apart.
    config.pe.contexts = 1;
    const std::vector<u16> one_context = run_damaged(config, [](Kernel&, std::vector<u16>&) {});
    CHECK(one_context == right);
    const std::size_t edges = plain_kernel(config).edges.size();
    std::size_t count = 0;
    for (std::size_t edge = 0; edge < edges; ++edge) {
      const bool noticed = differs([&](Kernel& kernel, std::vector<u16>&) {
        kernel.edges.erase(kernel.edges.begin() + static_cast<std::ptrdiff_t>(edge));
      });
      const Edge removed = plain_kernel(config).edges[edge];
      INFO("edge " << removed.from << " -> " << removed.to << "^" << static_cast<int>(removed.peer_mask));
      if (removed.kind == EdgeKind::data && removed.peer_mask != 0) CHECK(noticed);
      // The other orders may follow from the rest of the graph, or may hold only because of the timing.
      count += noticed ? 1 : 0;
    }
    CHECK(count >= 12);
  }
}

TEST_CASE("BPMM throughput", "[kernels][.report]") {
  for (const auto& sizes : {BpmmCase{64, 64, 1024}, BpmmCase{128, 128, 1024}, BpmmCase{256, 256, 1024},
                            BpmmCase{512, 512, 1024}, BpmmCase{1024, 1024, 256}}) {
    ArrayConfig config;
    check_bpmm(config, sizes, true);
  }
}
