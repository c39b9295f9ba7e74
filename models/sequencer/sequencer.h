// SPDX-License-Identifier: Apache-2.0
// The sequencer: the accelerator's micro-controller, which takes commands from a ring in memory and drives
// the DMA channels and the PE array.
#pragma once

#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <systemc>
#include <vector>

#include "models/abi/image_header.h"
#include "models/abi/records.h"
#include "models/base/array_parameters.h"
#include "models/base/clock.h"
#include "models/base/registers.h"
#include "models/base/statistics.h"
#include "models/isa/launch.h"
#include "models/sequencer/command_observer.h"
#include "models/sequencer/sequencer_errors.h"
#include "models/sequencer/sequencer_parameters.h"
#include "models/sequencer/sequencer_registers.h"

namespace bvp {

/// One process advances all of it: `evaluate` runs at the cycles in which something can change, lets every
/// part go as far as it can, and notes the next such cycle. Commands leave the ring in order, wait in the
/// queue of their unit (a DMA channel or the array), and start in order within it.
class Sequencer : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<Sequencer> registers;                     ///< from the bus
  tlm_utils::simple_initiator_socket<Sequencer> to_bus;                     ///< reads the ring and kernel images
  tlm_utils::simple_initiator_socket<Sequencer> to_dma;                     ///< descriptor of channel c at c * 0x100
  tlm_utils::simple_target_socket<Sequencer> dma_completions;               ///< {status, 0} of channel c at c * 8
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<Sequencer>> to_pe;  ///< configuration plane, y * columns + x
  tlm_utils::multi_passthrough_target_socket<Sequencer> pe_completions;     ///< LaunchCompletion of PE i at i * 8
  sc_core::sc_out<bool> irq;

  Sequencer(sc_core::sc_module_name name, const SequencerParameters& parameters, const ArrayParameters& array,
            unsigned dma_channels, const ClockDomain& clock, StatGroup& parent_stats);
  ~Sequencer() override;
  SC_HAS_PROCESS(Sequencer);

  /// It must live as long as the simulation runs.
  void add_observer(CommandObserver& observer) { observers_.push_back(&observer); }
  [[nodiscard]] const RegisterBank& register_bank() const { return registers_.bank; }
  /// Nothing fetched, queued or running.
  [[nodiscard]] bool idle() const;
  /// Counts what lasts up to the present; call before reading the statistics.
  void settle();
  [[nodiscard]] SequencerError error() const { return registers_.first_error(); }

 private:
  static constexpr u32 no_tag = 0xffffffff;

  struct FetchedCommand {
    Command command{};
    Cycle ready = 0;
    u64 address = 0;
    bool failed = false;
  };
  struct Dispatching {
    Command command{};
    Cycle done = 0;
    bool decoded = false;
  };
  /// Commands of one unit, in order. `blocked`: the head could start but for its semaphores.
  struct CommandQueue {
    std::deque<Command> commands;
    LastingState blocked;
  };
  struct Channel {
    CommandQueue queue;
    std::optional<Command> running;
    bool reported = false;   // the completion is on its way
    bool abandoned = false;  // reset while it ran: its completion is not signalled
  };
  /// The image that the PEs hold for the next launch.
  struct Configured {
    u64 address = 0;
    u32 bytes = 0;
    u32 rows = 0;
    u32 columns = 0;
    u64 generation = 0;  // counts configurations
  };
  enum class Preparation { none, fetching, configuring, ready };
  struct Launching {
    Command command{};
    Cycle done = 0;
    Configured image;
    LaunchPhases phases;
  };
  struct Launch {
    Command command{};
    u32 number = 0;
    u64 generation = 0;
    std::vector<bool> reported;  // by PE of the array; those outside of the sub-array count as reported
    u32 remaining = 0;
    bool failed = false;
  };
  struct Arrival {
    bool from_array = false;
    u32 index = 0;   // DMA channel or PE
    u32 number = 0;  // of the launch
    u32 status = 0;
  };

  // sockets
  void registers_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned registers_debug(tlm::tlm_generic_payload& payload);
  void dma_completion(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void pe_completion(int id, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  /// Reads over the bus; returns the cycle of the data's arrival, nothing on a bus error.
  std::optional<Cycle> read_bus(u64 address, void* data, u32 bytes);
  bool transfer(tlm_utils::simple_initiator_socket<Sequencer>& socket, tlm::tlm_command command, u64 address,
                void* data, u32 bytes, sc_core::sc_time& delay);
  bool write_to(tlm_utils::simple_initiator_socket<Sequencer>& socket, u64 address, void* data, u32 bytes);

  // registers
  void connect_registers();
  /// The cycle at which the register access being served takes effect.
  [[nodiscard]] Cycle access_cycle() const { return clock_.to_cycles(registers_.bank.access_time()); }
  void write_control(u32 value);
  /// Refuses the value while the ring is in use; an accepted one is stored and empties the ring.
  void write_ring(u32 value, bool valid, const std::function<void()>& store);
  void write_tail(u32 value);
  void write_semaphore(u32 index, u32 value);
  [[nodiscard]] u32 head() const;
  [[nodiscard]] u32 status() const;
  void reset();
  void stop_array();
  void forget_image();

  // the parts that evaluate() moves; true: something changed
  void evaluate();
  bool take_arrivals();
  bool fetch_commands();
  bool dispatch();
  bool start_transfer(u32 channel);
  bool prepare_image();
  bool start_launch();
  bool send_launch();

  // steps of theirs
  bool decode(const Command& command);
  bool fetch_image(const Command& command);
  bool check_image(const Command& command);
  void configure(const Command& command);
  void finish_transfer(const Arrival& arrival);
  void finish_launch(const Arrival& arrival);
  /// Forgets a launch that all its PEs have reported, and completes its command if it went well.
  void retire(std::deque<Launch>::iterator launch);
  bool enqueue(const Command& command, CommandQueue& queue);
  [[nodiscard]] bool halted() const { return error() != SequencerError::none; }
  [[nodiscard]] bool waits_met(const Command& command) const;
  /// Takes the command's tokens if they are all there; notes since when they are missing otherwise.
  bool acquire(const Command& command, LastingState& blocked);
  void complete(const Command& command);
  /// The element of UNIT_COMPLETED that counts the command.
  [[nodiscard]] static u32 unit_of(const Command& command);
  void raise(SequencerError error, u32 tag, u64 info);
  [[nodiscard]] Cycle array_busy_cycles(Cycle now) const;
  /// Of the image that is prepared: cycles in which no kernel ran.
  [[nodiscard]] Cycle exposed_cycles(Cycle now) const;
  /// Nothing waits any more, or is prepared.
  void end_waits(Cycle now);
  void end_preparation(Cycle now);
  [[nodiscard]] bool same_image(const Command& command) const;
  [[nodiscard]] u32 pe_index(u32 x, u32 y) const { return y * columns_ + x; }

  // time
  void schedule(Cycle cycle);
  void consider(Cycle cycle);
  void update_irq();

  const SequencerParameters& parameters_;
  const ClockDomain clock_;
  const u32 rows_, columns_, lanes_;
  std::vector<CommandObserver*> observers_;

  StatGroup stats_{"sequencer"};
  Counter commands_sync_{&stats_, "commands_sync", "commands", "sync commands completed"};
  Counter commands_dma_{&stats_, "commands_dma", "commands", "DMA commands completed"};
  Counter commands_launch_{&stats_, "commands_launch", "commands", "launches completed"};
  Counter launches_same_image_{&stats_, "launches_same_image", "launches",
                               "launches that needed no configuration because the image was there"};
  Counter launches_overlapped_{&stats_, "launches_overlapped", "launches",
                               "launches sent while the one before was still running"};
  Counter launch_wait_cycles_{&stats_, "launch_wait", "cycles",
                              "from a launch becoming the head of its queue to its start"};
  Counter launch_cycles_{&stats_, "launch", "cycles", "spent starting kernels"};
  Counter image_fetch_cycles_{&stats_, "image_fetch", "cycles", "spent reading kernel images"};
  Counter config_cycles_{&stats_, "config", "cycles", "in which the configuration network was busy"};
  Counter exposed_cycles_{&stats_, "config_exposed", "cycles",
                          "of image_fetch and config in which no kernel was running"};
  Counter array_busy_{&stats_, "array_busy", "cycles", "in which a launch was in the PEs"};
  Counter semaphore_wait_cycles_{&stats_, "semaphore_wait", "cycles",
                                 "that commands otherwise able to start waited for semaphores, over all units"};
  Counter dispatch_stall_cycles_{&stats_, "dispatch_stall", "cycles", "that the dispatcher waited for a full queue"};
  Counter idle_cycles_{&stats_, "idle", "cycles", "with nothing fetched, queued or running"};
  Counter ring_bytes_{&stats_, "ring_fetch_bytes", "bytes", "read from the command ring"};
  Counter image_bytes_{&stats_, "image_fetch_bytes", "bytes", "read of kernel images"};
  Counter errors_{&stats_, "errors", "errors", "found, also while already halted"};
  Counter commands_decoded_{&stats_, "command", "commands", "commands decoded"};
  Counter config_words_{&stats_, "config_word", "words", "words sent over the configuration network"};

  // ring
  bool enabled_ = false;
  u64 ring_base_ = 0;
  u32 ring_entries_ = 0;
  u32 head_ = 0;  // next index to ask for; HEAD is behind by what is in flight
  u32 tail_ = 0;
  Cycle not_before_ = 0;  // when the last doorbell arrives
  std::deque<FetchedCommand> fetched_;
  std::optional<Dispatching> dispatching_;
  LastingState dispatch_blocked_, dispatch_stalled_;

  // units
  std::vector<Channel> channels_;
  CommandQueue array_queue_;
  LastingState launch_head_;  // there is one
  std::optional<Configured> configured_;
  u64 generation_ = 0;
  u64 launched_generation_ = 0;                  // of the last launch
  Preparation preparation_ = Preparation::none;  // of the head of array_queue_
  std::vector<u8> image_;
  u32 image_requested_ = 0;
  std::vector<Cycle> bursts_;  // arrivals of those in flight
  Cycle preparation_start_ = 0;
  Cycle preparation_busy_ = 0;  // array_busy_cycles() at the start
  LastingState fetching_, configuring_;
  LastingState exposed_;  // in cycles of exposed_cycles()
  Cycle config_done_ = 0;
  LaunchPhases phases_;
  std::optional<Launching> launching_;
  LastingState launching_state_;
  std::deque<Launch> launches_;  // sent and not reported by all PEs
  u32 launch_number_ = 0;
  LastingState array_working_;
  std::multimap<Cycle, Arrival> arrivals_;

  std::array<u32, semaphore_count> semaphores_{};

  Cycle now_ = 0;
  Cycle next_ = 0;
  LastingState resting_;  // idle()
  sc_core::sc_event wake_, irq_changed_;
  tlm::tlm_generic_payload payload_;

  SequencerRegisters registers_;
};

}  // namespace bvp
