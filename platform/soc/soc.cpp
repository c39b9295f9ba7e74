// SPDX-License-Identifier: Apache-2.0
#include "platform/soc/soc.h"

#include <string>

#include "models/transport/initiator.h"
#include "platform/soc/memory_map.h"

namespace bvp {

Soc::Monitors::Monitors(const ArrayParameters& array, const ClockDomain& clock)
    : scratchpad("scratchpad_monitor", array, clock, stats), mesh("mesh_monitor", array, clock, stats) {}

Soc::Soc(sc_core::sc_module_name name, const SocParameters& parameters, Mode mode)
    : sc_module(name),
      stats_("soc"),
      clock_(parameters.array.clock_hz),
      bus("bus", parameters.bus, clock_, stats_),
      cpu("cpu", parameters.cpu, stats_),
      boot_ram("boot_ram", parameters.boot_ram, clock_, stats_),
      uart("uart", parameters.uart, clock_, stats_),
      timer("timer", parameters.timer, clock_, stats_),
      interrupt_controller("interrupt_controller", parameters.interrupt_controller, clock_, stats_),
      simulation_control("simulation_control", parameters.simulation_control, clock_, stats_),
      power_controller("power_controller", parameters.power_controller, clock_, stats_),
      // Without data it holds commands and kernels, which lie far apart.
      dram("dram", parameters.dram, stats_, mode.data ? LazyMemory::Use::dense : LazyMemory::Use::sparse),
      sequencer("sequencer", parameters.sequencer, parameters.array, static_cast<unsigned>(parameters.dma.channels),
                clock_, stats_),
      dma("dma", parameters.dma, clock_, stats_, {mode.fast, mode.data}),
      agenda("agenda", clock_),
      scratchpad("scratchpad", parameters.array, parameters.scratchpad, clock_, agenda, stats_, mode.data),
      mesh("mesh", parameters.array, parameters.mesh, clock_, stats_),
      loader_("loader"),
      timer_irq_("timer_irq"),
      external_irq_("external_irq"),
      uart_irq_("uart_irq"),
      sequencer_irq_("sequencer_irq"),
      no_irq_("no_irq") {
  using namespace memory_map;

  // bus: initiators
  cpu.data.bind(bus.from);
  sequencer.to_bus.bind(bus.from);
  dma.to_bus.bind(bus.from);
  loader_.bind(bus.from);

  // bus: targets
  bus.add_target("timer", timer_base, timer_span).bind(timer.target);
  bus.add_target("interrupt_controller", interrupt_controller_base, interrupt_controller_span)
      .bind(interrupt_controller.target);
  bus.add_target("uart", uart_base, uart_span).bind(uart.target);
  bus.add_target("simulation_control", simulation_control_base, simulation_control_span)
      .bind(simulation_control.target);
  bus.add_target("power_controller", power_controller_base, power_controller_span).bind(power_controller.target);
  array_power_ = power_controller.array_changed.connect([this](ArrayPower power) { set_array_power(power); });
  bus.add_target("sequencer", sequencer_base, sequencer_span).bind(sequencer.registers);
  bus.add_target("boot_ram", boot_ram_base, static_cast<u64>(parameters.boot_ram.size_bytes)).bind(boot_ram.target);
  auto& to_scratchpad = bus.add_target("scratchpad", scratchpad_base, scratchpad.size());
  bus.add_target("dram", dram_base, dram.size()).bind(dram.target);
  cpu.expect_memory(boot_ram_base);
  cpu.expect_memory(dram_base);

  // interrupts
  timer.irq.bind(timer_irq_);
  cpu.timer_irq.bind(timer_irq_);
  cpu.set_time_source([this](const sc_core::sc_time& now) { return timer.mtime(now); });
  cpu.set_timer_forecast([this] { return timer.next_rise(); });
  interrupt_controller.irq.bind(external_irq_);
  cpu.external_irq.bind(external_irq_);
  uart.irq.bind(uart_irq_);
  sequencer.irq.bind(sequencer_irq_);
  for (unsigned line = 0; line < interrupt_controller.sources.size(); ++line) {
    auto& source = interrupt_controller.sources[line];
    if (line == interrupt_map::uart) {
      source.bind(uart_irq_);
    } else if (line == interrupt_map::sequencer) {
      source.bind(sequencer_irq_);
    } else {
      source.bind(no_irq_);
    }
  }

  // accelerator: commands
  sequencer.to_dma.bind(dma.descriptors);
  dma.completions.bind(sequencer.dma_completions);

  // accelerator: array
  if (mode.power) {
    monitors = std::make_unique<Monitors>(parameters.array, clock_);
    stats_.add(&monitors->stats);
    to_scratchpad.bind(monitors->scratchpad.linear.from[0]);
    monitors->scratchpad.linear.to[0].bind(scratchpad.linear);
  } else {
    to_scratchpad.bind(scratchpad.linear);
  }
  const auto count = static_cast<u32>(parameters.array.rows * parameters.array.columns);
  if (mode.fast) {
    lockstep = std::make_unique<LockstepArray>("pes", parameters.array, parameters.pe, clock_, stats_, mode.data);
    lockstep->to_sequencer.bind(sequencer.pe_completions);
    cores.push_back(lockstep.get());
  }
  const auto schedules = std::make_shared<CalSchedules>();
  for (u32 i = 0; i < count; ++i) {
    if (mode.fast) {
      sequencer.to_pe[i].bind(lockstep->config[i]);
      bind_array(i, lockstep->to_scratchpad[i], lockstep->to_mesh[i]);
      mesh.to_pe[i].bind(lockstep->from_mesh[i]);
      continue;
    }
    pes.push_back(std::make_unique<Pe>(("pe" + std::to_string(i)).c_str(), i, parameters.array, parameters.pe, clock_,
                                       agenda, stats_, mode.data, schedules));
    Pe& pe = *pes.back();
    cores.push_back(&pe);
    sequencer.to_pe[i].bind(pe.config);
    pe.to_sequencer.bind(sequencer.pe_completions);
    bind_array(i, pe.to_scratchpad, pe.to_mesh);
    mesh.to_pe[i].bind(pe.from_mesh);
  }
}

Soc::~Soc() = default;

void Soc::bind_array(u32 pe, tlm::tlm_initiator_socket<>& to_scratchpad, tlm::tlm_initiator_socket<>& to_mesh) {
  if (!monitors) {
    to_scratchpad.bind(scratchpad.vector[pe]);
    to_mesh.bind(mesh.from_pe[pe]);
    return;
  }
  to_scratchpad.bind(monitors->scratchpad.vector.from[pe]);
  monitors->scratchpad.vector.to[pe].bind(scratchpad.vector[pe]);
  to_mesh.bind(monitors->mesh.from_pe.from[pe]);
  monitors->mesh.from_pe.to[pe].bind(mesh.from_pe[pe]);
}

bool Soc::write_memory(u64 address, const u8* bytes, std::size_t size) {
  return debug(tlm::TLM_WRITE_COMMAND, address, const_cast<u8*>(bytes), size);
}

bool Soc::read_memory(u64 address, u8* bytes, std::size_t size) {
  return debug(tlm::TLM_READ_COMMAND, address, bytes, size);
}

bool Soc::debug(tlm::tlm_command command, u64 address, u8* bytes, std::size_t size) {
  return debug_access(loader_, command, address, bytes, static_cast<u32>(size)) == size;
}

void Soc::advance(const sc_core::sc_time& duration) {
  if (lockstep) lockstep->set_horizon(sc_core::sc_time_stamp() + duration);
  sc_core::sc_start(duration);
}

void Soc::set_array_power(ArrayPower power) {
  for (const auto& pe : pes) pe->set_power(power, clock_.now());
  if (lockstep) lockstep->set_power(power, clock_.now());
}

std::vector<Connection> Soc::connect_units(const std::function<void(const UnitSpan&)>& slot) {
  std::vector<Connection> connections;
  for (const auto& pe : pes) connections.push_back(pe->unit_busy().connect(slot));
  if (lockstep) connections.push_back(lockstep->unit_busy().connect(slot));
  return connections;
}

void Soc::trace_interrupts(sc_core::sc_trace_file* file) const {
  sc_core::sc_trace(file, timer_irq_, "timer_irq");
  sc_core::sc_trace(file, external_irq_, "external_irq");
  sc_core::sc_trace(file, uart_irq_, "uart_irq");
  sc_core::sc_trace(file, sequencer_irq_, "sequencer_irq");
}

void Soc::settle_statistics() {
  dram.update_statistics();
  cpu.settle();
  sequencer.settle();
  dma.settle();
  for (const auto& pe : pes) pe->settle();
  if (lockstep) lockstep->settle();
}

void Soc::end_simulation() {
  dma.bring_up_to_date();
  settle_statistics();
}

}  // namespace bvp
