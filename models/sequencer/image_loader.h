// SPDX-License-Identifier: Apache-2.0
// The loader: brings the kernel image of the next launch into the PEs.
#pragma once

#include <optional>
#include <vector>

#include "models/base/array_parameters.h"
#include "models/sequencer/command_check.h"
#include "models/sequencer/command_reports.h"
#include "models/sequencer/sequencer_parameters.h"
#include "models/sequencer/sequencer_ports.h"

namespace bvp {

/// An image is fetched in bursts, checked, and sent over the configuration network into the PEs' shadow contexts, which
/// are free once the launch before has been sent: one image at a time, that of the first launch of the queue. The image
/// that the PEs got last is known, and a launch that names it needs nothing.
///
/// `array_busy` in the calls below: cycles until now in which a launch was in the PEs.
class ImageLoader {
 public:
  /// The image in the PEs.
  struct Image {
    u64 address = 0;
    u32 bytes = 0;
    u32 rows = 0;  ///< of the sub-array that has it
    u32 columns = 0;
    u64 generation = 0;  ///< counts configurations
  };

  ImageLoader(const SequencerParameters& parameters, const ArrayParameters& array, SequencerPorts& ports,
              CommandReports& reports, SequencerStatistics& statistics);

  /// Goes on with the image of `command`, the same one until release() or cancel(); not while halted. True: something
  /// has changed.
  bool advance(const Command& command, Cycle now, Cycle array_busy);
  /// The PEs have the image of the command that advance() was called with.
  [[nodiscard]] bool ready() const { return stage_ == Stage::ready; }
  /// Only while ready.
  [[nodiscard]] const Image& image() const { return *configured_; }
  /// The launch starts: what its preparation took. Only while ready, which ends.
  LaunchPhases release(Cycle now);

  /// What is under way is dropped.
  void cancel(Cycle now, Cycle array_busy);
  /// Likewise, and the image in the PEs is one that no launch means.
  void forget(Cycle now, Cycle array_busy);

  /// When something under way ends next, after `now`; `never` if nothing does.
  [[nodiscard]] Cycle next(Cycle now) const;
  void settle(Cycle now, Cycle array_busy);
  /// No launch waits any more.
  void end_waits(Cycle now);

 private:
  enum class Stage { none, fetching, configuring, ready };
  /// Of the image that is prepared.
  struct Preparation {
    std::vector<u8> image;
    u32 requested = 0;            // bytes asked for
    std::vector<Cycle> arrivals;  // of the bursts in flight
    Cycle begin = 0;
    Cycle busy_before = 0;  // array_busy at `begin`
    Cycle configured = 0;   // when the configuration ends
    LaunchPhases phases;
  };

  bool begin(const Command& command, Cycle now, Cycle array_busy);
  bool fetch(const Command& command, Cycle now);
  void check(const Command& command, Cycle now);
  void configure(const Command& command, Cycle now, Cycle array_busy);
  [[nodiscard]] bool in_pes(const Command& command) const {
    return configured_ && configured_->address == command.image && configured_->bytes == command.image_bytes;
  }
  [[nodiscard]] ImageHeader header() const;
  /// Cycles in which no kernel ran.
  [[nodiscard]] Cycle exposed(Cycle now, Cycle array_busy) const;

  const SequencerParameters& parameters_;
  const ArrayShape array_;
  SequencerPorts& ports_;
  CommandReports& reports_;
  SequencerStatistics& statistics_;
  Stage stage_ = Stage::none;
  Preparation preparation_;
  std::optional<Image> configured_;
  u64 generation_ = 0;
  LastingState waiting_;  // a launch is first of the queue and has not started
  LastingState fetching_, configuring_;
  LastingState exposed_;  // in cycles of exposed()
};

}  // namespace bvp
