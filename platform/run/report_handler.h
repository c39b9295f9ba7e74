// SPDX-License-Identifier: Apache-2.0
// Where the messages of SystemC and of the models go.
#pragma once

namespace bvp {

/// While it exists, warnings go to the standard error with the simulated time, and errors are thrown. Its destructor
/// restores SystemC's own report handler.
class ReportHandler {
 public:
  ReportHandler();
  ~ReportHandler();
  ReportHandler(const ReportHandler&) = delete;
  ReportHandler& operator=(const ReportHandler&) = delete;
};

}  // namespace bvp
