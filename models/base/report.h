// SPDX-License-Identifier: Apache-2.0
// The one place through which models report: SystemC's report handler. Errors that a user caused
// (bad input, wild firmware) end the run with a message; programmer's errors are SC_FATAL.
#pragma once

#include <fmt/format.h>

#include <systemc>

namespace bvp {

/// Something the guest software or the user did wrong that the simulation survives.
template <class... Args>
void report_warning(const char* who, fmt::format_string<Args...> format, Args&&... args) {
  SC_REPORT_WARNING(who, fmt::format(format, std::forward<Args>(args)...).c_str());
}

template <class... Args>
void report_info(const char* who, fmt::format_string<Args...> format, Args&&... args) {
  SC_REPORT_INFO_VERB(who, fmt::format(format, std::forward<Args>(args)...).c_str(), sc_core::SC_MEDIUM);
}

/// Ends the simulation: throws sc_report, which the runner turns into exit code 1.
template <class... Args>
[[noreturn]] void report_error(const char* who, fmt::format_string<Args...> format, Args&&... args) {
  SC_REPORT_ERROR(who, fmt::format(format, std::forward<Args>(args)...).c_str());
  throw std::runtime_error("unreachable: SC_REPORT_ERROR throws");
}

}  // namespace bvp
