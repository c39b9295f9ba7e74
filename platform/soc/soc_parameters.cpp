// SPDX-License-Identifier: Apache-2.0
#include "platform/soc/soc_parameters.h"

namespace bvp {

SocParameters::SocParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "soc", "the system on chip: host CPU, buses, memories and the dataflow accelerator"),
      cpu(this),
      bus(this),
      boot_ram(this),
      uart(this),
      timer(this),
      interrupt_controller(this),
      simulation_control(this),
      power_controller(this),
      dram(this),
      array(this),
      pe(this),
      mesh(this),
      scratchpad(this),
      dma(this),
      sequencer(this) {}

}  // namespace bvp
