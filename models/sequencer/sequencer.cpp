// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/sequencer.h"

#include <algorithm>
#include <cstring>

#include "models/abi/dma_status.h"
#include "models/base/report.h"
#include "models/transport/check.h"
#include "models/transport/initiator.h"
#include "models/transport/register_target.h"

namespace bvp {

namespace {

static_assert(unit_index_count == unit_index_dma + 16, "the sequencer drives up to 16 DMA channels");
constexpr u32 completion_bytes = sizeof(LaunchCompletion);
static_assert(sizeof(DmaCompletion) == completion_bytes);

template <class T>
T read_record(const tlm::tlm_generic_payload& payload) {
  T record;
  std::memcpy(&record, payload.get_data_ptr(), sizeof(T));
  return record;
}

/// The writes that a completion socket takes: one record of one unit, at address unit * completion_bytes.
PayloadRules completion_rules(u64 units) {
  PayloadRules rules = PayloadRules::words(completion_bytes);
  rules.read = false;
  rules.span = units * completion_bytes;
  return rules;
}

}  // namespace

Sequencer::Sequencer(sc_core::sc_module_name name, const SequencerParameters& parameters, const ArrayShape& array,
                     unsigned dma_channels, const ClockDomain& clock, StatGroup& parent_stats)
    : sc_module(name),
      registers("registers"),
      to_bus("to_bus"),
      to_dma("to_dma"),
      dma_completions("dma_completions"),
      to_pe("to_pe", array.pes()),
      pe_completions("pe_completions"),
      irq("irq"),
      clock_(clock),
      statistics_(basename()),
      registers_(this->name()),
      semaphores_(registers_.semaphore_tokens.max(), statistics_.semaphore_wait_cycles),
      reports_(this->name(), registers_, semaphores_, statistics_),
      queues_(unit_index_dma + dma_channels, CommandQueue(static_cast<std::size_t>(parameters.queue_depth.get()))),
      rows_(array.rows),
      ring_(static_cast<std::size_t>(parameters.fetch_entries.get()), statistics_.ring_bytes),
      dispatcher_(parameters, dma_channels, semaphores_, reports_, statistics_),
      channels_(dma_channels, *this, semaphores_, reports_),
      loader_(parameters, array, rows_, *this, reports_, statistics_),
      launcher_(parameters, array, rows_, *this, semaphores_, reports_, statistics_) {
  if (dma_channels > registers_.status_dma.width()) {
    report_error(this->name(), "{} DMA channels, at most {} are possible", dma_channels, registers_.status_dma.width());
  }
  parent_stats.add(&statistics_.group);
  registers.register_b_transport(this, &Sequencer::registers_transport);
  registers.register_transport_dbg(this, &Sequencer::registers_debug);
  dma_completions.register_b_transport(this, &Sequencer::dma_completion);
  pe_completions.register_b_transport(this, &Sequencer::pe_completion);
  connect_registers();
  connections_ = {reports_.halts.connect([this] { halt(); }),
                  reports_.interrupt_pending.connect([this] { irq_changed_.notify(sc_core::SC_ZERO_TIME); })};
  resting_.begin(0);
  SC_METHOD(evaluate);
  sensitive << wake_;
  dont_initialize();
  SC_METHOD(update_irq);
  sensitive << irq_changed_;
}

Sequencer::~Sequencer() = default;

// ---------------------------------------------------------------------------------------------------------
// Registers

void Sequencer::connect_registers() {
  auto& [base_lo, base_hi, entries, head, tail] = registers_.ring;
  base_lo.on_read([this] { return low_word(ring_.base()); }).on_write([this](u32 value) {
    write_ring(value, [&] { return ring_.set_base(join_words(value, high_word(ring_.base()))); });
  });
  base_hi.on_read([this] { return high_word(ring_.base()); }).on_write([this](u32 value) {
    write_ring(value, [&] { return ring_.set_base(join_words(low_word(ring_.base()), value)); });
  });
  entries.on_read([this] { return ring_.entries(); }).on_write([this](u32 value) {
    write_ring(value, [&] { return ring_.set_entries(value); });
  });
  head.on_read([this] { return ring_.head(sc_core::sc_time_stamp().value() / clock_.period().value()); });
  tail.on_read([this] { return ring_.tail(); }).on_write([this](u32 value) { write_tail(value); });
  registers_.control.on_write([this](u32 value) { write_control(value); });
  registers_.status.on_read([this] { return registers_.status_word(idle(), launcher_.busy(), channels_.running()); });
  const auto update = [this](u32) { irq_changed_.notify(sc_core::SC_ZERO_TIME); };
  registers_.interrupt_status.on_write(update);
  registers_.interrupt_enable.on_write(update);
  registers_.limits.launch.on_write([this](u32 cycles) { launcher_.set_limit(cycles); });
  registers_.limits.dma.on_write([this](u32 cycles) { channels_.set_limit(cycles); });
  registers_.limits.abort.on_write([this](u32 value) { write_abort(value); });
  registers_.row_disable.on_read([this] { return rows_.left_out(); }).on_write([this](u32 value) {
    write_row_disable(value);
  });
  registers_.semaphore.on_read([this](u32 index) { return semaphores_.tokens(index); });
  registers_.semaphore.on_write([this](u32 index, u32 value) { write_semaphore(index, value); });
}

void Sequencer::write_control(u32 value) {
  registers_.control.set(registers_.control_enable.bits(registers_.control_enable.of(value)));
  if (registers_.control_reset.of(value) != 0) reset();
  const Cycle cycle = access_cycle();
  // The loader forgets the PEs' image, so that the next launch sends its image again, over the one in the shadow
  // contexts.
  if (registers_.control_invalidate.of(value) != 0) loader_.forget(cycle, launcher_.busy_cycles(cycle));
  ring_.wait_until(cycle);
  schedule(cycle);
}

void Sequencer::write_ring(u32 value, const std::function<bool()>& store) {
  if (enabled() || ring_.in_flight()) {
    reports_.raise(SequencerError::ring_in_use, CommandReports::no_tag, value);
  } else if (!store()) {
    reports_.raise(SequencerError::bad_ring, CommandReports::no_tag, value);
  }
}

void Sequencer::write_tail(u32 value) {
  if (!ring_.set_tail(value)) return reports_.raise(SequencerError::bad_doorbell, CommandReports::no_tag, value);
  ring_.wait_until(access_cycle());
  schedule(access_cycle());
}

void Sequencer::write_semaphore(u32 index, u32 value) {
  if (!semaphores_.set(index, value)) {
    return reports_.raise(SequencerError::semaphore_overflow, CommandReports::no_tag, index);
  }
  schedule(access_cycle());
}

void Sequencer::write_abort(u32 value) {
  const Cycle cycle = access_cycle();
  const u32 channels = registers_.limits.abort_dma.of(value);
  for (u32 channel = 0; channel < channels_.count(); ++channel) {
    if ((channels >> channel & 1) != 0) channels_.abort(channel, SequencerError::aborted, unit_index_dma + channel);
  }
  if (registers_.limits.abort_array.of(value) != 0 && launcher_.busy()) {
    reports_.raise(SequencerError::aborted, launcher_.commands().front().tag, unit_index_array, 0,
                   launcher_.unfinished_rows());
    launcher_.stop(cycle);
  }
  schedule(cycle);
}

void Sequencer::write_row_disable(u32 value) {
  if (!idle() || !rows_.leave_out(value)) {
    return reports_.raise(SequencerError::bad_row_disable, CommandReports::no_tag, value);
  }
  for (u32 pe = 0; pe < to_pe.size(); ++pe) write_pe(pe, rows_address, &value, sizeof value);
  const Cycle cycle = access_cycle();
  loader_.forget(cycle, launcher_.busy_cycles(cycle));
}

bool Sequencer::idle() const {
  return channels_.running() == 0 && (!enabled() || !ring_.has_more()) && !ring_.in_flight() && dispatcher_.idle() &&
         std::all_of(queues_.begin(), queues_.end(), [](const CommandQueue& queue) { return queue.empty(); }) &&
         !launcher_.busy();
}

void Sequencer::reset() {
  const Cycle cycle = access_cycle();
  end_waits(cycle);
  ring_.clear();
  dispatcher_.drop();
  for (CommandQueue& queue : queues_) queue.clear();
  channels_.abandon();
  loader_.forget(cycle, launcher_.busy_cycles(cycle));
  launcher_.stop(cycle);
  semaphores_.clear();
  registers_.clear_results();
  irq_changed_.notify(sc_core::SC_ZERO_TIME);
}

// ---------------------------------------------------------------------------------------------------------
// Sockets

void Sequencer::registers_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  serve(registers_.bank, payload, delay);
}

unsigned Sequencer::registers_debug(tlm::tlm_generic_payload& payload) { return serve_debug(registers_.bank, payload); }

void Sequencer::dma_completion(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  tlm::tlm_response_status response = check(payload, completion_rules(channels_.count()));
  if (response == tlm::TLM_OK_RESPONSE) {
    const auto channel = static_cast<u32>(payload.get_address() / completion_bytes);
    if (channels_.take_completion(channel)) {
      arrive({false, channel, 0, read_record<DmaCompletion>(payload).status}, delay);
    } else {
      response = tlm::TLM_GENERIC_ERROR_RESPONSE;
    }
  }
  payload.set_response_status(response);
}

void Sequencer::pe_completion(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  tlm::tlm_response_status response = check(payload, completion_rules(to_pe.size()));
  if (response == tlm::TLM_OK_RESPONSE) {
    const auto pe = static_cast<u32>(payload.get_address() / completion_bytes);
    const auto completion = read_record<LaunchCompletion>(payload);
    if (launcher_.take_completion(pe, completion.launch_number)) {
      arrive({true, pe, completion.launch_number, completion.status}, delay);
    } else {
      response = tlm::TLM_GENERIC_ERROR_RESPONSE;
    }
  }
  payload.set_response_status(response);
}

void Sequencer::arrive(const Arrival& arrival, const sc_core::sc_time& delay) {
  const Cycle cycle = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  arrivals_.emplace(cycle, arrival);
  schedule(cycle);
}

std::optional<Cycle> Sequencer::read_memory(u64 address, void* data, u32 bytes) {
  sc_core::sc_time delay;
  if (access(to_bus, payload_, tlm::TLM_READ_COMMAND, address, data, bytes, delay) != tlm::TLM_OK_RESPONSE) {
    return std::nullopt;
  }
  return clock_.to_cycles(sc_core::sc_time_stamp() + delay);
}

bool Sequencer::start_transfer(u32 channel, DmaDescriptor descriptor) {
  sc_core::sc_time delay;
  return access(to_dma, payload_, tlm::TLM_WRITE_COMMAND, channel * dma_channel_stride, &descriptor, sizeof(descriptor),
                delay) == tlm::TLM_OK_RESPONSE;
}

bool Sequencer::start_transfer(u32 channel, IndexedDescriptor descriptor) {
  sc_core::sc_time delay;
  return access(to_dma, payload_, tlm::TLM_WRITE_COMMAND, channel * dma_channel_stride, &descriptor, sizeof(descriptor),
                delay) == tlm::TLM_OK_RESPONSE;
}

bool Sequencer::abort_transfer(u32 channel) {
  sc_core::sc_time delay;
  u32 word = 0;
  return access(to_dma, payload_, tlm::TLM_WRITE_COMMAND, channel * dma_channel_stride + dma_abort_offset, &word,
                sizeof word, delay) == tlm::TLM_OK_RESPONSE;
}

u64 Sequencer::transfer_address(u32 channel) {
  sc_core::sc_time delay;
  u64 address = 0;
  const u64 place = channel * dma_channel_stride + dma_error_address_offset;
  access(to_dma, payload_, tlm::TLM_READ_COMMAND, place, &address, sizeof address, delay);
  return address;
}

bool Sequencer::write_pe(u32 pe, u64 address, void* data, u32 bytes) {
  sc_core::sc_time delay;
  return access(to_pe[pe], payload_, tlm::TLM_WRITE_COMMAND, address, data, bytes, delay) == tlm::TLM_OK_RESPONSE;
}

// ---------------------------------------------------------------------------------------------------------
// Time

void Sequencer::schedule(Cycle cycle) {
  wake_.notify(clock_.to_time(std::max(cycle, clock_.now())) - sc_core::sc_time_stamp());
}

void Sequencer::evaluate() {
  const Cycle now = clock_.now();
  while (advance(now)) {
  }
  const Cycle next = next_change(now);
  if (next != never) schedule(next);
  if (idle()) {
    resting_.begin(now);
  } else {
    resting_.end(statistics_.idle_cycles, now);
  }
}

// The order of the calls decides which machine gets a token that two machines want in the same cycle. Each machine may
// halt the ones after it.
bool Sequencer::advance(Cycle now) {
  bool progress = take_arrivals(now);
  progress |= channels_.expire(now);
  progress |= launcher_.expire(now);
  progress |= launcher_.send(now);
  progress |= !reports_.halted() && dispatcher_.advance(now, ring_, queues_);
  for (u32 channel = 0; channel < channels_.count(); ++channel) {
    progress |= !reports_.halted() && channels_.start(channel, queues_[unit_index_dma + channel], now);
  }
  progress |= prepare_image(now);
  progress |= !reports_.halted() && launcher_.start(queues_[unit_index_array], loader_, now);
  progress |= !reports_.halted() && enabled() && ring_.fetch(now, *this);
  return progress;
}

bool Sequencer::take_arrivals(Cycle now) {
  bool progress = false;
  while (!arrivals_.empty() && arrivals_.begin()->first <= now) {
    const Arrival arrival = arrivals_.begin()->second;
    arrivals_.erase(arrivals_.begin());
    if (arrival.from_array) {
      launcher_.finish(arrival.index, arrival.number, arrival.status, now);
    } else {
      channels_.finish(arrival.index, arrival.status, now);
    }
    progress = true;
  }
  return progress;
}

bool Sequencer::prepare_image(Cycle now) {
  const CommandQueue& launches = queues_[unit_index_array];
  if (reports_.halted() || launcher_.starting() || launches.empty()) return false;
  return loader_.advance(launches.front(), now, launcher_.busy_cycles(now));
}

Cycle Sequencer::next_change(Cycle now) const {
  const Cycle arrival = arrivals_.empty() ? never : arrivals_.begin()->first;
  const Cycle dispatch = dispatcher_.idle() ? ring_.next_arrival() : dispatcher_.done();
  const Cycle fetch = enabled() ? ring_.next_fetch() : never;
  Cycle next = loader_.next(now);
  for (const Cycle candidate : {arrival, dispatch, fetch, launcher_.next(), channels_.next()}) {
    if (candidate > now) next = std::min(next, candidate);
  }
  return next;
}

std::vector<Sequencer::Outstanding> Sequencer::outstanding() const {
  std::vector<Outstanding> found;
  if (const Command* const command = dispatcher_.current())
    found.push_back({Outstanding::Stage::dispatching, *command});
  for (const Command& command : launcher_.commands()) found.push_back({Outstanding::Stage::running, command});
  for (u32 unit = 0; unit < queues_.size(); ++unit) {
    if (unit >= unit_index_dma) {
      const Command* const running = channels_.command(unit - unit_index_dma);
      if (running != nullptr) found.push_back({Outstanding::Stage::running, *running});
    }
    for (const Command& command : queues_[unit].commands()) found.push_back({Outstanding::Stage::queued, command});
  }
  return found;
}

void Sequencer::settle() {
  const Cycle now = clock_.now();
  resting_.settle(statistics_.idle_cycles, now);
  launcher_.settle(now);
  dispatcher_.settle(now);
  for (CommandQueue& queue : queues_) queue.blocked.settle(statistics_.semaphore_wait_cycles, now);
  loader_.settle(now, launcher_.busy_cycles(now));
}

void Sequencer::halt() {
  const Cycle now = clock_.now();
  end_waits(now);
  loader_.cancel(now, launcher_.busy_cycles(now));
}

void Sequencer::end_waits(Cycle now) {
  loader_.end_waits(now);
  dispatcher_.end_waits(now);
  for (CommandQueue& queue : queues_) queue.blocked.end(statistics_.semaphore_wait_cycles, now);
}

void Sequencer::update_irq() { irq.write(registers_.interrupt()); }

}  // namespace bvp
