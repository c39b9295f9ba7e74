// SPDX-License-Identifier: Apache-2.0
#include "models/dma/fast/bulk_mover.h"

#include <algorithm>
#include <cstring>

#include "models/transport/initiator.h"

namespace bvp {

bool BulkMover::send(const DmaSpan& span, BulkTraffic& traffic) {
  tlm::tlm_generic_payload payload;
  traffic.span = span.last - span.first + 1;
  payload.set_extension(&traffic);
  payload.set_extension(source_);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  const tlm::tlm_response_status status =
      access(socket_, payload, tlm::TLM_IGNORE_COMMAND, span.first, nullptr, 0, delay);
  payload.clear_extension(&traffic);
  payload.clear_extension(source_);
  return status == tlm::TLM_OK_RESPONSE;
}

DmaStatus BulkMover::move(DmaTransfer& transfer, u32 fill, u64 bytes) {
  // A size that fits easily into the host's first-level cache.
  constexpr u64 most_at_once = 16384;
  bytes_.resize(most_at_once);
  while (bytes != 0) {
    const u64 part = std::min(bytes, most_at_once);
    bytes -= part;
    runs_.clear();
    transfer.skip(part, runs_);
    if (fill != 0) {
      fill_bytes(static_cast<u16>(fill));
    } else if (!access_runs(false, transfer.burst_bytes())) {
      return DmaStatus::source_error;
    }
    if (!access_runs(true, transfer.burst_bytes())) return DmaStatus::destination_error;
  }
  return DmaStatus::ok;
}

void BulkMover::fill_bytes(u16 pattern) {
  const auto low = static_cast<u8>(pattern), high = static_cast<u8>(pattern >> 8);
  u8* data = bytes_.data();
  for (const DmaRun& run : runs_) {
    if (low == high) {
      std::memset(data, low, run.bytes);
    } else {
      for (u64 i = 0; i < run.bytes; ++i) data[i] = (run.destination + i) % 2 == 0 ? low : high;
    }
    data += run.bytes;
  }
}

void BulkMover::join(bool write) {
  const u64 first = write ? runs_.front().destination : runs_.front().source;
  pieces_.clear();
  for (const DmaRun& run : runs_) {
    const u64 distance = (write ? run.destination : run.source) - first;
    if (!pieces_.empty() && pieces_.back().distance + pieces_.back().bytes == distance) {
      pieces_.back().bytes += run.bytes;
    } else {
      pieces_.push_back({distance, run.bytes});
    }
  }
}

bool BulkMover::access_runs(bool write, u32 burst_bytes) {
  const u64 first = write ? runs_.front().destination : runs_.front().source;
  failed_at_ = first;
  join(write);
  if (const tlm::tlm_dmi* const region = direct_memory(first)) return access_directly(*region, first, write);
  BulkData bulk;
  bulk.write = write;
  bulk.runs = pieces_.data();
  bulk.count = pieces_.size();
  tlm::tlm_generic_payload payload;
  payload.set_extension(&bulk);
  payload.set_extension(source_);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  u8* data = bytes_.data();
  access(socket_, payload, tlm::TLM_IGNORE_COMMAND, first, data, 0, delay);
  payload.clear_extension(&bulk);
  payload.clear_extension(source_);
  if (bulk.done || payload.get_response_status() == tlm::TLM_ADDRESS_ERROR_RESPONSE) return bulk.done;
  for (const BulkData::Run& piece : pieces_) {
    failed_at_ = first + piece.distance;
    if (!access_plainly(first + piece.distance, data, piece.bytes, burst_bytes, write)) return false;
    data += piece.bytes;
  }
  return true;
}

bool BulkMover::access_directly(const tlm::tlm_dmi& region, u64 first, bool write) {
  u8* data = bytes_.data();
  for (const BulkData::Run& piece : pieces_) {
    const u64 begin = first + piece.distance - region.get_start_address();
    const u64 last = region.get_end_address() - region.get_start_address();
    if (begin > last || piece.bytes - 1 > last - begin) return false;
    u8* const memory = region.get_dmi_ptr() + begin;
    std::memcpy(write ? memory : data, write ? data : memory, piece.bytes);
    data += piece.bytes;
  }
  return true;
}

bool BulkMover::access_plainly(u64 address, u8* data, u32 bytes, u32 burst_bytes, bool write) {
  const tlm::tlm_command command = write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND;
  if (debug_access(socket_, command, address, data, bytes) == bytes) return true;
  while (bytes != 0) {
    const u32 part = std::min(bytes, burst_bytes);
    sc_core::sc_time ignored = sc_core::SC_ZERO_TIME;
    tlm::tlm_generic_payload payload;
    payload.set_extension(source_);
    const tlm::tlm_response_status status = access(socket_, payload, command, address, data, part, ignored);
    payload.clear_extension(source_);
    if (status != tlm::TLM_OK_RESPONSE) return false;
    address += part;
    data += part;
    bytes -= part;
  }
  return true;
}

const tlm::tlm_dmi* BulkMover::direct_memory(u64 address) {
  const auto holds = [&](const tlm::tlm_dmi& region) {
    return address >= region.get_start_address() && address <= region.get_end_address();
  };
  const auto known = std::find_if(regions_.begin(), regions_.end(), holds);
  if (known != regions_.end()) return &*known;
  tlm::tlm_generic_payload payload;
  payload.set_address(address);
  payload.set_command(tlm::TLM_WRITE_COMMAND);
  tlm::tlm_dmi region;
  if (!socket_->get_direct_mem_ptr(payload, region) || !holds(region)) return nullptr;
  regions_.push_back(region);
  return &regions_.back();
}

}  // namespace bvp
