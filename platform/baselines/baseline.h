// SPDX-License-Identifier: Apache-2.0
// A machine that runs are compared with. Each file in machines/ adds one, or a family of machines that are published
// together, and is found by its name: the file NAME.cpp defines `BaselineEntry NAME()` in the namespace bvp::machines.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/base/parameters.h"
#include "platform/baselines/compared_run.h"
#include "platform/baselines/workload.h"

namespace bvp {

/// What a figure rests on.
struct Basis {
  std::string source;
  /// F: read in the source; D: digitised from a plot; R: computed or simulated here; I: inferred from others;
  /// M: general knowledge. Several where the figure rests on several.
  std::string tag;
  Confidence model = Confidence::low;          ///< in the formula itself, apart from its parameters
  std::vector<const ParamBase*> parameters{};  ///< from which the figure follows
};

/// Time and energy that a machine takes for the run's network or for its dense counterpart.
struct BaselineEstimate {
  std::string name;        ///< of the row: stable, since scripts look for it
  std::string definition;  ///< what runs, how it is reckoned, what is included
  double time_s = 0;
  std::optional<double> energy_j;  ///< nothing: not known for this build of the machine
  bool with_dram = false;          ///< the energy includes DRAM
  bool same_point = true;          ///< the energy is one at the operating point of the run's
  Basis time;
  Basis energy;  ///< what it rests on beside the time, which need not be repeated
};

/// What an estimate may follow from, apart from the parameters of the machine.
struct Comparand {
  const ComparedRun& run;
  const std::vector<KernelWork>& own;    ///< the work of the run's network
  const std::vector<KernelWork>& dense;  ///< the work of its dense counterpart
  /// How energies of machines in other technologies are brought to that of the run: `none`, `mlx` or `stillmaker`.
  const Param<std::string>& technology;
};

class Baseline {
 public:
  Baseline() = default;
  virtual ~Baseline() = default;
  Baseline(const Baseline&) = delete;
  Baseline& operator=(const Baseline&) = delete;

  /// One a way in which the machine may do the work, in the order in which they are shown; none where the machine
  /// cannot do it or where the comparison would not be fair. Simulates nothing and keeps nothing.
  [[nodiscard]] virtual std::vector<BaselineEstimate> estimates(const Comparand& with) const = 0;
};

struct BaselineEntry {
  /// Parameters and rows of a baseline come before those of a baseline with a larger place.
  unsigned place = 0;
  /// @param parent  the group `baselines`, to which the parameters of the machine are added as groups
  std::unique_ptr<Baseline> (*make)(ParameterGroup* parent) = nullptr;
};

/// The published accelerators have this peak, of multiplications and additions.
inline constexpr double accelerator_peak_flops = 256e9;

/// Whether the run's array has the peak of the published accelerators, to 5 %: others are not compared with them.
[[nodiscard]] bool has_accelerator_peak(const ComparedRun& run);

/// Both lists, one behind the other.
[[nodiscard]] std::vector<const ParamBase*> together(std::vector<const ParamBase*> first,
                                                     const std::vector<const ParamBase*>& second);

}  // namespace bvp
