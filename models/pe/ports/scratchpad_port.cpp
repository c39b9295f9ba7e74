// SPDX-License-Identifier: Apache-2.0
#include "models/pe/ports/scratchpad_port.h"

#include <fmt/format.h>

#include <algorithm>

namespace bvp {

ScratchpadPort::Answer ScratchpadPort::begin(const Request& request, Cycle now) {
  const std::size_t count = request.addresses.size();
  const u64 address = request.addresses.front() & ~VectorAccess::column_flag;
  access_.addresses = request.addresses.data();
  access_.count = static_cast<u32>(count);
  access_.times = request.times.data();
  access_.ticket = 0;
  payload_.set_extension(&access_);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  access(socket_, payload_, request.unit == Unit::load ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND, address,
         request.data, static_cast<u32>(count * access_.lanes * 2), delay);
  payload_.clear_extension(&access_);
  Answer answer;
  if (payload_.is_response_error()) {
    answer.refused =
        fmt::format("the scratchpad refused a {} at {:#x}: {}", unit_names[static_cast<std::size_t>(request.unit)],
                    address, payload_.get_response_string());
    return answer;
  }
  answer.ticket = access_.ticket;
  answer.busy = std::max<u64>(count, access_.issue_cycles);
  answer.end = now + clock_.to_cycles(delay);
  return answer;
}

VectorAccess::Progress ScratchpadPort::ask(u64 ticket, bool& refused) {
  question_.ticket = ticket;
  payload_.set_extension(&question_);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  refused = access(socket_, payload_, tlm::TLM_IGNORE_COMMAND, 0, nullptr, 0, delay) != tlm::TLM_OK_RESPONSE;
  payload_.clear_extension(&question_);
  return question_.progress;
}

}  // namespace bvp
