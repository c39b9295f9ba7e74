// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/bank_arbiter.h"

namespace bvp {

std::unique_ptr<BankArbiter> make_bank_arbiter(const std::string& name, u32 banks, u32 channels) {
  if (name == "first_come") return make_first_come(banks, channels);
  if (name == "oldest_firing") return make_oldest_firing();
  return make_round_robin(banks, channels);
}

}  // namespace bvp
