// SPDX-License-Identifier: Apache-2.0
// The DMA engine alone: cutting into bursts, data against a plain loop, timing, channels, errors.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/dma/dma.h"
#include "models/dma/fast/pace.h"
#include "models/memory/dram.h"
#include "models/transport/bulk_traffic.h"
#include "models/transport/initiator.h"

using namespace bvp;

namespace {

constexpr u64 memory_bytes = 1 << 20;

/// A memory with a fixed latency that records what it is asked.
struct Memory : sc_core::sc_module {
  explicit Memory(sc_core::sc_module_name name) : sc_module(name), target("target"), bytes(memory_bytes) {
    target.register_b_transport(this, &Memory::b_transport);
  }
  struct Request {
    sc_core::sc_time time, present;
    u64 address;
    u32 length;
    bool write;
  };
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const u64 address = payload.get_address();
    const u32 length = payload.get_data_length();
    if (payload.get_command() == tlm::TLM_IGNORE_COMMAND) {
      payload.set_response_status(tlm::TLM_OK_RESPONSE);
      if (auto* const bulk = payload.get_extension<BulkData>(); bulk != nullptr && takes_bulk) move(payload, *bulk);
      return;
    }
    requests.push_back(
        {sc_core::sc_time_stamp() + delay, sc_core::sc_time_stamp(), address, length, payload.is_write()});
    const bool bad = address >= bytes.size() || length > bytes.size() - address ||
                     (address < bad_end && address + length > bad_begin);
    payload.set_response_status(bad ? tlm::TLM_ADDRESS_ERROR_RESPONSE : tlm::TLM_OK_RESPONSE);
    delay += payload.is_write() ? write_latency : read_latency;
    if (bad) return;
    if (payload.is_write()) {
      std::memcpy(bytes.data() + address, payload.get_data_ptr(), length);
    } else {
      std::memcpy(payload.get_data_ptr(), bytes.data() + address, length);
    }
  }
  void move(tlm::tlm_generic_payload& payload, BulkData& bulk) {
    u8* data = payload.get_data_ptr();
    for (std::size_t i = 0; i < bulk.count; ++i) {
      u8* const here = &bytes.at(payload.get_address() + bulk.runs[i].distance);
      std::memcpy(bulk.write ? here : data, bulk.write ? data : here, bulk.runs[i].bytes);
      data += bulk.runs[i].bytes;
    }
    bulk_bytes += static_cast<u64>(data - payload.get_data_ptr());
    bulk.done = true;
  }
  tlm_utils::simple_target_socket<Memory> target;
  std::vector<u8> bytes;
  std::vector<Request> requests;
  bool takes_bulk = true;
  u64 bulk_bytes = 0;  // moved without time
  sc_core::sc_time read_latency{50, sc_core::SC_NS}, write_latency{10, sc_core::SC_NS};
  u64 bad_begin = 0, bad_end = 0;
};

/// Submits descriptors and takes completions.
struct Driver : sc_core::sc_module {
  explicit Driver(sc_core::sc_module_name name) : sc_module(name), to_dma("to_dma"), completions("completions") {
    completions.register_b_transport(this, &Driver::complete);
    SC_THREAD(run);
  }
  SC_HAS_PROCESS(Driver);
  struct Completion {
    u64 channel;
    u32 status;
    sc_core::sc_time time;
  };
  void complete(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    u32 status = 0;
    std::memcpy(&status, payload.get_data_ptr(), sizeof status);
    CHECK(payload.is_write());
    CHECK(payload.get_data_length() == 8);
    received.push_back({payload.get_address() / 8, status, sc_core::sc_time_stamp() + delay});
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    if (on_completion) on_completion();
    arrived.notify(sc_core::SC_ZERO_TIME);
  }
  tlm::tlm_response_status access(tlm::tlm_command command, u64 address, void* data, u32 length,
                                  sc_core::sc_time delay = sc_core::SC_ZERO_TIME) {
    return bvp::access(to_dma, command, address, data, length, delay);
  }
  tlm::tlm_response_status submit(u64 channel, const DmaDescriptor& descriptor) {
    DmaDescriptor copy = descriptor;
    return access(tlm::TLM_WRITE_COMMAND, channel * 0x100, &copy, sizeof copy);
  }
  /// Runs one indexed transfer; returns its status.
  u32 transfer(const IndexedDescriptor& descriptor, u64 channel = 0) {
    const std::size_t before = received.size();
    IndexedDescriptor copy = descriptor;
    CHECK(access(tlm::TLM_WRITE_COMMAND, channel * 0x100, &copy, sizeof copy) == tlm::TLM_OK_RESPONSE);
    while (received.size() == before) wait(arrived);
    return received.back().status;
  }
  u64 error_address(u64 channel = 0) {
    u64 address = 1;
    CHECK(access(tlm::TLM_READ_COMMAND, channel * 0x100 + 0x48, &address, 8) == tlm::TLM_OK_RESPONSE);
    return address;
  }
  u32 status(u64 channel) {
    u32 word = 0;
    CHECK(access(tlm::TLM_READ_COMMAND, channel * 0x100 + 0x40, &word, 4) == tlm::TLM_OK_RESPONSE);
    return word;
  }
  /// Runs one transfer; returns its status.
  u32 transfer(const DmaDescriptor& descriptor, u64 channel = 0) {
    const std::size_t before = received.size();
    CHECK(submit(channel, descriptor) == tlm::TLM_OK_RESPONSE);
    while (received.size() == before) wait(arrived);
    return received.back().status;
  }
  void run() {
    if (body) body();
  }

  tlm_utils::simple_initiator_socket<Driver> to_dma;
  tlm_utils::simple_target_socket<Driver> completions;
  sc_core::sc_event arrived;
  std::vector<Completion> received;
  std::function<void()> body, on_completion;
};

struct System {
  SimulationContext context;
  ParameterGroup root{"test"};
  DmaParameters parameters{&root};
  StatGroup stats{"test"};
  ClockDomain clock{1e9};
  std::unique_ptr<Memory> memory;
  std::unique_ptr<Dma> dma;
  std::unique_ptr<Driver> driver;
  Dma::Mode mode;

  void build() {
    memory = std::make_unique<Memory>("memory");
    dma = std::make_unique<Dma>("dma", parameters, clock, stats, mode);
    driver = std::make_unique<Driver>("driver");
    driver->to_dma.bind(dma->descriptors);
    dma->to_bus.bind(memory->target);
    dma->completions.bind(driver->completions);
  }
  void run(const std::function<void()>& body) {
    driver->body = body;
    sc_core::sc_start();
  }
};

DmaDescriptor copy_of(u64 source, u64 destination, u32 length) {
  DmaDescriptor descriptor{};
  descriptor.source = source;
  descriptor.destination = destination;
  descriptor.length = length;
  descriptor.count = {1, 1, 1};
  return descriptor;
}

/// The meaning of a descriptor, written as plainly as possible.
void plain_copy(std::vector<u8>& bytes, const DmaDescriptor& d) {
  for (i64 k = 0; k < d.count[2]; ++k) {
    for (i64 j = 0; j < d.count[1]; ++j) {
      for (i64 i = 0; i < d.count[0]; ++i) {
        const i64 source =
            static_cast<i64>(d.source) + i * d.source_stride[0] + j * d.source_stride[1] + k * d.source_stride[2];
        const i64 destination = static_cast<i64>(d.destination) + i * d.destination_stride[0] +
                                j * d.destination_stride[1] + k * d.destination_stride[2];
        for (i64 byte = 0; byte < d.length; ++byte) {
          const auto to = static_cast<std::size_t>(destination + byte);
          if (d.fill != 0) {
            bytes[to] = static_cast<u8>(to % 2 == 0 ? d.fill : d.fill >> 8);
          } else {
            bytes[to] = bytes[static_cast<std::size_t>(source + byte)];
          }
        }
      }
    }
  }
}

/// A random descriptor of a random shape whose source lies in the lower and destination in the upper half.
DmaDescriptor random_descriptor(std::mt19937& random) {
  const auto below = [&](u32 n) { return static_cast<u32>(random() % n); };
  for (;;) {
    DmaDescriptor d = copy_of(below(memory_bytes / 2), memory_bytes / 2 + below(memory_bytes / 2), 1 + below(700));
    if (below(2) == 0) d.length = 1 << below(10);
    const u32 shape = below(4);
    for (u32 i = 0; i < shape && i < 3; ++i) d.count[i] = 1 + below(9);
    i64 packed = d.length;
    for (std::size_t i = 0; i < 3; ++i) {
      const auto stride = [&] {
        switch (below(4)) {
          case 0:
            return static_cast<i32>(packed);
          case 1:
            return static_cast<i32>(packed + below(300));
          case 2:
            return static_cast<i32>(below(20000)) - 10000;
          default:
            return 1 << below(14);
        }
      };
      d.source_stride[i] = stride();
      d.destination_stride[i] = stride();
      packed *= d.count[i];
    }
    if (below(4) == 0) d.fill = dma_fill_flag | below(65536);
    const auto inside = [&](u64 base, const std::array<i32, 3>& strides, i64 from, i64 to) {
      i64 low = static_cast<i64>(base);
      i64 high = low + d.length;
      for (std::size_t i = 0; i < 3; ++i) {
        const i64 reach = i64{strides[i]} * (i64{d.count[i]} - 1);
        (reach < 0 ? low : high) += reach;
      }
      return low >= from && high <= to;
    };
    if (inside(d.source, d.source_stride, 0, memory_bytes / 2) &&
        inside(d.destination, d.destination_stride, memory_bytes / 2, memory_bytes)) {
      return d;
    }
  }
}

}  // namespace

TEST_CASE("dma: random descriptors move what a plain loop moves", "[dma]") {
  for (const i64 burst_bytes : {256, 64, 4096}) {
    System s;
    s.parameters.burst_bytes = burst_bytes;
    s.build();
    s.run([&] {
      std::mt19937 random(static_cast<u32>(burst_bytes));
      for (u8& byte : s.memory->bytes) byte = static_cast<u8>(random());
      for (int n = 0; n < 300; ++n) {
        const DmaDescriptor descriptor = random_descriptor(random);
        std::vector<u8> expected = s.memory->bytes;
        plain_copy(expected, descriptor);
        s.memory->requests.clear();
        CHECK(s.driver->transfer(descriptor, static_cast<u64>(n % 2)) == 0);
        CHECK((s.memory->bytes == expected));
        u64 written = 0;
        for (const Memory::Request& request : s.memory->requests) {
          CHECK(request.length <= static_cast<u32>(burst_bytes));
          written += request.write ? request.length : 0;
        }
        CHECK(written == u64{descriptor.length} * descriptor.count[0] * descriptor.count[1] * descriptor.count[2]);
      }
    });
    const u64 moved = s.dma->statistics(0).bytes_written.value() + s.dma->statistics(1).bytes_written.value();
    CHECK(moved == s.dma->statistics(0).byte.value() + s.dma->statistics(1).byte.value());
    CHECK(s.dma->statistics(0).descriptors.value() == 150);
  }
}

TEST_CASE("dma: runs that continue on one side share a burst", "[dma]") {
  DmaTransfer transfer(256);
  DmaBurst burst;
  DmaDescriptor d = copy_of(0x1000, 0x80000, 64);
  d.count[0] = 8;
  SECTION("contiguous source, scattered destination") {
    d.source_stride[0] = 64;
    d.destination_stride[0] = 1024;
    transfer.start(d);
    for (int i = 0; i < 2; ++i) {
      transfer.next(burst);
      CHECK(burst.bytes == 256);
      REQUIRE(burst.source.size() == 1);
      CHECK(burst.source[0].bytes == 256);
      CHECK(burst.destination.size() == 4);
    }
    CHECK(transfer.finished());
  }
  SECTION("scattered source, contiguous destination") {
    d.source_stride[0] = -128;
    d.destination_stride[0] = 64;
    transfer.start(d);
    transfer.next(burst);
    CHECK(burst.source.size() == 4);
    REQUIRE(burst.destination.size() == 1);
    CHECK(burst.destination[0].bytes == 256);
  }
  SECTION("both scattered: a run a burst") {
    d.source_stride[0] = 128;
    d.destination_stride[0] = 1024;
    transfer.start(d);
    transfer.next(burst);
    CHECK(burst.bytes == 64);
  }
  SECTION("bursts end at multiples of their size") {
    d = copy_of(0x1080, 0x80000, 1000);
    transfer.start(d);
    std::vector<u32> sizes;
    while (!transfer.finished()) {
      transfer.next(burst);
      sizes.push_back(burst.bytes);
    }
    CHECK(sizes == std::vector<u32>{128, 256, 256, 256, 104});
  }
  SECTION("a fill looks at its destination alone") {
    d.fill = dma_fill_flag | 0x3c00;
    d.destination_stride[0] = 64;
    transfer.start(d);
    transfer.next(burst);
    CHECK(burst.source.empty());
    CHECK(burst.bytes == 256);
  }
}

TEST_CASE("dma: cycles of a transfer that goes on are counted when they are read", "[dma]") {
  System s;
  s.parameters.setup_cycles = 64;
  s.build();
  const auto statistics = [&]() -> const DmaStatistics& { return s.dma->statistics(0); };
  u64 busy_early = 0, busy_late = 0, setup_early = 0, setup_late = 0;
  s.run([&] {
    sc_core::sc_spawn([&] {
      sc_core::wait(130, sc_core::SC_NS);
      s.dma->settle();
      busy_early = statistics().busy_cycles.value();
      setup_early = statistics().setup_cycles.value();
      sc_core::wait(50, sc_core::SC_NS);
      s.dma->settle();
      busy_late = statistics().busy_cycles.value();
      setup_late = statistics().setup_cycles.value();
    });
    sc_core::wait(100, sc_core::SC_NS);
    CHECK(s.driver->transfer(copy_of(0, 0x8000, 256)) == 0);
  });
  CHECK(busy_early == 30);
  CHECK(setup_early == 30);
  CHECK(busy_late == 80);
  CHECK(setup_late == 64);
  s.dma->settle();
  CHECK(statistics().busy_cycles.value() == 64 + 60);
  CHECK(statistics().setup_cycles.value() == 64);
}

TEST_CASE("dma: timing of one burst", "[dma]") {
  for (const i64 setup : {0, 63, 64}) {
    System s;
    s.parameters.setup_cycles = setup;
    s.build();
    s.run([&] {
      sc_core::wait(100, sc_core::SC_NS);
      CHECK(s.driver->transfer(copy_of(0, 0x8000, 256)) == 0);
    });
    // The first read is sent exactly set-up cycles after the descriptor, and the completion when it is written.
    const sc_core::sc_time start(100 + static_cast<double>(setup), sc_core::SC_NS);
    CHECK(s.memory->requests.at(0).time == start);
    CHECK(s.memory->requests.at(1).time == start + sc_core::sc_time(50, sc_core::SC_NS));
    CHECK(s.driver->received.at(0).time == start + sc_core::sc_time(60, sc_core::SC_NS));
    CHECK(s.dma->statistics(0).busy_cycles.value() == static_cast<u64>(setup) + 60);
    CHECK(s.dma->statistics(0).setup_cycles.value() == static_cast<u64>(setup));
    CHECK(s.dma->statistics(0).burst.value() == 1);
    CHECK(s.dma->statistics(0).bus_requests.value() == 2);
  }
}

TEST_CASE("dma: the next burst waits for the data path and for the one `outstanding` before", "[dma]") {
  for (const i64 outstanding : {1, 2, 8, 64}) {
    System s;
    s.parameters.outstanding = outstanding;
    s.build();
    s.run([&] { CHECK(s.driver->transfer(copy_of(0, 0x80000, 256 * 100)) == 0); });
    std::vector<u64> reads, ends;
    for (const Memory::Request& request : s.memory->requests) {
      const u64 cycle = s.clock.to_cycles(request.time);
      if (request.write) {
        ends.push_back(cycle + 10);
      } else {
        reads.push_back(cycle);
      }
    }
    REQUIRE(reads.size() == 100);
    const auto depth = static_cast<std::size_t>(outstanding);
    for (std::size_t i = 1; i < reads.size(); ++i) {
      const u64 gate = std::max(reads[i - 1] + 4, i < depth ? 0 : ends[i - depth]);
      CHECK(reads[i] == gate);  // not a cycle earlier, not a cycle later
    }
    // 60 cycles a burst: the limit shows as long as it is below 60 / 4 bursts.
    const u64 cycles = ends.back() - reads.front();
    const u64 expected = std::max<u64>(4 * 99 + 60, 60 * 100 / static_cast<u64>(outstanding));
    CHECK(cycles >= expected - 60);
    CHECK(cycles <= expected + 60);
  }
}

TEST_CASE("dma: a transfer is not performed at one instant", "[dma]") {
  System s;
  s.build();
  s.run([&] { CHECK(s.driver->transfer(copy_of(0, 0x80000, 256 * 200)) == 0); });
  u32 at_once = 0;
  u32 most = 0;
  sc_core::sc_time last;
  for (const Memory::Request& request : s.memory->requests) {
    at_once = request.present == last ? at_once + 1 : 1;
    last = request.present;
    most = std::max(most, at_once);
    CHECK(request.time - request.present <= sc_core::sc_time(150, sc_core::SC_NS));
  }
  CHECK(most <= 2 * 8);
}

TEST_CASE("dma: two channels run side by side", "[dma]") {
  System s;
  s.build();
  s.run([&] {
    CHECK(s.driver->submit(0, copy_of(0, 0x80000, 0x10000)) == tlm::TLM_OK_RESPONSE);
    CHECK(s.driver->submit(1, copy_of(0x20000, 0xa0000, 0x10000)) == tlm::TLM_OK_RESPONSE);
    CHECK(s.driver->submit(0, copy_of(0, 0x80000, 64)) == tlm::TLM_GENERIC_ERROR_RESPONSE);
    CHECK(s.driver->status(0) == dma_status_busy);
    CHECK(s.driver->status(1) == dma_status_busy);
    while (s.driver->received.size() < 2) sc_core::wait(s.driver->arrived);
    CHECK(s.driver->status(0) == 0);
  });
  CHECK(s.driver->received[0].channel != s.driver->received[1].channel);
  CHECK(s.driver->received[0].time == s.driver->received[1].time);
  CHECK_FALSE(s.dma->busy(0));
}

TEST_CASE("dma: the completion's receiver may send the next descriptor at once", "[dma]") {
  System s;
  s.build();
  int left = 5;
  s.driver->on_completion = [&] {
    if (--left > 0) CHECK(s.driver->submit(0, copy_of(0, 0x80000, 64)) == tlm::TLM_OK_RESPONSE);
  };
  s.run([&] { CHECK(s.driver->submit(0, copy_of(0, 0x80000, 64)) == tlm::TLM_OK_RESPONSE); });
  CHECK(s.driver->received.size() == 5);
  CHECK(s.dma->statistics(0).descriptors.value() == 5);
}

TEST_CASE("dma: descriptors that mean nothing are refused", "[dma]") {
  const DmaDescriptor good = copy_of(0, 0x80000, 64);
  const auto check = [&](const std::function<void(DmaDescriptor&)>& change) {
    DmaDescriptor d = good;
    change(d);
    return validate(d);
  };
  const DmaStatus bad = DmaStatus::bad_descriptor;
  CHECK(validate(good) == DmaStatus::ok);
  CHECK(check([](DmaDescriptor& d) { d.length = 0; }) == bad);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(check([i](DmaDescriptor& d) { d.count[i] = 0; }) == bad);
  }
  CHECK(check([](DmaDescriptor& d) { d.reserved = 1; }) == bad);
  CHECK(check([](DmaDescriptor& d) { d.fill = 1; }) == bad);
  CHECK(check([](DmaDescriptor& d) { d.fill = dma_fill_flag | 0x10000; }) == bad);
  CHECK(check([](DmaDescriptor& d) { d.fill = dma_fill_flag | 0xffff; }) == DmaStatus::ok);
  // 4 GB and one run more
  CHECK(check([](DmaDescriptor& d) {
          d.destination = u64{1} << 40;
          d.count = {1 << 13, 1 << 13, 1};
        }) == DmaStatus::ok);
  CHECK(check([](DmaDescriptor& d) {
          d.destination = u64{1} << 40;
          d.count = {(1 << 13) + 1, 1 << 13, 1};
        }) == bad);
  CHECK(check([](DmaDescriptor& d) { d.count = {0xffffffff, 0xffffffff, 0xffffffff}; }) == bad);
  // addresses beyond 64 bits
  CHECK(check([](DmaDescriptor& d) { d.destination = ~u64{0} - 63; }) == DmaStatus::ok);
  CHECK(check([](DmaDescriptor& d) { d.destination = ~u64{0} - 62; }) == bad);
  CHECK(check([](DmaDescriptor& d) {
          d.count[2] = 2;
          d.source_stride[2] = -1;
        }) == bad);
  CHECK(check([](DmaDescriptor& d) {
          d.length = 1;
          d.count = {0x80000000, 1, 1};
          d.source_stride[0] = std::numeric_limits<i32>::min();
        }) == bad);
  // overlap, and columns of one matrix
  CHECK(check([](DmaDescriptor& d) { d.destination = 63; }) == bad);
  CHECK(check([](DmaDescriptor& d) { d.destination = 64; }) == DmaStatus::ok);
  const auto columns = [](u64 destination, i32 stride) {
    return [=](DmaDescriptor& d) {
      d.destination = destination;
      d.count[0] = 10;
      d.source_stride[0] = d.destination_stride[0] = stride;
    };
  };
  CHECK(check(columns(64, 128)) == DmaStatus::ok);
  CHECK(check(columns(128 + 64, 128)) == DmaStatus::ok);
  CHECK(check(columns(65, 128)) == bad);
  CHECK(check(columns(63, 128)) == bad);
  CHECK(check(columns(64, 0)) == DmaStatus::ok);

  System s;
  s.build();
  s.run([&] {
    DmaDescriptor d = good;
    d.count[1] = 0;
    CHECK(s.driver->transfer(d) == static_cast<u32>(DmaStatus::bad_descriptor));
    CHECK(s.driver->status(0) == static_cast<u32>(DmaStatus::bad_descriptor));
    CHECK(s.driver->transfer(good) == 0);
  });
  CHECK(s.dma->statistics(0).errors.value() == 1);
}

TEST_CASE("dma: overlap is never missed", "[dma]") {
  std::mt19937 random(5);
  u32 refused = 0;
  for (int n = 0; n < 20000; ++n) {
    DmaDescriptor d = copy_of(1000 + random() % 200, 1000 + random() % 200, 1 + random() % 12);
    for (std::size_t i = 0; i < 3; ++i) {
      d.count[i] = 1 + random() % 3;
      d.source_stride[i] = static_cast<i32>(random() % 7) * 12 - 36;
      d.destination_stride[i] = random() % 2 == 0 ? d.source_stride[i] : static_cast<i32>(random() % 80) - 40;
    }
    if (validate(d) != DmaStatus::ok) {
      ++refused;
      continue;
    }
    std::vector<u8> touched(3000, 0);
    DmaTransfer transfer(16);
    DmaBurst burst;
    transfer.start(d);
    while (!transfer.finished()) {
      transfer.next(burst);
      for (const DmaSegment& segment : burst.source) {
        for (u64 i = 0; i < segment.bytes; ++i) touched.at(segment.address + i) |= 1;
      }
      for (const DmaSegment& segment : burst.destination) {
        for (u64 i = 0; i < segment.bytes; ++i) touched.at(segment.address + i) |= 2;
      }
    }
    REQUIRE(std::count(touched.begin(), touched.end(), 3) == 0);
  }
  CHECK(refused > 1000);
  CHECK(refused < 19000);
}

TEST_CASE("dma: errors of the bus end the transfer and are told apart", "[dma]") {
  System s;
  s.build();
  s.run([&] {
    s.memory->bad_begin = 0x1000;
    s.memory->bad_end = 0x1001;
    CHECK(s.driver->transfer(copy_of(0, 0x80000, 0x4000)) == static_cast<u32>(DmaStatus::source_error));
    // The data before the error have been moved, and nothing after it is requested.
    CHECK(s.dma->statistics(0).bytes_written.value() == 0x1000);
    CHECK(s.memory->requests.back().address == 0x1000);
    CHECK(s.driver->transfer(copy_of(0x80000, 0xf00, 0x400)) == static_cast<u32>(DmaStatus::destination_error));
    CHECK(s.driver->transfer(copy_of(0x80000, u64{1} << 50, 1)) == static_cast<u32>(DmaStatus::destination_error));
    CHECK(s.driver->transfer(copy_of(0x2000, 0x3000, 64)) == 0);
  });
  CHECK(s.dma->statistics(0).errors.value() == 3);
}

TEST_CASE("dma: the address of an error can be read", "[dma]") {
  for (const bool fast : {false, true}) {
    INFO((fast ? "fast" : "cycle"));
    System s;
    s.mode.fast = fast;
    s.build();
    s.run([&] {
      const auto error_address = [&](u64 channel) {
        u64 address = 1;
        CHECK(s.driver->access(tlm::TLM_READ_COMMAND, channel * 0x100 + 0x48, &address, 8) == tlm::TLM_OK_RESPONSE);
        return address;
      };
      s.memory->bad_begin = 0x1234;
      s.memory->bad_end = 0x1235;
      CHECK(s.driver->transfer(copy_of(0, 0x80000, 0x4000)) == static_cast<u32>(DmaStatus::source_error));
      CHECK(error_address(0) == 0x1200);
      CHECK(s.driver->transfer(copy_of(0x80000, 0xf00, 0x4000), 1) == static_cast<u32>(DmaStatus::destination_error));
      CHECK(error_address(1) == 0x1200);
      CHECK(s.driver->transfer(copy_of(0x80000, u64{1} << 50, 1)) == static_cast<u32>(DmaStatus::destination_error));
      CHECK(error_address(0) == u64{1} << 50);
      CHECK(s.driver->transfer(copy_of(0x2000, 0x3000, 64)) == 0);
      CHECK(error_address(0) == 0);
    });
  }
}

TEST_CASE("dma: an aborted transfer ends with the bursts in flight, and the channel works again", "[dma]") {
  for (const bool fast : {false, true}) {
    for (const u64 after : {0, 30, 64, 65, 100, 500, 5000}) {
      INFO((fast ? "fast" : "cycle") << ", after " << after << " cycles");
      System s;
      s.mode.fast = fast;
      s.build();
      std::mt19937 random(3);
      for (u8& byte : s.memory->bytes) byte = static_cast<u8>(random());
      std::vector<u8> expected = s.memory->bytes;
      constexpr u32 bytes = 0x60000;
      s.run([&] {
        // In fast mode the second transfer is moved at a known pace.
        if (fast) CHECK(s.driver->transfer(copy_of(0, 0x80000, bytes)) == 0);
        if (fast) plain_copy(expected, copy_of(0, 0x80000, bytes));
        u32 word = 0;
        CHECK(s.driver->access(tlm::TLM_WRITE_COMMAND, 0x44, &word, 4) == tlm::TLM_GENERIC_ERROR_RESPONSE);
        const std::size_t before = s.driver->received.size();
        CHECK(s.driver->submit(0, copy_of(8, 0x80000, bytes)) == tlm::TLM_OK_RESPONSE);
        sc_core::wait(static_cast<double>(after), sc_core::SC_NS);
        const sc_core::sc_time asked = sc_core::sc_time_stamp();
        CHECK(s.driver->access(tlm::TLM_WRITE_COMMAND, 0x44, &word, 4) == tlm::TLM_OK_RESPONSE);
        while (s.driver->received.size() == before) sc_core::wait(s.driver->arrived);
        CHECK(s.driver->received.back().status == static_cast<u32>(DmaStatus::aborted));
        CHECK(s.driver->received.back().time - asked < sc_core::sc_time(300, sc_core::SC_NS));
        u64 stopped = 0;
        CHECK(s.driver->access(tlm::TLM_READ_COMMAND, 0x48, &stopped, 8) == tlm::TLM_OK_RESPONSE);
        // What lies before the address has been moved, and nothing behind it.
        REQUIRE(stopped >= 0x80000);
        CHECK((after < 64) == (stopped == 0x80000));
        CHECK(stopped < 0x80000 + bytes);
        if (stopped != 0x80000) plain_copy(expected, copy_of(8, 0x80000, static_cast<u32>(stopped - 0x80000)));
        CHECK(s.memory->bytes == expected);
        CHECK_FALSE(s.dma->busy(0));
        CHECK(s.driver->transfer(copy_of(16, 0x80000, bytes)) == 0);
        plain_copy(expected, copy_of(16, 0x80000, bytes));
        CHECK(s.memory->bytes == expected);
      });
      CHECK(s.dma->statistics(0).errors.value() == 1);
    }
  }
}

TEST_CASE("dma: wrong accesses of the descriptor socket", "[dma]") {
  System s;
  s.build();
  s.run([&] {
    DmaDescriptor d = copy_of(0, 0x80000, 64);
    Driver& driver = *s.driver;
    CHECK(driver.access(tlm::TLM_WRITE_COMMAND, 0x200, &d, 64) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
    CHECK(driver.access(tlm::TLM_WRITE_COMMAND, 8, &d, 64) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
    CHECK(driver.access(tlm::TLM_WRITE_COMMAND, 0, &d, 32) == tlm::TLM_BURST_ERROR_RESPONSE);
    IndexedDescriptor indexed{d, {0, 1}};
    CHECK(driver.access(tlm::TLM_WRITE_COMMAND, 0, &indexed, 72) == tlm::TLM_BURST_ERROR_RESPONSE);
    u8 more[96] = {};
    CHECK(driver.access(tlm::TLM_WRITE_COMMAND, 0, more, 96) == tlm::TLM_BURST_ERROR_RESPONSE);
    CHECK(driver.access(tlm::TLM_READ_COMMAND, 0, &d, 64) == tlm::TLM_COMMAND_ERROR_RESPONSE);
    CHECK(driver.access(tlm::TLM_WRITE_COMMAND, 0x40, &d, 4) == tlm::TLM_COMMAND_ERROR_RESPONSE);
    CHECK(driver.access(tlm::TLM_READ_COMMAND, 0x40, &d, 8) == tlm::TLM_BURST_ERROR_RESPONSE);
    CHECK(driver.access(tlm::TLM_READ_COMMAND, 0x44, &d, 4) == tlm::TLM_COMMAND_ERROR_RESPONSE);
    CHECK(driver.access(tlm::TLM_READ_COMMAND, 0x48, &d, 4) == tlm::TLM_BURST_ERROR_RESPONSE);
    CHECK(driver.access(tlm::TLM_WRITE_COMMAND, 0x48, &d, 8) == tlm::TLM_COMMAND_ERROR_RESPONSE);
    u32 word = 1;
    CHECK(debug_access(driver.to_dma, tlm::TLM_READ_COMMAND, 0x140, &word, 4) == 4);
    CHECK(word == 0);
  });
}

TEST_CASE("dma: 4 GB run burst by burst in simulated time", "[dma]") {
  System s;
  s.build();
  s.memory->requests.reserve(1 << 20);
  s.driver->body = [&] {
    DmaDescriptor d = copy_of(0, 0x80000, 0x4000);
    d.count[0] = 1 << 18;  // the same 16 KB again and again
    CHECK(s.driver->submit(0, d) == tlm::TLM_OK_RESPONSE);
  };
  sc_core::sc_start(1, sc_core::SC_MS);
  CHECK(s.dma->busy(0));
  CHECK(s.dma->statistics(0).burst.value() > 100000);
  CHECK(s.dma->statistics(0).burst.value() < 250000);
}

namespace {

/// Leads addresses below 1 GB to the scratchpad, others to the DRAM.
struct Router : sc_core::sc_module {
  explicit Router(sc_core::sc_module_name name) : sc_module(name), in("in"), dram("dram"), scratchpad("scratchpad") {
    in.register_b_transport(this, &Router::b_transport);
  }
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const u64 address = payload.get_address();
    payload.set_address(address % 0x40000000);
    (address < 0x40000000 ? scratchpad : dram)->b_transport(payload, delay);
    payload.set_address(address);
  }
  tlm_utils::simple_target_socket<Router> in;
  tlm_utils::simple_initiator_socket<Router> dram, scratchpad;
};

/// A DMA engine between a DRAM and a scratchpad with a fixed latency.
struct DramSystem {
  SimulationContext context;
  ParameterGroup root{"test"};
  DmaParameters dma_parameters{&root};
  DramParameters dram_parameters{&root};
  StatGroup stats{"test"};
  const ClockDomain clock{1e9};
  std::unique_ptr<Dram> dram;
  std::unique_ptr<Memory> scratchpad;
  std::unique_ptr<Router> router;
  std::unique_ptr<Dma> dma;
  std::unique_ptr<Driver> driver;
  Dma::Mode mode;

  void run(const std::function<void()>& body) {
    dram = std::make_unique<Dram>("dram", dram_parameters, stats);
    scratchpad = std::make_unique<Memory>("scratchpad");
    scratchpad->read_latency = scratchpad->write_latency = sc_core::sc_time(6, sc_core::SC_NS);
    router = std::make_unique<Router>("router");
    dma = std::make_unique<Dma>("dma", dma_parameters, clock, stats, mode);
    driver = std::make_unique<Driver>("driver");
    driver->to_dma.bind(dma->descriptors);
    dma->completions.bind(driver->completions);
    dma->to_bus.bind(router->in);
    router->dram.bind(dram->target);
    router->scratchpad.bind(scratchpad->target);
    driver->body = body;
    sc_core::sc_start();
  }
};

constexpr u64 in_dram = 0x40000000;

/// Rows of 64 bytes, each in a row of its own of the same bank: only the row's bits of the address differ.
DmaDescriptor rows_of_a_bank(const DramParameters& parameters, u32 count) {
  DmaDescriptor descriptor = copy_of(in_dram, 0, 64);
  descriptor.count = {count, 1, 1};
  const DramGeometryParameters& geometry = parameters.geometry;
  descriptor.source_stride[0] = static_cast<i32>(geometry.row_bytes * geometry.banks * geometry.channels);
  descriptor.destination_stride[0] = 64;
  return descriptor;
}

}  // namespace

TEST_CASE("dma: bandwidth from DRAM", "[dma]") {
  DramSystem s;
  constexpr u32 bytes = 0x80000;
  const auto rate = [&](double count, const sc_core::sc_time& begin) {
    return count / (sc_core::sc_time_stamp() - begin).to_seconds() / 1e9;
  };
  s.run([&] {
    Driver& driver = *s.driver;
    sc_core::sc_time begin = sc_core::sc_time_stamp();
    CHECK(driver.transfer(copy_of(in_dram, 0, bytes)) == 0);
    const double one = rate(bytes, begin);
    // As docs/models/dma.md says: one channel alone has enough bursts in flight to keep the DRAM busy.
    CHECK(one == Approx(48.4).epsilon(0.03));
    begin = sc_core::sc_time_stamp();
    driver.submit(0, copy_of(in_dram + 0x100000, 0, bytes));
    driver.submit(1, copy_of(in_dram + 0x900000, bytes, bytes));
    while (driver.received.size() < 3) sc_core::wait(driver.arrived);
    const double both = rate(2.0 * bytes, begin);
    CHECK(both == Approx(48.0).epsilon(0.03));
    // One in, one out.
    begin = sc_core::sc_time_stamp();
    driver.submit(0, copy_of(in_dram + 0x100000, 0, bytes));
    driver.submit(1, copy_of(bytes, in_dram + 0x900000, bytes));
    while (driver.received.size() < 5) sc_core::wait(driver.arrived);
    const double mixed = rate(2.0 * bytes, begin);
    CHECK(mixed == Approx(43.4).epsilon(0.03));
  });
  CHECK(s.driver->received.size() == 5);
}

TEST_CASE("dma: what the time of a transfer is spent on", "[dma]") {
  const bool fast = GENERATE(false, true);
  INFO(fast);
  DramSystem s;
  s.mode.fast = fast;
  constexpr u32 bytes = 0x40000;
  // The share of one part in the time of a transfer that runs alone, after others of its shape have run: `fast` has
  // learnt their pace by then.
  const auto shares = [&](const DmaDescriptor& descriptor) {
    DmaTime time;
    s.run([&] {
      for (int i = 0; i < 8; ++i) {
        const sc_core::sc_time begin = sc_core::sc_time_stamp();
        CHECK(s.driver->transfer(descriptor) == 0);
        time = s.dma->time_of_last(0);
        const sc_core::sc_time took = s.driver->received.back().time - begin;
        CHECK(time.total() == Approx(took / s.clock.period()).margin(2));
      }
    });
    return time * (1 / time.total());
  };
  SECTION("a stream that fills the bus") { CHECK(shares(copy_of(in_dram, 0, bytes)).bus > 0.85); }
  SECTION("few bursts in flight") {
    s.dma_parameters.outstanding = 1;
    const DmaTime time = shares(copy_of(in_dram, 0, bytes));
    CHECK(time.latency > 0.8);
    CHECK(time.bus > 0.02);  // the data of the burst itself
  }
  SECTION("a narrow data path") {
    s.dma_parameters.bytes_per_cycle = 16;
    CHECK(shares(copy_of(in_dram, 0, bytes)).path > 0.9);
  }
  SECTION("a row for each burst") {
    s.dram_parameters.bank_hash = false;
    const DmaTime time = shares(rows_of_a_bank(s.dram_parameters, 1000));
    CHECK(time.rows > 0.85);
    CHECK(time.bus < 0.15);
  }
  SECTION("writes that fill the bus") {
    const DmaTime time = shares(copy_of(0, in_dram, bytes));
    CHECK(time.bus > 0.6);
    CHECK(time.bus + time.rows > 0.9);
  }
  SECTION("a short transfer") {
    s.dma_parameters.setup_cycles = 1000;
    const DmaTime time = shares(copy_of(in_dram, 0, 64));
    CHECK(time.setup > 0.8);
    CHECK(time.setup + time.latency > 0.9);
  }
}

// ---------------------------------------------------------------- indexed

namespace {

/// Rows of a table at 0x10000, 4 KB apart, into the upper half; the indices lie at 0x400 and are below 64.
struct Gather {
  IndexedDescriptor indexed{copy_of(0x10000, memory_bytes / 2, 64), {0x400, 64}};
  std::vector<u32> indices;

  explicit Gather(std::vector<u32> wanted, std::array<u32, 2> inner = {1, 1}) : indices(std::move(wanted)) {
    indexed.descriptor.count = {inner[0], inner[1], static_cast<u32>(indices.size())};
    indexed.descriptor.source_stride = {64, 1024, 4096};
    indexed.descriptor.destination_stride = {192, 64 * 3 * static_cast<i32>(inner[0]), 0x2000};
  }
  void put_indices(std::vector<u8>& bytes) const {
    std::memcpy(bytes.data() + indexed.indices.address, indices.data(), indices.size() * sizeof(u32));
  }
  /// What it means: a plain transfer for each index.
  void copy_plainly(std::vector<u8>& bytes) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      DmaDescriptor row = indexed.descriptor;
      row.count[2] = 1;
      row.source += static_cast<u64>(i64{row.source_stride[2]} * indices[i]);
      row.destination += static_cast<u64>(i64{row.destination_stride[2]} * static_cast<i64>(i));
      plain_copy(bytes, row);
    }
  }
};

std::vector<u32> random_indices(std::mt19937& random, std::size_t count, u32 bound) {
  std::vector<u32> indices(count);
  for (u32& index : indices) index = static_cast<u32>(random() % bound);
  return indices;
}

}  // namespace

TEST_CASE("dma: an indexed transfer moves the rows that its indices name", "[dma]") {
  const bool fast = GENERATE(false, true), data = GENERATE(true, false);
  if (!fast && !data) return;
  INFO(fast << data);
  System s;
  s.mode.fast = fast;
  s.mode.data = data;
  s.parameters.outstanding = 4;
  s.build();
  std::mt19937 random(21);
  for (u8& byte : s.memory->bytes) byte = static_cast<u8>(random());
  s.run([&] {
    for (int n = 0; n < 60; ++n) {
      const std::size_t rows = n < 20 ? 1 + random() % 60 : 60;
      Gather gather(random_indices(random, rows, 60),
                    {static_cast<u32>(1 + random() % 4), static_cast<u32>(1 + random() % 3)});
      if (n >= 20) gather.indexed.descriptor.count = {4, 3, 60};
      if (n % 4 == 1) {
        gather.indexed.descriptor.source += u64{59} * 4096;
        gather.indexed.descriptor.source_stride[2] = -4096;
        gather.indexed.indices.bound = 60;
      }
      gather.put_indices(s.memory->bytes);
      std::vector<u8> expected = s.memory->bytes;
      gather.copy_plainly(expected);
      CHECK(s.driver->transfer(gather.indexed, static_cast<u64>(n % 2)) == 0);
      if (data) REQUIRE((s.memory->bytes == expected));
    }
  });
  // Later ones of the same shape go on at the pace of the earlier ones.
  if (fast && data) CHECK(s.memory->bulk_bytes > 0);
}

TEST_CASE("dma: an indexed transfer reads its indices behind the set-up and then its rows", "[dma]") {
  System s;
  s.build();
  s.run([&] {
    Gather gather({5, 0, 63, 5}, {4, 1});
    gather.put_indices(s.memory->bytes);
    CHECK(s.driver->transfer(gather.indexed) == 0);
  });
  const std::vector<Memory::Request>& requests = s.memory->requests;
  const auto at = [&](std::size_t i) { return s.clock.to_cycles(requests.at(i).time); };
  REQUIRE(requests.size() == 1 + 4 * (1 + 4));
  CHECK(requests[0].address == 0x400);
  CHECK(requests[0].length == 16);
  CHECK(at(0) == 64);
  // The first row, 256 bytes, is asked for when the indices have come, and its four runs are written one a cycle.
  CHECK(requests[1].address == 0x10000 + 5 * 4096);
  CHECK(at(1) == 64 + 50);
  CHECK(at(2) == 64 + 50 + 50);
  CHECK(at(5) == 64 + 50 + 50 + 3);
  CHECK(s.driver->received.at(0).time == sc_core::sc_time(64 + 50 + 3 * 4 + 50 + 3 + 10, sc_core::SC_NS));
  CHECK(s.dma->statistics(0).bytes_read.value() == 16 + 4 * 256);
  CHECK(s.dma->statistics(0).bytes_written.value() == 4 * 256);
  CHECK(s.dma->statistics(0).burst.value() == 5);
  CHECK(s.dma->statistics(0).setup_cycles.value() == 64 + 50);
  CHECK(s.dma->time_of_last(0).total() == Approx(64 + 50 + 3 * 4 + 50 + 3 + 10));
}

TEST_CASE("dma: indices are read in bursts, as many in flight as of data", "[dma]") {
  System s;
  s.parameters.burst_bytes = 64;
  s.parameters.outstanding = 2;
  s.build();
  s.run([&] {
    std::mt19937 random(1);
    Gather gather(random_indices(random, 60, 64));
    gather.indexed.indices.address = 0x41c;
    gather.put_indices(s.memory->bytes);
    CHECK(s.driver->transfer(gather.indexed) == 0);
  });
  // 240 bytes from 0x41c on.
  const u32 lengths[] = {36, 64, 64, 64, 12}, starts[] = {0, 1, 50, 51, 100};
  for (std::size_t i = 0; i < 5; ++i) {
    INFO(i);
    CHECK(s.memory->requests.at(i).length == lengths[i]);
    CHECK(s.clock.to_cycles(s.memory->requests.at(i).time) == 64 + starts[i]);
  }
  CHECK(s.clock.to_cycles(s.memory->requests.at(5).time) == 64 + 150);
}

TEST_CASE("dma: an index that is not below the bound ends the transfer before anything is moved", "[dma]") {
  const bool fast = GENERATE(false, true);
  INFO(fast);
  System s;
  s.mode.fast = fast;
  s.build();
  s.run([&] {
    Gather gather({1, 2, 64, 3, 70});
    gather.put_indices(s.memory->bytes);
    const std::vector<u8> before = s.memory->bytes;
    CHECK(s.driver->transfer(gather.indexed) == static_cast<u32>(DmaStatus::bad_index));
    CHECK(s.driver->error_address() == 0x400 + 2 * 4);
    CHECK(s.memory->bytes == before);
    gather.indices[2] = 63;
    gather.indices[4] = 0;
    gather.put_indices(s.memory->bytes);
    CHECK(s.driver->transfer(gather.indexed) == 0);
    CHECK(s.driver->error_address() == 0);
    // Indices that cannot be read.
    s.memory->bad_begin = 0x404;
    s.memory->bad_end = 0x405;
    CHECK(s.driver->transfer(gather.indexed) == static_cast<u32>(DmaStatus::source_error));
    CHECK(s.driver->error_address() == 0x400);
  });
  CHECK(s.dma->statistics(0).errors.value() == 2);
}

TEST_CASE("dma: an indexed transfer can be aborted at any time", "[dma]") {
  for (const u64 after : {0, 30, 64, 80, 113, 114, 130, 300}) {
    INFO(after);
    System s;
    s.build();
    s.run([&] {
      Gather gather(std::vector<u32>(60, 7), {4, 3});
      gather.put_indices(s.memory->bytes);
      IndexedDescriptor indexed = gather.indexed;
      CHECK(s.driver->access(tlm::TLM_WRITE_COMMAND, 0, &indexed, sizeof indexed) == tlm::TLM_OK_RESPONSE);
      sc_core::wait(static_cast<double>(after), sc_core::SC_NS);
      u32 word = 0;
      CHECK(s.driver->access(tlm::TLM_WRITE_COMMAND, 0x44, &word, 4) == tlm::TLM_OK_RESPONSE);
      while (s.driver->received.empty()) sc_core::wait(s.driver->arrived);
      CHECK(s.driver->received.back().status == static_cast<u32>(DmaStatus::aborted));
      CHECK(s.driver->error_address() >= gather.indexed.descriptor.destination);
      CHECK(s.driver->error_address() < memory_bytes);
      CHECK((after < 114) == (s.driver->error_address() == gather.indexed.descriptor.destination));
      std::vector<u8> expected = s.memory->bytes;
      gather.copy_plainly(expected);
      CHECK(s.driver->transfer(gather.indexed) == 0);
      CHECK(s.memory->bytes == expected);
    });
  }
}

TEST_CASE("dma: indexed descriptors that mean nothing are refused", "[dma]") {
  const auto check = [&](const std::function<void(IndexedDescriptor&)>& change) {
    IndexedDescriptor indexed = Gather({1, 2, 3}).indexed;
    change(indexed);
    return validate(indexed, 256);
  };
  const DmaStatus bad = DmaStatus::bad_descriptor, ok = DmaStatus::ok;
  CHECK(check([](IndexedDescriptor&) {}) == ok);
  CHECK(check([](IndexedDescriptor& d) { d.descriptor.count[2] = 256; }) == ok);
  CHECK(check([](IndexedDescriptor& d) { d.descriptor.count[2] = 257; }) == bad);
  CHECK(check([](IndexedDescriptor& d) { d.descriptor.count[2] = 0; }) == bad);
  CHECK(check([](IndexedDescriptor& d) { d.descriptor.length = 0; }) == bad);
  CHECK(check([](IndexedDescriptor& d) { d.descriptor.fill = dma_fill_flag; }) == bad);
  CHECK(check([](IndexedDescriptor& d) { d.indices.bound = 0; }) == bad);
  CHECK(check([](IndexedDescriptor& d) { d.indices.reserved = 1; }) == bad);
  CHECK(check([](IndexedDescriptor& d) { d.indices.address += 2; }) == bad);
  CHECK(check([](IndexedDescriptor& d) { d.indices.address = ~u64{0} - 11; }) == bad);
  CHECK(check([](IndexedDescriptor& d) { d.indices.address = ~u64{0} - 15; }) == ok);
  // What may be read reaches up to the destination, and into it.
  CHECK(check([](IndexedDescriptor& d) { d.indices.bound = (memory_bytes / 2 - 0x10000) / 4096; }) == ok);
  CHECK(check([](IndexedDescriptor& d) { d.indices.bound = (memory_bytes / 2 - 0x10000) / 4096 + 1; }) == bad);
  // Addresses beyond 64 bits, at either end.
  CHECK(check([](IndexedDescriptor& d) {
          d.descriptor.source = ~u64{0} - 63;
          d.indices.bound = 1;
        }) == ok);
  CHECK(check([](IndexedDescriptor& d) { d.descriptor.source = ~u64{0} - 63; }) == bad);
  CHECK(check([](IndexedDescriptor& d) {
          d.descriptor.source_stride[2] = -4096;
          d.indices.bound = 17;
        }) == ok);
  CHECK(check([](IndexedDescriptor& d) {
          d.descriptor.source_stride[2] = -4096;
          d.indices.bound = 18;
        }) == bad);
  CHECK(check([](IndexedDescriptor& d) {
          d.descriptor.source_stride[2] = std::numeric_limits<i32>::min();
          d.indices.bound = ~u32{0};
        }) == bad);
}

// ---------------------------------------------------------------- fast

TEST_CASE("a fast DMA moves what it does not time, as a plain loop would", "[dma]") {
  System system;
  system.mode.fast = true;
  system.parameters.burst_bytes = 64;
  system.build();
  std::mt19937 random(11);
  for (u8& byte : system.memory->bytes) byte = static_cast<u8>(random());
  std::vector<u8> expected = system.memory->bytes;
  // Rows of a matrix into panels, panels into rows, one long run, and a fill; each long enough to be passed over.
  DmaDescriptor rows = copy_of(3, memory_bytes / 2 + 32, 64);
  rows.count = {24, 128, 1};
  rows.source_stride = {64, 1600, 0};
  rows.destination_stride = {64 * 128, 64, 0};
  DmaDescriptor panels = copy_of(memory_bytes / 2, 5, 64);
  panels.count = {128, 24, 1};
  panels.source_stride = {64, 64 * 128, 0};
  panels.destination_stride = {1600, 64, 0};
  DmaDescriptor fill = copy_of(0, memory_bytes / 2 + 7, 100001);
  fill.fill = dma_fill_flag | 0xa55a;
  system.run([&] {
    for (int repeat = 0; repeat < 2; ++repeat) {
      for (const DmaDescriptor& descriptor : {rows, panels, copy_of(1, memory_bytes / 2 + 1, 300000), fill}) {
        const u64 before = system.memory->bulk_bytes;
        CHECK(system.driver->transfer(descriptor) == 0);
        plain_copy(expected, descriptor);
        CHECK(system.memory->bytes == expected);
        // The pace is known from the second time on.
        CHECK((system.memory->bulk_bytes > before) == (repeat > 0));
      }
    }
  });
}

TEST_CASE("a fast DMA moves the data of a target that knows no data without time by plain transactions", "[dma]") {
  System system;
  system.mode.fast = true;
  system.build();
  system.memory->takes_bulk = false;
  std::mt19937 random(12);
  for (u8& byte : system.memory->bytes) byte = static_cast<u8>(random());
  std::vector<u8> expected = system.memory->bytes;
  system.run([&] {
    for (const u64 source : {0, 70001}) {
      const DmaDescriptor copy = copy_of(source, memory_bytes / 2, 400000);
      CHECK(system.driver->transfer(copy) == 0);
      plain_copy(expected, copy);
      CHECK(system.memory->bytes == expected);
    }
    // Errors of loosely timed transfers are those of timed ones.
    system.memory->bad_begin = system.memory->bad_end = 350000;
    ++system.memory->bad_end;
    CHECK(system.driver->transfer(copy_of(0, memory_bytes / 2, 400000)) == static_cast<u32>(DmaStatus::source_error));
  });
}

namespace {

/// When each of the transfers ended, one after another.
std::vector<double> ends(bool fast, const std::vector<DmaDescriptor>& transfers, std::vector<std::size_t>& requests) {
  System system;
  system.mode.fast = fast;
  system.build();
  requests.clear();
  std::vector<double> times;
  system.run([&] {
    for (const DmaDescriptor& transfer : transfers) {
      const std::size_t before = system.memory->requests.size();
      const sc_core::sc_time begin = sc_core::sc_time_stamp();
      CHECK(system.driver->transfer(transfer) == 0);
      times.push_back((sc_core::sc_time_stamp() - begin).to_seconds());
      requests.push_back(system.memory->requests.size() - before);
    }
  });
  return times;
}

}  // namespace

TEST_CASE("a fast DMA learns what a transfer's begin and end cost, whatever its length", "[dma]") {
  std::vector<DmaDescriptor> transfers;
  for (int i = 0; i < 20; ++i) transfers.push_back(copy_of(0, memory_bytes / 2, 100000 + 4096 * (i % 5)));
  for (const u32 bytes : {8192u, 20000u, 400000u}) transfers.push_back(copy_of(256, memory_bytes / 2, bytes));
  std::vector<std::size_t> exact_requests, requests;
  const std::vector<double> exact = ends(false, transfers, exact_requests);
  const std::vector<double> times = ends(true, transfers, requests);
  REQUIRE(times.size() == exact.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    INFO(i);
    CHECK(times[i] == Approx(exact[i]).epsilon(0.05));
    CHECK(exact_requests[i] > 0);
    if (i >= 10) CHECK(requests[i] == 0);
  }
}

TEST_CASE("fast transfers that come and go on several channels end as they do cycle by cycle", "[dma][properties]") {
  struct Outcome {
    std::vector<double> end;
    std::vector<u8> bytes;
  };
  const auto outcome = [](bool fast, u32 seed) {
    System system;
    system.mode.fast = fast;
    system.parameters.channels = 3;
    system.parameters.outstanding = 4;
    system.build();
    std::mt19937 random(seed);
    for (u8& byte : system.memory->bytes) byte = static_cast<u8>(random());
    // Each channel has a source and a destination of its own.
    constexpr u64 area = memory_bytes / 6;
    const auto next = [&](u64 channel) {
      const u64 from = 2 * channel * area, to = from + area;
      if (random() % 2 == 0) return copy_of(from + random() % 512, to, 1 + random() % 150000);
      DmaDescriptor rows = copy_of(from, to, 64);
      rows.count = {8, 1 + static_cast<u32>(random() % 250), 1};
      rows.source_stride = {64, 600, 0};
      rows.destination_stride = {64, 512, 0};
      return rows;
    };
    Outcome result;
    system.run([&] {
      constexpr std::size_t all = 120;
      std::size_t begun = 0;
      std::array<DmaDescriptor, all> plan{};
      std::array<u64, all> channels{};
      for (std::size_t i = 0; i < all; ++i) {
        channels[i] = random() % 3;
        plan[i] = next(channels[i]);
      }
      while (begun < all) {
        while (system.dma->busy(static_cast<u32>(channels[begun]))) sc_core::wait(system.driver->arrived);
        CHECK(system.driver->submit(channels[begun], plan[begun]) == tlm::TLM_OK_RESPONSE);
        sc_core::wait(sc_core::sc_time(static_cast<double>((37 * begun) % 700), sc_core::SC_NS));
        ++begun;
      }
      while (system.driver->received.size() < all) sc_core::wait(system.driver->arrived);
      for (const Driver::Completion& completion : system.driver->received) {
        CHECK(completion.status == 0);
        result.end.push_back(completion.time.to_seconds());
      }
    });
    result.bytes = system.memory->bytes;
    return result;
  };
  for (u32 seed = 1; seed <= 5; ++seed) {
    INFO(seed);
    const Outcome exact = outcome(false, seed), fast = outcome(true, seed);
    CHECK(fast.bytes == exact.bytes);
    REQUIRE(fast.end.size() == exact.end.size());
    CHECK(fast.end.back() == Approx(exact.end.back()).epsilon(0.02));
  }
}

TEST_CASE("a fast DMA without data reports a transfer that leaves its target", "[dma]") {
  SimulationContext context;
  ParameterGroup root("test");
  DmaParameters parameters(&root);
  DramParameters dram_parameters(&root);
  StatGroup stats("test");
  const ClockDomain clock(1e9);
  Dram dram("dram", dram_parameters, stats);
  Dma::Mode mode;
  mode.fast = true;
  mode.data = false;
  Dma dma("dma", parameters, clock, stats, mode);
  Driver driver("driver");
  driver.to_dma.bind(dma.descriptors);
  dma.completions.bind(driver.completions);
  dma.to_bus.bind(dram.target);
  constexpr u32 bytes = 0x20000;
  driver.body = [&] {
    // All in the same part of the address space: their pace is known.
    const u64 here = dram.size() - u64{8} * bytes, there = dram.size() - u64{4} * bytes, end = dram.size();
    for (int i = 0; i < 20; ++i) CHECK(driver.transfer(copy_of(here, there, bytes)) == 0);
    CHECK(driver.transfer(copy_of(end - bytes / 2, here, bytes)) == static_cast<u32>(DmaStatus::source_error));
    CHECK(driver.transfer(copy_of(here, end - bytes + 256, bytes)) == static_cast<u32>(DmaStatus::destination_error));
    CHECK(driver.transfer(copy_of(here, end - bytes, bytes)) == 0);
    CHECK(dram.statistics().errors.value() == 2);
  };
  sc_core::sc_start();
  CHECK(driver.received.size() == 23);
}

TEST_CASE("a fast transfer ends once, also where nothing is left in flight at its end", "[dma]") {
  for (const i64 outstanding : {1, 2, 8}) {
    System system;
    system.mode.fast = true;
    system.parameters.outstanding = outstanding;
    system.parameters.bytes_per_cycle = 1;
    system.build();
    system.memory->read_latency = system.memory->write_latency = sc_core::SC_ZERO_TIME;
    system.run([&] {
      for (int i = 0; i < 20; ++i) {
        CHECK(system.driver->transfer(copy_of(0, memory_bytes / 2, 100000)) == 0);
        sc_core::wait(1, sc_core::SC_US);
        CHECK(system.driver->received.size() == static_cast<std::size_t>(i + 1));
      }
    });
    CHECK(system.dma->statistics(0).byte.value() == 2000000);
  }
}

TEST_CASE("transfers are alike only if they are cut into bursts alike", "[dma]") {
  std::mt19937 random(5);
  const auto bursts_of = [](const DmaDescriptor& descriptor, u32 burst_bytes) {
    DmaTransfer transfer(burst_bytes);
    transfer.start(descriptor);
    std::vector<std::pair<std::size_t, std::size_t>> bursts;
    DmaBurst burst;
    for (int i = 0; i < 200 && !transfer.finished(); ++i) {
      transfer.next(burst);
      bursts.emplace_back(burst.source.size(), burst.bytes);
    }
    return bursts;
  };
  std::map<std::vector<u64>, DmaDescriptor> seen;
  u64 alike = 0;
  for (int i = 0; i < 20000; ++i) {
    DmaDescriptor d{};
    const auto any = [&](std::initializer_list<u32> values) { return values.begin()[random() % values.size()]; };
    d.source = 32 * (random() % 16);
    d.destination = memory_bytes + 32 * (random() % 16);
    d.length = any({32, 64, 96, 256, 512});
    d.count = {any({1, 4, 7}), any({1, 40}), 1};
    d.source_stride = {static_cast<i32>(any({64, 256, 1024})), static_cast<i32>(any({64, 2048})), 0};
    d.destination_stride = {static_cast<i32>(any({64, 512})), static_cast<i32>(any({64, 4096})), 0};
    std::vector<u64> shape;
    append_shape(d, false, 256, shape);
    const auto [other, is_new] = seen.emplace(shape, d);
    if (is_new) continue;
    // Transfers with the same pace may differ: contiguous ones in length, others in the outermost count.
    if (d.length != other->second.length || d.count != other->second.count) continue;
    ++alike;
    CHECK(bursts_of(d, 256) == bursts_of(other->second, 256));
  }
  CHECK(alike > 1000);
}
