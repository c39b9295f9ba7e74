// SPDX-License-Identifier: Apache-2.0
// Moves the bytes of a transfer at once, without time: through host memory that a target offers, in one transaction, or
// with targets that know neither through plain ones.
#pragma once

#include <tlm>
#include <vector>

#include "models/dma/dma_transfer.h"
#include "models/transport/access_source.h"
#include "models/transport/bulk_traffic.h"

namespace bvp {

class BulkMover {
 public:
  explicit BulkMover(tlm::tlm_initiator_socket<>& socket) : socket_(socket) {}

  /// Sets who makes the accesses that follow.
  void act_for(AccessSource& source) { source_ = &source; }
  /// Tells the target of these addresses of an amount of traffic; false: no target takes it.
  bool send(const DmaSpan& span, BulkTraffic& traffic);
  /// Moves the next bytes of the transfer. On an error the bytes up to it have been moved.
  /// @param fill  of the descriptor
  [[nodiscard]] DmaStatus move(DmaTransfer& transfer, u32 fill, u64 bytes);
  /// Host memory that was offered must be asked for again.
  void forget_regions() { regions_.clear(); }
  /// The address at which move() has failed.
  [[nodiscard]] u64 failed_at() const { return failed_at_; }

 private:
  /// Fills bytes_ with the pattern; bytes at even addresses get its low byte.
  void fill_bytes(u16 pattern);
  /// Reads bytes_ from the runs in runs_ or writes it to them; false if a target refuses.
  bool access_runs(bool write, u32 burst_bytes);
  /// Joins the runs of one side to pieces that are apart from each other, by distance from the first.
  void join(bool write);
  bool access_directly(const tlm::tlm_dmi& region, u64 first, bool write);
  /// Accesses one piece in a target that does not know BulkData. Uses the debug transport or, where the target has
  /// none, transactions whose time is ignored.
  bool access_plainly(u64 address, u8* data, u32 bytes, u32 burst_bytes, bool write);
  /// Host memory that holds the bus address, or null.
  const tlm::tlm_dmi* direct_memory(u64 address);

  tlm::tlm_initiator_socket<>& socket_;
  std::vector<tlm::tlm_dmi> regions_;
  std::vector<DmaRun> runs_;
  std::vector<u8> bytes_;
  std::vector<BulkData::Run> pieces_;
  AccessSource* source_ = nullptr;
  u64 failed_at_ = 0;
};

}  // namespace bvp
