// SPDX-License-Identifier: Apache-2.0
#include "models/base/registers.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "models/base/report.h"

namespace bvp {
namespace {

constexpr unsigned word_bytes = 4;
constexpr u64 bank_bytes_max = 0x10000;

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
                   std::string description, u32 count)
    : bank_(bank),
      name_(std::move(name)),
      offset_(offset),
      access_(access),
      reset_(reset),
      description_(std::move(description)),
      values_(count, reset) {
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

void RegisterBank::add(Register* added) {
  if (added->offset() % word_bytes != 0 || added->count() == 0 ||
      added->offset() + u64{added->count()} * word_bytes > bank_bytes_max) {
    report_error(name_.c_str(), "register {}: {} words at offset {:#x} are not possible", added->name(), added->count(),
                 added->offset());
  }
  for (u32 i = 0; i < added->count(); ++i) {
    const auto word = find_word(added->offset() + u64{i} * word_bytes);
    if (word) {
      report_error(name_.c_str(), "registers {} and {} overlap", word->owner->name(), added->name());
    }
  }
  by_offset_.emplace(added->offset(), added);
  registers_.push_back(added);
}

std::optional<RegisterBank::Word> RegisterBank::find_word(u64 offset) const {
  const auto next = by_offset_.upper_bound(offset);
  if (next == by_offset_.begin()) return std::nullopt;
  const auto& [first, owner] = *std::prev(next);
  const u64 index = (offset - first) / word_bytes;
  if (index >= owner->count()) return std::nullopt;
  return Word{owner, static_cast<u32>(index)};
}

tlm::tlm_response_status RegisterBank::check(const tlm::tlm_generic_payload& payload) const {
  const unsigned length = payload.get_data_length();
  if (payload.get_byte_enable_ptr() != nullptr) return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
  if ((length != 4 && length != 8) || payload.get_streaming_width() < length) return tlm::TLM_BURST_ERROR_RESPONSE;
  if (payload.get_address() % length != 0) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  for (unsigned done = 0; done < length; done += word_bytes) {
    const auto word = find_word(payload.get_address() + done);
    if (!word) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
    if (payload.is_read() && !word->owner->readable()) return tlm::TLM_COMMAND_ERROR_RESPONSE;
    if (payload.is_write() && !word->owner->writable()) return tlm::TLM_COMMAND_ERROR_RESPONSE;
  }
  return tlm::TLM_OK_RESPONSE;
}

void RegisterBank::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  payload.set_dmi_allowed(false);
  const tlm::tlm_response_status status = check(payload);
  payload.set_response_status(status);
  if (status != tlm::TLM_OK_RESPONSE) return;
  delay += latency_;
  access_delay_ = delay;
  for (unsigned done = 0; done < payload.get_data_length(); done += word_bytes) {
    const auto word = find_word(payload.get_address() + done);
    unsigned char* data = payload.get_data_ptr() + done;
    u32 value = 0;
    if (payload.is_read()) {
      value = word->owner->read(word->index);
      std::memcpy(data, &value, word_bytes);
    } else if (payload.is_write()) {
      std::memcpy(&value, data, word_bytes);
      word->owner->write(word->index, value);
    }
  }
  access_delay_ = sc_core::SC_ZERO_TIME;
}

unsigned RegisterBank::transport_dbg(tlm::tlm_generic_payload& payload) const {
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  if (!payload.is_read()) return 0;
  // Byte by byte: debuggers ask for any range.
  for (unsigned done = 0; done < payload.get_data_length(); ++done) {
    const u64 offset = payload.get_address() + done;
    const auto word = find_word(offset);
    if (!word) return done;
    const u32 value = word->owner->peek(word->index);
    payload.get_data_ptr()[done] = static_cast<unsigned char>(value >> (offset % word_bytes * 8));
  }
  return payload.get_data_length();
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
