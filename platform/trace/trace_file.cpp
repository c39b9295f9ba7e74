// SPDX-License-Identifier: Apache-2.0
#include "platform/trace/trace_file.h"

#include <fmt/format.h>

#include <stdexcept>

namespace bvp {

namespace {
constexpr double microseconds = 1e6;  // the format's unit
}

TraceFile::TraceFile(const std::filesystem::path& path, u64 max_bytes)
    : path_(path), stream_(path, std::ios::binary | std::ios::trunc), max_bytes_(max_bytes) {
  if (!stream_) throw std::runtime_error(fmt::format("{}: cannot be written", path.string()));
  stream_ << "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
}

TraceFile::~TraceFile() {
  try {
    close();
  } catch (const std::exception&) {  // whoever wants to know calls close()
  }
}

void TraceFile::name_process(u32 process, std::string_view name) {
  write(fmt::format(R"({{"ph":"M","pid":{},"name":"process_name","args":{{"name":"{}"}}}})", process, name));
  write(
      fmt::format(R"({{"ph":"M","pid":{},"name":"process_sort_index","args":{{"sort_index":{}}}}})", process, process));
}

void TraceFile::name_thread(Track track, std::string_view name) {
  write(fmt::format(R"({{"ph":"M","pid":{},"tid":{},"name":"thread_name","args":{{"name":"{}"}}}})", track.process,
                    track.thread, name));
  write(fmt::format(R"({{"ph":"M","pid":{},"tid":{},"name":"thread_sort_index","args":{{"sort_index":{}}}}})",
                    track.process, track.thread, track.thread));
}

void TraceFile::slice(Track track, std::string_view name, double begin_s, double end_s, bool detail) {
  if (detail && bytes_ >= max_bytes_) {
    ++dropped_;
    return;
  }
  write(fmt::format(R"({{"ph":"X","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"name":"{}"}})", track.process,
                    track.thread, begin_s * microseconds, (end_s - begin_s) * microseconds, name));
}

void TraceFile::counter(u32 process, std::string_view name, double time_s, double value) {
  write(fmt::format(R"({{"ph":"C","pid":{},"ts":{:.3f},"name":"{}","args":{{"value":{:.6g}}}}})", process,
                    time_s * microseconds, name, value));
}

void TraceFile::write(const std::string& event) {
  if (bytes_ > 0) stream_ << ",\n";
  stream_ << event;
  bytes_ += event.size() + 2;
}

void TraceFile::close() {
  if (!stream_.is_open()) return;
  stream_ << "\n]}\n";
  stream_.close();
  if (!stream_) throw std::runtime_error(fmt::format("{}: cannot be written", path_.string()));
}

}  // namespace bvp
