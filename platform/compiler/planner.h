// SPDX-License-Identifier: Apache-2.0
// Turns a network into tasks: decides which operators share a tile, where buffers lie, and what is moved when.
#pragma once

#include "platform/compiler/target.h"
#include "platform/network/network.h"
#include "platform/network/tensors.h"
#include "platform/program/compiled_network.h"

namespace bvp {

/// @param parameters  by the names of the reference script, complete and of the right shapes
/// @throws CompileError  the network does not fit the machine, or needs something that is not implemented
/// @param beside  the same network for another target, behind which the memory contents go in the DRAM; inputs, outputs
///                and the command ring are in one place for both. Null: there is none
[[nodiscard]] CompiledNetwork compile_network(const CompilerTarget& target, const Network& network,
                                              const TensorMap& parameters, const CompiledNetwork* beside = nullptr);

}  // namespace bvp
