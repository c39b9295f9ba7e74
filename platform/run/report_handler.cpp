// SPDX-License-Identifier: Apache-2.0
#include "platform/run/report_handler.h"

#include <fmt/format.h>

#include <iostream>
#include <systemc>

namespace bvp {
namespace {

void report_to_stderr(const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
  if (report.get_severity() >= sc_core::SC_WARNING && (actions & sc_core::SC_THROW) == 0) {
    // Adds the simulated time to the message, once there is one.
    const sc_core::sc_time now = sc_core::sc_time_stamp();
    if (now != sc_core::SC_ZERO_TIME) std::cerr << fmt::format("[{:.3f} us] ", 1e6 * now.to_seconds());
    std::cerr << report.get_msg_type() << ": " << report.get_msg() << '\n';
  }
  if ((actions & sc_core::SC_THROW) != 0) throw report;
}

}  // namespace

ReportHandler::ReportHandler() { sc_core::sc_report_handler::set_handler(report_to_stderr); }
ReportHandler::~ReportHandler() { sc_core::sc_report_handler::set_handler(nullptr); }

}  // namespace bvp
