// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/command_observer.h"

namespace bvp {

CommandObserver::~CommandObserver() = default;

void CommandObserver::watch(CommandSignals& signals) {
  connections_.push_back(
      signals.started.connect([this](const Command& command, Cycle cycle) { command_started(command, cycle); }));
  connections_.push_back(
      signals.completed.connect([this](const Command& command, Cycle cycle) { command_completed(command, cycle); }));
  connections_.push_back(signals.launched.connect([this](const Command& command, const LaunchPhases& phases,
                                                         Cycle cycle) { kernel_launched(command, phases, cycle); }));
  connections_.push_back(
      signals.kernel_failed.connect([this](const Command& command, Cycle cycle) { kernel_failed(command, cycle); }));
}

}  // namespace bvp
