// SPDX-License-Identifier: Apache-2.0
#include "platform/soc/soc_parameters.h"

namespace bvp {

SocParameters::SocParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "soc", "the system on chip: host CPU, buses, memories and the dataflow accelerator") {}

MachineShape SocParameters::shape() const {
  MachineShape shape;
  static_cast<ArrayShape&>(shape) = array.shape();
  shape.operand_vectors = pe.operand_vectors.as<u32>();
  shape.operand_banks = pe.operand_banks.as<u32>();
  shape.operand_bank_hash = pe.operand_bank_hash;
  shape.operand_ports = pe.operand_ports.as<u32>();
  shape.accumulators = pe.accumulators.as<u32>();
  shape.instruction_store = pe.instruction_store.as<u32>();
  shape.swapping_fma = pe.swapping_fma;
  shape.link_bytes = mesh.links_per_router() * mesh.link_width(shape.vector_bytes());
  shape.scratchpad_bytes = scratchpad.size_bytes.as<u64>();
  shape.dram_bytes = dram.geometry.size_bytes.as<u64>();
  shape.dram_channels = dram.geometry.channels.as<u32>();
  shape.dma_channels = dma.channels.as<u32>();
  return shape;
}

}  // namespace bvp
