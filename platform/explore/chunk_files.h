// SPDX-License-Identifier: Apache-2.0
// Tasks and answers as files in a directory that the host of a sweep and the hosts of its jobs share: chunks of tasks,
// and beside each the files of answers that jobs append to, one for each job that has begun the chunk.
//
// A file has one writer and is only appended to, so it needs no locks, and whatever is torn is the end of a file.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "platform/explore/worker.h"

namespace bvp {

/// A chunk in its directory.
struct ChunkPlace {
  std::filesystem::path directory;
  u64 index = 0;
  [[nodiscard]] std::filesystem::path tasks() const;
};

struct Chunk {
  std::string build;  ///< what identifies the build that is to run it
  std::vector<WorkerTask> tasks;
};

void write_chunk(const ChunkPlace& place, const Chunk& chunk);
/// @throws std::runtime_error  the file is none of a chunk
[[nodiscard]] Chunk read_chunk(const ChunkPlace& place);

/// Appends what becomes of the tasks of a chunk to a file of its own.
class AnswerWriter {
 public:
  /// @param attempt  a word that no other writer of this chunk has
  /// @throws std::runtime_error  the file cannot be made
  AnswerWriter(const ChunkPlace& place, const std::string& attempt);
  ~AnswerWriter();
  AnswerWriter(const AnswerWriter&) = delete;
  AnswerWriter& operator=(const AnswerWriter&) = delete;

  /// A task is about to run: if nothing more is heard of it, its job has ended while it ran.
  void begin(const std::string& key);
  void answer(const std::string& key, const WorkerAnswer& answer);
  /// Why the job does nothing.
  void refuse(const std::string& why);
  /// Writes what was said. Until then it is kept in memory; it outlives the process from here on.
  /// @throws std::runtime_error  the file cannot be written
  void flush();
  /// Writes it, and waits until it outlives the host and other hosts can see it.
  void sync();

 private:
  std::filesystem::path file_;
  int descriptor_;
  std::string text_;
};

/// What a job has said.
struct AnswerNote {
  enum class Kind { begun, answered, refused };
  Kind kind = Kind::begun;
  u64 chunk = 0;     ///< index
  std::string key;   ///< of the task
  std::string text;  ///< of an answer or a refusal
};

/// @throws std::runtime_error  this is no text of an answer
[[nodiscard]] WorkerAnswer answer_of(const AnswerNote& note);

/// Follows all files of answers of a directory.
class AnswerReader {
 public:
  explicit AnswerReader(std::filesystem::path directory) : directory_(std::move(directory)) {}
  /// Calls `visit` with what has come since the last call. What is incomplete is left for the next one; a file with
  /// something else than notes in it is read up to there.
  void read(const std::function<void(AnswerNote)>& visit);

 private:
  struct File {
    std::uintmax_t read = 0;
    bool broken = false;
  };
  std::filesystem::path directory_;
  std::map<std::filesystem::path, File> files_;
};

}  // namespace bvp
