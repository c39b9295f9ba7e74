// SPDX-License-Identifier: Apache-2.0
// Device registers as declared objects. A model owns a RegisterBank and declares its registers as members; address
// decode, access checks, the firmware's C header and the tables in docs/ all come from those declarations.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <systemc>
#include <type_traits>
#include <utility>
#include <vector>

#include "models/base/types.h"

namespace bvp {

enum class RegisterAccess { read_write, read_only, write_only, write_one_to_clear };

/// "rw", "r", "w", "w1c"
[[nodiscard]] const char* to_string(RegisterAccess access);

/// The halves of a value that two registers hold together.
[[nodiscard]] constexpr u32 low_word(u64 value) { return static_cast<u32>(value); }
[[nodiscard]] constexpr u32 high_word(u64 value) { return static_cast<u32>(value >> 32); }
[[nodiscard]] constexpr u64 join_words(u32 low, u32 high) { return u64{high} << 32 | low; }

class Register;
class RegisterBank;

/// Adjacent bits of a register: `RegisterField enable_{&control_, "ENABLE", 0, 1, "fetch commands"};`, declared after
/// the register. A model reads and writes the bits through this object (`control_[enable_]`, `control_.set(enable_,
/// 1)`) and never with a mask of its own.
class RegisterField {
 public:
  /// @param lsb    position of its lowest bit
  /// @param width  bits; they lie within the register and in no other field of it
  /// @param reset  its value after a reset, beside the bits that the register's own reset value has
  RegisterField(Register* owner, std::string name, unsigned lsb, unsigned width, std::string description,
                u32 reset = 0);
  RegisterField(const RegisterField&) = delete;
  RegisterField& operator=(const RegisterField&) = delete;

  /// The field's value in a word of its register.
  [[nodiscard]] u32 of(u32 word) const { return (word & mask_) >> lsb_; }
  /// Returns a word that has `value` in the field and zeros elsewhere; bits of the value that do not fit are dropped.
  [[nodiscard]] u32 bits(u32 value) const { return static_cast<u32>(u64{value} << lsb_) & mask_; }
  /// The largest value.
  [[nodiscard]] u32 max() const { return mask_ >> lsb_; }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] unsigned lsb() const { return lsb_; }
  [[nodiscard]] unsigned width() const { return width_; }
  [[nodiscard]] u32 mask() const { return mask_; }
  [[nodiscard]] const std::string& description() const { return description_; }

 private:
  std::string name_;
  unsigned lsb_, width_;
  u32 mask_;
  std::string description_;
};

/// One register of the bank's width, or an array of `count` consecutive ones:
/// `Register tail_{&bank_, "TAIL", 0x10, RegisterAccess::read_write, 0, "What it is."};`
/// It holds a value of its own; callbacks replace or follow what an access does to it. A callback of an array may take
/// the element's index as its first parameter.
class Register {
 public:
  /// @param selected  the register answers only while this returns true, and then goes before others at its offset;
  ///                  empty: always. Without it, a register shares its offset at most with one of the other direction.
  Register(RegisterBank* bank, std::string name, u64 offset, RegisterAccess access, u32 reset, std::string description,
           u32 count = 1, std::function<bool()> selected = {});
  Register(const Register&) = delete;
  Register& operator=(const Register&) = delete;

  /// Sets the function that gives the value of a read, instead of the stored value. The function must change nothing,
  /// because debuggers read through it too.
  template <class F>
  Register& on_read(F callback) {
    if constexpr (std::is_invocable_v<F, u32>) {
      read_ = std::move(callback);
    } else {
      read_ = [callback = std::move(callback)](u32) mutable { return callback(); };
    }
    return *this;
  }
  /// Sets the function that does what a read from the bus changes, for example taking the value off a queue. It is
  /// called with the value read. Reads of a debugger do not call it.
  template <class F>
  Register& after_read(F callback) {
    after_read_ = with_index(std::move(callback));
    return *this;
  }
  /// Sets the function that is called with the written word, after the stored value has changed.
  template <class F>
  Register& on_write(F callback) {
    write_ = with_index(std::move(callback));
    return *this;
  }

  [[nodiscard]] u32 get(u32 index = 0) const { return values_[index]; }
  [[nodiscard]] u32 operator[](const RegisterField& field) const { return get(field); }
  [[nodiscard]] u32 get(const RegisterField& field, u32 index = 0) const { return field.of(values_[index]); }
  void set(u32 value, u32 index = 0) { values_[index] = value; }
  /// The other fields keep their values.
  void set(const RegisterField& field, u32 value, u32 index = 0) {
    values_[index] = (values_[index] & ~field.mask()) | field.bits(value);
  }
  void reset() { values_.assign(values_.size(), reset_); }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] u64 offset() const { return offset_; }
  [[nodiscard]] RegisterAccess access() const { return access_; }
  [[nodiscard]] u32 reset_value() const { return reset_; }
  [[nodiscard]] const std::string& description() const { return description_; }
  /// In the order of declaration.
  [[nodiscard]] const std::vector<const RegisterField*>& fields() const { return fields_; }
  [[nodiscard]] u32 count() const { return static_cast<u32>(values_.size()); }
  [[nodiscard]] bool readable() const { return access_ != RegisterAccess::write_only; }
  [[nodiscard]] bool writable() const { return access_ != RegisterAccess::read_only; }

 private:
  friend class RegisterBank;
  friend class RegisterField;
  using IndexedWrite = std::function<void(u32 index, u32 value)>;

  template <class F>
  static IndexedWrite with_index(F callback) {
    if constexpr (std::is_invocable_v<F, u32, u32>) {
      return callback;
    } else {
      return [callback = std::move(callback)](u32, u32 value) mutable { callback(value); };
    }
  }

  void add(const RegisterField* field, u32 reset);
  [[nodiscard]] u32 peek(u32 index) const { return read_ ? read_(index) : values_[index]; }
  [[nodiscard]] bool shares_offset_with(const Register& other) const;
  u32 read(u32 index);
  void write(u32 index, u32 value);

  const RegisterBank* bank_;
  std::string name_;
  u64 offset_;
  RegisterAccess access_;
  u32 reset_;
  std::string description_;
  std::vector<const RegisterField*> fields_;
  std::vector<u32> values_;
  std::function<bool()> selected_;
  std::function<u32(u32 index)> read_;
  IndexedWrite after_read_, write_;
};

/// The registers of one model, by offset: words of 4 bytes, or bytes. An access covers one or more adjacent registers,
/// lowest first; all of them must allow the access. models/transport/register_target.h checks that and serves sockets.
class RegisterBank {
 public:
  /// @param name     the name of the module that has the registers, for errors
  /// @param latency  what an access costs at this target
  /// @param register_bytes  the width of each register: 4 or 1
  explicit RegisterBank(std::string name, sc_core::sc_time latency = sc_core::SC_ZERO_TIME, u32 register_bytes = 4)
      : name_(std::move(name)), latency_(latency), register_bytes_(register_bytes) {}
  RegisterBank(const RegisterBank&) = delete;
  RegisterBank& operator=(const RegisterBank&) = delete;

  /// Whether all of [offset, offset + bytes) are registers; both are multiples of the registers' width.
  [[nodiscard]] bool mapped(u64 offset, u32 bytes) const;
  /// Whether all of them, which are mapped, can be read or written.
  [[nodiscard]] bool readable(u64 offset, u32 bytes) const;
  [[nodiscard]] bool writable(u64 offset, u32 bytes) const;
  /// @param delay  from now until the access reaches the registers, the latency included
  void read(u64 offset, u8* data, u32 bytes, const sc_core::sc_time& delay);
  void write(u64 offset, const u8* data, u32 bytes, const sc_core::sc_time& delay);
  /// Reads any range without side effects, up to where a register is missing. Returns the number of bytes.
  u32 peek(u64 offset, u8* data, u32 bytes) const;
  void reset();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] sc_core::sc_time latency() const { return latency_; }
  [[nodiscard]] u32 register_bytes() const { return register_bytes_; }
  /// In the order of declaration.
  [[nodiscard]] const std::vector<Register*>& registers() const { return registers_; }
  [[nodiscard]] Register* find(const std::string& name) const;
  /// For callbacks: the time at which the access being served reaches the registers.
  [[nodiscard]] sc_core::sc_time access_time() const { return sc_core::sc_time_stamp() + access_delay_; }

 private:
  friend class Register;
  struct Word {
    Register* owner;
    u32 index;
  };
  enum class Direction { read, write };

  void add(Register* added);
  /// The register there that answers: of two that share the offset the one for this direction.
  [[nodiscard]] std::optional<Word> find_word(u64 offset, Direction direction = Direction::read) const;
  template <class Predicate>
  [[nodiscard]] bool all_words(u64 offset, u32 bytes, Direction direction, Predicate predicate) const;

  std::string name_;
  sc_core::sc_time latency_;
  u32 register_bytes_;
  sc_core::sc_time access_delay_;
  std::vector<Register*> registers_;
  std::multimap<u64, Register*> by_offset_;
};

}  // namespace bvp
