// SPDX-License-Identifier: Apache-2.0
// A trace in the JSON format of trace events, which the Perfetto UI (ui.perfetto.dev) opens.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "platform/trace/thinned_slices.h"

namespace bvp {

/// The file never exceeds its size limit. Parts of the trace have fixed shares of that size: names, the outline of the
/// run, its kernels, and counters; details get what the other parts leave.
class TraceFile {
 public:
  using Track = TraceTrack;
  enum class Part { outline, kernels, detail };
  struct Counter {
    u32 process = 0;
    std::string name;
    double time_s = 0, value = 0;
  };

  /// Names of processes and threads. They must need no escapes.
  class Names {
   public:
    void process(u32 process, std::string_view name);
    void thread(Track track, std::string_view name);

   private:
    friend class TraceFile;
    void add(std::string_view event);
    std::string text_;  // as it is in the file
  };

  /// The smallest size to which a file with these names can be limited.
  [[nodiscard]] static u64 least_bytes(const Names& names);

  /// @param max_bytes  at least least_bytes()
  /// @param marks      the track that shows where details are complete, if some are left out
  /// @throws std::runtime_error  the file cannot be written; std::invalid_argument  max_bytes is too small
  TraceFile(const std::filesystem::path& path, u64 max_bytes, const Names& names, Track marks);
  ~TraceFile();
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  /// Slices of a track must not overlap, other than one that lies within another.
  void slice(Track track, std::string_view name, double begin_s, double end_s, Part part);
  /// Writes all of these slices, or none if they are too large. Call it once.
  bool counters(const std::vector<Counter>& counters);
  /// Completes the file; slices that continue after `end_s` are cut there. @throws std::runtime_error  the file could
  /// not be written
  void close(double end_s);

  /// Slices left out.
  [[nodiscard]] u64 dropped() const;

 private:
  void write(std::string_view event);
  [[nodiscard]] std::string text(const TraceSlice& slice) const;
  u32 index_of(std::string_view name);

  std::filesystem::path path_;
  std::ofstream stream_;
  int error_ = 0;  // the reason why the stream fails
  const Track marks_;
  u64 counter_bytes_ = 0;
  std::vector<std::string> names_;
  std::map<std::string, u32, std::less<>> name_index_;
  std::vector<ThinnedSlices> parts_;  // in the order of Part
};

}  // namespace bvp
