// SPDX-License-Identifier: Apache-2.0
// What fast mode has learned of the kernels that have run, by context.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>

#include "models/pe/fast/launch_journal.h"
#include "models/pe/fast/learned_costs.h"

namespace bvp {

/// What is known of one kernel.
struct KnownKernel {
  explicit KnownKernel(std::size_t segments) : costs(segments) {}

  /// The journal of a launch with this key; null: there is none.
  [[nodiscard]] const LaunchJournal* find(const LaunchJournal::Key& key) const {
    const auto found =
        std::find_if(journals.begin(), journals.end(), [&](const LaunchJournal& each) { return each.key == key; });
    return found == journals.end() ? nullptr : &*found;
  }

  LearnedCosts costs;
  bool overlaps = false;  ///< a launch of it has come while another one ran
  std::deque<LaunchJournal> journals;
};

class KnownKernels {
 public:
  void forget() { *this = KnownKernels(); }
  /// The entry of this kernel, which is empty for a new kernel. Valid until the next call.
  [[nodiscard]] KnownKernel& find(const std::shared_ptr<const Context>& context) {
    if (current_context_ == context.get()) return *current_;
    if (kernels_.size() >= most_kernels) {
      kernels_.clear();
      entries_ = 0;
    }
    current_context_ = context.get();
    current_ = &kernels_.try_emplace(context, context->program.segments.size()).first->second;
    return *current_;
  }
  /// Whether there is room for another journal of this kernel.
  [[nodiscard]] bool has_room(const KnownKernel& kernel) const {
    return kernel.journals.size() < most_journals && entries_ < most_entries;
  }
  void keep(KnownKernel& kernel, LaunchJournal journal) {
    entries_ += journal.entries();
    kernel.journals.push_back(std::move(journal));
  }

 private:
  /// Limits: remembered kernels; journals of one kernel; entries of all journals.
  static constexpr std::size_t most_kernels = 512, most_journals = 16, most_entries = 1 << 19;

  std::map<std::shared_ptr<const Context>, KnownKernel> kernels_;
  const Context* current_context_ = nullptr;
  KnownKernel* current_ = nullptr;
  std::size_t entries_ = 0;
};

}  // namespace bvp
