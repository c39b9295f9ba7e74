// SPDX-License-Identifier: Apache-2.0
#include "platform/hosted/host_tube.h"

#include <algorithm>
#include <string>
#include <utility>

namespace bvp {
namespace {

constexpr u64 word_bytes = 8;
constexpr u64 most_text = u64{1} << 20;                                  // of one call
constexpr u64 call_write = 64, call_exit = 93, no_such_call = ~u64{37};  // -38 is -ENOSYS

}  // namespace

HostTube::HostTube(Soc& soc, u64 tohost, std::optional<u64> fromhost, Ports ports)
    : soc_(soc), tohost_(tohost), fromhost_(fromhost), ports_(std::move(ports)) {
  // Stores to this page go over the bus, where they are seen at their time.
  soc_.cpu.access_by_bus(tohost);
  writes_ = soc_.bus.written.connect([this](u64 address, u64 bytes) { written(address, bytes); });
}

u64 HostTube::read(u64 address) {
  u64 value = 0;
  return soc_.read_memory(address, reinterpret_cast<u8*>(&value), sizeof value) ? value : 0;
}

void HostTube::write(u64 address, u64 value) {
  soc_.write_memory(address, reinterpret_cast<const u8*>(&value), sizeof value);
}

void HostTube::written(u64 address, u64 bytes) {
  if (address - tohost_ >= word_bytes && tohost_ - address >= bytes) return;
  const u64 value = read(tohost_);
  const u64 device = value >> 56, command = value >> 48 & 0xff, payload = value << 16 >> 16;
  if (value == 0) return;
  if (device == 0 && command == 0 && (payload & 1) != 0) return ports_.exit(payload >> 1);
  write(tohost_, 0);
  if (device == 0 && command == 0) {
    call(payload);
  } else if (device == 1 && command == 1) {
    const char character = static_cast<char>(payload);
    ports_.print(std::string_view(&character, 1));
    answer(device << 56 | command << 48);
  }
}

void HostTube::call(u64 record) {
  const u64 number = read(record), pointer = read(record + 2 * word_bytes), length = read(record + 3 * word_bytes);
  u64 result = no_such_call;
  if (number == call_exit) return ports_.exit(read(record + word_bytes));
  if (number == call_write) {
    std::string text(std::min(length, most_text), '\0');
    text.resize(soc_.read_some(pointer, reinterpret_cast<u8*>(text.data()), text.size()));
    ports_.print(text);
    result = text.size();
  }
  write(record, result);
  answer(1);
}

void HostTube::answer(u64 value) {
  if (fromhost_) write(*fromhost_, value);
}

}  // namespace bvp
