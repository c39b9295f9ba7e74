// SPDX-License-Identifier: Apache-2.0
// Registers of devices by their names, for the log of the firmware.
#pragma once

#include <string>
#include <vector>

#include "models/base/types.h"
#include "platform/codegen/register_banks.h"

namespace bvp {

class RegisterNames {
 public:
  /// @param modules  whose registers have names here; empty: of all
  /// @throws InputError  there is no such module, or it has no registers
  explicit RegisterNames(const std::vector<std::string>& modules);

  /// "uart.LSR = 0x60 (THRE=1 TEMT=1)": the value, and those of its fields that are not 0. Empty: nothing of these
  /// modules is there. Some addresses have a register for reads and another one for writes.
  [[nodiscard]] std::string text(u64 address, u64 value, bool write) const;
  /// "uart.LSR".
  [[nodiscard]] std::string name(u64 address, bool write) const;

 private:
  /// What lies at an address. Without a register: nothing that has a name.
  struct Place {
    const RegisterBankView* bank = nullptr;
    const RegisterView* reg = nullptr;
    std::string name;
  };
  [[nodiscard]] Place place(u64 address, bool write) const;

  std::vector<RegisterBankView> banks_;
};

}  // namespace bvp
