// SPDX-License-Identifier: Apache-2.0
// The commands behind `monitor` in gdb: what the simulated machine knows of itself.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/soc/soc.h"

namespace bvp {

class Monitor {
 public:
  explicit Monitor(Soc& soc);
  /// Carries out a command with its arguments, and returns the text for the user: that the command does not exist, if
  /// so.
  [[nodiscard]] std::string run(const std::string& line);

 private:
  using Words = std::vector<std::string>;
  struct Command {
    std::string usage, help;
    std::function<std::string(const Words& arguments)> run;
  };

  [[nodiscard]] std::string help() const;
  [[nodiscard]] std::string time() const;
  [[nodiscard]] std::string statistics(const Words& arguments);
  [[nodiscard]] std::string pe(const Words& arguments);
  [[nodiscard]] std::string kernel();
  /// The kernel that runs, as it is in memory.
  struct Running {
    u64 address = 0;
    u32 bytes = 0;
    std::optional<Kernel> kernel;  ///< nullopt: the memory has none any more
    std::string why;               ///< and why
  };
  /// The instructions of these segments of the kernel, a line each.
  [[nodiscard]] static std::string instructions(const std::vector<u32>& segments, const std::optional<Running>& found);
  /// nullopt: no kernel runs.
  [[nodiscard]] std::optional<Running> running();

  Soc& soc_;
  std::map<std::string, Command> commands_;
};

/// The commands that have left the ring and are not done, a line each, and the tokens of semaphores.
[[nodiscard]] std::string describe_outstanding(const Soc& soc);
/// Who waits for what: the CPU, commands, PEs, a line each.
[[nodiscard]] std::string describe_waiting(const Soc& soc);

}  // namespace bvp
