// SPDX-License-Identifier: Apache-2.0
// How much the ports of the operand memory slow the Cal unit down.
#pragma once

#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/target.h"

namespace bvp {

/// Cycles that an issue of a Cal segment on PE 0 takes on average while nothing else uses the operand memory: 1, or
/// more where several operands of an instruction and the result of an earlier one meet in a bank. The first issues of
/// the segment stand for all; waits for results are left out. See docs/models/pe.md, "Operand memory".
[[nodiscard]] double issue_slowdown(const CompilerTarget& target, const Kernel& kernel, const Segment& segment,
                                    const std::vector<Instruction>& code);

}  // namespace bvp
