// SPDX-License-Identifier: Apache-2.0
// From a network to tasks: which operators share a tile, where buffers lie, what is moved when.
#pragma once

#include "platform/compiler/target.h"
#include "platform/network/network.h"
#include "platform/network/tensors.h"
#include "platform/program/compiled_network.h"

namespace bvp {

/// Throws CompileError where the network does not fit the machine or needs what is not there yet.
/// @param parameters  by the names of the reference script, complete and of the right shapes
[[nodiscard]] CompiledNetwork compile_network(const CompilerTarget& target, const Network& network,
                                              const TensorMap& parameters);

}  // namespace bvp
