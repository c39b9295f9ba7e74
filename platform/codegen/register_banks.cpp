// SPDX-License-Identifier: Apache-2.0
#include "platform/codegen/register_banks.h"

#include "models/base/registers.h"
#include "models/base/simulation_context.h"
#include "models/peripherals/interrupt_controller.h"
#include "models/peripherals/machine_timer.h"
#include "models/peripherals/power_controller.h"
#include "models/peripherals/simulation_control.h"
#include "models/peripherals/uart.h"
#include "models/sequencer/sequencer.h"
#include "platform/soc/memory_map.h"

namespace bvp {
namespace {

RegisterBankView view_of(const RegisterBank& bank, const std::string& name, u64 base, const std::string& description) {
  RegisterBankView view{name, base, description, {}};
  for (const Register* reg : bank.registers()) {
    RegisterView entry{
        reg->name(), reg->offset(), reg->count(), reg->reset_value(), to_string(reg->access()), reg->description(), {}};
    for (const RegisterField* field : reg->fields()) {
      entry.fields.push_back({field->name(), field->lsb(), field->width(), field->description()});
    }
    view.registers.push_back(std::move(entry));
  }
  return view;
}

}  // namespace

std::vector<RegisterBankView> register_banks() {
  const SimulationContext context;
  ParameterGroup root("codegen");
  const ArrayParameters array(&root);
  const SequencerParameters sequencer_parameters(&root);
  const ClockDomain clock(array.clock_hz);
  StatGroup stats("codegen");
  const Sequencer sequencer("sequencer", sequencer_parameters, array, 2, clock, stats);

  const UartParameters uart_parameters(&root);
  const MachineTimerParameters timer_parameters(&root);
  const InterruptControllerParameters interrupt_parameters(&root);
  const SimulationControlParameters control_parameters(&root);
  const Uart uart("uart", uart_parameters, clock, stats);
  const MachineTimer timer("timer", timer_parameters, clock, stats);
  const InterruptController interrupt_controller("interrupt_controller", interrupt_parameters, clock, stats);
  const SimulationControl simulation_control("simulation_control", control_parameters, clock, stats);

  const PowerControllerParameters power_parameters(&root);
  const PowerController power_controller("power_controller", power_parameters, clock, stats);

  const std::map<std::string, const RegisterBank*> banks = {
      {"sequencer", &sequencer.register_bank()},
      {"uart", &uart.register_bank()},
      {"timer", &timer.register_bank()},
      {"interrupt_controller", &interrupt_controller.register_bank()},
      {"simulation_control", &simulation_control.register_bank()},
      {"power_controller", &power_controller.register_bank()}};
  std::vector<RegisterBankView> views;
#define BVP_VIEW_BANK(name, base, bytes, description) \
  if (banks.count(#name) != 0) views.push_back(view_of(*banks.at(#name), #name, base, description));
  BVP_MEMORY_MAP(BVP_VIEW_BANK)
#undef BVP_VIEW_BANK
  return views;
}

}  // namespace bvp
