// SPDX-License-Identifier: Apache-2.0
// Keeps what each batch of a dataset leaves in the DRAM, before the next one overwrites it.
#pragma once

#include <utility>
#include <vector>

#include "models/sequencer/command_observer.h"
#include "platform/run/loader.h"
#include "platform/soc/soc.h"

namespace bvp {

class DatasetRecorder : public CommandObserver {
 public:
  DatasetRecorder(Soc& soc, const Network& network, const RunInputs& inputs)
      : soc_(soc), network_(network), inputs_(inputs) {}

  /// The outputs of every batch that is done, of which the parts that the run was given are those of the first batch.
  [[nodiscard]] std::vector<TensorMap> take() { return std::move(batches_); }

 private:
  void command_started(const Command&, Cycle) override {}
  void kernel_launched(const Command&, const LaunchPhases&, Cycle) override {}
  /// The last command of a network waits until all outputs are stored.
  void command_completed(const Command& command, Cycle) override {
    if (command.tag == network_tag_end) batches_.push_back(read_outputs(soc_, network_, inputs_));
  }

  Soc& soc_;
  const Network& network_;
  const RunInputs& inputs_;
  std::vector<TensorMap> batches_;
};

}  // namespace bvp
