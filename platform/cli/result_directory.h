// SPDX-License-Identifier: Apache-2.0
// The output directory of a run. It may contain files of earlier runs, files of the user, and files that the run reads.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/scenario/scenario.h"
#include "platform/support/made_directories.h"
#include "platform/support/output_file.h"
#include "platform/support/temporary_path.h"

namespace bvp {

/// Results are first written into a new directory inside the output directory, under a name that nobody can guess. When
/// they are complete, all of them are moved to their places. So a run that is killed or cannot write leaves earlier
/// results whole. Only files whose hashes are in the summary of an earlier run are replaced or removed. If two runs use
/// one directory, the second is refused; the lock is held by the kernel and ends with the process.
class ResultDirectory {
 public:
  /// Changes nothing. @param inputs  files that the run reads
  ResultDirectory(std::filesystem::path directory, const Scenario& scenario, InputFiles inputs);
  ~ResultDirectory();
  ResultDirectory(const ResultDirectory&) = delete;
  ResultDirectory& operator=(const ResultDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return directory_; }

  /// The run will write the files of a profile, too. Call it before check().
  void expect_profile();

  /// Checks what can be known before the run; changes nothing. @param uart  another file that the run will write
  /// @throws InputError  the run would overwrite a file that it reads or that no earlier run has left, another run uses
  ///        the directory, or the directory cannot be written into
  void check(const std::optional<std::filesystem::path>& uart);

  /// Makes the directory and the place for new results. @throws InputError  it cannot do so, or as check()
  void begin();
  /// Whether the destructor removes new results: begin() was called, and commit() has not failed.
  [[nodiscard]] bool has_begun() const { return staging_ != nullptr && !kept_; }
  /// The place where new results are written, after begin(). The destructor removes it, together with the files in it
  /// that have the names of results.
  [[nodiscard]] const std::filesystem::path& new_results() const { return staging_->path(); }

  /// Files of the earlier run that stay because this run reads them, with their hashes: the new summary includes them.
  [[nodiscard]] std::map<std::string, std::string> kept_files(bool passed) const;

  /// Moves the new results to their places and removes the remaining files of the earlier run. Results of a failed run
  /// do not replace those of a run that passed: they go into the subdirectory "failed".
  /// @return the directory of the results
  /// @throws std::runtime_error  somebody else has put or changed a file there; the new results are kept, and the
  ///        message says where
  std::filesystem::path commit(bool passed);

 private:
  struct File {
    const char* name;
    bool written;  ///< by this run
  };
  /// The files that the summary of an earlier run lists.
  struct Earlier {
    bool passed = false;
    std::map<std::string, std::string> hashes;  // by name, or by path if the file is outside of the directory
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
  MadeDirectories made_;
  std::unique_ptr<TemporaryPath> staging_;
  std::vector<std::unique_ptr<TemporaryPath>> staged_;
};

}  // namespace bvp
