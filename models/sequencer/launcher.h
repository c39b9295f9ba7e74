// SPDX-License-Identifier: Apache-2.0
// The launcher: starts kernels on the PE array and collects the completions of the PEs.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "models/base/machine_shape.h"
#include "models/base/row_map.h"
#include "models/isa/launch.h"
#include "models/sequencer/command_queue.h"
#include "models/sequencer/command_reports.h"
#include "models/sequencer/image_loader.h"
#include "models/sequencer/sequencer_parameters.h"
#include "models/sequencer/sequencer_ports.h"

namespace bvp {

/// A launch starts once its image is in the PEs and its tokens are there; `launch_cycles` later the PEs of the
/// sub-array get its LaunchRecord. The launch ends when all of these PEs have reported. It may be sent while earlier
/// launches run if they use the same configuration. When a PE refuses or fails, and when a launch takes longer than the
/// limit, all launches in the PEs are stopped.
class Launcher {
 public:
  /// @param rows  on which kernels run
  Launcher(const SequencerParameters& parameters, const ArrayShape& array, const RowMap& rows, SequencerPorts& ports,
           Semaphores& semaphores, CommandReports& reports, SequencerStatistics& statistics);

  /// Whether a launch has left the queue and has not been sent yet.
  [[nodiscard]] bool starting() const { return starting_.has_value(); }
  /// Whether a launch starts or is in the PEs.
  [[nodiscard]] bool busy() const { return starting() || !launches_.empty(); }
  /// The commands of launches that start or are in the PEs, from the first to the last.
  [[nodiscard]] std::vector<Command> commands() const;
  /// Rows of the array with PEs that have not reported the end of the first launch in the PEs, a bit each; 0: there is
  /// no launch in the PEs.
  [[nodiscard]] u32 unfinished_rows() const;
  /// Cycles until now in which a launch was in the PEs.
  [[nodiscard]] Cycle busy_cycles(Cycle now) const { return statistics_.array_busy.value() + working_.uncounted(now); }

  /// Starts the first launch of the queue, whose image the loader has prepared. Must not be called while halted.
  /// Returns true if something has changed.
  bool start(CommandQueue& queue, ImageLoader& loader, Cycle now);
  /// Sends the launch that is starting, if it is due. Returns true if something has changed.
  bool send(Cycle now);

  /// Receives a completion message, which takes effect by finish(). Returns false if nobody waits for it.
  [[nodiscard]] bool take_completion(u32 pe, u32 launch_number);
  /// @param status  as the PE reports it; 0: no error
  void finish(u32 pe, u32 launch_number, u32 status, Cycle now);
  /// Drops launches that are starting, and stops the PEs if launches are in them.
  void stop(Cycle now);

  /// Sets how long a launch may take, beginning with the next one; 0: any time.
  void set_limit(Cycle cycles) { limit_ = cycles; }
  /// Stops the launches in the PEs if the first of them has reached the limit. Returns true if something has changed.
  bool expire(Cycle now);

  /// The next cycle in which the starting launch is sent or a launch reaches the limit; `never` if there is none.
  [[nodiscard]] Cycle next() const { return std::min(starting_ ? starting_->done : never, deadline_); }
  void settle(Cycle now);

 private:
  struct Starting {
    Command command{};
    Cycle done = 0;
    ImageLoader::Image image;
    LaunchPhases phases;
  };
  struct OpenLaunch {
    Command command{};
    u32 number = 0;
    u64 generation = 0;
    std::vector<bool> reported;  // by PE of the array; PEs outside of the sub-array count as having reported
    u32 remaining = 0;
    bool failed = false;  // a PE has refused it
  };
  using Launches = std::deque<OpenLaunch>;

  void set_deadline(Cycle now) { deadline_ = launches_.empty() || limit_ == 0 ? never : now + limit_; }
  /// Whether the launch could be sent while the earlier launches are in the PEs.
  [[nodiscard]] bool may_follow(const ImageLoader::Image& image) const;
  /// Begins to wait for the PEs of the sub-array.
  OpenLaunch& expect(const Starting& sent);
  void tell_pes(OpenLaunch& launch, const ImageLoader::Image& image);
  /// Called when all PEs have reported: completes the command.
  void retire(Launches::iterator launch, Cycle now);

  const SequencerParameters& parameters_;
  const u32 columns_, pes_;
  const RowMap& rows_;
  SequencerPorts& ports_;
  Semaphores& semaphores_;
  CommandReports& reports_;
  SequencerStatistics& statistics_;
  std::optional<Starting> starting_;
  LastingState starting_state_;
  Launches launches_;   // sent launches that not all PEs have reported yet
  u32 number_ = 0;      // number of the last launch sent
  u64 generation_ = 0;  // generation of the image of the last launch started
  LastingState working_;
  Cycle limit_ = 0;
  Cycle deadline_ = never;  // of the first launch in the PEs
};

}  // namespace bvp
