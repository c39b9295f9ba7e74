// SPDX-License-Identifier: Apache-2.0
// The protection unit: lets the accelerator reach only the windows of memory that firmware has opened, in the manner of
// a RISC-V IOPMP. See docs/models/protection_unit.md.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include "models/base/signal.h"
#include "models/peripherals/access_windows.h"
#include "models/peripherals/peripheral.h"
#include "models/transport/vector_guard.h"

namespace bvp {

/// Stands between the accelerator's ports and the bus. What it refuses is answered as if nothing were mapped there. The
/// scratchpad asks it as a VectorGuard about the vectors of PEs.
class ProtectionUnit : public Peripheral, public VectorGuard {
 public:
  /// The ports whose accesses go through the unit: from[i] to to[i].
  enum Path : u32 { sequencer_path, dma_path, path_count };
  sc_core::sc_vector<tlm_utils::simple_target_socket_tagged<ProtectionUnit>> from;
  sc_core::sc_vector<tlm_utils::simple_initiator_socket_tagged<ProtectionUnit>> to;
  sc_core::sc_out<bool> irq;

  ProtectionUnit(sc_core::sc_module_name name, const PeripheralParameters& parameters, const ClockDomain& clock,
                 StatGroup& parent_stats);
  ~ProtectionUnit() override;
  SC_HAS_PROCESS(ProtectionUnit);

  /// The bus address of the scratchpad's first byte.
  void set_scratchpad_base(u64 base) { scratchpad_base_ = base; }
  /// Emitted when the unit begins or ceases to refuse accesses.
  Signal<bool> enforcement_changed;
  [[nodiscard]] bool enforces() const { return enabled_; }
  [[nodiscard]] u64 violations() const { return violations_.value(); }

  // VectorGuard
  [[nodiscard]] bool admits(bool write, const VectorAccess& access) const override;
  void refused(bool write, const VectorAccess& access) override;

 private:
  /// An access as the windows see it.
  struct Request {
    u32 source = 0;
    bool write = false;
    u64 address = 0, bytes = 0;
  };
  void transport_path(int path, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  u32 debug_path(int path, tlm::tlm_generic_payload& payload) {
    return to[static_cast<u32>(path)]->transport_dbg(payload);
  }
  bool direct_memory(int path, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
    return to[static_cast<u32>(path)]->get_direct_mem_ptr(payload, dmi);
  }
  void invalidate(int path, sc_dt::uint64 start, sc_dt::uint64 end) {
    from[static_cast<u32>(path)]->invalidate_direct_mem_ptr(start, end);
  }
  [[nodiscard]] bool admit(const Request& request) const {
    return windows_.admit(request.source, request.write, request.address, request.bytes);
  }
  /// The first vector of the access that no window opens; `bytes` is 0 if there is none.
  [[nodiscard]] Request first_refused(bool write, const VectorAccess& access) const;
  void report(const Request& request);

  void connect_registers();
  void write_control(u32 value);
  /// Calls `change` with the window of that index, unless it is locked.
  template <class Change>
  void change_window(u32 index, Change change);
  void update_irq();

  AccessWindows windows_;
  std::array<bool, AccessWindows::count> locked_{};
  bool enabled_ = false, control_locked_ = false;
  u64 scratchpad_base_ = 0;
  sc_core::sc_event irq_changed_;

  Register control_;
  RegisterField enable_, lock_;
  Register status_;
  RegisterField pending_;
  Register interrupt_enable_;
  RegisterField pending_enable_;
  struct Violation {
    explicit Violation(RegisterBank* bank);
    Register source, address_lo, address_hi, bytes, count;
    RegisterField number, write;
  } violation_;
  struct Entries {
    explicit Entries(RegisterBank* bank);
    Register base_lo, base_hi, size_lo, size_hi, config;
    RegisterField read, write, lock, sources;
  } entries_;
  Counter checks_{stats(), "checks", "accesses", "accesses checked while the unit was enabled"};
  Counter violations_{stats(), "violations", "accesses", "accesses refused"};
};

}  // namespace bvp
