// SPDX-License-Identifier: Apache-2.0
// The sequencer: the accelerator's micro-controller, which takes commands from a ring in memory and drives
// the DMA channels and the PE array.
#pragma once

#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/base/machine_shape.h"
#include "models/base/row_map.h"
#include "models/sequencer/command_observer.h"
#include "models/sequencer/command_queue.h"
#include "models/sequencer/command_reports.h"
#include "models/sequencer/command_ring.h"
#include "models/sequencer/dispatcher.h"
#include "models/sequencer/dma_channels.h"
#include "models/sequencer/image_loader.h"
#include "models/sequencer/launcher.h"
#include "models/sequencer/semaphores.h"
#include "models/sequencer/sequencer_parameters.h"
#include "models/sequencer/sequencer_registers.h"
#include "models/sequencer/sequencer_statistics.h"

namespace bvp {

/// Owns the machines that carry out commands, and connects them to the sockets and to each other. One SystemC process
/// advances all of them: `evaluate` runs in the cycles in which something can change, lets every machine do what it
/// can, and sleeps until the next such cycle. Commands leave the ring in order, wait in the queue of their unit (a DMA
/// channel or the array), and start in order within it.
class Sequencer : public sc_core::sc_module, private SequencerPorts {
 public:
  tlm_utils::simple_target_socket<Sequencer> registers;                     ///< from the bus
  tlm_utils::simple_initiator_socket<Sequencer> to_bus;                     ///< reads the ring and kernel images
  tlm_utils::simple_initiator_socket<Sequencer> to_dma;                     ///< descriptor of channel c at c * 0x100
  tlm_utils::simple_target_socket<Sequencer> dma_completions;               ///< {status, 0} of channel c at c * 8
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<Sequencer>> to_pe;  ///< configuration plane, y * columns + x
  tlm_utils::multi_passthrough_target_socket<Sequencer> pe_completions;     ///< LaunchCompletion of PE i at i * 8
  sc_core::sc_out<bool> irq;

  /// @throws sc_report  more DMA channels than STATUS has bits for
  Sequencer(sc_core::sc_module_name name, const SequencerParameters& parameters, const ArrayShape& array,
            unsigned dma_channels, const ClockDomain& clock, StatGroup& parent_stats);
  ~Sequencer() override;
  SC_HAS_PROCESS(Sequencer);

  [[nodiscard]] CommandSignals& commands() { return reports_.commands; }
  [[nodiscard]] const RegisterBank& register_bank() const { return registers_.bank; }
  /// Whether nothing is fetched, queued or running.
  [[nodiscard]] bool idle() const;
  /// Counts all lasting states up to the present; call it before reading the statistics.
  void settle();
  /// A command that has left the ring and is not done.
  struct Outstanding {
    enum class Stage { dispatching, queued, running };
    Stage stage;
    Command command;
  };
  /// By unit, and in the order of the ring within it.
  [[nodiscard]] std::vector<Outstanding> outstanding() const;
  [[nodiscard]] u32 tokens(u32 semaphore) const { return semaphores_.tokens(semaphore); }
  [[nodiscard]] SequencerError error() const { return registers_.first_error(); }
  /// All that were found so far, also before resets.
  [[nodiscard]] u64 errors() const { return statistics_.errors.value(); }
  /// On which kernels run.
  [[nodiscard]] const RowMap& rows() const { return rows_; }

 private:
  /// A completion message, which takes effect at a cycle of its own.
  struct Arrival {
    bool from_array = false;
    u32 index = 0;   // number of the DMA channel or of the PE
    u32 number = 0;  // of the launch
    u32 status = 0;
  };

  // sockets
  void registers_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned registers_debug(tlm::tlm_generic_payload& payload);
  void dma_completion(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void pe_completion(int id, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void arrive(const Arrival& arrival, const sc_core::sc_time& delay);
  std::optional<Cycle> read_memory(u64 address, void* data, u32 bytes) override;
  bool start_transfer(u32 channel, DmaDescriptor descriptor) override;
  bool start_transfer(u32 channel, IndexedDescriptor descriptor) override;
  bool abort_transfer(u32 channel) override;
  u64 transfer_address(u32 channel) override;
  bool write_pe(u32 pe, u64 address, void* data, u32 bytes) override;

  // registers
  void connect_registers();
  /// The cycle in which the register access that is being served takes effect.
  [[nodiscard]] Cycle access_cycle() const { return clock_.to_cycles(registers_.bank.access_time()); }
  [[nodiscard]] bool enabled() const { return registers_.control[registers_.control_enable] != 0; }
  void write_control(u32 value);
  /// Sets a register by `store`. Refuses the value while the ring is in use, or if `store` refuses it.
  void write_ring(u32 value, const std::function<bool()>& store);
  void write_tail(u32 value);
  void write_semaphore(u32 index, u32 value);
  void write_abort(u32 value);
  void write_row_disable(u32 value);
  void reset();

  // time
  void evaluate();
  /// Lets every machine do what it can in this cycle. Returns true if something has changed, so that other machines may
  /// be able to continue.
  bool advance(Cycle now);
  bool take_arrivals(Cycle now);
  bool prepare_image(Cycle now);
  /// The next cycle after `now` in which a machine can change by itself.
  [[nodiscard]] Cycle next_change(Cycle now) const;
  void schedule(Cycle cycle);
  /// Called when an error has halted the sequencer: ends all waits and preparations.
  void halt();
  void end_waits(Cycle now);
  void update_irq();

  const ClockDomain clock_;
  SequencerStatistics statistics_;
  SequencerRegisters registers_;
  Semaphores semaphores_;
  CommandReports reports_;
  UnitQueues queues_;
  RowMap rows_;
  CommandRing ring_;
  Dispatcher dispatcher_;
  DmaChannels channels_;
  ImageLoader loader_;
  Launcher launcher_;
  std::multimap<Cycle, Arrival> arrivals_;
  LastingState resting_;  // lasts while idle()
  sc_core::sc_event wake_, irq_changed_;
  std::array<Connection, 2> connections_;  // to what the machines report
  tlm::tlm_generic_payload payload_;       // for the transactions that the sequencer initiates
};

}  // namespace bvp
