// SPDX-License-Identifier: Apache-2.0
// The virtual SoC: all blocks and the wires between them. Which blocks there are, at which addresses and with which
// interrupt lines: blocks.def.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>

#include <functional>
#include <memory>
#include <systemc>
#include <vector>

#include "models/base/signal.h"
#include "models/bus/bus.h"
#include "models/cpu/cpu.h"
#include "models/dma/dma.h"
#include "models/faults/fault_injector.h"
#include "models/memory/dram.h"
#include "models/mesh/mesh.h"
#include "models/pe/fast/lockstep_array.h"
#include "models/pe/pe.h"
#include "models/power/monitors/mesh_monitor.h"
#include "models/power/monitors/scratchpad_monitor.h"
#include "models/scratchpad/scratchpad.h"
#include "models/sequencer/sequencer.h"
#include "platform/soc/soc_parameters.h"
#define BVP_BLOCK_MODELS
#include "platform/soc/blocks.def"

namespace bvp {

class Soc : public sc_core::sc_module {
 public:
  struct Mode {
    bool fast = false;               ///< the accelerator is loosely timed
    bool data = true;                ///< false: it is timed, but moves and computes no tensors
    bool power = true;               ///< false: nobody watches the sockets, and power estimators cannot be attached
    std::vector<Fault> faults = {};  ///< what goes wrong, see models/faults
  };
  Soc(sc_core::sc_module_name name, const SocParameters& parameters, Mode mode);
  Soc(sc_core::sc_module_name name, const SocParameters& parameters) : Soc(name, parameters, Mode{}) {}
  ~Soc() override;

  /// Called when all sockets are bound and before the CPU fetches its first instruction: fill the memories here.
  void set_loader(std::function<void()> loader) { load_ = std::move(loader); }

  /// Simulates for that long, and then brings models that are timed loosely to the present: after sc_start() alone they
  /// may be ahead of it. @param until_idle  not beyond the last event, if there is none any more
  void advance(const sc_core::sc_time& duration, bool until_idle = false);
  /// Whether nothing can happen any more unless somebody outside does something: the CPU sleeps and no event is left.
  [[nodiscard]] bool idle() const;

  /// Without simulated time, at bus addresses; false if nothing is mapped there.
  bool write_memory(u64 address, const u8* bytes, std::size_t size);
  bool read_memory(u64 address, u8* bytes, std::size_t size);
  /// Reads up to where something is missing. Returns the number of bytes.
  std::size_t read_some(u64 address, u8* bytes, std::size_t size);

  /// Connects the slot to the units of all PEs.
  [[nodiscard]] std::vector<Connection> connect_units(const std::function<void(const UnitSpan&)>& slot);

  void trace_interrupts(sc_core::sc_trace_file* file) const;

  /// Brings counters that time alone moves up to the present, and counts states that last up to it.
  void settle_statistics();
  /// Tells the SoC that the simulation has ended: what is under way is counted as far as it has come.
  void end_simulation();

  [[nodiscard]] const StatGroup& statistics() const { return stats_; }
  [[nodiscard]] const ClockDomain& clock() const { return clock_; }
  [[nodiscard]] const MachineShape& shape() const { return shape_; }

 private:
  StatGroup stats_;
  ClockDomain clock_;
  const MachineShape shape_;

 public:
  // host side
  Bus bus;
  Cpu cpu;
#define BVP_BLOCK(name, Type, Parameters, description) Type name;
#include "platform/soc/blocks.def"
  Dram dram;
  // accelerator
  Sequencer sequencer;
  Dma dma;
  CycleAgenda agenda;
  Scratchpad scratchpad;
  Mesh mesh;
  std::vector<std::unique_ptr<Pe>> pes;     // cycle by cycle: one for each PE
  std::unique_ptr<LockstepArray> lockstep;  // loosely timed: one for all
  std::vector<const PeStatus*> cores;       // whichever there are

  /// Monitors stand between the sockets of the PEs or the bus and what these are bound to; neither side knows of them.
  struct Monitors : sc_core::sc_module {
    StatGroup stats;
    ScratchpadMonitor scratchpad;
    MeshMonitor mesh;
    Monitors(sc_core::sc_module_name name, const ArrayShape& array, const ClockDomain& clock);
    ~Monitors() override;
  };
  std::unique_ptr<Monitors> monitors;  // for power estimators

  /// What stands between blocks where faults concern them; all are null in an SoC without faults.
  struct Faults {
    std::unique_ptr<FaultInjector> injector;
    std::unique_ptr<BusFaults> of_sequencer, of_dma;
    std::unique_ptr<CompletionFaults> of_transfers, of_launches;
    std::unique_ptr<InterruptFaults> of_interrupt;
    sc_core::sc_signal<bool> faulty_irq{"faulty_irq"};
  };
  std::unique_ptr<Faults> faults;

 private:
  void make_faults(const std::vector<Fault>& wanted);
  [[nodiscard]] bool is_ring(u64 address) const;
  void bind_bus();
  void bind_commands();
  /// Binds an initiator to the bus, those of the accelerator through the protection unit.
  void bind_initiator(tlm::tlm_initiator_socket<>& socket, const void* block);
  void bind_completions(tlm::tlm_initiator_socket<>& from);
  void bind_interrupts();
  template <class Block, class Socket>
  void bind_target(Bus::TargetSocket& from, Block& block, Socket& to);
  /// Through the monitor, if there is one.
  template <class Socket>
  void bind_target(Bus::TargetSocket& from, Scratchpad& block, Socket& to);
  void bind_array(u32 pe, tlm::tlm_initiator_socket<>& to_scratchpad, tlm::tlm_initiator_socket<>& to_mesh);
  void set_array_power(ArrayPower power);
  void start_of_simulation() override {
    if (load_) load_();
  }
  bool debug(tlm::tlm_command command, u64 address, u8* bytes, std::size_t size);

  std::function<void()> load_;
  Connection array_power_, enforcement_;
  tlm_utils::simple_initiator_socket<Soc> loader_;
  sc_core::sc_signal<bool> timer_irq_{"timer_irq"}, software_irq_{"software_irq"}, external_irq_{"external_irq"},
      no_irq_{"no_irq"};
#define BVP_INTERRUPT(name, socket, line, description) sc_core::sc_signal<bool> name##_irq_{#name "_irq"};
#include "platform/soc/blocks.def"
};

}  // namespace bvp
