// SPDX-License-Identifier: Apache-2.0
#include "platform/report/terminal_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <sstream>
#include <tuple>

#include "platform/metrics/derived_figures.h"
#include "platform/metrics/figures.h"
#include "platform/support/text_table.h"

namespace bvp {
namespace {

/// Bytes of the label with which each line of the head begins.
constexpr std::size_t label_width = 20;

void add_line(std::string& out, std::size_t width, const char* label, const std::string& value) {
  out += wrapped(fmt::format("  {:<{}}{}", label, label_width - 2, value), width, label_width) + '\n';
}

/// The value in a column whose heading says %.
std::string percentage(double fraction) { return fmt::format("{:.1f}", 100 * fraction); }

/// @param least_share  a class of cycles is left out if its share is smaller on every unit
std::string units_table(const RunResult& result, std::size_t width, double least_share) {
  constexpr std::array<const char*, 4> units{"load", "cal", "flow", "store"};
  std::map<std::string, u64> totals;
  for (const auto& [unit, cycles] : result.activity.units) {
    for (const auto& [reason, count] : cycles) totals[reason] += count;
  }
  if (totals.empty()) return {};
  std::vector<std::pair<std::string, u64>> reasons(totals.begin(), totals.end());
  std::stable_sort(reasons.begin(), reasons.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first == "issue", a.second) > std::pair(b.first == "issue", b.second);
  });
  TextTable table({{"unit cycles"}, {"load", "%"}, {"cal", "%"}, {"flow", "%"}, {"store", "%"}});
  for (const auto& [reason, total] : reasons) {
    std::vector<std::string> row{reason};
    double largest = 0;
    for (const char* unit : units) {
      const auto cycles = result.activity.units.find(unit);
      u64 all = 0;
      u64 here = 0;
      if (cycles != result.activity.units.end()) {
        for (const auto& [name, count] : cycles->second) {
          all += count;
          if (name == reason) here = count;
        }
      }
      const double share = per_second(static_cast<double>(here), static_cast<double>(all));
      largest = std::max(largest, share);
      row.push_back(percentage(share));
    }
    if (largest >= least_share) table.add(std::move(row));
  }
  return table.text(width);
}

std::string energy_table(const RunResult& result, std::size_t width) {
  if (result.energy.by_component_j.empty()) return {};
  std::vector<std::pair<std::string, double>> parts(result.energy.by_component_j.begin(),
                                                    result.energy.by_component_j.end());
  std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<double> energies;
  for (const auto& [component, energy] : parts) energies.push_back(energy);
  const AlignedQuantities energy = aligned(energies, "J");
  TextTable table({{"component"}, {"energy", energy.unit}, {"share", "%"}});
  for (std::size_t i = 0; i < parts.size(); ++i) {
    table.add({parts[i].first, energy.texts[i], percentage(per_second(energies[i], result.energy.total_j))});
  }
  return table.text(width);
}

/// A row of the table of layers: one layer, or several neighbours that are equal.
struct LayerGroup {
  std::string name;
  LayerRow sum;
};

/// The mean of both, weighted by their cycles.
Utilisation mean(const Utilisation& a, u64 a_cycles, const Utilisation& b, u64 b_cycles) {
  const auto weight_a = static_cast<double>(a_cycles), weight_b = static_cast<double>(b_cycles);
  const auto of = [&](double x, double y) { return per_second(x * weight_a + y * weight_b, weight_a + weight_b); };
  return {of(a.load, b.load), of(a.cal, b.cal), of(a.flow, b.flow), of(a.store, b.store)};
}

void add_to(LayerRow& sum, const LayerRow& row) {
  sum.utilisation = mean(sum.utilisation, sum.cycles, row.utilisation, row.cycles);
  sum.cycles += row.cycles;
  sum.time_s += row.time_s;
  sum.energy_j += row.energy_j;
  sum.dram_read_bytes += row.dram_read_bytes;
  sum.dram_written_bytes += row.dram_written_bytes;
  // The larger error; NaN is worse than any number.
  if (row.relative_error && (!sum.relative_error || !(*row.relative_error <= *sum.relative_error))) {
    sum.relative_error = row.relative_error;
  }
}

/// Whether there are too many layers for each to have rows of its own.
bool layers_share_rows(const RunResult& result, const TerminalSummaryOptions& options) {
  constexpr std::size_t one_each = 8;
  return !options.all_rows && result.layers.size() > one_each;
}

std::vector<LayerGroup> layer_groups(const RunResult& result, bool together) {
  const auto alike = [](const LayerRow& a, const LayerRow& b) {
    return std::tie(a.mixing, a.projections, a.ffn) == std::tie(b.mixing, b.projections, b.ffn);
  };
  std::vector<LayerGroup> groups;
  u64 first = 0;
  for (const LayerRow& row : result.layers) {
    if (together && !groups.empty() && alike(groups.back().sum, row)) {
      add_to(groups.back().sum, row);
      groups.back().name = fmt::format("{}-{} {}", first, row.index, row.mixing);
    } else {
      first = row.index;
      groups.push_back({fmt::format("{} {}", row.index, row.mixing), row});
    }
  }
  if (result.outside_of_layers) groups.push_back({"outside of them", *result.outside_of_layers});
  return groups;
}

std::string layers_table(const RunResult& result, const TerminalSummaryOptions& options) {
  if (result.layers.empty()) return {};
  const std::vector<LayerGroup> groups = layer_groups(result, layers_share_rows(result, options));
  std::vector<double> times, energies, bytes;
  for (const LayerGroup& group : groups) {
    times.push_back(group.sum.time_s);
    energies.push_back(group.sum.energy_j);
    bytes.push_back(static_cast<double>(group.sum.dram_read_bytes + group.sum.dram_written_bytes));
  }
  const AlignedQuantities time = aligned(times, "s"), energy = aligned(energies, "J"), dram = aligned(bytes, "B");
  TextTable table({{"layer"},
                   {"cycles"},
                   {"time", time.unit, 9},
                   {"energy", energy.unit},
                   {"DRAM", dram.unit, 5},
                   {"load", "%", 6},
                   {"cal", "%"},
                   {"flow", "%", 7},
                   {"store", "%", 8},
                   {"rel.", "error", 4}});
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const LayerRow& row = groups[i].sum;
    table.add({groups[i].name, grouped(row.cycles), time.texts[i], energy.texts[i], dram.texts[i],
               percentage(row.utilisation.load), percentage(row.utilisation.cal), percentage(row.utilisation.flow),
               percentage(row.utilisation.store),
               row.relative_error ? fmt::format("{:.1e}", *row.relative_error) : "-"});
  }
  return table.text(options.width);
}

/// "layers.3.ffn.up" becomes "3.ffn.up", or "*.ffn.up" if layers share rows.
std::string short_name(const std::string& kernel, bool together) {
  const std::string prefix = "layers.";
  if (kernel.compare(0, prefix.size(), prefix) != 0) return kernel;
  const std::size_t dot = kernel.find('.', prefix.size());
  return together && dot != std::string::npos ? "*" + kernel.substr(dot) : kernel.substr(prefix.size());
}

/// A row of the table of kernels: one kernel, or the same kernel of all layers.
struct KernelGroup {
  std::string name;
  u64 launches = 0, cycles = 0;
  double energy_j = 0;
  Utilisation utilisation;
  std::optional<Utilisation> steady;  // null if it is for one of them
};

void add_to(KernelGroup& sum, const KernelRow& row) {
  if (sum.steady && row.steady) {
    sum.steady = mean(*sum.steady, sum.cycles, *row.steady, row.cycles);
  } else {
    sum.steady.reset();
  }
  sum.utilisation = mean(sum.utilisation, sum.cycles, row.utilisation, row.cycles);
  sum.launches += row.launches;
  sum.cycles += row.cycles;
  sum.energy_j += row.energy_j;
}

std::vector<KernelGroup> kernel_groups(const RunResult& result, bool together) {
  std::vector<KernelGroup> groups;
  std::map<std::string, std::size_t> places;
  for (const KernelRow& row : result.kernels) {
    const std::string name = short_name(row.name, together);
    const auto [place, fresh] = places.try_emplace(name, groups.size());
    if (fresh) {
      groups.push_back({name, row.launches, row.cycles, row.energy_j, row.utilisation, row.steady});
    } else {
      add_to(groups[place->second], row);
    }
  }
  return groups;
}

std::string kernels_table(const RunResult& result, const TerminalSummaryOptions& options) {
  constexpr std::size_t most = 10;
  if (result.kernels.empty()) return {};
  std::vector<KernelGroup> rows = kernel_groups(result, layers_share_rows(result, options));
  std::optional<KernelGroup> others;
  if (!options.all_rows && rows.size() > most + 1) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const KernelGroup& a, const KernelGroup& b) { return a.cycles > b.cycles; });
    others.emplace();
    others->name = fmt::format("{} others: --kernels", rows.size() - most);
    for (std::size_t i = most; i < rows.size(); ++i) {
      others->launches += rows[i].launches;
      others->cycles += rows[i].cycles;
      others->energy_j += rows[i].energy_j;
    }
    rows.resize(most);
  }
  std::vector<double> energies;
  for (const KernelGroup& row : rows) energies.push_back(row.energy_j);
  if (others) energies.push_back(others->energy_j);
  const AlignedQuantities energy = aligned(energies, "J");
  TextTable table({{"layer.kernel"},
                   {"launches", "", 5},
                   {"cycles on", "the array"},
                   {"energy+", "waits " + energy.unit, 4},
                   {"load", "%", 6},
                   {"cal", "%"},
                   {"flow", "%", 7},
                   {"store", "%", 8},
                   {"steady", "cal %", 9}});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const KernelGroup& row = rows[i];
    table.add({row.name, grouped(row.launches), grouped(row.cycles), energy.texts[i], percentage(row.utilisation.load),
               percentage(row.utilisation.cal), percentage(row.utilisation.flow), percentage(row.utilisation.store),
               row.steady ? percentage(row.steady->cal) : "-"});
  }
  if (others) {
    table.add(
        {others->name, grouped(others->launches), grouped(others->cycles), energy.texts.back(), "", "", "", "", ""});
  }
  return table.text(options.width);
}

/// Prints two tables side by side if there is room, otherwise one below the other.
std::string beside(const std::string& left, const std::string& right, std::size_t width) {
  constexpr std::size_t gap = 2;  // more than the indentation of the right one
  const auto lines_of = [](const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  };
  const std::vector<std::string> lefts = lines_of(left), rights = lines_of(right);
  std::size_t left_width = 0, right_width = 0;
  for (const std::string& line : lefts) left_width = std::max(left_width, line.size());
  for (const std::string& line : rights) right_width = std::max(right_width, line.size());
  if (lefts.empty() || rights.empty() || left_width + gap + right_width > width) {
    return left + (lefts.empty() || rights.empty() ? "" : "\n") + right;
  }
  std::string out;
  for (std::size_t i = 0; i < std::max(lefts.size(), rights.size()); ++i) {
    const std::string first = i < lefts.size() ? lefts[i] : "";
    out += i < rights.size() ? fmt::format("{:<{}}{}\n", first, left_width + gap, rights[i]) : first + "\n";
  }
  return out;
}

std::string place_text(const RowError& row) {
  if (row.tensor.empty()) return "everywhere";
  if (row.tensor == "logits") return fmt::format("sequence {}", row.sequence);
  return fmt::format("{}, sequence {}, token {}", row.tensor, row.sequence, row.token);
}

template <typename Add>
void add_verification(const Add& add, const RunResult& result) {
  const Verification& verification = result.verification;
  if (!verification.checked) {
    add("verification", "not checked");
    return;
  }
  add("verification",
      fmt::format("{} the fp16 reference", verification.bit_exact ? "bit-exact with" : "NOT bit-exact with"));
  add("  worst layer", fmt::format("{:.2e} (allowed {:g})", verification.relative_error, verification.tolerance));
  add("  worst row", fmt::format("{:.2e} (allowed {:g}): {}", verification.row.error, verification.row_tolerance,
                                 place_text(verification.row)));
  add("  end to end", fmt::format("{:.2e}; worst row {:.2e} (allowed {:g}): {}", verification.end_to_end_error,
                                  verification.end_to_end_row.error, verification.end_to_end_tolerance,
                                  place_text(verification.end_to_end_row)));
  if (verification.logits) {
    add("  logits", fmt::format("{:.2e} end to end (allowed {:g}): {}", verification.logits->error,
                                verification.end_to_end_tolerance, place_text(*verification.logits)));
  }
}

template <typename Add>
void add_dataset(const Add& add, const RunResult& result) {
  const DatasetResult& set = *result.dataset;
  add("dataset", fmt::format("{} samples in {} batches of {}", grouped(set.samples()),
                             grouped(set.samples() / set.batch), set.batch));
  if (const auto accuracy = same_share(set.predictions, set.labels)) {
    std::string text = percent(*accuracy);
    if (const auto reference = same_share(set.expected, set.labels)) {
      text += fmt::format(", in fp32 {}; the same class for {}", percent(*reference),
                          percent(*same_share(set.predictions, set.expected)));
    }
    add("  accuracy", text);
  }
  const auto samples = static_cast<double>(set.samples());
  add("  a sample",
      fmt::format("{}, {}, {:.0f} cycles", si(result.time_s / samples, "s"), si(result.energy.total_j / samples, "J"),
                  static_cast<double>(result.cycles) / samples));
}

std::string not_finite_text(const NotFiniteResults& found) {
  std::vector<std::string> names;
  constexpr std::size_t shown = 3;
  for (std::size_t i = 0; i < std::min(shown, found.kernels.size()); ++i) {
    const NotFiniteResults::OfKernel& of = found.kernels[i];
    names.push_back(fmt::format("{} (row {})", of.kernel, of.row));
  }
  return fmt::format("{} infinities, {} NaN in kernels' results, first in {}{}", found.infinities, found.nans,
                     fmt::join(names, ", "), found.kernels.size() > shown ? ", ..." : "");
}

std::string rows_text(const RunReliability& reliability) {
  const std::vector<u32>& rows = reliability.rows_left_out;
  return fmt::format("row{} {} of PEs {} left out{}", rows.size() == 1 ? "" : "s", fmt::join(rows, ", "),
                     rows.size() == 1 ? "is" : "are",
                     reliability.degraded ? ": degraded, with the kernels for fewer rows" : "");
}

std::string utilisation_text(const Utilisation& utilisation) {
  return fmt::format("load {}  cal {}  flow {}  store {}", percent(utilisation.load), percent(utilisation.cal),
                     percent(utilisation.flow), percent(utilisation.store));
}

/// Names the operating point if it is not the profile's own.
std::string profile_text(const RunResult& result) {
  if (!result.pricing.scaled) return result.pricing.profile;
  return fmt::format("{} at {:g} nm, {:g} V", result.pricing.profile, result.pricing.technology_nm,
                     result.pricing.voltage);
}

std::string dram_text(const RunResult& result) {
  if (result.energy.by_component_j.count("dram") == 0) return "without DRAM";
  const auto& price = result.pricing.dram_pj_per_bit;
  return price ? fmt::format("with DRAM at {:g} pJ/bit", *price) : "with DRAM";
}

/// The number of a headline figure, with its unit.
std::string figure_text(const Figure& figure, const RunResult& result) {
  const nlohmann::ordered_json value = figure.value(result);
  if (!value.is_number()) return "not known";
  const auto number = value.get<double>();
  return figure.unit == "1" ? percent(number) : si(number, figure.unit.c_str());
}

}  // namespace

std::string summary_table(const RunResult& result, const TerminalSummaryOptions& options) {
  std::string out;
  const auto add = [&](const char* label, const std::string& value) { add_line(out, options.width, label, value); };
  add("scenario", result.setup.scenario);
  add("result", result.passed() ? "passed" : "FAILED: " + result.failure);
  if (!result.reliability.rows_left_out.empty()) add("PEs at fault", rows_text(result.reliability));
  add_verification(add, result);
  if (result.dataset) add_dataset(add, result);
  if (!result.not_finite.kernels.empty()) add("not finite", not_finite_text(result.not_finite));
  if (!result.setup.zero_padding.empty()) add("zero padding", result.setup.zero_padding);
  add("time", fmt::format("{}, {} cycles", si(result.time_s, "s"), grouped(result.cycles)));
  const double flops_per_s = per_second(static_cast<double>(result.work.flops), result.time_s);
  add("arithmetic", fmt::format("{}, {}, {} of the {} peak", si(static_cast<double>(result.work.flops), "FLOP"),
                                si(flops_per_s, "FLOP/s"), percent(per_second(flops_per_s, result.peak_flops_per_s)),
                                si(result.peak_flops_per_s, "FLOP/s")));
  add("DRAM traffic", fmt::format("{} read, {} written", si(static_cast<double>(result.work.dram_read_bytes), "B"),
                                  si(static_cast<double>(result.work.dram_written_bytes), "B")));
  add("energy",
      fmt::format("{}, average power {}{} (profile {}, {})", si(result.energy.total_j, "J"),
                  si(per_second(result.energy.total_j, result.time_s), "W"),
                  result.records.power.windows.empty() ? "" : ", peak " + si(result.records.power.peak_w, "W"),
                  profile_text(result), dram_text(result)));
  if (!result.pricing.note.empty()) add("  note", result.pricing.note);
  if (!result.area_by_component_mm2.empty()) {
    std::vector<std::string> parts;
    for (const auto& [component, mm2] : result.area_by_component_mm2) {
      if (mm2 >= 0.5) parts.push_back(fmt::format("{} {:.1f}", component, mm2));
    }
    add("area", fmt::format("{:.1f} mm2 estimated ({})", total_area(result), fmt::join(parts, ", ")));
  }
  const ArrayMap& array = result.activity.array;
  if (array.used_pes < array.rows * array.columns) {
    add("PEs", fmt::format("{} of {} used: kernels take a power of two of rows and of columns", array.used_pes,
                           array.rows * array.columns));
  }
  // Each label says which cycles are the denominator of the shares.
  add("use, all cycles", utilisation_text(result.activity.utilisation));
  add("  kernel cycles", utilisation_text(result.activity.kernel_utilisation));
  if (result.activity.steady) add("  steady state", utilisation_text(*result.activity.steady));
  add("no kernel", percent(no_kernel(result)) + " of all cycles");
  if (const std::string limits = limit_sentence(result.activity.limits); !limits.empty()) add("limited by", limits);
  for (const Figure& figure : figures()) {
    if (figure.shown == Figure::Shown::headline) add(figure.label.c_str(), figure_text(figure, result));
  }
  add("simulation",
      fmt::format("{:.2f} s on the host, {}, {}", result.host.seconds,
                  si(per_second(static_cast<double>(result.cycles), result.host.seconds), "cycles/s"),
                  si(per_second(static_cast<double>(result.work.lane_operations), result.host.seconds), "lane op/s")));
  // A share below 0.05 % is shown as 0.0; one screen has no room for classes below 0.5 %.
  const double least_share = options.all_rows ? 0.0005 : 0.005;
  for (const std::string& part :
       {layers_table(result, options), kernels_table(result, options),
        beside(units_table(result, options.width, least_share), energy_table(result, options.width), options.width)}) {
    if (!part.empty()) out += "\n" + part;
  }
  return out;
}

}  // namespace bvp
