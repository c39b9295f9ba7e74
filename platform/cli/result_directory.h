// SPDX-License-Identifier: Apache-2.0
// The directory that a run writes into, where files of earlier runs and files that the run reads may lie.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "platform/scenario/scenario.h"

namespace bvp {

class ResultDirectory {
 public:
  /// Touches nothing. @param scenario_file  what `scenario` was read from
  ResultDirectory(std::filesystem::path directory, const Scenario& scenario, const std::string& scenario_file);

  [[nodiscard]] const std::filesystem::path& path() const { return directory_; }

  /// Touches nothing. @param more  further files that the run will write
  /// @throws InputError  the run would overwrite what it reads
  void check_inputs_stay(const std::vector<std::filesystem::path>& more) const;

  /// @throws InputError  the directory cannot be made
  void make() const;

  /// Results of an earlier run must not be taken for this one's, should this one fail half-way. What this run reads
  /// stays, and so does uart.log, which the run has opened by then.
  void remove_old_results() const;

 private:
  struct File {
    const char* name;
    bool written;  ///< by this run
  };
  std::filesystem::path directory_;
  std::vector<File> files_;
  std::map<std::string, std::filesystem::path> inputs_;  // by the keys that name them
};

}  // namespace bvp
