// SPDX-License-Identifier: Apache-2.0
#include "platform/report/provenance.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <ctime>
#include <fstream>

namespace bvp {

namespace {

std::string host_cpu() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace

std::string build_text(const BuildInfo& build) {
  return fmt::format("butterfly-vp {}\ncommit {}{}\nbuild {}, {}, {}", build.version, build.commit,
                     build.dirty ? ", with changes that are not committed" : "", build.build_type, build.compiler,
                     build.system);
}

void describe_host(Provenance& provenance) {
  provenance.begun = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  provenance.cpu = host_cpu();
  utsname name{};
  if (uname(&name) == 0)
    provenance.host = fmt::format("{}, {} {} {}", name.nodename, name.sysname, name.release, name.machine);
}

}  // namespace bvp
