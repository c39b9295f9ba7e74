// SPDX-License-Identifier: Apache-2.0
// Every parameter of the virtual SoC: the `soc` part of a scenario.
#pragma once

#include "models/base/array_parameters.h"
#include "models/base/parameters.h"
#include "models/bus/bus_parameters.h"
#include "models/cpu/cpu_parameters.h"
#include "models/dma/dma_parameters.h"
#include "models/memory/dram_parameters.h"
#include "models/memory/ram_parameters.h"
#include "models/mesh/mesh_parameters.h"
#include "models/pe/pe_parameters.h"
#include "models/peripherals/peripheral_parameters.h"
#include "models/scratchpad/scratchpad_parameters.h"
#include "models/sequencer/sequencer_parameters.h"

namespace bvp {

struct SocParameters : ParameterGroup {
  explicit SocParameters(ParameterGroup* parent)
      : ParameterGroup(parent, "soc", "the system on chip: host CPU, buses, memories and the dataflow accelerator") {}

  CpuParameters cpu{this};
  BusParameters bus{this};
  RamParameters boot_ram{this};
  UartParameters uart{this};
  MachineTimerParameters timer{this};
  InterruptControllerParameters interrupt_controller{this};
  SimulationControlParameters simulation_control{this};
  PowerControllerParameters power_controller{this};
  DramParameters dram{this};
  ArrayParameters array{this};
  PeParameters pe{this};
  MeshParameters mesh{this};
  ScratchpadParameters scratchpad{this};
  DmaParameters dma{this};
  SequencerParameters sequencer{this};
};

}  // namespace bvp
