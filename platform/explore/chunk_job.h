// SPDX-License-Identifier: Apache-2.0
// The part of a sweep that a job of a cluster runs: the tasks of one chunk.
#pragma once

#include <functional>
#include <string>

#include "platform/explore/chunk_files.h"
#include "platform/explore/worker_pool.h"

namespace bvp {

struct ChunkJob {
  ChunkPlace place;
  std::string attempt;  ///< a word that no other job of this chunk has
  std::string build;    ///< what identifies the build
  std::string host;     ///< what answers are to say of the host
  PoolOptions pool;     ///< the workers on this host
  std::function<bool()> asked_to_end;
};

/// Runs the tasks of the chunk that no job before this one has answered.
/// @return false: it was asked to end before all were answered
/// @throws std::runtime_error  the chunk is of another build, or files cannot be read or written
bool run_chunk(const ChunkJob& job);

}  // namespace bvp
