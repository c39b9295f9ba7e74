// SPDX-License-Identifier: Apache-2.0
#include "platform/trace/trace_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace bvp {

namespace {

constexpr double microseconds = 1e6;  // the format's unit
constexpr std::string_view head = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", tail = "\n]}\n", separator = ",\n";
constexpr u64 mark_bytes = 160;  // at most
constexpr u64 least_content_bytes = u64{16} << 10;
constexpr u64 largest_share_bytes = u64{16} << 20;  // of what is not detail

/// Converts nanoseconds to the format's microseconds.
std::string time_text(i64 nanoseconds) { return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000); }

std::string counter_text(const TraceFile::Counter& counter) {
  return fmt::format(R"({{"ph":"C","pid":{},"ts":{:.3f},"name":"{}","args":{{"value":{:.6g}}}}})", counter.process,
                     counter.time_s * microseconds, counter.name, counter.value);
}

}  // namespace

void TraceFile::Names::process(u32 process, std::string_view name) {
  add(fmt::format(R"({{"ph":"M","pid":{},"name":"process_name","args":{{"name":"{}"}}}})", process, name));
  add(fmt::format(R"({{"ph":"M","pid":{},"name":"process_sort_index","args":{{"sort_index":{}}}}})", process, process));
}

void TraceFile::Names::thread(Track track, std::string_view name) {
  add(fmt::format(R"({{"ph":"M","pid":{},"tid":{},"name":"thread_name","args":{{"name":"{}"}}}})", track.process,
                  track.thread, name));
  add(fmt::format(R"({{"ph":"M","pid":{},"tid":{},"name":"thread_sort_index","args":{{"sort_index":{}}}}})",
                  track.process, track.thread, track.thread));
}

void TraceFile::Names::add(std::string_view event) {
  if (!text_.empty()) text_ += separator;
  text_ += event;
}

u64 TraceFile::least_bytes(const Names& names) {
  return head.size() + names.text_.size() + tail.size() + least_content_bytes;
}

TraceFile::TraceFile(const std::filesystem::path& path, u64 max_bytes, const Names& names, Track marks)
    : path_(path), stream_(path, std::ios::binary | std::ios::trunc), marks_(marks) {
  if (!stream_) throw std::runtime_error(fmt::format("{}: cannot be written", path.string()));
  if (max_bytes < least_bytes(names)) throw std::invalid_argument("a trace of too few bytes for its names");
  stream_ << head << names.text_;
  const u64 content = max_bytes - (least_bytes(names) - least_content_bytes);
  const u64 outline_bytes = std::min(content / 8, largest_share_bytes);
  const u64 kernel_bytes = std::min(content / 4, largest_share_bytes);
  counter_bytes_ = std::min(content / 4, largest_share_bytes);
  parts_.emplace_back(outline_bytes, 0);
  parts_.emplace_back(kernel_bytes, 0);
  parts_.emplace_back(content - outline_bytes - kernel_bytes - counter_bytes_, mark_bytes);
}

TraceFile::~TraceFile() {
  try {
    close(std::numeric_limits<double>::infinity());
  } catch (const std::exception&) {  // errors are reported by close()
  }
}

void TraceFile::slice(Track track, std::string_view name, double begin_s, double end_s, Part part) {
  TraceSlice slice{track, index_of(name), 0, begin_s, end_s};
  slice.bytes = static_cast<u32>(text(slice).size() + separator.size());
  parts_.at(static_cast<std::size_t>(part)).add(slice);
}

bool TraceFile::counters(const std::vector<Counter>& counters) {
  u64 bytes = 0;
  for (const Counter& counter : counters) bytes += counter_text(counter).size() + separator.size();
  if (bytes > counter_bytes_) return false;
  for (const Counter& counter : counters) write(counter_text(counter));
  return true;
}

u32 TraceFile::index_of(std::string_view name) {
  const auto known = name_index_.find(name);
  if (known != name_index_.end()) return known->second;
  const auto index = static_cast<u32>(names_.size());
  names_.emplace_back(name);
  name_index_.emplace(name, index);
  return index;
}

std::string TraceFile::text(const TraceSlice& slice) const {
  // Both ends are rounded, and the duration is their difference, so that adjacent slices do not overlap.
  const i64 begin = std::llround(slice.begin_s * 1e9), end = std::llround(slice.end_s * 1e9);
  return fmt::format(R"({{"ph":"X","pid":{},"tid":{},"ts":{},"dur":{},"name":"{}"}})", slice.track.process,
                     slice.track.thread, time_text(begin), time_text(end - begin), names_[slice.name]);
}

void TraceFile::write(std::string_view event) {
  if (!stream_) return;
  stream_ << separator << event;
  if (!stream_) error_ = errno;
}

u64 TraceFile::dropped() const {
  u64 sum = 0;
  for (const ThinnedSlices& part : parts_) sum += part.dropped();
  return sum;
}

void TraceFile::close(double end_s) {
  if (!stream_.is_open()) return;
  for (const ThinnedSlices& part : parts_) {
    // Readers of the format nest slices that begin together in the order in which they come.
    std::vector<TraceSlice> slices = part.slices();
    std::stable_sort(slices.begin(), slices.end(), [](const TraceSlice& a, const TraceSlice& b) {
      return a.begin_s != b.begin_s ? a.begin_s < b.begin_s : a.end_s > b.end_s;
    });
    for (TraceSlice& slice : slices) {
      if (slice.begin_s > end_s) break;
      slice.end_s = std::min(slice.end_s, end_s);
      write(text(slice));
    }
  }
  const u32 name = index_of("detail");
  for (const auto& [begin, end] : parts_.back().stretches()) write(text({marks_, name, 0, begin, end}));
  const bool good = static_cast<bool>(stream_);
  stream_ << tail;
  stream_.close();
  if (stream_) return;
  if (good) error_ = errno;
  throw std::runtime_error(fmt::format("{}: cannot be written: {}", path_.string(), std::strerror(error_)));
}

}  // namespace bvp
