// SPDX-License-Identifier: Apache-2.0
#include "platform/run/uart_input.h"

namespace bvp {

void connect_input(Soc& soc, CharacterSource* source) {
  if (source != nullptr) soc.uart.set_input([source] { return source->next(); });
}

bool await_input(Soc& soc, CharacterSource* source) {
  constexpr std::chrono::milliseconds longest(50);
  if (source == nullptr || !soc.uart.receive_interrupts()) return false;
  if (!source->wait(longest)) return false;
  soc.uart.poll_input();
  return true;
}

}  // namespace bvp
