// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/sequencer.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "models/abi/dma_status.h"
#include "models/base/report.h"

namespace bvp {

namespace {

static_assert(unit_index_count == unit_index_dma + 16, "the sequencer drives up to 16 DMA channels");
constexpr u32 ring_entries_min = 2, ring_entries_max = 65536;
constexpr u32 ring_alignment = 64;
constexpr Cycle never = std::numeric_limits<Cycle>::max();
constexpr u64 completion_bytes = sizeof(LaunchCompletion);
static_assert(sizeof(DmaCompletion) == completion_bytes);
constexpr u8 known_flags = command_flag_interrupt | command_flag_resident;

bool is_power_of_two(u64 value) { return value != 0 && (value & (value - 1)) == 0; }

template <class T>
T read_record(const tlm::tlm_generic_payload& payload) {
  T record;
  std::memcpy(&record, payload.get_data_ptr(), sizeof(T));
  return record;
}

/// What goes over the configuration network: the common part once, to all PEs, and each PE's own.
u64 configuration_bytes(const ImageHeader& header) {
  return header.common_bytes + u64{header.pe_rows} * header.pe_columns * header.per_pe_bytes;
}

/// The response for a completion write to `units` units of completion_bytes each.
tlm::tlm_response_status check_completion(const tlm::tlm_generic_payload& payload, u64 units) {
  if (!payload.is_write()) return tlm::TLM_COMMAND_ERROR_RESPONSE;
  if (payload.get_byte_enable_ptr() != nullptr) return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
  if (payload.get_data_length() != completion_bytes || payload.get_streaming_width() < completion_bytes) {
    return tlm::TLM_BURST_ERROR_RESPONSE;
  }
  if (payload.get_address() % completion_bytes != 0 || payload.get_address() / completion_bytes >= units) {
    return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  }
  return tlm::TLM_OK_RESPONSE;
}

}  // namespace

Sequencer::Sequencer(sc_core::sc_module_name name, const SequencerParameters& parameters, const ArrayParameters& array,
                     unsigned dma_channels, const ClockDomain& clock, StatGroup& parent_stats)
    : sc_module(name),
      registers("registers"),
      to_bus("to_bus"),
      to_dma("to_dma"),
      dma_completions("dma_completions"),
      to_pe("to_pe", static_cast<std::size_t>(array.rows * array.columns)),
      pe_completions("pe_completions"),
      irq("irq"),
      parameters_(parameters),
      clock_(clock),
      rows_(static_cast<u32>(array.rows)),
      columns_(static_cast<u32>(array.columns)),
      lanes_(static_cast<u32>(array.lanes)),
      channels_(dma_channels) {
  if (dma_channels > registers_.status_dma.width()) {
    report_error(this->name(), "{} DMA channels, at most {} are possible", dma_channels, registers_.status_dma.width());
  }
  parent_stats.add(&stats_);
  registers.register_b_transport(this, &Sequencer::registers_transport);
  registers.register_transport_dbg(this, &Sequencer::registers_debug);
  dma_completions.register_b_transport(this, &Sequencer::dma_completion);
  pe_completions.register_b_transport(this, &Sequencer::pe_completion);
  connect_registers();
  resting_.begin(0);
  SC_METHOD(evaluate);
  sensitive << wake_;
  dont_initialize();
  SC_METHOD(update_irq);
  sensitive << irq_changed_;
}

Sequencer::~Sequencer() = default;

void Sequencer::connect_registers() {
  registers_.ring.base_lo.on_read([this] { return low_word(ring_base_); }).on_write([this](u32 value) {
    write_ring(value, value % ring_alignment == 0, [&] { ring_base_ = join_words(value, high_word(ring_base_)); });
  });
  registers_.ring.base_hi.on_read([this] { return high_word(ring_base_); }).on_write([this](u32 value) {
    write_ring(value, true, [&] { ring_base_ = join_words(low_word(ring_base_), value); });
  });
  registers_.ring.entries.on_read([this] { return ring_entries_; }).on_write([this](u32 value) {
    const bool valid = is_power_of_two(value) && value >= ring_entries_min && value <= ring_entries_max;
    write_ring(value, valid, [&] { ring_entries_ = value; });
  });
  registers_.ring.head.on_read([this] { return head(); });
  registers_.ring.tail.on_read([this] { return tail_; }).on_write([this](u32 value) { write_tail(value); });
  registers_.control.on_read([this] { return registers_.control_enable.bits(enabled_); }).on_write([this](u32 value) {
    write_control(value);
  });
  registers_.status.on_read([this] { return status(); });
  const auto update = [this](u32) { irq_changed_.notify(sc_core::SC_ZERO_TIME); };
  registers_.interrupt_status.on_write(update);
  registers_.interrupt_enable.on_write(update);
  registers_.semaphore.on_read([this](u32 index) { return semaphores_[index]; }).on_write([this](u32 index, u32 value) {
    write_semaphore(index, value);
  });
}

// ---------------------------------------------------------------------------------------------------------
// Registers

void Sequencer::write_control(u32 value) {
  if (registers_.control_reset.of(value) != 0) reset();
  if (registers_.control_invalidate.of(value) != 0) forget_image();
  enabled_ = registers_.control_enable.of(value) != 0;
  not_before_ = access_cycle();
  schedule(access_cycle());
}

void Sequencer::write_ring(u32 value, bool valid, const std::function<void()>& store) {
  if (enabled_ || !fetched_.empty()) return raise(SequencerError::ring_in_use, no_tag, value);
  if (!valid) return raise(SequencerError::bad_ring, no_tag, value);
  store();
  head_ = 0;
  tail_ = 0;
}

void Sequencer::write_tail(u32 value) {
  if (value >= ring_entries_) return raise(SequencerError::bad_doorbell, no_tag, value);
  tail_ = value;
  not_before_ = access_cycle();
  schedule(access_cycle());
}

u32 Sequencer::head() const {
  const auto in_flight = std::count_if(fetched_.begin(), fetched_.end(), [this](const FetchedCommand& entry) {
    return clock_.to_time(entry.ready) > sc_core::sc_time_stamp();
  });
  return ring_entries_ == 0 ? 0 : (head_ - static_cast<u32>(in_flight)) & (ring_entries_ - 1);
}

void Sequencer::write_semaphore(u32 index, u32 value) {
  if (value > registers_.semaphore_tokens.max()) return raise(SequencerError::semaphore_overflow, no_tag, index);
  semaphores_[index] = value;
  schedule(access_cycle());
}

u32 Sequencer::status() const {
  u32 running = 0;
  for (std::size_t i = 0; i < channels_.size(); ++i) running |= u32{channels_[i].running.has_value()} << i;
  return registers_.status_word(idle(), launching_ || !launches_.empty(), running);
}

bool Sequencer::idle() const {
  const bool channels_idle = std::all_of(channels_.begin(), channels_.end(), [](const Channel& channel) {
    return !channel.running && channel.queue.commands.empty();
  });
  return channels_idle && (!enabled_ || head_ == tail_) && fetched_.empty() && !dispatching_ &&
         array_queue_.commands.empty() && !launching_ && launches_.empty();
}

// Transfers cannot be stopped: they finish unheard.
void Sequencer::reset() {
  end_waits(access_cycle());
  fetched_.clear();
  dispatching_.reset();
  head_ = 0;
  tail_ = 0;
  for (Channel& channel : channels_) {
    channel.queue = {};
    channel.abandoned = channel.running.has_value();
  }
  array_queue_ = {};
  forget_image();
  if (launching_) launching_state_.end(launch_cycles_, std::min(access_cycle(), launching_->done));
  launching_.reset();
  stop_array();
  semaphores_.fill(0);
  registers_.clear_results();
  irq_changed_.notify(sc_core::SC_ZERO_TIME);
}

void Sequencer::stop_array() {
  if (launches_.empty()) return;
  u32 word = 0;
  for (std::size_t pe = 0; pe < to_pe.size(); ++pe) write_to(to_pe[pe], stop_address, &word, sizeof word);
  const Cycle cycle = access_cycle();
  array_working_.end(array_busy_, cycle);
  for (const Launch& launch : launches_) {
    for (CommandObserver* observer : observers_) observer->kernel_failed(launch.command, cycle);
  }
  launches_.clear();
}

// The image may be prepared again over the one in the PEs' shadow context.
void Sequencer::forget_image() {
  end_preparation(access_cycle());
  configured_.reset();
}

// ---------------------------------------------------------------------------------------------------------
// Sockets

void Sequencer::registers_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  registers_.bank.b_transport(payload, delay);
}

unsigned Sequencer::registers_debug(tlm::tlm_generic_payload& payload) {
  return registers_.bank.transport_dbg(payload);
}

void Sequencer::dma_completion(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  tlm::tlm_response_status response = check_completion(payload, channels_.size());
  if (response == tlm::TLM_OK_RESPONSE) {
    const auto channel = static_cast<u32>(payload.get_address() / completion_bytes);
    if (channels_[channel].running && !channels_[channel].reported) {
      channels_[channel].reported = true;
      const Cycle cycle = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
      arrivals_.emplace(cycle, Arrival{false, channel, 0, read_record<u32>(payload)});
      schedule(cycle);
    } else {
      response = tlm::TLM_GENERIC_ERROR_RESPONSE;
    }
  }
  payload.set_response_status(response);
}

void Sequencer::pe_completion(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  tlm::tlm_response_status response = check_completion(payload, to_pe.size());
  if (response == tlm::TLM_OK_RESPONSE) {
    const auto pe = static_cast<u32>(payload.get_address() / completion_bytes);
    const auto completion = read_record<LaunchCompletion>(payload);
    const auto launch = std::find_if(launches_.begin(), launches_.end(), [&](const Launch& candidate) {
      return candidate.number == completion.launch_number && !candidate.reported[pe];
    });
    if (launch != launches_.end()) {
      launch->reported[pe] = true;
      const Cycle cycle = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
      arrivals_.emplace(cycle, Arrival{true, pe, completion.launch_number, completion.status});
      schedule(cycle);
    } else {
      response = tlm::TLM_GENERIC_ERROR_RESPONSE;
    }
  }
  payload.set_response_status(response);
}

std::optional<Cycle> Sequencer::read_bus(u64 address, void* data, u32 bytes) {
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  if (!transfer(to_bus, tlm::TLM_READ_COMMAND, address, data, bytes, delay)) return std::nullopt;
  return clock_.to_cycles(sc_core::sc_time_stamp() + delay);
}

bool Sequencer::transfer(tlm_utils::simple_initiator_socket<Sequencer>& socket, tlm::tlm_command command, u64 address,
                         void* data, u32 bytes, sc_core::sc_time& delay) {
  payload_.set_command(command);
  payload_.set_address(address);
  payload_.set_data_ptr(static_cast<unsigned char*>(data));
  payload_.set_data_length(bytes);
  payload_.set_streaming_width(bytes);
  payload_.set_byte_enable_ptr(nullptr);
  payload_.set_dmi_allowed(false);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  socket->b_transport(payload_, delay);
  return payload_.is_response_ok();
}

bool Sequencer::write_to(tlm_utils::simple_initiator_socket<Sequencer>& socket, u64 address, void* data, u32 bytes) {
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  return transfer(socket, tlm::TLM_WRITE_COMMAND, address, data, bytes, delay);
}

// ---------------------------------------------------------------------------------------------------------
// Time

void Sequencer::schedule(Cycle cycle) {
  wake_.notify(clock_.to_time(std::max(cycle, clock_.now())) - sc_core::sc_time_stamp());
}

void Sequencer::consider(Cycle cycle) {
  if (cycle > now_) next_ = std::min(next_, cycle);
}

void Sequencer::evaluate() {
  now_ = clock_.now();
  bool progress = true;
  while (progress) {
    progress = take_arrivals();
    progress |= send_launch();
    progress |= dispatch();
    for (u32 channel = 0; channel < channels_.size(); ++channel) progress |= start_transfer(channel);
    progress |= prepare_image();
    progress |= start_launch();
    progress |= fetch_commands();
  }

  next_ = never;
  if (!arrivals_.empty()) consider(arrivals_.begin()->first);
  if (launching_) consider(launching_->done);
  if (dispatching_) {
    consider(dispatching_->done);
  } else if (!fetched_.empty()) {
    consider(fetched_.front().ready);
  }
  if (preparation_ == Preparation::configuring) consider(config_done_);
  for (const Cycle arrival : bursts_) consider(arrival);
  if (enabled_ && head_ != tail_) consider(not_before_);
  if (next_ != never) schedule(next_);

  if (idle()) {
    resting_.begin(now_);
  } else {
    resting_.end(idle_cycles_, now_);
  }
}

void Sequencer::settle() {
  const Cycle now = clock_.now();
  resting_.settle(idle_cycles_, now);
  array_working_.settle(array_busy_, now);
  if (launching_) launching_state_.settle(launch_cycles_, std::min(now, launching_->done));
  launch_head_.settle(launch_wait_cycles_, now);
  dispatch_blocked_.settle(semaphore_wait_cycles_, now);
  dispatch_stalled_.settle(dispatch_stall_cycles_, now);
  array_queue_.blocked.settle(semaphore_wait_cycles_, now);
  for (Channel& channel : channels_) channel.queue.blocked.settle(semaphore_wait_cycles_, now);
  fetching_.settle(image_fetch_cycles_, now);
  configuring_.settle(config_cycles_, std::min(now, config_done_));
  exposed_.settle(exposed_cycles_, exposed_cycles(now));
}

void Sequencer::end_waits(Cycle now) {
  launch_head_.end(launch_wait_cycles_, now);
  dispatch_blocked_.end(semaphore_wait_cycles_, now);
  dispatch_stalled_.end(dispatch_stall_cycles_, now);
  array_queue_.blocked.end(semaphore_wait_cycles_, now);
  for (Channel& channel : channels_) channel.queue.blocked.end(semaphore_wait_cycles_, now);
}

void Sequencer::end_preparation(Cycle now) {
  exposed_.end(exposed_cycles_, exposed_cycles(now));
  fetching_.end(image_fetch_cycles_, now);
  configuring_.end(config_cycles_, std::min(now, config_done_));
  preparation_ = Preparation::none;
  bursts_.clear();
}

void Sequencer::update_irq() { irq.write(registers_.interrupt()); }

// ---------------------------------------------------------------------------------------------------------
// Ring and dispatcher

bool Sequencer::fetch_commands() {
  bool progress = false;
  while (enabled_ && !halted() && now_ >= not_before_ && head_ != tail_ &&
         fetched_.size() < static_cast<u64>(parameters_.fetch_entries.get())) {
    FetchedCommand entry;
    entry.address = ring_base_ + u64{head_} * sizeof(Command);
    const std::optional<Cycle> arrival = read_bus(entry.address, &entry.command, sizeof(Command));
    entry.failed = !arrival;
    entry.ready = std::max(arrival.value_or(now_), fetched_.empty() ? now_ : fetched_.back().ready);
    fetched_.push_back(entry);
    head_ = (head_ + 1) & (ring_entries_ - 1);
    ring_bytes_ += sizeof(Command);
    progress = true;
  }
  return progress;
}

bool Sequencer::dispatch() {
  if (halted()) return false;
  if (!dispatching_) {
    if (fetched_.empty() || fetched_.front().ready > now_) return false;
    const FetchedCommand entry = fetched_.front();
    fetched_.pop_front();
    if (entry.failed) {
      raise(SequencerError::fetch_failed, no_tag, entry.address);
    } else {
      dispatching_ = Dispatching{entry.command, now_ + static_cast<u64>(parameters_.dispatch_cycles.get()), false};
    }
    return true;
  }
  if (dispatching_->done > now_) return false;
  const Command& command = dispatching_->command;
  if (!dispatching_->decoded) {
    ++commands_decoded_;
    dispatching_->decoded = true;
    if (!decode(command)) {
      dispatching_.reset();
      return true;
    }
  }
  switch (static_cast<CommandOpcode>(command.opcode)) {
    case CommandOpcode::sync:
      if (!acquire(command, dispatch_blocked_)) return false;
      for (CommandObserver* observer : observers_) observer->command_started(command, now_);
      complete(command);
      break;
    case CommandOpcode::dma:
      if (!enqueue(command, channels_[command.unit].queue)) return false;
      break;
    case CommandOpcode::launch:
      if (!enqueue(command, array_queue_)) return false;
      break;
  }
  dispatching_.reset();
  return true;
}

bool Sequencer::enqueue(const Command& command, CommandQueue& queue) {
  if (queue.commands.size() >= static_cast<u64>(parameters_.queue_depth.get())) {
    dispatch_stalled_.begin(now_);
    return false;
  }
  dispatch_stalled_.end(dispatch_stall_cycles_, now_);
  queue.commands.push_back(command);
  return true;
}

bool Sequencer::decode(const Command& command) {
  const auto refuse = [&](SequencerError error, u64 info) {
    raise(error, command.tag, info);
    return false;
  };
  const auto any = [](const auto& values) {
    return std::any_of(values.begin(), values.end(), [](auto value) { return value != 0; });
  };
  const auto opcode = static_cast<CommandOpcode>(command.opcode);
  const bool dma = opcode == CommandOpcode::dma, launch = opcode == CommandOpcode::launch;
  if (!dma && !launch && opcode != CommandOpcode::sync) return refuse(SequencerError::bad_opcode, command.opcode);

  const u8 flags = launch ? known_flags : static_cast<u8>(command_flag_interrupt);
  if (!dma && command.unit != 0) return refuse(SequencerError::reserved_not_zero, offsetof(Command, unit));
  if ((command.flags & ~flags) != 0) return refuse(SequencerError::reserved_not_zero, offsetof(Command, flags));
  if (command.reserved != 0) return refuse(SequencerError::reserved_not_zero, offsetof(Command, reserved));
  if (command.reserved2 != 0) return refuse(SequencerError::reserved_not_zero, offsetof(Command, reserved2));
  if (command.reserved3 != 0) return refuse(SequencerError::reserved_not_zero, offsetof(Command, reserved3));
  if (any(command.reserved4)) return refuse(SequencerError::reserved_not_zero, offsetof(Command, reserved4));

  const auto exists = [](u8 semaphore) { return semaphore < semaphore_count || semaphore == semaphore_none; };
  if (!exists(command.signal)) return refuse(SequencerError::bad_semaphore, offsetof(Command, signal));
  for (std::size_t i = 0; i < command.wait.size(); ++i) {
    if (!exists(command.wait[i])) return refuse(SequencerError::bad_semaphore, offsetof(Command, wait) + i);
  }
  if (dma && command.unit >= channels_.size()) return refuse(SequencerError::bad_channel, command.unit);
  if (launch) {
    for (std::size_t i = 0; i < command.counts.size(); ++i) {
      if (command.counts[i] == 0) return refuse(SequencerError::bad_count, offsetof(Command, counts) + i * sizeof(u32));
    }
    const bool fits = command.image_bytes >= sizeof(ImageHeader) &&
                      command.image_bytes <= static_cast<u64>(parameters_.max_image_bytes.get()) &&
                      command.image <= ~u64{0} - command.image_bytes;
    if (!fits) return refuse(SequencerError::bad_image_size, command.image_bytes);
  }
  return true;
}

bool Sequencer::waits_met(const Command& command) const {
  const auto [first, second] = command.wait;
  const auto available = [&](u8 semaphore, u32 tokens) {
    return semaphore == semaphore_none || semaphores_[semaphore] >= tokens;
  };
  return available(first, first == second ? 2 : 1) && available(second, 1);
}

bool Sequencer::acquire(const Command& command, LastingState& blocked) {
  if (!waits_met(command)) {
    blocked.begin(now_);
    return false;
  }
  blocked.end(semaphore_wait_cycles_, now_);
  for (const u8 semaphore : command.wait) {
    if (semaphore != semaphore_none) --semaphores_[semaphore];
  }
  return true;
}

void Sequencer::complete(const Command& command) {
  const auto opcode = static_cast<CommandOpcode>(command.opcode);
  ++(opcode == CommandOpcode::sync ? commands_sync_ : opcode == CommandOpcode::dma ? commands_dma_ : commands_launch_);
  registers_.completed.commands.set(registers_.completed.commands.get() + 1);
  const u32 unit = unit_of(command);
  registers_.unit_completed.set(registers_.unit_completed.get(unit) + 1, unit);
  for (CommandObserver* observer : observers_) observer->command_completed(command, now_);
  if (command.signal != semaphore_none) {
    if (semaphores_[command.signal] >= registers_.semaphore_tokens.max()) {
      raise(SequencerError::semaphore_overflow, command.tag, command.signal);
    } else {
      ++semaphores_[command.signal];
    }
  }
  if ((command.flags & command_flag_interrupt) != 0) {
    registers_.completed.tag.set(command.tag);
    registers_.completed.count.set(registers_.completed.count.get() + 1);
    registers_.interrupt_status.set(registers_.completion_pending, 1);
    irq_changed_.notify(sc_core::SC_ZERO_TIME);
  }
}

u32 Sequencer::unit_of(const Command& command) {
  switch (static_cast<CommandOpcode>(command.opcode)) {
    case CommandOpcode::dma:
      return unit_index_dma + command.unit;
    case CommandOpcode::launch:
      return unit_index_array;
    case CommandOpcode::sync:
      break;
  }
  return unit_index_sync;
}

void Sequencer::raise(SequencerError error, u32 tag, u64 info) {
  ++errors_;
  if (halted()) return;  // the first one is what the firmware must know
  report_warning(name(), "{} (tag 0x{:x}, info 0x{:x})", describe(error), tag, info);
  registers_.error.code.set(static_cast<u32>(error));
  registers_.error.tag.set(tag);
  registers_.error.info_lo.set(low_word(info));
  registers_.error.info_hi.set(high_word(info));
  end_waits(clock_.now());
  end_preparation(clock_.now());
  registers_.interrupt_status.set(registers_.error_pending, 1);
  irq_changed_.notify(sc_core::SC_ZERO_TIME);
}

// ---------------------------------------------------------------------------------------------------------
// DMA

bool Sequencer::start_transfer(u32 index) {
  Channel& channel = channels_[index];
  if (halted() || channel.running || channel.queue.commands.empty()) return false;
  if (!acquire(channel.queue.commands.front(), channel.queue.blocked)) return false;
  channel.running = channel.queue.commands.front();
  channel.queue.commands.pop_front();
  channel.abandoned = false;
  channel.reported = false;
  for (CommandObserver* observer : observers_) observer->command_started(*channel.running, now_);
  std::array<u32, 16> descriptor = channel.running->registers;
  static_assert(sizeof(descriptor) == sizeof(DmaDescriptor));
  if (!write_to(to_dma, index * dma_channel_stride, descriptor.data(), sizeof(descriptor))) {
    const u32 tag = channel.running->tag;
    channel.running.reset();
    raise(SequencerError::dma_refused, tag, index);
  }
  return true;
}

bool Sequencer::take_arrivals() {
  bool progress = false;
  while (!arrivals_.empty() && arrivals_.begin()->first <= now_) {
    const Arrival arrival = arrivals_.begin()->second;
    arrivals_.erase(arrivals_.begin());
    if (arrival.from_array) {
      finish_launch(arrival);
    } else {
      finish_transfer(arrival);
    }
    progress = true;
  }
  return progress;
}

void Sequencer::finish_transfer(const Arrival& arrival) {
  Channel& channel = channels_[arrival.index];
  if (!channel.running) return;
  const Command command = *channel.running;
  channel.running.reset();
  if (channel.abandoned) return;
  if (arrival.status == 0) {
    complete(command);
  } else {
    raise(SequencerError::dma_failed, command.tag, arrival.index | u64{arrival.status} << 32);
  }
}

// ---------------------------------------------------------------------------------------------------------
// Array

bool Sequencer::same_image(const Command& command) const {
  return configured_ && configured_->address == command.image && configured_->bytes == command.image_bytes;
}

// The head's image goes into the PEs' shadow context, which is free once the launch before has been sent.
bool Sequencer::prepare_image() {
  if (halted() || launching_ || array_queue_.commands.empty()) return false;
  const Command& command = array_queue_.commands.front();
  switch (preparation_) {
    case Preparation::none:
      launch_head_.begin(now_);
      phases_ = LaunchPhases{};
      if (same_image(command)) {
        preparation_ = Preparation::ready;
        return true;
      }
      if ((command.flags & command_flag_resident) != 0) {
        raise(SequencerError::not_resident, command.tag, command.image);
        return true;
      }
      preparation_ = Preparation::fetching;
      preparation_start_ = now_;
      preparation_busy_ = array_busy_cycles(now_);
      fetching_.begin(now_);
      exposed_.begin(0);
      image_.assign(command.image_bytes, 0);
      image_requested_ = 0;
      bursts_.clear();
      return true;
    case Preparation::fetching:
      return fetch_image(command);
    case Preparation::configuring:
      if (config_done_ > now_) return false;
      configure(command);
      return true;
    case Preparation::ready:
      break;
  }
  return false;
}

bool Sequencer::fetch_image(const Command& command) {
  bool progress = false;
  bursts_.erase(std::remove_if(bursts_.begin(), bursts_.end(), [this](Cycle arrival) { return arrival <= now_; }),
                bursts_.end());
  while (image_requested_ < command.image_bytes &&
         bursts_.size() < static_cast<u64>(parameters_.outstanding_bursts.get())) {
    const u32 bytes = std::min(static_cast<u32>(parameters_.burst_bytes.get()), command.image_bytes - image_requested_);
    const u64 address = command.image + image_requested_;
    const std::optional<Cycle> arrival = read_bus(address, image_.data() + image_requested_, bytes);
    if (!arrival) {
      raise(SequencerError::image_fetch_failed, command.tag, address);
      return true;
    }
    image_requested_ += bytes;
    image_bytes_ += bytes;
    if (*arrival > now_) bursts_.push_back(*arrival);
    progress = true;
  }
  if (image_requested_ < command.image_bytes || !bursts_.empty()) return progress;

  phases_.fetch_cycles = now_ - preparation_start_;
  fetching_.end(image_fetch_cycles_, now_);
  if (!check_image(command)) return true;
  ImageHeader header;
  std::memcpy(&header, image_.data(), sizeof(header));
  const u64 bytes = configuration_bytes(header);
  const auto width = static_cast<u64>(parameters_.config_bytes_per_cycle.get());
  phases_.config_cycles = (bytes + width - 1) / width;
  config_done_ = now_ + phases_.config_cycles;
  configuring_.begin(now_);
  preparation_ = Preparation::configuring;
  return true;
}

bool Sequencer::check_image(const Command& command) {
  ImageHeader header;
  std::memcpy(&header, image_.data(), sizeof(header));
  const auto refuse = [&](SequencerError error, u64 offset) {
    raise(error, command.tag, offset);
    return false;
  };
  const auto bad = [&](u64 offset) { return refuse(SequencerError::bad_image, offset); };
  if (header.magic != image_magic) return bad(offsetof(ImageHeader, magic));
  if (header.version != image_version) return bad(offsetof(ImageHeader, version));
  if (header.total_bytes != command.image_bytes) return bad(offsetof(ImageHeader, total_bytes));
  if (header.pe_rows == 0) return bad(offsetof(ImageHeader, pe_rows));
  if (header.pe_columns == 0) return bad(offsetof(ImageHeader, pe_columns));
  if (header.common_bytes > header.total_bytes) return bad(offsetof(ImageHeader, common_bytes));
  if (header.per_pe_bytes > header.total_bytes) return bad(offsetof(ImageHeader, per_pe_bytes));
  if (header.offset_code > header.total_bytes) return bad(offsetof(ImageHeader, offset_code));
  if (header.offset_segments > header.total_bytes) return bad(offsetof(ImageHeader, offset_segments));
  if (header.offset_edges > header.total_bytes) return bad(offsetof(ImageHeader, offset_edges));
  if (header.offset_pe_registers > header.total_bytes) return bad(offsetof(ImageHeader, offset_pe_registers));
  if (header.lanes != lanes_) return refuse(SequencerError::image_mismatch, offsetof(ImageHeader, lanes));
  if (header.pe_rows > rows_) return refuse(SequencerError::image_mismatch, offsetof(ImageHeader, pe_rows));
  if (header.pe_columns > columns_) return refuse(SequencerError::image_mismatch, offsetof(ImageHeader, pe_columns));
  return true;
}

void Sequencer::configure(const Command& command) {
  ImageHeader header;
  std::memcpy(&header, image_.data(), sizeof(header));
  configuring_.end(config_cycles_, config_done_);
  config_words_.add((configuration_bytes(header) + 7) / 8, config_done_ - phases_.config_cycles, config_done_);
  phases_.exposed_cycles = exposed_cycles(now_);
  exposed_.end(exposed_cycles_, phases_.exposed_cycles);
  for (u32 y = 0; y < header.pe_rows; ++y) {
    for (u32 x = 0; x < header.pe_columns; ++x) {
      if (!write_to(to_pe[pe_index(x, y)], configure_address, image_.data(), command.image_bytes)) {
        configured_.reset();
        raise(SequencerError::configure_refused, command.tag, pe_index(x, y));
        return;
      }
    }
  }
  configured_ = Configured{command.image, command.image_bytes, header.pe_rows, header.pe_columns, ++generation_};
  preparation_ = Preparation::ready;
}

bool Sequencer::start_launch() {
  if (halted() || launching_ || preparation_ != Preparation::ready) return false;
  const bool follows = !launches_.empty() && launches_.back().generation == configured_->generation &&
                       launches_.size() < static_cast<u64>(parameters_.launch_queue.get());
  if (!launches_.empty() && !follows) return false;
  const Command command = array_queue_.commands.front();
  if (!acquire(command, array_queue_.blocked)) return false;
  launch_head_.end(launch_wait_cycles_, now_);
  phases_.launch_cycles = static_cast<u64>(parameters_.launch_cycles.get());
  if (configured_->generation == launched_generation_) ++launches_same_image_;
  launched_generation_ = configured_->generation;
  launching_ = Launching{command, now_ + phases_.launch_cycles, *configured_, phases_};
  launching_state_.begin(now_);
  array_queue_.commands.pop_front();
  preparation_ = Preparation::none;
  for (CommandObserver* observer : observers_) observer->command_started(command, now_);
  return true;
}

bool Sequencer::send_launch() {
  if (!launching_ || launching_->done > now_) return false;
  Launching launching = *launching_;
  launching_.reset();
  launching_state_.end(launch_cycles_, launching.done);
  launching.phases.launch_number = ++launch_number_;
  launching.phases.overlapped = !launches_.empty();
  if (launching.phases.overlapped) {
    ++launches_overlapped_;
  } else {
    array_working_.begin(now_);
  }
  const Command& command = launching.command;
  for (CommandObserver* observer : observers_) observer->kernel_launched(command, launching.phases, now_);

  const auto [address, bytes, rows, columns, generation] = launching.image;
  Launch& launch = launches_.emplace_back();
  launch.command = command;
  launch.number = launch_number_;
  launch.generation = generation;
  launch.reported.assign(to_pe.size(), true);
  launch.remaining = rows * columns;
  for (u32 y = 0; y < rows; ++y) {
    for (u32 x = 0; x < columns; ++x) launch.reported[pe_index(x, y)] = false;
  }
  LaunchRecord record{};
  record.launch_number = launch.number;
  record.flags = command.flags & command_flag_resident;
  record.counts = command.counts;
  record.registers = command.registers;
  record.tag = command.tag;
  for (u32 y = 0; y < rows; ++y) {
    for (u32 x = 0; x < columns; ++x) {
      const u32 pe = pe_index(x, y);
      LaunchRecord copy = record;
      if (write_to(to_pe[pe], launch_address, &copy, sizeof(copy))) continue;
      raise(SequencerError::launch_refused, command.tag, pe);
      launch.failed = true;
      if (launch.reported[pe]) continue;
      launch.reported[pe] = true;
      --launch.remaining;
    }
  }
  if (launch.remaining == 0) retire(launches_.end() - 1);
  return true;
}

void Sequencer::finish_launch(const Arrival& arrival) {
  const auto launch = std::find_if(launches_.begin(), launches_.end(),
                                   [&](const Launch& candidate) { return candidate.number == arrival.number; });
  if (launch == launches_.end()) return;
  --launch->remaining;
  if (arrival.status != 0) {
    launch->failed = true;
    raise(SequencerError::kernel_failed, launch->command.tag, arrival.index | u64{arrival.status} << 32);
  }
  if (launch->remaining == 0) retire(launch);
}

void Sequencer::retire(std::deque<Launch>::iterator launch) {
  const Command command = launch->command;
  const bool succeeded = !launch->failed;
  launches_.erase(launch);
  if (launches_.empty()) {
    array_working_.end(array_busy_, now_);
  }
  if (succeeded) return complete(command);
  for (CommandObserver* observer : observers_) observer->kernel_failed(command, now_);
}

Cycle Sequencer::array_busy_cycles(Cycle now) const { return array_busy_.value() + array_working_.uncounted(now); }

Cycle Sequencer::exposed_cycles(Cycle now) const {
  if (!exposed_.open()) return 0;
  return now - preparation_start_ - (array_busy_cycles(now) - preparation_busy_);
}

}  // namespace bvp
