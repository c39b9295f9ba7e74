// SPDX-License-Identifier: Apache-2.0
// Which bursts of the transfers are timed one by one.
#pragma once

#include <memory>

#include "models/dma/dma_channel.h"

namespace bvp {

/// The engine asks at each point where bursts need not be timed one by one. This base class is the course of `cycle`:
/// it times them all. A course that moves several bursts at once brings their channels up to the present when it is
/// told to stop.
class DmaCourse {
 public:
  virtual ~DmaCourse();

  /// The set of busy channels is going to change.
  virtual void before_change() {}
  /// The channel has taken a descriptor, valid or not, and is busy.
  virtual void has_begun(DmaChannel& channel) { (void)channel; }
  /// The channel is going to read its indices. Takes extensions off its payload with which bursts travel.
  virtual void before_indices(DmaChannel& channel) { (void)channel; }
  /// It has read them, with success or not.
  virtual void after_indices(DmaChannel& channel) { (void)channel; }
  /// The channel is going to end its transfer; before_change() follows.
  virtual void before_end(DmaChannel& channel) { (void)channel; }
  /// The channel is idle.
  virtual void has_ended() {}

  /// A burst of the channel is going to be timed. Adds to its payload the extensions with which it travels.
  virtual void before_burst(DmaChannel& channel) { (void)channel; }
  /// The burst that was issued at this point has been timed.
  virtual void after_burst(DmaChannel& channel, const DmaPoint& issue) { (void)channel, (void)issue; }

  /// Whether the channel was set moving in this very cycle: then there is nothing to do for it now.
  [[nodiscard]] virtual bool has_just_started(const DmaChannel& channel) const { return (void)channel, false; }
  /// Moves all busy channels without timed bursts from now on, if it can. Returns whether it does; then it wakes them.
  virtual bool start() { return false; }
  /// Memory that may have been reached directly up to now must be asked for again.
  virtual void forget_memory() {}
  /// Brings the channels up to the present if they were moving. Returns whether they were; then it wakes them.
  virtual bool stop() { return false; }
};

}  // namespace bvp
