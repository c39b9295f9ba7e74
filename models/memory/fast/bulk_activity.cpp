// SPDX-License-Identifier: Apache-2.0
#include "models/memory/fast/bulk_activity.h"

#include <algorithm>
#include <cmath>

#include "models/memory/dram_parameters.h"

namespace bvp {

namespace {

u64 in_proportion(u64 of, u64 count, u64 to) {
  return static_cast<u64>(std::llround(static_cast<double>(of) * static_cast<double>(count) / static_cast<double>(to)));
}

}  // namespace

DramActivity& DramActivity::operator+=(const DramActivity& other) {
  bytes_read += other.bytes_read;
  bytes_written += other.bytes_written;
  reads += other.reads;
  writes += other.writes;
  activates += other.activates;
  return *this;
}

DramActivity DramActivity::operator-(const DramActivity& other) const {
  return {bytes_read - other.bytes_read, bytes_written - other.bytes_written, reads - other.reads,
          writes - other.writes, activates - other.activates};
}

DramActivity DramBulkActivity::timed(const DramStatistics& statistics, u64 waiting) const {
  const DramActivity all{statistics.bytes_read.value(), statistics.bytes_written.value(), statistics.read_64b.value(),
                         statistics.write_64b.value() + waiting, statistics.activate.value()};
  return all - bulk_;
}

Cycle DramBulkActivity::count(const BulkTraffic& traffic, const DramActivity& timed, const ClockDomain& clock,
                              Cycle access_clocks, DramStatistics& statistics) {
  // The traffic needs accesses for its bytes, and activates for its accesses, in the proportion that the timed samples
  // of the same pattern show. The samples count, because neighbouring requests may share an access.
  const auto sampled = samples_.find(traffic.pattern);
  const DramActivity& seen = sampled == samples_.end() ? timed : sampled->second;
  const u64 seen_bytes = traffic.write ? seen.bytes_written : seen.bytes_read;
  const u64 accesses = seen_bytes == 0
                           ? traffic.bytes / dram_access_bytes
                           : in_proportion(traffic.bytes, traffic.write ? seen.writes : seen.reads, seen_bytes);
  const u64 seen_accesses = seen.reads + seen.writes;
  const u64 rows = seen_accesses == 0 ? 0 : in_proportion(accesses, seen.activates, seen_accesses);
  const Cycle now = clock.now();
  const Cycle begin = clock.to_cycles(sc_core::sc_time_stamp() - traffic.duration);
  (traffic.write ? statistics.requests_written : statistics.requests_read) += traffic.requests;
  (traffic.write ? statistics.bytes_written : statistics.bytes_read).add(traffic.bytes, begin, now);
  (traffic.write ? statistics.write_64b : statistics.read_64b).add(accesses, begin, now);
  statistics.activate.add(rows, begin, now);
  statistics.busy_cycles += accesses * access_clocks;
  (traffic.write ? bulk_.bytes_written : bulk_.bytes_read) += traffic.bytes;
  (traffic.write ? bulk_.writes : bulk_.reads) += accesses;
  bulk_.activates += rows;
  const Cycle from = std::max(begin, until_);
  if (now <= from) return 0;
  until_ = now;
  return now - from;
}

}  // namespace bvp
