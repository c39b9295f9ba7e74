// SPDX-License-Identifier: Apache-2.0
// One PE between a scratchpad, a mesh and a sequencer of which only the latencies exist: what it does when.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <cstring>
#include <systemc>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/pe/pe.h"

namespace bvp::test {

struct PeBenchConfig : ParameterGroup {
  PeBenchConfig() : ParameterGroup("test") { array.columns = 2; }
  ArrayParameters array{this};
  PeParameters pe{this};
  Cycle memory_latency = 10;  // of the scratchpad, from the last vector's issue to its data
};

class PeBench : public sc_core::sc_module {
 public:
  /// A vector transfer or packet of the PE.
  struct Transfer {
    Cycle at = 0;
    bool write = false;
    std::vector<u32> addresses;  // memory: offsets; packets: the peer's slots
    u32 edge = FlowPacket::no_edge;
  };
  struct Completion {
    Cycle at = 0;
    u32 number = 0, status = 0;
  };

  PeBench(sc_core::sc_module_name name, const PeBenchConfig& config)
      : sc_module(name),
        stats_("bench"),
        clock(config.array.clock_hz),
        agenda_("agenda", clock),
        pe("pe", 0, config.array, config.pe, clock, agenda_, stats_),
        configure_("configure"),
        from_mesh_("from_mesh"),
        scratchpad_("scratchpad"),
        mesh_("mesh"),
        sequencer_("sequencer"),
        lanes_(static_cast<u32>(config.array.lanes)),
        latency_(config.memory_latency) {
    configure_.bind(pe.config);
    from_mesh_.bind(pe.from_mesh);
    pe.to_scratchpad.bind(scratchpad_);
    pe.to_mesh.bind(mesh_);
    pe.to_sequencer.bind(sequencer_);
    scratchpad_.register_b_transport(this, &PeBench::access);
    mesh_.register_b_transport(this, &PeBench::packet);
    sequencer_.register_b_transport(this, &PeBench::completed);
  }

  bool configure(const std::vector<u8>& image) { return send(configure_address, image.data(), image.size()); }
  bool configure(const Kernel& kernel) { return configure(kernel.encode()); }
  bool launch(std::array<u32, instance_levels> counts, u32 flags = 0) {
    LaunchRecord record{};
    record.launch_number = ++launches_;
    record.flags = flags;
    record.counts = counts;
    return send(launch_address, &record, sizeof(record));
  }
  bool stop() {
    const u32 word = 0;
    return send(stop_address, &word, sizeof word);
  }
  /// A token of the kernel's edge, with vectors for these slots, that arrives after `delay` cycles.
  bool arrive(u32 edge, const std::vector<u16>& slots, Cycle delay) {
    FlowPacket packet;
    packet.source = 1;
    packet.slots = slots.data();
    packet.count = static_cast<u32>(slots.size());
    packet.edge = edge;
    std::vector<u16> data(slots.size() * lanes_, u16{0x3c00});
    tlm::tlm_generic_payload payload;
    prepare(payload, tlm::TLM_WRITE_COMMAND, 0, data.data(), data.size() * 2);
    payload.set_extension(&packet);
    sc_core::sc_time time = clock.to_time(delay);
    from_mesh_->b_transport(payload, time);
    payload.clear_extension(&packet);
    return payload.is_response_ok();
  }
  void run(Cycle cycles = 100000) { sc_core::sc_start(clock.to_time(cycles)); }

  [[nodiscard]] u64 counter(const char* unit, const std::string& name) const {
    for (const StatGroup* group : pe.statistics().children()) {
      if (group->name() != unit) continue;
      for (const Counter* counter : group->counters()) {
        if (counter->name() == name) return counter->value();
      }
    }
    throw std::logic_error("no such counter");
  }
  /// Cycles that a unit's counters account for.
  [[nodiscard]] u64 accounted(const char* unit) const {
    u64 sum = counter(unit, "issue") + counter(unit, "special") + counter(unit, "stall");
    for (const char* reason : wait_names) sum += counter(unit, std::string("wait_") + reason);
    return sum;
  }

 private:
  StatGroup stats_;

 public:
  ClockDomain clock;

 private:
  CycleAgenda agenda_;

 public:
  Pe pe;
  std::vector<Transfer> memory, packets;
  std::vector<Completion> completions;

 private:
  static void prepare(tlm::tlm_generic_payload& payload, tlm::tlm_command command, u64 address, const void* bytes,
                      std::size_t size) {
    payload.set_command(command);
    payload.set_address(address);
    payload.set_data_ptr(static_cast<unsigned char*>(const_cast<void*>(bytes)));
    payload.set_data_length(static_cast<unsigned>(size));
    payload.set_streaming_width(static_cast<unsigned>(size));
  }
  bool send(u64 address, const void* bytes, std::size_t size) {
    tlm::tlm_generic_payload payload;
    prepare(payload, tlm::TLM_WRITE_COMMAND, address, bytes, size);
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    configure_->b_transport(payload, delay);
    return payload.is_response_ok();
  }
  void access(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    auto* vectors = payload.get_extension<VectorAccess>();
    memory.push_back({clock.to_cycles(sc_core::sc_time_stamp() + delay),
                      payload.is_write(),
                      {vectors->addresses, vectors->addresses + vectors->count},
                      FlowPacket::no_edge});
    if (payload.is_read()) std::memset(payload.get_data_ptr(), 0, payload.get_data_length());
    vectors->issue_cycles = vectors->count;
    delay += clock.to_time(vectors->count - 1 + latency_);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  void packet(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const auto* flow = payload.get_extension<FlowPacket>();
    packets.push_back({clock.to_cycles(sc_core::sc_time_stamp() + delay),
                       true,
                       {flow->slots, flow->slots + flow->count},
                       flow->edge});
    delay += clock.to_time(flow->count);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  void completed(tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
    LaunchCompletion completion;
    std::memcpy(&completion, payload.get_data_ptr(), sizeof(completion));
    completions.push_back({clock.now(), completion.launch_number, completion.status});
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }

  tlm_utils::simple_initiator_socket<PeBench> configure_, from_mesh_;
  tlm_utils::simple_target_socket<PeBench> scratchpad_, mesh_, sequencer_;
  u32 lanes_;
  Cycle latency_;
  u32 launches_ = 0;
};

}  // namespace bvp::test
