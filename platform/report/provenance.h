// SPDX-License-Identifier: Apache-2.0
// The origin of figures: the program, the files that it read, the host and the command.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bvp {

/// The build of the program.
struct BuildInfo {
  std::string version;
  std::string commit;  ///< "unknown" where the source was no git repository
  bool dirty = false;  ///< files under version control differed from the commit
  std::string build_type;
  std::string compiler;
  std::string system;
};

/// Lines of text, for --version.
[[nodiscard]] std::string build_text(const BuildInfo& build);

/// A file that the run has read.
struct ReadFile {
  std::string key;  ///< "scenario", "preset", "run.weights", "run.input", "run.firmware", "energy.profile", "area"
  std::string path;
  std::string sha256;
};

/// A file outside of the run's directory, which the run has written.
struct WrittenFile {
  std::string path;
  std::string sha256;
};

struct Provenance {
  BuildInfo build;
  std::vector<ReadFile> inputs;
  std::map<std::string, std::string> files;  ///< written into the run's directory: name -> SHA-256
  // The rest depends on the host and on the moment.
  std::vector<std::string> command;
  std::string begun;  ///< UTC, ISO 8601
  std::string host, cpu;
  std::optional<WrittenFile> uart_file;
};

/// Sets begun, host and cpu.
void describe_host(Provenance& provenance);

}  // namespace bvp
