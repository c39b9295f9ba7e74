// SPDX-License-Identifier: Apache-2.0
// A trace in the JSON format of trace events, which the Perfetto UI (ui.perfetto.dev) opens.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "models/common/types.h"

namespace bvp {

class TraceFile {
 public:
  /// Where slices and counters appear: a process is a group of tracks.
  struct Track {
    u32 process = 0, thread = 0;
  };

  /// @param max_bytes  detail is left out beyond this size
  /// @throws std::runtime_error  the file cannot be written
  TraceFile(const std::filesystem::path& path, u64 max_bytes);
  ~TraceFile();
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  void name_process(u32 process, std::string_view name);
  void name_thread(Track track, std::string_view name);
  /// Slices of a track must not overlap. `detail`: may be left out. Names must need no escapes.
  void slice(Track track, std::string_view name, double begin_s, double end_s, bool detail);
  void counter(u32 process, std::string_view name, double time_s, double value);
  /// Completes the file. @throws std::runtime_error  it could not be written
  void close();

  /// Slices left out.
  [[nodiscard]] u64 dropped() const { return dropped_; }

 private:
  void write(const std::string& event);

  std::filesystem::path path_;
  std::ofstream stream_;
  u64 max_bytes_, bytes_ = 0, dropped_ = 0;
};

}  // namespace bvp
