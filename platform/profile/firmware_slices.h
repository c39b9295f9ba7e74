// SPDX-License-Identifier: Apache-2.0
// What firmware does over time: its functions, nested as they call each other, and its accesses to registers of
// devices.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "platform/profile/device_accesses.h"

namespace bvp {

class FirmwareSlices {
 public:
  /// Takes a slice. Slices of functions come when they end, so that inner ones come before outer ones.
  using Sink = std::function<void(const std::string& name, double begin_s, double end_s)>;
  struct Sinks {
    Sink function, access;
  };
  /// "uart.THR"; empty: the address is no register of a device.
  using RegisterName = std::function<std::string(u64 address, bool write)>;

  FirmwareSlices(ObservedCpu cpu, RegisterName register_name, Sinks sinks);
  FirmwareSlices(const FirmwareSlices&) = delete;
  FirmwareSlices& operator=(const FirmwareSlices&) = delete;

  /// To be called before each instruction; enter() and leave() of that instruction follow.
  void step(u64 pc);
  /// The instruction is the first of a function that has been called, or the first behind one that has ended.
  void enter(const std::string& function) { open_.push_back({function, now_s_}); }
  void leave();
  /// To be called once: functions that have not ended do so now.
  void finish();

 private:
  struct Open {
    std::string function;
    double begin_s;
  };

  const ObservedCpu cpu_;
  const RegisterName register_name_;
  const Sinks sinks_;
  InstructionClock clock_;
  DeviceAccesses accesses_;
  double now_s_ = 0;
  std::vector<Open> open_;  // the outermost first
};

}  // namespace bvp
