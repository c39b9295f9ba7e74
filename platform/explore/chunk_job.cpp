// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/chunk_job.h"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>

namespace bvp {

bool run_chunk(const ChunkJob& job) {
  std::error_code ignored;
  // All of it was answered to another job, which this one was to replace.
  if (!std::filesystem::exists(job.place.tasks(), ignored)) return true;
  const Chunk chunk = read_chunk(job.place);
  std::set<std::string> answered;
  AnswerReader(job.place.directory).read([&](const AnswerNote& note) {
    if (note.chunk == job.place.index && note.kind == AnswerNote::Kind::answered) answered.insert(note.key);
  });
  AnswerWriter writer(job.place, job.attempt);
  if (chunk.build != job.build) {
    const std::string why =
        fmt::format("{}: found the build '{}', expected that of the sweep, '{}'", job.host, job.build, chunk.build);
    writer.refuse(why);
    writer.sync();
    throw std::runtime_error(why);
  }
  std::size_t next = 0;
  using Clock = std::chrono::steady_clock;
  auto synced = Clock::now();
  LauncherCallbacks callbacks;
  callbacks.next = [&]() -> std::optional<WorkerTask> {
    while (next < chunk.tasks.size() && answered.count(chunk.tasks[next].key) != 0) ++next;
    if (next >= chunk.tasks.size()) return std::nullopt;
    WorkerTask task = chunk.tasks[next];
    writer.begin(task.key);
    writer.flush();
    task.id = next++;
    return task;
  };
  callbacks.ended = [&](const std::vector<WorkerAnswer>& answers) {
    for (WorkerAnswer answer : answers) {
      const WorkerTask& task = chunk.tasks.at(answer.id);
      answer.id = task.id;
      writer.answer(task.key, answer);
    }
  };
  callbacks.tick = [&](u64) {
    // Answers come many in a second; the file system of a cluster is shared by all.
    constexpr std::chrono::seconds interval{1};
    if (Clock::now() - synced > interval) {
      writer.sync();
      synced = Clock::now();
    }
    return job.asked_to_end && job.asked_to_end();
  };
  const bool all = WorkerPool(job.pool).run(callbacks);
  writer.sync();
  return all;
}

}  // namespace bvp
