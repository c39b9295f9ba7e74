// SPDX-License-Identifier: Apache-2.0
// All policies of arbiters/ by their names. The policy oldest_firing is not among them: the model needs no arbitration
// for it (bank_bookings.h).
#pragma once

#include <string>
#include <variant>

#include "models/scratchpad/arbiters/first_come.h"
#include "models/scratchpad/arbiters/round_robin.h"

namespace bvp {

using BankArbiter = std::variant<RoundRobin, FirstCome>;

/// @param name  as in soc.scratchpad.arbiter
[[nodiscard]] inline BankArbiter make_bank_arbiter(const std::string& name, u32 banks, u32 channels) {
  if (name == "first_come") return FirstCome(banks, channels);
  return RoundRobin(banks, channels);
}

}  // namespace bvp
