// SPDX-License-Identifier: Apache-2.0
#include "platform/run/machine.h"

#include "platform/scenario/input_error.h"
#include "platform/scenario/resources.h"

namespace bvp {

MachineSize machine_size(const SocParameters& parameters) {
  MachineSize size;
  size.pes = static_cast<u64>(parameters.array.rows * parameters.array.columns);
  size.lanes = static_cast<u64>(parameters.array.lanes.get());
  size.scratchpad_bytes = static_cast<u64>(parameters.scratchpad.size_bytes.get());
  size.dram_channels = static_cast<u64>(parameters.dram.channels.get());
  size.operand_bytes = static_cast<u64>(parameters.pe.operand_vectors.get()) * size.lanes * 2;
  size.link_bytes = u64{parameters.mesh.links_per_router()} *
                    parameters.mesh.link_width(static_cast<u32>(parameters.array.lanes.get()) * 2);
  size.dma_channels = static_cast<u64>(parameters.dma.channels.get());
  return size;
}

AreaTable load_area_table() {
  const auto table = find_resource("models/power/tables/area.yaml");
  if (!table) throw InputError("the area table (models/power/tables/area.yaml) was not found");
  try {
    return AreaTable::load(*table);
  } catch (const EnergyTableError& error) {
    throw InputError(error.what());
  }
}

std::map<std::string, double> area_by_component(const SocParameters& parameters) {
  return load_area_table().area(machine_size(parameters));
}

}  // namespace bvp
