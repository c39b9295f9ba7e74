// SPDX-License-Identifier: Apache-2.0
// How large the machine is, as values that are handed on. ArrayParameters and SocParameters make them from parameters,
// with a check; nobody else converts those.
#pragma once

#include "models/base/types.h"

namespace bvp {

/// The dimensions that the PEs, the mesh and the scratchpad share.
struct ArrayShape {
  u32 rows = 4, columns = 4;  ///< PEs
  u32 lanes = 32;             ///< fp16 values of a vector

  [[nodiscard]] u32 pes() const { return rows * columns; }
  [[nodiscard]] u32 vector_bytes() const { return 2 * lanes; }
  /// Bytes of a tile of the scratchpad, lanes x lanes fp16 values.
  [[nodiscard]] u64 tile_bytes() const { return u64{lanes} * vector_bytes(); }
};

/// The dimensions of the whole machine.
struct MachineShape : ArrayShape {
  // of one PE
  u32 operand_vectors = 256;
  u32 operand_banks = 4;
  u32 operand_ports = 2;  ///< of a bank of the operand memory
  bool operand_bank_hash = true;
  u32 accumulators = 32;
  u32 instruction_store = 32;
  bool swapping_fma = true;  ///< the PE has the instructions fmar and fnmar
  u32 link_bytes = 0;        ///< bytes per cycle of all links of the mesh that leave the PE, added up
  // of the memories
  u64 scratchpad_bytes = 4 << 20;
  u64 dram_bytes = 0;
  u32 dram_channels = 2;
  u32 dma_channels = 2;

  [[nodiscard]] u64 operand_bytes() const { return u64{operand_vectors} * vector_bytes(); }
};

}  // namespace bvp
