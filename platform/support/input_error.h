// SPDX-License-Identifier: Apache-2.0
// The user's mistakes: everything that can be refused before the simulation starts.
#pragma once

#include <stdexcept>

namespace bvp {

/// Bad input (a file, a key, an argument). `what()` is complete and names the culprit; the command line answers it
/// with exit code 2.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace bvp
