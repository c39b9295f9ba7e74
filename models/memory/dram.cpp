// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram.h"

#include <algorithm>
#include <cstring>

#include "models/transport/memory_time.h"

namespace bvp {

Dram::Dram(sc_core::sc_module_name name, const DramParameters& parameters, StatGroup& parent_statistics,
           LazyMemory::Use use)
    : sc_module(name),
      target("target"),
      clock_(parameters.geometry.clock_hz),
      stats_(basename()),
      map_(make_dram_address_map(parameters)),
      storage_(this->name(), static_cast<u64>(parameters.geometry.size_bytes.get()), use),
      timing_(parameters),
      request_latency_(static_cast<Cycle>(parameters.request_latency.get())),
      response_latency_(static_cast<Cycle>(parameters.response_latency.get())),
      posted_writes_(parameters.writes.posted),
      dmi_(parameters.dmi),
      ecc_(parameters.has_ecc()) {
  if (ecc_) response_latency_ += static_cast<Cycle>(parameters.ecc_latency.get());
  for (i64 i = 0; i < parameters.geometry.channels; ++i) {
    channels_.push_back(std::make_unique<DramChannel>(parameters, statistics_));
  }
  rules_.most_bytes = max_request_bytes;
  rules_.span = size();
  parent_statistics.add(&stats_);
  target.register_b_transport(this, &Dram::b_transport);
  target.register_transport_dbg(this, &Dram::transport_dbg);
  target.register_get_direct_mem_ptr(this, &Dram::get_direct_mem_ptr);
}

Dram::~Dram() = default;

DramActivity Dram::timed() const {
  u64 waiting = 0;
  for (const auto& channel : channels_) waiting += channel->waiting_writes();
  return bulk_.timed(statistics_, waiting);
}

void Dram::count_bulk(const BulkTraffic& traffic) {
  const Cycle clocks = bulk_.count(traffic, timed(), clock_, timing_.access(), statistics_);
  if (clocks == 0) return;
  // The traffic did not reach the channels: their queues and banks keep their state, moved on to the present.
  for (const auto& channel : channels_) channel->carry_on(clocks);
}

tlm::tlm_response_status Dram::move_bulk(u64 address, u8* data, BulkData& bulk) {
  for (std::size_t i = 0; i < bulk.count; ++i) {
    const u64 begin = address + bulk.runs[i].distance;
    const u64 bytes = bulk.runs[i].bytes;
    if (begin >= size() || bytes > size() - begin) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
    if (!words_.empty() && !check_words(bulk.write, begin, bytes)) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
    u8* const memory = storage_.data() + begin;
    std::memcpy(bulk.write ? memory : data, bulk.write ? data : memory, bytes);
    data += bytes;
  }
  bulk.done = true;
  return tlm::TLM_OK_RESPONSE;
}

bool Dram::untimed(tlm::tlm_generic_payload& payload) {
  if (const auto* const traffic = payload.get_extension<BulkTraffic>()) {
    const u64 address = payload.get_address();
    const bool inside = address < size() && traffic->span <= size() - address;
    payload.set_response_status(inside ? tlm::TLM_OK_RESPONSE : tlm::TLM_ADDRESS_ERROR_RESPONSE);
    if (inside) count_bulk(*traffic);
    return true;
  }
  auto* const bulk = payload.get_extension<BulkData>();
  if (bulk == nullptr) return false;
  payload.set_response_status(move_bulk(payload.get_address(), payload.get_data_ptr(), *bulk));
  return true;
}

void Dram::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (payload.get_command() == tlm::TLM_IGNORE_COMMAND && untimed(payload)) return;
  const tlm::tlm_response_status response = check(payload, rules_);
  payload.set_response_status(response);
  if (response != tlm::TLM_OK_RESPONSE) {
    ++statistics_.errors;
    return;
  }
  payload.set_dmi_allowed(dmi_);
  if (!words_.empty() && !check_words(payload.is_write(), payload.get_address(), payload.get_data_length())) {
    payload.set_dmi_allowed(false);
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    ++statistics_.errors;
    return;
  }
  const auto* const sampled = payload.get_extension<SampledTraffic>();
  const DramActivity before = sampled != nullptr ? timed() : DramActivity{};
  const u64 address = payload.get_address();
  const u32 length = payload.get_data_length();
  const bool write = payload.is_write();
  const bool data = payload.get_extension<TimingOnly>() == nullptr;
  // The host loads the data into its cache while the channel computes the times of the commands.
  if (data) __builtin_prefetch(storage_.data() + address);
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  const Cycle arrival = clock_.to_cycles(now + delay) + request_latency_;
  DramChannel::Access slowest{arrival, {}};
  const u64 last = (address + length - 1) / dram_access_bytes;
  for (u64 block = address / dram_access_bytes; block <= last; ++block) {
    const DramLocation at = map_->locate(block * dram_access_bytes);
    DramChannel& channel = *channels_[at.channel];
    const u64 begin = std::max(address, block * dram_access_bytes);
    const auto bytes = static_cast<u32>(std::min(address + length, (block + 1) * dram_access_bytes) - begin);
    const DramChannel::Access access = write ? channel.write(at.bank, at.row, block, bytes, arrival)
                                             : channel.read(at.bank, at.row, block, bytes, arrival);
    if (access.done >= slowest.done) slowest = access;
  }
  if (auto* const time = payload.get_extension<MemoryTime>()) {
    time->rows = clock_.to_time(slowest.waits.rows);
    time->bus = clock_.to_time(slowest.waits.bus);
  }
  if (write) {
    if (data) std::memcpy(storage_.data() + address, payload.get_data_ptr(), length);
    ++statistics_.requests_written;
  } else {
    if (data) std::memcpy(payload.get_data_ptr(), storage_.data() + address, length);
    ++statistics_.requests_read;
  }
  if (sampled != nullptr) bulk_.add_sample(sampled->pattern, before, timed());
  // A posted write is acknowledged where it enters the controller, so that it does not wait for the response latency.
  delay = clock_.to_time(write && posted_writes_ ? slowest.done : slowest.done + response_latency_) - now;
}

bool Dram::flip(u64 offset, u32 bit) {
  if (offset >= size()) return false;
  if (!ecc_) {
    storage_.data()[offset] ^= static_cast<u8>(1 << bit);
    return true;
  }
  words_.flip(offset, bit);
  // Whoever reaches the memory directly would not see that a word is lost.
  if (words_.has_uncorrectable()) target->invalidate_direct_mem_ptr(0, size() - 1);
  return true;
}

bool Dram::check_words(bool write, u64 address, u64 bytes) {
  const EccWords::Found found = write ? words_.write(address, bytes) : words_.read(address, bytes);
  ecc_corrected_ += found.corrected;
  ecc_detected_ += found.detected;
  return found.detected == 0;
}

u32 Dram::transport_dbg(tlm::tlm_generic_payload& payload) {
  const u64 address = payload.get_address();
  if (payload.get_command() == tlm::TLM_IGNORE_COMMAND || address >= size()) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return 0;
  }
  const auto length = static_cast<u32>(std::min<u64>(payload.get_data_length(), size() - address));
  if (payload.is_write()) {
    std::memcpy(storage_.data() + address, payload.get_data_ptr(), length);
  } else {
    std::memcpy(payload.get_data_ptr(), storage_.data() + address, length);
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  return length;
}

bool Dram::get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  dmi.init();
  dmi.set_start_address(0);
  dmi.set_end_address(size() - 1);
  if (!dmi_ || payload.get_address() >= size() || words_.has_uncorrectable()) return false;
  dmi.set_dmi_ptr(storage_.data());
  dmi.allow_read_write();
  return true;
}

std::vector<Connection> Dram::connect_commands(const std::function<void(u32 channel, const DramCommand&)>& slot) {
  std::vector<Connection> connections;
  for (u32 i = 0; i < channels_.size(); ++i) {
    connections.push_back(channels_[i]->commanded.connect([slot, i](const DramCommand& command) { slot(i, command); }));
  }
  return connections;
}

void Dram::update_statistics() {
  for (const auto& channel : channels_) channel->count_refreshes(clock_.now());
}

}  // namespace bvp
