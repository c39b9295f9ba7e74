// SPDX-License-Identifier: Apache-2.0
#include "models/base/registers.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "models/base/report.h"

namespace bvp {
namespace {

constexpr u64 bank_bytes_max = 0x4000000;

}  // namespace

const char* to_string(RegisterAccess access) {
  switch (access) {
    case RegisterAccess::read_write:
      return "rw";
    case RegisterAccess::read_only:
      return "r";
    case RegisterAccess::write_only:
      return "w";
    case RegisterAccess::write_one_to_clear:
      return "w1c";
  }
  return "";
}

RegisterField::RegisterField(Register* owner, std::string name, unsigned lsb, unsigned width, std::string description,
                             u32 reset)
    : name_(std::move(name)),
      lsb_(lsb),
      width_(width),
      mask_(lsb > 31 || width == 0 || width > 32 - lsb ? 0 : static_cast<u32>(((u64{1} << width) - 1) << lsb)),
      description_(std::move(description)) {
  owner->add(this, reset);
}

Register::Register(RegisterBank* bank, std::string name, u64 offset, RegisterAccess access, u32 reset,
                   std::string description, u32 count, std::function<bool()> selected)
    : bank_(bank),
      name_(std::move(name)),
      offset_(offset),
      access_(access),
      reset_(reset),
      description_(std::move(description)),
      values_(count, reset),
      selected_(std::move(selected)) {
  bank->add(this);
}

void Register::add(const RegisterField* field, u32 reset) {
  if (field->mask() == 0 || reset > field->max()) {
    report_error(bank_->name().c_str(), "field {}.{} does not fit", name_, field->name());
  }
  for (const RegisterField* other : fields_) {
    if ((other->mask() & field->mask()) != 0) {
      report_error(bank_->name().c_str(), "fields {}.{} and {}.{} overlap", name_, other->name(), name_, field->name());
    }
  }
  fields_.push_back(field);
  reset_ |= field->bits(reset);
  this->reset();
}

u32 Register::read(u32 index) {
  const u32 value = peek(index);
  if (after_read_) after_read_(index, value);
  return value;
}

void Register::write(u32 index, u32 value) {
  if (access_ == RegisterAccess::write_one_to_clear) {
    values_[index] &= ~value;
  } else {
    values_[index] = value;
  }
  if (write_) write_(index, value);
}

bool Register::shares_offset_with(const Register& other) const {
  if (offset_ != other.offset_ || count() != 1 || other.count() != 1) return false;
  const bool other_direction = readable() != other.readable() && writable() != other.writable();
  return other_direction || static_cast<bool>(selected_) != static_cast<bool>(other.selected_);
}

void RegisterBank::add(Register* added) {
  const u64 bytes = u64{added->count()} * register_bytes_, end = added->offset() + bytes;
  if (added->offset() % register_bytes_ != 0 || bytes == 0 || end > bank_bytes_max) {
    report_error(name_.c_str(), "register {}: {} words at offset {:#x} are not possible", added->name(), added->count(),
                 added->offset());
  }
  for (const Register* other : registers_) {
    const bool apart =
        other->offset() >= end || other->offset() + u64{other->count()} * register_bytes_ <= added->offset();
    if (apart || added->shares_offset_with(*other)) continue;
    report_error(name_.c_str(), "registers {} and {} overlap", other->name(), added->name());
  }
  by_offset_.emplace(added->offset(), added);
  registers_.push_back(added);
}

std::optional<RegisterBank::Word> RegisterBank::find_word(u64 offset, Direction direction) const {
  const auto next = by_offset_.upper_bound(offset);
  if (next == by_offset_.begin()) return std::nullopt;
  const u64 first = std::prev(next)->first;
  Register* found = nullptr;
  for (auto each = by_offset_.lower_bound(first); each != next; ++each) {
    Register* const candidate = each->second;
    if (candidate->selected_) {
      if (!candidate->selected_()) continue;
      found = candidate;
      break;
    }
    const bool fits = direction == Direction::read ? candidate->readable() : candidate->writable();
    if (found == nullptr || fits) found = candidate;
  }
  if (found == nullptr) return std::nullopt;
  const u64 index = (offset - first) / register_bytes_;
  if (index >= found->count()) return std::nullopt;
  return Word{found, static_cast<u32>(index)};
}

template <class Predicate>
bool RegisterBank::all_words(u64 offset, u32 bytes, Direction direction, Predicate predicate) const {
  for (u32 done = 0; done < bytes; done += register_bytes_) {
    if (!predicate(find_word(offset + done, direction))) return false;
  }
  return true;
}

bool RegisterBank::mapped(u64 offset, u32 bytes) const {
  return all_words(offset, bytes, Direction::read, [](const auto& word) { return word.has_value(); });
}

bool RegisterBank::readable(u64 offset, u32 bytes) const {
  return all_words(offset, bytes, Direction::read, [](const auto& word) { return word->owner->readable(); });
}

bool RegisterBank::writable(u64 offset, u32 bytes) const {
  return all_words(offset, bytes, Direction::write, [](const auto& word) { return word->owner->writable(); });
}

void RegisterBank::read(u64 offset, u8* data, u32 bytes, const sc_core::sc_time& delay) {
  access_delay_ = delay;
  for (u32 done = 0; done < bytes; done += register_bytes_) {
    const auto word = find_word(offset + done, Direction::read);
    const u32 value = word->owner->read(word->index);
    std::memcpy(data + done, &value, register_bytes_);
  }
  access_delay_ = sc_core::SC_ZERO_TIME;
}

void RegisterBank::write(u64 offset, const u8* data, u32 bytes, const sc_core::sc_time& delay) {
  access_delay_ = delay;
  for (u32 done = 0; done < bytes; done += register_bytes_) {
    const auto word = find_word(offset + done, Direction::write);
    u32 value = 0;
    std::memcpy(&value, data + done, register_bytes_);
    word->owner->write(word->index, value);
  }
  access_delay_ = sc_core::SC_ZERO_TIME;
}

u32 RegisterBank::peek(u64 offset, u8* data, u32 bytes) const {
  // The loop goes byte by byte, because debuggers ask for any range.
  for (u32 done = 0; done < bytes; ++done) {
    const auto word = find_word(offset + done);
    if (!word) return done;
    const u32 value = word->owner->peek(word->index);
    data[done] = static_cast<u8>(value >> ((offset + done) % register_bytes_ * 8));
  }
  return bytes;
}

void RegisterBank::reset() {
  for (Register* each : registers_) each->reset();
}

Register* RegisterBank::find(const std::string& name) const {
  const auto found =
      std::find_if(registers_.begin(), registers_.end(), [&](const Register* each) { return each->name() == name; });
  return found == registers_.end() ? nullptr : *found;
}

}  // namespace bvp
