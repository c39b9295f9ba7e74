// SPDX-License-Identifier: Apache-2.0
#include "platform/soc/soc.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <type_traits>
#include <utility>

#include "models/abi/dma_status.h"
#include "models/base/report.h"
#include "models/transport/initiator.h"
#include "platform/soc/memory_map.h"

namespace bvp {
namespace {

template <class Block, class = void>
struct has_size : std::false_type {};
template <class Block>
struct has_size<Block, std::void_t<decltype(std::declval<const Block&>().size())>> : std::true_type {};

/// The bytes of a block's region that the bus maps: of a memory its size, otherwise the whole span.
template <class Block>
u64 mapped_bytes(const Block& block, u64 span) {
  if constexpr (has_size<Block>::value) {
    return block.size();
  } else {
    return span;
  }
}

}  // namespace

Soc::Monitors::Monitors(sc_core::sc_module_name name, const ArrayShape& array, const ClockDomain& clock)
    : sc_module(name),
      stats(basename()),
      scratchpad("scratchpad", array, clock, stats),
      mesh("mesh", array, clock, stats) {}

Soc::Monitors::~Monitors() = default;

Soc::Soc(sc_core::sc_module_name name, const SocParameters& parameters, Mode mode)
    : sc_module(name),
      stats_(basename()),
      clock_(parameters.array.clock_hz),
      shape_(parameters.shape()),
      bus("bus", parameters.bus, clock_, stats_),
      cpu("cpu", parameters.cpu, stats_),
#define BVP_BLOCK(name, Type, Parameters, description) name(#name, parameters.name, clock_, stats_),
#include "platform/soc/blocks.def"
      // Without data it holds commands and kernels, which lie far apart.
      dram("dram", parameters.dram, stats_, mode.data ? LazyMemory::Use::dense : LazyMemory::Use::sparse),
      sequencer("sequencer", parameters.sequencer, shape_, shape_.dma_channels, clock_, stats_),
      dma("dma", parameters.dma, clock_, stats_, {mode.fast, mode.data}),
      agenda("agenda", clock_),
      scratchpad("scratchpad", parameters.array, parameters.scratchpad, clock_, agenda, stats_, mode.data),
      mesh("mesh", shape_, parameters.mesh, clock_, stats_),
      loader_("loader") {
  if (mode.power) {
    monitors = std::make_unique<Monitors>("monitors", shape_, clock_);
    stats_.add(&monitors->stats);
  }
  if (!mode.faults.empty()) make_faults(mode.faults);
  bind_bus();
  bind_interrupts();
  array_power_ = power_controller.array_changed.connect([this](ArrayPower power) { set_array_power(power); });

  bind_commands();

  // accelerator: array
  if (mode.fast) {
    lockstep = std::make_unique<LockstepArray>("pes", parameters.array, parameters.pe, clock_, stats_, mode.data);
    bind_completions(lockstep->to_sequencer);
    cores.push_back(lockstep.get());
  }
  const auto schedules = std::make_shared<CalSchedules>();
  for (u32 i = 0; i < shape_.pes(); ++i) {
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
    bind_completions(pe.to_sequencer);
    bind_array(i, pe.to_scratchpad, pe.to_mesh);
    mesh.to_pe[i].bind(pe.from_mesh);
  }
}

Soc::~Soc() = default;

void Soc::bind_commands() {
  protection.set_scratchpad_base(memory_map::scratchpad_base);
  enforcement_ = protection.enforcement_changed.connect(
      [this](bool enforced) { scratchpad.set_guard(enforced ? &protection : nullptr); });
  sequencer.to_dma.bind(dma.descriptors);
  if (faults && faults->of_transfers) {
    dma.completions.bind(faults->of_transfers->from);
    faults->of_transfers->to.bind(sequencer.dma_completions);
  } else {
    dma.completions.bind(sequencer.dma_completions);
  }
  if (faults && faults->of_launches) faults->of_launches->to.bind(sequencer.pe_completions);
}

template <class Block, class Socket>
void Soc::bind_target(Bus::TargetSocket& from, Block&, Socket& to) {
  from.bind(to);
}

template <class Socket>
void Soc::bind_target(Bus::TargetSocket& from, Scratchpad&, Socket& to) {
  if (!monitors) {
    from.bind(to);
    return;
  }
  from.bind(monitors->scratchpad.linear.from[0]);
  monitors->scratchpad.linear.to[0].bind(to);
}

void Soc::bind_initiator(tlm::tlm_initiator_socket<>& socket, const void* block) {
  const bool from_sequencer = block == &sequencer;
  if (!from_sequencer && block != &dma) return socket.bind(bus.from);
  const auto path = from_sequencer ? ProtectionUnit::sequencer_path : ProtectionUnit::dma_path;
  socket.bind(protection.from[path]);
  BusFaults* const between = !faults ? nullptr : from_sequencer ? faults->of_sequencer.get() : faults->of_dma.get();
  if (between == nullptr) return protection.to[path].bind(bus.from);
  protection.to[path].bind(between->from);
  between->to.bind(bus.from);
}

void Soc::bind_completions(tlm::tlm_initiator_socket<>& from) {
  if (faults && faults->of_launches) return from.bind(faults->of_launches->from);
  from.bind(sequencer.pe_completions);
}

void Soc::make_faults(const std::vector<Fault>& wanted) {
  faults = std::make_unique<Faults>();
  faults->injector = std::make_unique<FaultInjector>(
      "faults", wanted, stats_, [this](FaultInjector::Memory memory, u64 offset, u32 bit) {
        return memory == FaultInjector::Memory::dram ? dram.flip(offset, bit) : scratchpad.flip(offset, bit);
      });
  const auto locate = [this](u64 address) {
    const bool in_dram = address >= memory_map::dram_base && address - memory_map::dram_base < dram.size();
    return AccessPlace{in_dram, is_ring(address)};
  };
  faults->of_sequencer = faults->injector->of_sequencer(locate);
  faults->of_dma = faults->injector->of_dma(locate);
  faults->of_transfers = faults->injector->of_dma_completions(static_cast<u32>(DmaStatus::destination_error));
  faults->of_launches = faults->injector->of_pe_completions();
  faults->of_interrupt = faults->injector->of_interrupt();
}

bool Soc::is_ring(u64 address) const {
  const auto read = [this](const char* name) {
    const RegisterBank& bank = sequencer.register_bank();
    u32 value = 0;
    bank.peek(bank.find(name)->offset(), reinterpret_cast<u8*>(&value), sizeof value);
    return value;
  };
  const u64 base = join_words(read("RING_BASE_LO"), read("RING_BASE_HI"));
  return address >= base && address - base < u64{read("RING_ENTRIES")} * sizeof(Command);
}

void Soc::bind_bus() {
#define BVP_INITIATOR(name, socket) bind_initiator(name.socket, &name);
#include "platform/soc/blocks.def"
  loader_.bind(bus.from);

  // The targets are bound in the order of their addresses, in which the statistics of the bus list them.
  std::multimap<u64, std::function<void()>> targets;
#define BVP_TARGET(name, socket, base, span, description) \
  targets.emplace(base,                                   \
                  [this] { bind_target(bus.add_target(#name, base, mapped_bytes(name, span)), name, name.socket); });
#include "platform/soc/blocks.def"
  for (const auto& [base, bind] : targets) bind();
  cpu.expect_memory(memory_map::boot_ram_base);
  cpu.expect_memory(memory_map::dram_base);
}

void Soc::bind_interrupts() {
  clint.timer_irq.bind(timer_irq_);
  cpu.timer_irq.bind(timer_irq_);
  clint.software_irq.bind(software_irq_);
  cpu.software_irq.bind(software_irq_);
  cpu.set_time_source([this](const sc_core::sc_time& now) { return clint.mtime(now); });
  cpu.set_timer_forecast([this] { return clint.next_rise(); });
  plic.irq.bind(external_irq_);
  cpu.external_irq.bind(external_irq_);
  std::array<sc_core::sc_signal<bool>*, Plic::lines> sources{};
  sources.fill(&no_irq_);
  const auto connect = [&](const char* block, unsigned line, sc_core::sc_out<bool>& from,
                           sc_core::sc_signal<bool>& wire) {
    if (sources.at(line) != &no_irq_) report_error(name(), "{}: another block has interrupt line {}", block, line);
    from.bind(wire);
    sources.at(line) = &wire;
  };
#define BVP_INTERRUPT(block, socket, line, description)                               \
  static_assert(line > Plic::no_line && line < Plic::lines, #block ": no such line"); \
  connect(#block, line, block.socket, block##_irq_);
#include "platform/soc/blocks.def"
  if (faults && faults->of_interrupt) {
    faults->of_interrupt->in.bind(sequencer_irq_);
    faults->of_interrupt->out.bind(faults->faulty_irq);
    std::replace(sources.begin(), sources.end(), &sequencer_irq_, &faults->faulty_irq);
  }
  for (unsigned line = 0; line < sources.size(); ++line) plic.sources[line].bind(*sources[line]);
}

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

std::size_t Soc::read_some(u64 address, u8* bytes, std::size_t size) {
  return debug_access(loader_, tlm::TLM_READ_COMMAND, address, bytes, static_cast<u32>(size));
}

bool Soc::debug(tlm::tlm_command command, u64 address, u8* bytes, std::size_t size) {
  return debug_access(loader_, command, address, bytes, static_cast<u32>(size)) == size;
}

void Soc::advance(const sc_core::sc_time& duration, bool until_idle) {
  if (lockstep) lockstep->set_horizon(sc_core::sc_time_stamp() + duration);
  const sc_core::sc_time end = sc_core::sc_time_stamp() + duration;
  if (until_idle) {
    const bool has_begun = sc_core::sc_get_status() == sc_core::SC_PAUSED;
    if (has_begun && idle()) return;
    // SystemC goes to the last event before the end, also if others follow, and warns if there is none.
    const bool active = !has_begun || sc_core::sc_time_to_pending_activity() <= duration;
    if (active) sc_core::sc_start(duration, sc_core::SC_EXIT_ON_STARVATION);
    if (idle() || sc_core::sc_get_status() == sc_core::SC_STOPPED) return;
  }
  if (const sc_core::sc_time left = end - sc_core::sc_time_stamp(); left != sc_core::SC_ZERO_TIME) {
    sc_core::sc_start(left);
  }
}

bool Soc::idle() const { return cpu.sleeping() && !sc_core::sc_pending_activity(); }

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
  sc_core::sc_trace(file, software_irq_, "software_irq");
  sc_core::sc_trace(file, external_irq_, "external_irq");
#define BVP_INTERRUPT(name, socket, line, description) sc_core::sc_trace(file, name##_irq_, #name "_irq");
#include "platform/soc/blocks.def"
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
