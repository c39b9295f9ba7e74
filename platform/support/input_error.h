// SPDX-License-Identifier: Apache-2.0
// Mistakes of the user that can be refused before the simulation starts.
#pragma once

#include <stdexcept>

namespace bvp {

/// Bad input (a file, a key, an argument). `what()` is a complete message that names what is wrong; the command line
/// prints it and exits with code 2.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace bvp
