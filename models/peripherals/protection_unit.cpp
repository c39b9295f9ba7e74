// SPDX-License-Identifier: Apache-2.0
#include "models/peripherals/protection_unit.h"

#include <algorithm>

#include "models/base/report.h"
#include "models/transport/access_source.h"
#include "models/transport/bulk_traffic.h"

namespace bvp {
namespace {

constexpr u32 pe_source = 1;

}  // namespace

ProtectionUnit::Violation::Violation(RegisterBank* bank)
    : source(bank, "VIOLATION_SOURCE", 0x0c, RegisterAccess::read_only, 0,
             "Who made the first access that was refused since STATUS was cleared."),
      address_lo(bank, "VIOLATION_ADDRESS_LO", 0x10, RegisterAccess::read_only, 0,
                 "Bits 31..0 of its bus address, for vectors of PEs in the scratchpad's linear view."),
      address_hi(bank, "VIOLATION_ADDRESS_HI", 0x14, RegisterAccess::read_only, 0, "Bits 63..32 of its bus address."),
      bytes(bank, "VIOLATION_BYTES", 0x18, RegisterAccess::read_only, 0, "Its length."),
      count(bank, "VIOLATION_COUNT", 0x1c, RegisterAccess::read_only, 0, "Accesses refused, modulo 2^32."),
      number(&source, "SOURCE", 0, 5,
             "as the elements of UNIT_COMPLETED: 0 the sequencer, 1 the PEs, 2 + c DMA channel c"),
      write(&source, "WRITE", 8, 1, "it was a write") {}

ProtectionUnit::Entries::Entries(RegisterBank* bank)
    : base_lo(bank, "BASE_LO", 0x40, RegisterAccess::read_write, 0, "First bus address of each window, bits 31..0.",
              AccessWindows::count),
      base_hi(bank, "BASE_HI", 0x80, RegisterAccess::read_write, 0, "Bits 63..32.", AccessWindows::count),
      size_lo(bank, "SIZE_LO", 0xc0, RegisterAccess::read_write, 0,
              "Bytes of each window, bits 31..0; 0: it opens nothing.", AccessWindows::count),
      size_hi(bank, "SIZE_HI", 0x100, RegisterAccess::read_write, 0, "Bits 63..32.", AccessWindows::count),
      config(bank, "CONFIG", 0x140, RegisterAccess::read_write, 0, "What each window is open for.",
             AccessWindows::count),
      read(&config, "READ", WindowConfig::read_bit, 1, "reads"),
      write(&config, "WRITE", WindowConfig::write_bit, 1, "writes"),
      lock(&config, "LOCK", WindowConfig::lock_bit, 1, "the window's registers cannot be written any more"),
      sources(&config, "SOURCES", WindowConfig::sources_lsb, 24, "bit per source, numbered as in VIOLATION_SOURCE") {}

ProtectionUnit::ProtectionUnit(sc_core::sc_module_name name, const PeripheralParameters& parameters,
                               const ClockDomain& clock, StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats),
      from("from", path_count),
      to("to", path_count),
      irq("irq"),
      control_(&bank(), "CONTROL", 0x00, RegisterAccess::read_write, 0, "Control."),
      enable_(&control_, "ENABLE", 0, 1, "refuse accesses that no window is open for; 0: all accesses are allowed"),
      lock_(&control_, "LOCK", 1, 1, "CONTROL cannot be written any more"),
      status_(&bank(), "STATUS", 0x04, RegisterAccess::write_one_to_clear, 0, "What has happened."),
      pending_(&status_, "VIOLATION", 0, 1, "an access was refused; VIOLATION_* tell of the first one"),
      interrupt_enable_(&bank(), "INTERRUPT_ENABLE", 0x08, RegisterAccess::read_write, 0,
                        "What raises the interrupt line."),
      pending_enable_(&interrupt_enable_, "VIOLATION", 0, 1, "as in STATUS"),
      violation_(&bank()),
      entries_(&bank()) {
  for (u32 path = 0; path < path_count; ++path) {
    const auto tag = static_cast<int>(path);
    from[path].register_b_transport(this, &ProtectionUnit::transport_path, tag);
    from[path].register_transport_dbg(this, &ProtectionUnit::debug_path, tag);
    from[path].register_get_direct_mem_ptr(this, &ProtectionUnit::direct_memory, tag);
    to[path].register_invalidate_direct_mem_ptr(this, &ProtectionUnit::invalidate, tag);
  }
  connect_registers();
  SC_METHOD(update_irq);
  sensitive << irq_changed_;
}

ProtectionUnit::~ProtectionUnit() = default;

// ---------------------------------------------------------------- registers

template <class Change>
void ProtectionUnit::change_window(u32 index, Change change) {
  if (!locked_[index]) change(windows_.windows[index]);
}

void ProtectionUnit::connect_registers() {
  const auto window = [this](u32 index) -> AccessWindow& { return windows_.windows[index]; };
  entries_.base_lo.on_read([=](u32 i) { return low_word(window(i).base); }).on_write([this](u32 i, u32 value) {
    change_window(i, [=](AccessWindow& w) { w.base = join_words(value, high_word(w.base)); });
  });
  entries_.base_hi.on_read([=](u32 i) { return high_word(window(i).base); }).on_write([this](u32 i, u32 value) {
    change_window(i, [=](AccessWindow& w) { w.base = join_words(low_word(w.base), value); });
  });
  entries_.size_lo.on_read([=](u32 i) { return low_word(window(i).size); }).on_write([this](u32 i, u32 value) {
    change_window(i, [=](AccessWindow& w) { w.size = join_words(value, high_word(w.size)); });
  });
  entries_.size_hi.on_read([=](u32 i) { return high_word(window(i).size); }).on_write([this](u32 i, u32 value) {
    change_window(i, [=](AccessWindow& w) { w.size = join_words(low_word(w.size), value); });
  });
  const auto config = [this](u32 i) {
    const AccessWindow& w = windows_.windows[i];
    return entries_.read.bits(w.read) | entries_.write.bits(w.write) | entries_.sources.bits(w.sources) |
           entries_.lock.bits(locked_[i]);
  };
  entries_.config.on_read(config).on_write([this](u32 i, u32 value) {
    change_window(i, [&](AccessWindow& w) {
      w.read = entries_.read.of(value) != 0;
      w.write = entries_.write.of(value) != 0;
      w.sources = entries_.sources.of(value);
      locked_[i] = entries_.lock.of(value) != 0;
    });
  });
  control_.on_read([this] { return enable_.bits(enabled_) | lock_.bits(control_locked_); });
  control_.on_write([this](u32 value) { write_control(value); });
  const auto update = [this](u32) { irq_changed_.notify(sc_core::SC_ZERO_TIME); };
  status_.on_write(update);
  interrupt_enable_.on_write(update);
}

void ProtectionUnit::write_control(u32 value) {
  if (control_locked_) return;
  control_locked_ = lock_.of(value) != 0;
  const bool before = enabled_;
  enabled_ = enable_.of(value) != 0;
  if (enabled_ != before) enforcement_changed(enabled_);
}

void ProtectionUnit::update_irq() { irq.write(status_[pending_] != 0 && interrupt_enable_[pending_enable_] != 0); }

// ---------------------------------------------------------------- accesses

void ProtectionUnit::report(const Request& request) {
  ++violations_;
  violation_.count.set(violation_.count.get() + 1);
  if (status_[pending_] != 0) return;
  report_warning(name(), "source {} may not {} {} bytes at 0x{:x}", request.source, request.write ? "write" : "read",
                 request.bytes, request.address);
  violation_.source.set(violation_.number.bits(request.source) | violation_.write.bits(request.write));
  violation_.address_lo.set(low_word(request.address));
  violation_.address_hi.set(high_word(request.address));
  violation_.bytes.set(static_cast<u32>(std::min<u64>(request.bytes, ~u32{0})));
  status_.set(pending_, 1);
  irq_changed_.notify(sc_core::SC_ZERO_TIME);
}

/// A question about an amount of traffic is answered for its whole span, so that traffic which is refused in a part is
/// made access by access. Data without time follow only on traffic that was allowed.
void ProtectionUnit::transport_path(int path, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const auto next = [&] { to[static_cast<u32>(path)]->b_transport(payload, delay); };
  if (!enabled_) return next();
  const auto* const source = payload.get_extension<AccessSource>();
  Request request{source != nullptr ? source->number : 0, payload.is_write(), payload.get_address(),
                  payload.get_data_length()};
  if (payload.get_command() == tlm::TLM_IGNORE_COMMAND) {
    const auto* const traffic = payload.get_extension<BulkTraffic>();
    if (traffic == nullptr) return next();
    request.write = traffic->write;
    request.bytes = traffic->span;
    if (admit(request)) return next();
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  ++checks_;
  if (admit(request)) return next();
  report(request);
  payload.set_dmi_allowed(false);
  payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

ProtectionUnit::Request ProtectionUnit::first_refused(bool write, const VectorAccess& access) const {
  const u64 row_bytes = 2 * u64{access.lanes};
  const std::size_t entries = access.entries();
  for (std::size_t i = 0; i < entries; ++i) {
    const bool column = (access.addresses[i] & VectorAccess::column_flag) != 0;
    Request request{pe_source, write, scratchpad_base_ + (access.addresses[i] & ~VectorAccess::column_flag), row_bytes};
    if (!column) {
      if (!admit(request)) return request;
      continue;
    }
    request.bytes = 2;
    for (u32 lane = 0; lane < access.lanes; ++lane, request.address += row_bytes) {
      if (!admit(request)) return request;
    }
  }
  return {};
}

bool ProtectionUnit::admits(bool write, const VectorAccess& access) const {
  return first_refused(write, access).bytes == 0;
}

void ProtectionUnit::refused(bool write, const VectorAccess& access) { report(first_refused(write, access)); }

}  // namespace bvp
