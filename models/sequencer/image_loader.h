// SPDX-License-Identifier: Apache-2.0
// The loader: brings the kernel image of the next launch into the PEs.
#pragma once

#include <optional>
#include <vector>

#include "models/base/machine_shape.h"
#include "models/base/row_map.h"
#include "models/sequencer/command_check.h"
#include "models/sequencer/command_reports.h"
#include "models/sequencer/sequencer_parameters.h"
#include "models/sequencer/sequencer_ports.h"

namespace bvp {

/// The loader fetches an image in bursts, checks it, and sends it over the configuration network into the PEs' shadow
/// contexts. These are free once the previous launch has been sent. So the loader prepares one image at a time, that of
/// the first launch in the queue. It remembers the image that the PEs got last; a launch that names this image needs no
/// preparation.
///
/// In the calls below, `array_busy` is the number of cycles until now in which a launch was in the PEs.
class ImageLoader {
 public:
  /// The image in the PEs.
  struct Image {
    u64 address = 0;
    u32 bytes = 0;
    u32 rows = 0;  ///< of the sub-array that has the image
    u32 columns = 0;
    u64 generation = 0;  ///< the number of the configuration that brought it
  };

  /// @param rows  on which kernels run
  ImageLoader(const SequencerParameters& parameters, const ArrayShape& array, const RowMap& rows, SequencerPorts& ports,
              CommandReports& reports, SequencerStatistics& statistics);

  /// Continues to prepare the image of `command`, which is the same command until release() or cancel(). Must not be
  /// called while halted. Returns true if something has changed.
  bool advance(const Command& command, Cycle now, Cycle array_busy);
  /// The PEs have the image of the command that advance() was called with.
  [[nodiscard]] bool ready() const { return stage_ == Stage::ready; }
  /// The image in the PEs. Call it only while ready().
  [[nodiscard]] const Image& image() const { return *configured_; }
  /// The launch starts: returns the phases of its preparation. Call it only while ready(), which then becomes false.
  LaunchPhases release(Cycle now);

  /// Drops the preparation that is in progress.
  void cancel(Cycle now, Cycle array_busy);
  /// Like cancel(); also forgets which image the PEs have, so that the next launch configures them again.
  void forget(Cycle now, Cycle array_busy);

  /// The cycle, after `now`, in which the next step in progress ends; `never` if nothing is in progress.
  [[nodiscard]] Cycle next(Cycle now) const;
  void settle(Cycle now, Cycle array_busy);
  /// Ends the waits: no launch waits any more.
  void end_waits(Cycle now);

 private:
  enum class Stage { none, fetching, configuring, ready };
  /// The image that is being prepared.
  struct Preparation {
    std::vector<u8> image;
    u32 requested = 0;            // bytes requested so far
    std::vector<Cycle> arrivals;  // of the bursts in flight: when they arrive
    Cycle begin = 0;
    Cycle busy_before = 0;  // array_busy at `begin`
    Cycle configured = 0;   // the cycle in which the configuration ends
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
  /// Cycles of the preparation in which no kernel ran.
  [[nodiscard]] Cycle exposed(Cycle now, Cycle array_busy) const;

  const SequencerParameters& parameters_;
  const ArrayShape array_;
  const RowMap& rows_;
  SequencerPorts& ports_;
  CommandReports& reports_;
  SequencerStatistics& statistics_;
  Stage stage_ = Stage::none;
  Preparation preparation_;
  std::optional<Image> configured_;
  u64 generation_ = 0;
  LastingState waiting_;  // lasts while a launch is first in the queue and has not started
  LastingState fetching_, configuring_;
  LastingState exposed_;  // counts the cycles of exposed()
};

}  // namespace bvp
