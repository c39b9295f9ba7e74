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
  [[nodiscard]] const RegisterBank& register_bank() const { return bank_; }
  /// Nothing fetched, queued or running.
  [[nodiscard]] bool idle() const;
  /// Counts what lasts up to the present; call before reading the statistics.
  void settle();
  [[nodiscard]] SequencerError error() const { return static_cast<SequencerError>(error_code_.get()); }

 private:
  static constexpr u32 no_tag = 0xffffffff;
  // bit positions in STATUS
  static constexpr unsigned status_idle = 0, status_busy = 1, status_halted = 2, status_array = 8, status_dma = 16;
  static constexpr unsigned status_dma_channels = 16;

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
  [[nodiscard]] Cycle access_cycle() const { return clock_.to_cycles(bank_.access_time()); }
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

  RegisterBank bank_{"sequencer"};
  Register ring_base_lo_reg_{&bank_,
                             "RING_BASE_LO",
                             0x00,
                             RegisterAccess::read_write,
                             0,
                             "Byte address of the command ring, bits 31..0; a multiple of 64. Written only while the "
                             "ring is not in use; that empties the ring (HEAD = TAIL = 0)."};
  Register ring_base_hi_reg_{
      &bank_, "RING_BASE_HI", 0x04, RegisterAccess::read_write, 0, "Byte address of the command ring, bits 63..32."};
  Register ring_entries_reg_{
      &bank_, "RING_ENTRIES",
      0x08,   RegisterAccess::read_write,
      0,      "Commands that the ring holds: a power of two from 2 to 65536. Written like RING_BASE."};
  Register head_reg_{&bank_, "HEAD",
                     0x0c,   RegisterAccess::read_only,
                     0,      "Index of the next command to fetch; the entries before it may be overwritten."};
  Register tail_reg_{
      &bank_, "TAIL",
      0x10,   RegisterAccess::read_write,
      0,      "Doorbell: index one past the last valid command, modulo RING_ENTRIES. TAIL = HEAD: empty."};
  Register control_reg_{
      &bank_,
      "CONTROL",
      0x14,
      RegisterAccess::read_write,
      0,
      "Control.",
      {{"ENABLE", 0, 1, "fetch commands"},
       {"RESET", 1, 1,
        "write 1: drop all commands, clear errors, interrupts, semaphores, HEAD and TAIL; units that "
        "run finish unheard; reads as 0"},
       {"INVALIDATE", 2, 1, "write 1: forget the configured kernel image because memory has changed; reads as 0"}}};
  Register status_reg_{&bank_,
                       "STATUS",
                       0x18,
                       RegisterAccess::read_only,
                       1u << status_idle,
                       "Status.",
                       {{"IDLE", status_idle, 1, "nothing to fetch, queued or running"},
                        {"BUSY", status_busy, 1, "the opposite of IDLE"},
                        {"HALTED", status_halted, 1, "an error stopped it; only CONTROL.RESET starts it again"},
                        {"ARRAY", status_array, 1, "a kernel is being launched or runs"},
                        {"DMA", status_dma, status_dma_channels, "bit per DMA channel: a transfer runs"}}};
  Register interrupt_status_{&bank_,
                             "INTERRUPT_STATUS",
                             0x1c,
                             RegisterAccess::write_one_to_clear,
                             0,
                             "Interrupts pending.",
                             {{"COMPLETION", 0, 1, "a command with the interrupt flag has completed"},
                              {"ERROR", 1, 1, "an error halted the sequencer"}}};
  Register interrupt_enable_{&bank_,
                             "INTERRUPT_ENABLE",
                             0x20,
                             RegisterAccess::read_write,
                             0,
                             "Interrupts that raise the line.",
                             {{"COMPLETION", 0, 1, "as in INTERRUPT_STATUS"}, {"ERROR", 1, 1, "likewise"}}};
  Register completed_tag_{&bank_, "COMPLETED_TAG",
                          0x24,   RegisterAccess::read_only,
                          0,      "Tag of the last completed command that had the interrupt flag."};
  Register completed_count_{&bank_,
                            "COMPLETED_COUNT",
                            0x28,
                            RegisterAccess::read_only,
                            0,
                            "Completed commands that had the interrupt flag, of all units together, modulo "
                            "2^32. It does not say which ones: UNIT_COMPLETED does."};
  Register commands_completed_{
      &bank_, "COMMANDS_COMPLETED", 0x2c, RegisterAccess::read_only, 0, "Completed commands, modulo 2^32."};
  Register error_code_{&bank_, "ERROR_CODE",
                       0x30,   RegisterAccess::read_only,
                       0,      "The first error since the reset, a SequencerError; 0: none."};
  Register error_tag_{
      &bank_, "ERROR_TAG", 0x34, RegisterAccess::read_only, 0, "Tag of the command at fault, 0xffffffff: no command."};
  Register error_info_lo_{&bank_, "ERROR_INFO_LO",
                          0x38,   RegisterAccess::read_only,
                          0,      "Bits 31..0 of what the error is about; see the error codes."};
  Register error_info_hi_{
      &bank_, "ERROR_INFO_HI", 0x3c, RegisterAccess::read_only, 0, "Bits 63..32 of what the error is about."};
  Register semaphore_reg_{&bank_,
                          "SEMAPHORE",
                          0x80,
                          RegisterAccess::read_write,
                          0,
                          "Tokens of each semaphore.",
                          {{"TOKENS", 0, 16, "0 to 65535"}},
                          semaphore_count};
  Register unit_completed_{
      &bank_,
      "UNIT_COMPLETED",
      0x100,
      RegisterAccess::read_only,
      0,
      "Commands that each unit has completed, modulo 2^32, with the interrupt flag or without: sync "
      "commands, launches, then DMA channel 0 and those behind it. A unit completes its commands in "
      "the order of the ring, so its n-th command is done when its element has reached n.",
      {},
      unit_index_count};
};

}  // namespace bvp
