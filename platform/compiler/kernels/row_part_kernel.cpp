// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/row_part_kernel.h"

#include <algorithm>
#include <utility>

#include "platform/compiler/kernels/merge_kernel.h"
#include "platform/compiler/kernels/row_passes.h"
#include "platform/compiler/kernels/streams.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

/// The steps of RowPartSpec.
class RowPartBuilder {
 public:
  RowPartBuilder(const CompilerTarget& target, const RowPartSpec& spec, u32 groups)
      : spec_(spec),
        lanes_(target.lanes),
        passes_(target, spec.layout, spec.columns, groups, row_part_register::input),
        builder_(passes_.builder()),
        rows_in_flight_(target.in_flight(2)) {
    result_.sharing = passes_.sharing();
    result_.counts = {std::max(1u, passes_.panels()), 1, 1};
  }

  RowKernel build() {
    switch (spec_.step) {
      case RowPartSpec::Step::sum:
        add_sum();
        break;
      case RowPartSpec::Step::squares:
        add_squares();
        break;
      case RowPartSpec::Step::scale:
        add_scale();
        break;
      case RowPartSpec::Step::maximum:
        add_maximum();
        break;
      case RowPartSpec::Step::exponent:
        add_exponent();
        break;
    }
    result_.kernel = builder_.finish();
    return std::move(result_);
  }

 private:
  /// The largest number of vectors for the totals over parts and PEs.
  [[nodiscard]] u32 totals() const { return 2 * passes_.parts() * 2 + 4 * log2_of(passes_.sharing()); }

  [[nodiscard]] Stream row_vector() {
    return rotating(builder_.allocate_vectors(rows_in_flight_), 1, rows_in_flight_, 1);
  }

  /// Scalars that are loaded into operand memory once per launch; the end of a sum reads them.
  struct Constants {
    u16 load = 0;
    Stream scalars, vectors;
  };
  Constants add_constants(const std::vector<u16>& values) {
    if (!spec_.last) return {};
    result_.weights = values;
    const auto vectors = static_cast<u32>(values.size() / lanes_);
    const u32 slots = builder_.allocate_vectors(vectors);
    return {passes_.add_constants(row_part_register::constants, slots, vectors),
            stream_at(static_cast<i32>(slots * lanes_)), stream_at(static_cast<i32>(slots))};
  }

  /// The value of a statistic: one vector for each lane group.
  u16 load_statistic(u32 column, const Stream& slot) {
    return add_load(builder_, 1, 0, {}, {slot, {}}, {passes_.column(row_part_register::statistics, column), {}});
  }
  /// All PEs that share the rows have the value, and all of them store it.
  void store_statistic(u32 column, const Stream& value, u16 made) {
    const u16 store =
        add_store(builder_, 1, 7, {}, {value, {}}, {passes_.column(row_part_register::statistics, column), {}});
    builder_.data(made, store);
    builder_.space(store, made, rows_in_flight_);
  }

  [[nodiscard]] Stream row_accumulator() {
    return rotating(builder_.allocate_accumulators(rows_in_flight_), 1, rows_in_flight_, 1);
  }
  [[nodiscard]] Stream halves() {
    return rotating(builder_.allocate_vectors(2 * rows_in_flight_), 1, rows_in_flight_, 2);
  }
  /// The fp32 value of two statistics, from `column` on; returns the segment that joins them.
  u16 load_wide_statistic(u32 column, const Stream& accumulator) {
    const Stream slots = halves();
    SegmentBuilder load_halves(builder_, Unit::load, 1, 0);
    const auto low = load_halves.at(slots);
    load_halves.ld(low, load_halves.at(passes_.column(row_part_register::statistics, column)));
    load_halves.ld(low + 1, load_halves.at(passes_.column(row_part_register::statistics, column + 1)));
    const u16 load = load_halves.finish();

    SegmentBuilder join_halves(builder_, Unit::cal, 1, 0);
    const auto value = join_halves.at(accumulator), half = join_halves.at(slots);
    join_halves.azero(value);
    join_halves.ajoin(value, half, half + 1);
    const u16 join = join_halves.finish();
    builder_.data(load, join);
    builder_.space(join, load, rows_in_flight_);
    return join;
  }
  /// The reverse: writes the fp32 value as two statistics; returns the segment that reads the accumulator.
  u16 store_wide_statistic(u32 column, const Stream& accumulator, u16 made) {
    const Stream slots = halves();
    SegmentBuilder split_value(builder_, Unit::cal, 1, 7);
    const auto half = split_value.at(slots), value = split_value.at(accumulator);
    split_value.alow(half, value);
    split_value.ahigh(half + 1, value);
    const u16 split = split_value.finish();

    SegmentBuilder store_halves(builder_, Unit::store, 1, 7);
    const auto low = store_halves.at(slots);
    store_halves.st(store_halves.at(passes_.column(row_part_register::statistics, column)), low);
    store_halves.st(store_halves.at(passes_.column(row_part_register::statistics, column + 1)), low + 1);
    const u16 store = store_halves.finish();
    builder_.data(made, split);
    builder_.data(split, store);
    builder_.space(store, split, rows_in_flight_);
    return split;
  }

  /// Sums up the part's columns with `steps`, whose accumulators are the stream `sum_`; `prepared` must be done before.
  /// Calls `finish` for the segment that computes the result from the sum of whole rows.
  template <class Finish>
  RowPasses::Pass add_summing(const std::vector<RowPasses::Step>& steps, u32 depth,
                              const std::optional<RowPasses::Destination>& store, std::optional<u16> prepared,
                              const Finish& finish) {
    SegmentBuilder clear(builder_, Unit::cal, 1, 0, {passes_.parts()});
    clear.azero(clear.at(sum_, {1}));
    const u16 zero = clear.finish();
    const u16 start = spec_.first ? zero : passes_.add_earlier_sums(row_part_register::sums, sum_, zero);
    RowPasses::Pass pass = passes_.add(1, steps, depth, {}, store);
    passes_.order(start, pass, {});
    if (prepared) passes_.order(*prepared, pass, {});
    u16 end = 0;
    if (spec_.last) {
      result_.exchange_cycles = row_exchange_cycles(passes_.sharing()) / 2;
      end = finish(passes_.add_total(2, sum_, pass.last.back()));
    } else {
      end = passes_.leave_sums(2, row_part_register::sums, sum_, pass.last.back());
    }
    builder_.space(end, zero, sum_sets_);
    return pass;
  }
  void allocate_sum() {
    const u32 parts = passes_.parts();
    const u32 others = spec_.step == RowPartSpec::Step::squares ? rows_in_flight_ : 0;  // the means
    sum_sets_ = builder_.target().accumulators >= 2 * parts + others ? rows_in_flight_ : 1;
    sum_ = rotating(builder_.allocate_accumulators(sum_sets_ * parts), 1, sum_sets_, parts);
  }

  void add_sum() {
    allocate_sum();
    const Constants constants = add_constants(layer_norm_constants(lanes_, spec_.row_columns, spec_.epsilon));
    const u32 depth = passes_.choose_depth(passes_.span(), totals());
    add_summing({sum_columns(sum_)}, depth, {}, {}, [&](u16 total) {
      SegmentBuilder to_mean(builder_, Unit::cal, 1, 2);
      const auto mean_of = to_mean.at(sum_);
      layer_norm_code::mean(to_mean, mean_of, to_mean.at(constants.scalars));
      const u16 make_mean = to_mean.finish();
      builder_.data(total, make_mean);
      use_constants(constants, make_mean);
      return store_wide_statistic(norm_column::mean, sum_, make_mean);
    });
  }

  void add_squares() {
    allocate_sum();
    const Constants constants = add_constants(layer_norm_constants(lanes_, spec_.row_columns, spec_.epsilon));
    const Stream mean = row_accumulator();
    const u16 load_mean = load_wide_statistic(norm_column::mean, mean);
    const u32 depth = passes_.choose_depth(passes_.span(), totals());
    const auto pass = add_summing(sum_squares(mean, sum_), depth, {}, load_mean, [&](u16 total) {
      SegmentBuilder to_deviation(builder_, Unit::cal, 1, 2);
      const auto deviation_of = to_deviation.at(sum_);
      const auto offset = to_deviation.at(offset_by(constants.vectors, layer_norm_offset_vector(lanes_)));
      layer_norm_code::deviation(to_deviation, deviation_of, offset, to_deviation.at(constants.scalars));
      const u16 make_deviation = to_deviation.finish();
      builder_.data(total, make_deviation);
      use_constants(constants, make_deviation);
      return store_wide_statistic(norm_column::deviation, sum_, make_deviation);
    });
    builder_.space(pass.last.back(), load_mean, rows_in_flight_);
  }

  void add_scale() {
    const Stream mean = row_accumulator(), deviation = row_accumulator();
    const u16 load_mean = load_wide_statistic(norm_column::mean, mean);
    const u16 load_deviation = load_wide_statistic(norm_column::deviation, deviation);
    const u32 span = passes_.scalar_span(), scalar_vectors = vectors_of(2 * std::size_t{span}, lanes_);
    const u32 depth = passes_.choose_depth(passes_.span() + scalar_vectors, 0);
    const auto pass = passes_.add(1, {scale_columns(mean, deviation, span)}, depth,
                                  RowPasses::Scalars{row_part_register::scalars, 0, scalar_vectors},
                                  passes_.like_input(row_part_register::output));
    for (const u16 load : {load_mean, load_deviation}) {
      passes_.order(load, pass, {});
      builder_.space(pass.last.back(), load, rows_in_flight_);
    }
  }

  void add_maximum() {
    const u32 parts = passes_.parts();
    const Stream maxima = rotating(builder_.allocate_vectors(rows_in_flight_ * parts), 1, rows_in_flight_, parts);
    const u32 depth = passes_.choose_depth(passes_.span(), log2_of(passes_.sharing()));
    result_.weights = softmax_constants(lanes_, 0);
    const Stream before = spec_.first ? row_stream(row_part_register::constants)
                                      : passes_.column(row_part_register::statistics, softmax_column::maximum);
    const u16 start = add_load(builder_, 1, 0, {parts}, {maxima, {1}}, {before, {}});
    const auto pass = passes_.add(1, {find_maxima(maxima)}, depth, {}, {});
    passes_.order(start, pass, {});
    result_.exchange_cycles = row_exchange_cycles(passes_.sharing()) / 2;
    const u16 found = passes_.add_maximum(2, maxima, pass.last.back());
    const u16 store = add_store(builder_, 1, 7, {}, {maxima, {}},
                                {passes_.column(row_part_register::statistics, softmax_column::maximum), {}});
    builder_.data(found, store);
    builder_.space(store, start, rows_in_flight_);
  }

  void add_exponent() {
    allocate_sum();
    const Stream maximum = row_vector(), reciprocal = row_vector();
    const Constants constants = spec_.power > 0 ? add_constants(softmax_constants(lanes_, spec_.power)) : Constants{};
    const u32 depth = passes_.choose_depth(passes_.span(), totals());
    const u16 load_maximum = load_statistic(softmax_column::maximum, maximum);
    const auto pass =
        add_summing(sum_exponentials(maximum, sum_), depth, passes_.like_input(row_part_register::output), load_maximum,
                    [&](u16 total) {
                      const Stream power = offset_by(constants.scalars, softmax_constant::power_vector * lanes_);
                      SegmentBuilder to_reciprocal(builder_, Unit::cal, 1, 2);
                      const auto inverse = to_reciprocal.at(reciprocal), exponentials = to_reciprocal.at(sum_);
                      round_total(to_reciprocal, inverse, exponentials, power, spec_.power);
                      to_reciprocal.rcp(inverse, inverse);
                      const u16 invert = to_reciprocal.finish();
                      builder_.data(total, invert);
                      if (spec_.power > 0) use_constants(constants, invert);
                      store_statistic(softmax_column::reciprocal, reciprocal, invert);
                      return invert;
                    });
    builder_.space(pass.last.back(), load_maximum, rows_in_flight_);
  }

  static Stream offset_by(Stream stream, u32 distance) {
    stream.base += static_cast<i32>(distance);
    return stream;
  }

  void use_constants(const Constants& constants, u16 reader) {
    builder_.data(constants.load, reader);
    builder_.space(reader, constants.load, 1);
  }

  const RowPartSpec& spec_;
  const u32 lanes_;
  RowPasses passes_;
  KernelBuilder& builder_;
  const u32 rows_in_flight_;
  RowKernel result_;
  Stream sum_;
  u32 sum_sets_ = 1;
};

}  // namespace

RowKernel make_row_part_kernel(const CompilerTarget& target, const RowPartSpec& spec, u32 groups) {
  return RowPartBuilder(target, spec, groups).build();
}

}  // namespace bvp
