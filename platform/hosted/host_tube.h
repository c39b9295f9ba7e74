// SPDX-License-Identifier: Apache-2.0
// The host-target interface of the RISC-V test programs and of the proxy kernel: a program stores a word at `tohost`.
// See https://github.com/riscv-software-src/riscv-isa-sim and the `-p` environment of riscv-tests.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "models/base/signal.h"
#include "platform/soc/soc.h"

namespace bvp {

/// An odd word ends the run: 1 with success, (n << 1) | 1 with exit code n. Device 1 prints a character, and device 0
/// takes the address of a system call, of which `write` to the standard output and `exit` are carried out.
class HostTube {
 public:
  struct Ports {
    std::function<void(std::string_view)> print;
    std::function<void(u64 code)> exit;
  };
  /// @param tohost, fromhost  addresses in RAM; without `fromhost` nobody is answered
  HostTube(Soc& soc, u64 tohost, std::optional<u64> fromhost, Ports ports);

 private:
  void written(u64 address, u64 bytes);
  void call(u64 record);
  void answer(u64 value);
  [[nodiscard]] u64 read(u64 address);
  void write(u64 address, u64 value);

  Soc& soc_;
  const u64 tohost_;
  const std::optional<u64> fromhost_;
  const Ports ports_;
  Connection writes_;
};

}  // namespace bvp
