// SPDX-License-Identifier: Apache-2.0
// butterfly-vp report
#include <fmt/format.h>

#include <fstream>

#include "platform/cli/commands.h"
#include "platform/report/html_report.h"

namespace bvp {

int report_command(const ReportCommand& command) {
  const std::vector<std::filesystem::path> directories(command.runs.begin(), command.runs.end());
  const std::string page = html_report(directories);
  const std::filesystem::path file =
      command.out.empty() ? directories.front() / "report.html" : std::filesystem::path(command.out);
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << page;
  stream.close();
  if (!stream) throw InputError(fmt::format("{}: cannot be written", file.string()));
  fmt::print("{}\n", file.string());
  return exit_passed;
}

}  // namespace bvp
