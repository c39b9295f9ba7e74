// SPDX-License-Identifier: Apache-2.0
// The directory that a run writes into, where files of earlier runs, of the user, and that the run reads may lie.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/scenario/scenario.h"
#include "platform/support/output_file.h"
#include "platform/support/temporary_path.h"

namespace bvp {

/// Results are written into a new directory inside of this one, under a name that nobody can guess, and take their
/// places all together when they are complete: a run that is killed or cannot write leaves earlier results whole. Only
/// files that the summary of an earlier run vouches for, by their hashes, are replaced or removed. Of two runs in one
/// directory the second is refused; the lock is that of the kernel and ends with the process.
class ResultDirectory {
 public:
  /// Touches nothing. @param inputs  what the run reads
  ResultDirectory(std::filesystem::path directory, const Scenario& scenario, InputFiles inputs);
  ~ResultDirectory();
  ResultDirectory(const ResultDirectory&) = delete;
  ResultDirectory& operator=(const ResultDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return directory_; }

  /// Of what can be known beforehand; touches nothing. @param uart  a further file that the run will write
  /// @throws InputError  the run would overwrite what it reads or what no earlier run has left, another run is going on
  /// here, or the directory cannot be written into
  void check(const std::optional<std::filesystem::path>& uart);

  /// Makes the directory and the place for new results. @throws InputError  that cannot be done, or as check()
  void begin();
  /// New results go away with the object: begin() was called, and commit() has not failed.
  [[nodiscard]] bool has_begun() const { return staging_ != nullptr && !kept_; }
  /// Where new results are written, after begin(). Goes away with the object, and with what lies there under the names
  /// of results.
  [[nodiscard]] const std::filesystem::path& new_results() const { return staging_->path(); }

  /// Files of the earlier run that stay because this run reads them, with their hashes: the new summary vouches for
  /// them.
  [[nodiscard]] std::map<std::string, std::string> kept_files(bool passed) const;

  /// Gives the new results their places, and removes what is left of the earlier run. Results of a run that failed do
  /// not replace those of one that passed: they go into the directory "failed" beside them.
  /// @return where they are
  /// @throws std::runtime_error  somebody else has put or changed a file there; new results are kept, and it says where
  std::filesystem::path commit(bool passed);

 private:
  struct File {
    const char* name;
    bool written;  ///< by this run
  };
  /// What the summary of an earlier run says of its files.
  struct Earlier {
    bool passed = false;
    std::map<std::string, std::string> hashes;  // by name, or by path for a file elsewhere
  };
  struct Lock;

  static Earlier read_earlier(const std::filesystem::path& directory);
  void lock();
  void refuse_foreign_files(const std::filesystem::path& directory, const Earlier& earlier) const;
  [[nodiscard]] bool is_read(const std::filesystem::path& file) const;

  std::filesystem::path directory_;
  std::vector<File> files_;
  InputFiles inputs_;
  Earlier earlier_;
  std::unique_ptr<Lock> lock_;
  bool kept_ = false;
  std::vector<std::unique_ptr<TemporaryPath>> made_;
  std::unique_ptr<TemporaryPath> staging_;
  std::vector<std::unique_ptr<TemporaryPath>> staged_;
};

}  // namespace bvp
