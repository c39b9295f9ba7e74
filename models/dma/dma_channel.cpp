// SPDX-License-Identifier: Apache-2.0
#include "models/dma/dma_channel.h"

#include <fmt/format.h>

#include "models/abi/records.h"

namespace bvp {

DmaChannel::DmaChannel(u32 channel_number, const DmaParameters& parameters)
    : number(channel_number),
      stats(fmt::format("channel{}", channel_number)),
      transfer(static_cast<u32>(parameters.burst_bytes.get())),
      done(static_cast<std::size_t>(parameters.outstanding.get())),
      data(static_cast<std::size_t>(parameters.burst_bytes.get()) + 1),
      source(unit_index_dma + channel_number) {
  payload.set_extension(&source);
  payload.set_extension(&memory_time);
}

DmaChannel::~DmaChannel() {
  payload.clear_extension(&source);
  payload.clear_extension(&memory_time);
}

void DmaChannel::wake_when_due(const ClockDomain& clock) {
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  const sc_core::sc_time due = clock.to_time(drains() ? finished.at : next_issue().at);
  wake.cancel();
  wake.notify(due > now ? due - now : sc_core::SC_ZERO_TIME);
}

}  // namespace bvp
