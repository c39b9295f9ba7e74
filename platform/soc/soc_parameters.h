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
  explicit SocParameters(ParameterGroup* parent);

  CpuParameters cpu;
  BusParameters bus;
  RamParameters boot_ram;
  UartParameters uart;
  MachineTimerParameters timer;
  InterruptControllerParameters interrupt_controller;
  SimulationControlParameters simulation_control;
  PowerControllerParameters power_controller;
  DramParameters dram;
  ArrayParameters array;
  PeParameters pe;
  MeshParameters mesh;
  ScratchpadParameters scratchpad;
  DmaParameters dma;
  SequencerParameters sequencer;
};

}  // namespace bvp
