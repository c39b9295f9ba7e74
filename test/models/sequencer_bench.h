// SPDX-License-Identifier: Apache-2.0
// Stand-ins for the blocks around the sequencer: a memory with a fixed latency, a DMA and PEs with given durations.
#pragma once

#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/abi/dma_status.h"
#include "models/abi/image_checksum.h"
#include "models/base/array_parameters.h"
#include "models/base/simulation_context.h"
#include "models/sequencer/sequencer.h"
#include "models/transport/initiator.h"

namespace bvp::sequencer_test {

/// Owns the SystemC context: first member of a bench, so that modules are made after it.
class SequencerBench : public CommandObserver {
 public:
  static constexpr u64 ring_base = 0x1000;
  static constexpr u64 memory_bytes = 0x100000;
  static constexpr u64 bad_address = 0xbad00000;  // the bus answers with an error there and beyond memory

  struct Transfer {
    Cycle cycle;
    u32 channel;
    DmaDescriptor descriptor;
  };
  struct Configure {
    Cycle cycle;
    u32 pe;
    std::vector<u8> image;
  };
  struct LaunchSeen {
    Cycle cycle;
    u32 pe;
    LaunchRecord record;
  };
  struct Note {
    char what;  // s: started, c: completed, l: launched
    u32 tag;
    Cycle cycle;
    LaunchPhases phases;
  };

  /// How the DMA answers: whether and when it completes a transfer.
  struct DmaStandIn {
    bool automatic = true;  // otherwise the test calls complete_dma()
    std::function<Cycle(u32 channel)> duration = [](u32) { return Cycle{100}; };
    u32 status = 0;
    bool refuses = false;
    bool forgets = false;  // no transfer runs any more when one is aborted
    u64 error_address = 0;
    std::vector<std::pair<Cycle, u32>> aborts = {};  // of channels
  };
  /// How the PEs answer: whether and when they complete a launch.
  struct PesStandIn {
    bool automatic = true;  // otherwise the test calls complete_pe()
    std::function<Cycle(u32 pe, const LaunchRecord&)> duration = [](u32, const LaunchRecord&) { return Cycle{1000}; };
    std::function<u32(u32 pe)> status = [](u32) { return 0u; };
    i64 refuse_configure = -1, refuse_launch = -1;        // the PE that answers with an error; -1: none
    std::vector<std::pair<u32, u32>> rows_left_out = {};  // PEs that were told which rows are left out, and these
  };

  struct Options {
    i64 rows = 2, columns = 2, lanes = 32;
    unsigned channels = 2;
    std::function<void(SequencerParameters&)> tune;
  };

  SequencerBench() : SequencerBench(Options{}) {}
  explicit SequencerBench(const Options& options)
      : root_("test"), parameters(&root_), array(&root_), clock(1e9), stats("test") {
    array.rows = options.rows;
    array.columns = options.columns;
    array.lanes = options.lanes;
    if (options.tune) options.tune(parameters);
    previous_handler_ = sc_core::sc_report_handler::get_handler();
    sc_core::sc_report_handler::set_handler([](const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
      if (report.get_severity() == sc_core::SC_WARNING) return;  // errors are provoked on purpose
      sc_core::sc_report_handler::default_handler(report, actions);
    });
    sequencer = std::make_unique<Sequencer>("sequencer", parameters, array, options.channels, clock, stats);
    world_ = std::make_unique<World>("world", *this);
    memory.resize(memory_bytes, 0);
    watch(sequencer->commands());
  }
  ~SequencerBench() override { sc_core::sc_report_handler::set_handler(previous_handler_); }
  SequencerBench(const SequencerBench&) = delete;
  SequencerBench& operator=(const SequencerBench&) = delete;

  // time ----------------------------------------------------------------------------------------------
  /// Runs until all that happens in cycle `cycle` has happened.
  void run_to(Cycle cycle) {
    const sc_core::sc_time end = clock.to_time(cycle) + clock.period() / 2.0;
    if (end > sc_core::sc_time_stamp()) sc_core::sc_start(end - sc_core::sc_time_stamp());
  }
  void at(Cycle cycle, std::function<void()> action) {
    agenda_.emplace(cycle, std::move(action));
    world_->wake.notify(clock.to_time(std::max(agenda_.begin()->first, clock.now())) - sc_core::sc_time_stamp());
  }

  // registers -----------------------------------------------------------------------------------------
  tlm::tlm_response_status access(tlm::tlm_command command, u64 offset, void* data, u32 bytes) {
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    return bvp::access(world_->host, command, offset, data, bytes, delay);
  }
  u64 offset_of(const std::string& name) const;
  void write(const std::string& name, u32 value) {
    if (access(tlm::TLM_WRITE_COMMAND, offset_of(name), &value, 4) != tlm::TLM_OK_RESPONSE) {
      throw std::runtime_error("register write refused: " + name);
    }
  }
  u32 read(const std::string& name) {
    u32 value = 0;
    if (access(tlm::TLM_READ_COMMAND, offset_of(name), &value, 4) != tlm::TLM_OK_RESPONSE) {
      throw std::runtime_error("register read refused: " + name);
    }
    return value;
  }
  bool bit(const std::string& name, unsigned position) { return (read(name) >> position & 1) != 0; }
  bool irq() const { return world_->irq_signal.read(); }
  SequencerError error() { return static_cast<SequencerError>(read("ERROR_CODE")); }
  u64 error_info() { return read("ERROR_INFO_LO") | u64{read("ERROR_INFO_HI")} << 32; }

  // commands ------------------------------------------------------------------------------------------
  void setup(u32 entries = 64) {
    ring_entries = entries;
    write("RING_BASE_LO", ring_base);
    write("RING_BASE_HI", 0);
    write("RING_ENTRIES", entries);
    write("INTERRUPT_ENABLE", 3);
    write("CONTROL", 1);
  }
  /// Puts a command in the ring without ringing.
  void put(const Command& command) {
    std::memcpy(&memory[ring_base + u64{tail} * sizeof(Command)], &command, sizeof(Command));
    tail = (tail + 1) % ring_entries;
  }
  void ring() { write("TAIL", tail); }
  void ring_at(Cycle cycle) {
    at(cycle, [this] { ring(); });
  }
  static Command sync(u32 tag) {
    Command command{};
    command.opcode = static_cast<u8>(CommandOpcode::sync);
    command.signal = semaphore_none;
    command.wait = {semaphore_none, semaphore_none};
    command.tag = tag;
    return command;
  }
  static Command dma(u32 tag, u8 channel = 0) {
    Command command = sync(tag);
    command.opcode = static_cast<u8>(CommandOpcode::dma);
    command.unit = channel;
    for (u32 i = 0; i < 16; ++i) command.registers[i] = tag * 100 + i;
    return command;
  }
  static Command launch(u32 tag, u64 image, u32 bytes) {
    Command command = sync(tag);
    command.opcode = static_cast<u8>(CommandOpcode::launch);
    command.image = image;
    command.image_bytes = bytes;
    command.counts = {1, 1, 1, tag + 1};
    for (u32 i = 0; i < 16; ++i) command.registers[i] = tag * 100 + i;
    return command;
  }
  /// An image that the stand-in PEs accept: header, then bytes counting up.
  ImageHeader make_image(u64 address, u32 bytes, u32 common_bytes = 0, u32 per_pe_bytes = 0) {
    ImageHeader header{};
    header.magic = image_magic;
    header.version = image_version;
    header.total_bytes = bytes;
    header.lanes = static_cast<u32>(array.lanes.get());
    header.pe_rows = static_cast<u32>(array.rows.get());
    header.pe_columns = static_cast<u32>(array.columns.get());
    header.common_bytes = common_bytes;
    header.per_pe_bytes = per_pe_bytes;
    header.offset_code = header.offset_segments = header.offset_edges = header.offset_pe_registers = 64;
    for (u32 i = 64; i < bytes; ++i) memory[address + i] = static_cast<u8>(i * 7 + address / 64);
    put_header(address, header);
    return header;
  }
  /// The header gets the check sum of the image as it is in memory then.
  void put_header(u64 address, const ImageHeader& header) {
    std::memcpy(&memory[address], &header, sizeof(header));
    seal_image(address, header.total_bytes);
  }
  void seal_image(u64 address, u32 bytes) {
    const u32 checksum = image_checksum(&memory[address], std::min<std::size_t>(bytes, memory.size() - address));
    std::memcpy(&memory[address + offsetof(ImageHeader, checksum)], &checksum, sizeof checksum);
  }

  // what the stand-ins send back --------------------------------------------------------------------------
  tlm::tlm_response_status complete_dma(u32 channel, u32 status = 0, Cycle delay = 0, u32 bytes = 8) {
    u32 data[2] = {status, 0};
    return world_->send(world_->dma_done, channel * 8ull, data, bytes, clock.to_time(delay));
  }
  tlm::tlm_response_status complete_pe(u32 pe, u32 number, u32 status = 0, Cycle delay = 0) {
    u32 data[2] = {number, status};
    return world_->send(world_->pe_done[pe % world_->pe_done.size()], pe * 8ull, data, 8, clock.to_time(delay));
  }

  // observer ---------------------------------------------------------------------------------------------
  void command_started(const Command& command, Cycle cycle) override { notes.push_back({'s', command.tag, cycle, {}}); }
  void command_completed(const Command& command, Cycle cycle) override {
    notes.push_back({'c', command.tag, cycle, {}});
  }
  void kernel_launched(const Command& command, const LaunchPhases& phases, Cycle cycle) override {
    notes.push_back({'l', command.tag, cycle, phases});
  }
  /// Cycle of a note; ~0 if there is none.
  [[nodiscard]] Cycle when(char what, u32 tag) const {
    for (const Note& note : notes) {
      if (note.what == what && note.tag == tag) return note.cycle;
    }
    return ~Cycle{0};
  }
  [[nodiscard]] u64 counter(const std::string& name) const {
    for (const Counter* counter : stats.children().at(0)->counters()) {
      if (counter->name() == name) return counter->value();
    }
    throw std::runtime_error("no counter " + name);
  }

 private:
  SimulationContext context_;
  ParameterGroup root_;

 public:
  SequencerParameters parameters;
  ArrayParameters array;
  ClockDomain clock;
  StatGroup stats;
  std::unique_ptr<Sequencer> sequencer;

  std::vector<u8> memory;
  Cycle memory_latency = 20;
  std::function<Cycle(u64 address)> latency_of;  // overrides memory_latency
  std::vector<std::pair<Cycle, u64>> reads;      // cycle and address of every bus read
  u32 ring_entries = 0;
  u32 tail = 0;

  DmaStandIn dma_unit;
  PesStandIn pes;
  bool annotate = true;  // completions are sent ahead of time with a delay, or at their time

  std::vector<Transfer> transfers;
  std::vector<Configure> configures;
  std::vector<LaunchSeen> launches;
  std::vector<u32> stops;  // PEs that were told to stop
  std::vector<Note> notes;

 private:
  struct World : sc_core::sc_module {
    using Initiator = tlm_utils::simple_initiator_socket<World>;
    tlm_utils::simple_initiator_socket<World> host{"host"}, dma_done{"dma_done"};
    tlm_utils::simple_target_socket<World> bus{"bus"}, dma{"dma"};
    sc_core::sc_vector<Initiator> pe_done;
    sc_core::sc_vector<tlm_utils::simple_target_socket_tagged<World>> pe;
    sc_core::sc_signal<bool> irq_signal{"irq_signal"};
    sc_core::sc_event wake;
    SequencerBench& bench;

    SC_HAS_PROCESS(World);
    World(sc_core::sc_module_name name, SequencerBench& owner)
        : sc_module(name),
          pe_done("pe_done", owner.sequencer->to_pe.size()),
          pe("pe", owner.sequencer->to_pe.size()),
          bench(owner) {
      host.bind(owner.sequencer->registers);
      dma_done.bind(owner.sequencer->dma_completions);
      owner.sequencer->to_bus.bind(bus);
      owner.sequencer->to_dma.bind(dma);
      bus.register_b_transport(this, &World::serve_bus);
      dma.register_b_transport(this, &World::serve_dma);
      for (std::size_t i = 0; i < pe.size(); ++i) {
        owner.sequencer->to_pe[i].bind(pe[i]);
        pe_done[i].bind(owner.sequencer->pe_completions);
        pe[i].register_b_transport(this, &World::serve_pe, static_cast<int>(i));
      }
      owner.sequencer->irq.bind(irq_signal);
      SC_METHOD(act);
      sensitive << wake;
      dont_initialize();
    }

    void act() {
      auto& agenda = bench.agenda_;
      while (!agenda.empty() && agenda.begin()->first <= bench.clock.now()) {
        const auto action = std::move(agenda.begin()->second);
        agenda.erase(agenda.begin());
        action();
      }
      if (!agenda.empty()) wake.notify(bench.clock.to_time(agenda.begin()->first) - sc_core::sc_time_stamp());
    }

    template <class Socket>
    tlm::tlm_response_status send(Socket& socket, u64 address, void* data, u32 bytes, sc_core::sc_time delay) {
      return bvp::access(socket, tlm::TLM_WRITE_COMMAND, address, data, bytes, delay);
    }

    void serve_bus(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
      const u64 address = payload.get_address();
      bench.reads.emplace_back(bench.clock.now(), address);
      if (address > memory_bytes || address + payload.get_data_length() > memory_bytes || !payload.is_read()) {
        payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
        return;
      }
      std::memcpy(payload.get_data_ptr(), &bench.memory[address], payload.get_data_length());
      delay += bench.clock.to_time(bench.latency_of ? bench.latency_of(address) : bench.memory_latency);
      payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }

    void serve_dma(tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
      const auto channel = static_cast<u32>(payload.get_address() / 0x100);
      if (payload.get_address() % 0x100 == dma_error_address_offset) {
        std::memcpy(payload.get_data_ptr(), &bench.dma_unit.error_address, sizeof(u64));
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
        return;
      }
      if (payload.get_address() % 0x100 == dma_abort_offset) {
        bench.dma_unit.aborts.emplace_back(bench.clock.now(), channel);
        payload.set_response_status(bench.dma_unit.forgets ? tlm::TLM_GENERIC_ERROR_RESPONSE : tlm::TLM_OK_RESPONSE);
        return;
      }
      Transfer transfer{bench.clock.now(), channel, {}};
      std::memcpy(&transfer.descriptor, payload.get_data_ptr(), sizeof(DmaDescriptor));
      payload.set_response_status(bench.dma_unit.refuses ? tlm::TLM_GENERIC_ERROR_RESPONSE : tlm::TLM_OK_RESPONSE);
      if (bench.dma_unit.refuses) return;
      bench.transfers.push_back(transfer);
      if (!bench.dma_unit.automatic) return;
      const Cycle duration = bench.dma_unit.duration(channel);
      if (bench.annotate) {
        bench.complete_dma(channel, bench.dma_unit.status, duration);
      } else {
        bench.at(bench.clock.now() + duration, [this, channel] { bench.complete_dma(channel, bench.dma_unit.status); });
      }
    }

    void serve_pe(int id, tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
      const auto index = static_cast<u32>(id);
      payload.set_response_status(tlm::TLM_OK_RESPONSE);
      if (payload.get_address() == stop_address) {
        bench.stops.push_back(index);
        bench.pe_free_[index] = bench.clock.now();
        return;
      }
      if (payload.get_address() == rows_address) {
        u32 rows = 0;
        std::memcpy(&rows, payload.get_data_ptr(), sizeof rows);
        bench.pes.rows_left_out.emplace_back(index, rows);
        return;
      }
      const bool configure = payload.get_address() == configure_address;
      const i64 refused = configure ? bench.pes.refuse_configure : bench.pes.refuse_launch;
      payload.set_response_status(refused == id ? tlm::TLM_GENERIC_ERROR_RESPONSE : tlm::TLM_OK_RESPONSE);
      if (refused == id) return;
      const Cycle now = bench.clock.now();
      const u8* data = payload.get_data_ptr();
      if (configure) {
        bench.configures.push_back({now, index, std::vector<u8>(data, data + payload.get_data_length())});
        return;
      }
      LaunchSeen seen{now, index, {}};
      std::memcpy(&seen.record, data, sizeof(LaunchRecord));
      bench.launches.push_back(seen);
      if (!bench.pes.automatic) return;
      // A PE takes one launch after the other.
      Cycle& free = bench.pe_free_[index];
      free = std::max(free, now) + bench.pes.duration(index, seen.record);
      const u32 number = seen.record.launch_number;
      if (bench.annotate) {
        bench.complete_pe(index, number, bench.pes.status(index), free - now);
      } else {
        bench.at(free, [this, index, number] { bench.complete_pe(index, number, bench.pes.status(index)); });
      }
    }
  };

  std::unique_ptr<World> world_;
  std::multimap<Cycle, std::function<void()>> agenda_;
  std::map<u32, Cycle> pe_free_;
  sc_core::sc_report_handler_proc previous_handler_ = nullptr;
};

inline u64 SequencerBench::offset_of(const std::string& name) const {
  const std::string stem = name.substr(0, name.find_last_not_of("0123456789") + 1);
  const Register* found = sequencer->register_bank().find(stem);
  if (found == nullptr) throw std::runtime_error("no register " + name);
  return found->offset() + (stem.size() < name.size() ? 4ull * std::stoul(name.substr(stem.size())) : 0);
}

}  // namespace bvp::sequencer_test
