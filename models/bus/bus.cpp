// SPDX-License-Identifier: Apache-2.0
// Decode, arbitration and forwarding of the bus.
#include "models/bus/bus.h"

#include <algorithm>

#include "models/base/report.h"
#include "models/transport/bulk_traffic.h"
#include "models/transport/check.h"

namespace bvp {
namespace {

/// Initiators run ahead of simulated time by up to their quantum, so the bus remembers reservations of this many
/// cycles.
constexpr u64 calendar_window = 65536;

/// The bus itself refuses only payloads that it cannot carry; targets check everything else.
constexpr PayloadRules carried() {
  PayloadRules rules;
  rules.ignore = rules.byte_enables = rules.streaming = true;
  return rules;
}

}  // namespace

Bus::Target::Target(const std::string& target_name, u64 first_address, u64 last_address, StatGroup& parent_stats)
    : name(target_name),
      base(first_address),
      last(last_address),
      socket(("to_" + target_name).c_str()),
      port(calendar_window),
      stats("to_" + target_name),
      transactions(&stats, "transactions", "transactions", "transactions sent to the target"),
      bytes(&stats, "bytes", "bytes", "bytes read from and written to the target"),
      wait_cycles(&stats, "wait_cycles", "cycles", "cycles that transactions waited for the target's port, summed") {
  parent_stats.add(&stats);
}

Bus::Bus(sc_core::sc_module_name name, const BusParameters& parameters, const ClockDomain& clock,
         StatGroup& parent_stats)
    : sc_module(name),
      from("from"),
      clock_(clock),
      request_latency_(clock.to_time(static_cast<Cycle>(parameters.request_latency))),
      response_latency_(clock.to_time(static_cast<Cycle>(parameters.response_latency))),
      beat_shift_(static_cast<unsigned>(__builtin_ctzll(static_cast<u64>(parameters.bytes_per_cycle)))),
      stats_(basename()),
      decode_errors_(&stats_, "decode_errors", "transactions", "transactions to addresses where nothing is mapped") {
  from.register_b_transport(this, &Bus::transport);
  from.register_transport_dbg(this, &Bus::debug);
  from.register_get_direct_mem_ptr(this, &Bus::direct_memory);
  parent_stats.add(&stats_);
}

Bus::~Bus() = default;

Bus::TargetSocket& Bus::add_target(const std::string& name, u64 base, u64 bytes) {
  const u64 last = base + (bytes - 1);
  if (bytes == 0 || last < base)
    report_error(this->name(), "{}: {:#x} bytes at {:#x} are not a region", name, bytes, base);
  for (const Target* other : by_address_) {
    if (base <= other->last && other->base <= last) {
      report_error(this->name(), "{} ({:#x} to {:#x}) overlaps {} ({:#x} to {:#x})", name, base, last, other->name,
                   other->base, other->last);
    }
  }
  // A socket must belong to the module that is under construction, and this function may be called after the bus's
  // constructor. So the bus is put on SystemC's stack of modules meanwhile.
  simcontext()->hierarchy_push(this);
  targets_.push_back(std::make_unique<Target>(name, base, last, stats_));
  simcontext()->hierarchy_pop();
  Target* const added = targets_.back().get();
  by_address_.push_back(added);
  std::sort(by_address_.begin(), by_address_.end(), [](const Target* a, const Target* b) { return a->base < b->base; });
  added->socket.register_invalidate_direct_mem_ptr(this, &Bus::invalidate, static_cast<int>(targets_.size()) - 1);
  return added->socket;
}

Bus::Target* Bus::decode(u64 address, u64 bytes) const {
  const auto after = std::upper_bound(by_address_.begin(), by_address_.end(), address,
                                      [](u64 value, const Target* target) { return value < target->base; });
  if (after == by_address_.begin()) return nullptr;
  Target* const target = *std::prev(after);
  return address <= target->last && bytes - 1 <= target->last - address ? target : nullptr;
}

void Bus::transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const u64 address = payload.get_address();
  const u64 bytes = payload.get_data_length();
  if (payload.get_command() == tlm::TLM_IGNORE_COMMAND && untimed(payload, delay)) return;
  const tlm::tlm_response_status status = check(payload, carried());
  if (status != tlm::TLM_OK_RESPONSE) {
    payload.set_response_status(status);
    return;
  }
  Target* const target = decode(address, bytes);
  if (target == nullptr) {
    ++decode_errors_;
    payload.set_dmi_allowed(false);
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    delay += request_latency_ + response_latency_;
    return;
  }
  const Cycle asked = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  const Cycle first = target->port.reserve(asked);
  Cycle last = first;
  for (u64 beats = (bytes - 1) >> beat_shift_; beats != 0; --beats) last = target->port.reserve(last + 1);
  target->wait_cycles += first - asked;
  ++target->transactions;
  target->bytes += bytes;

  delay = clock_.to_time(first) - sc_core::sc_time_stamp() + request_latency_;
  payload.set_address(address - target->base);
  target->socket->b_transport(payload, delay);
  payload.set_address(address);
  delay += response_latency_ + clock_.to_time(last - first);
  if (payload.is_write() && payload.is_response_ok()) written(address, bytes);
}

bool Bus::untimed(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const auto* const traffic = payload.get_extension<BulkTraffic>();
  if (traffic == nullptr && payload.get_extension<BulkData>() == nullptr) return false;
  const u64 address = payload.get_address();
  Target* const target = decode(address, traffic != nullptr ? traffic->span : 1);
  if (target == nullptr) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return true;
  }
  if (traffic != nullptr) {
    target->transactions += traffic->requests;
    target->bytes += traffic->bytes;
  }
  payload.set_address(address - target->base);
  target->socket->b_transport(payload, delay);
  payload.set_address(address);
  const auto* const data = payload.get_extension<BulkData>();
  if (data != nullptr && data->write && data->done) {
    for (std::size_t i = 0; i < data->count; ++i) written(address + data->runs[i].distance, data->runs[i].bytes);
  }
  return true;
}

unsigned Bus::debug(int, tlm::tlm_generic_payload& payload) {
  const u64 address = payload.get_address();
  // Debuggers may ask beyond a region's end. The target tells how many bytes it has.
  Target* const target = decode(address, 1);
  if (target == nullptr) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return 0;
  }
  const unsigned length = payload.get_data_length();
  const u64 mapped = target->last - address;  // the bytes from `address` on, minus one
  if (length != 0 && length - 1 > mapped) payload.set_data_length(static_cast<unsigned>(mapped + 1));
  payload.set_address(address - target->base);
  const unsigned done = target->socket->transport_dbg(payload);
  payload.set_address(address);
  payload.set_data_length(length);
  return done;
}

bool Bus::direct_memory(int, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  const u64 address = payload.get_address();
  Target* const target = decode(address, 1);
  if (target == nullptr) {
    dmi.init();
    dmi.set_start_address(address);
    dmi.set_end_address(address);
    return false;
  }
  payload.set_address(address - target->base);
  const bool granted = target->socket->get_direct_mem_ptr(payload, dmi);
  payload.set_address(address);
  const u64 span = target->last - target->base;
  dmi.set_start_address(target->base + std::min<u64>(dmi.get_start_address(), span));
  dmi.set_end_address(target->base + std::min<u64>(dmi.get_end_address(), span));
  dmi.set_read_latency(dmi.get_read_latency() + request_latency_ + response_latency_);
  dmi.set_write_latency(dmi.get_write_latency() + request_latency_ + response_latency_);
  return granted;
}

void Bus::invalidate(int target, sc_dt::uint64 start, sc_dt::uint64 end) {
  const Target& owner = *targets_[static_cast<std::size_t>(target)];
  const u64 span = owner.last - owner.base;
  if (start > span) return;
  for (unsigned i = 0; i < from.size(); ++i) {
    from[static_cast<int>(i)]->invalidate_direct_mem_ptr(owner.base + start, owner.base + std::min<u64>(end, span));
  }
}

}  // namespace bvp
