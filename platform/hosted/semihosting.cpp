// SPDX-License-Identifier: Apache-2.0
#include "platform/hosted/semihosting.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace bvp {
namespace {

namespace fs = std::filesystem;

enum Operation : u64 {
  sys_open = 0x01,
  sys_close = 0x02,
  sys_writec = 0x03,
  sys_write0 = 0x04,
  sys_write = 0x05,
  sys_read = 0x06,
  sys_iserror = 0x08,
  sys_istty = 0x09,
  sys_seek = 0x0a,
  sys_flen = 0x0c,
  sys_clock = 0x10,
  sys_time = 0x11,
  sys_errno = 0x13,
  sys_exit = 0x18,
  sys_exit_extended = 0x20,
  sys_elapsed = 0x30,
  sys_tickfreq = 0x31
};

constexpr unsigned register_a0 = 10, register_a1 = 11;
constexpr u64 application_exit = 0x20026;
constexpr u64 most_bytes = u64{1} << 20;  // of one call
constexpr std::size_t most_files = 64;
constexpr u64 first_write_mode = 4, first_append_mode = 8, mode_count = 12;

/// Whether `path` is `root` or lies in it.
bool within(const fs::path& path, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

}  // namespace

Semihosting::Semihosting(Soc& soc, std::optional<fs::path> directory, Ports ports)
    : soc_(soc), directory_(std::move(directory)), ports_(std::move(ports)) {
  soc_.cpu.set_semihosting([this] { carry_out(); });
}

Semihosting::~Semihosting() {
  soc_.cpu.set_semihosting({});
  for (const auto& [handle, open] : open_) {
    if (open.descriptor >= 0) ::close(open.descriptor);
  }
}

void Semihosting::carry_out() {
  const u64 operation = soc_.cpu.read_register(register_a0), block = soc_.cpu.read_register(register_a1);
  soc_.cpu.write_register(register_a0, static_cast<u64>(call(operation, block)));
}

i64 Semihosting::call(u64 operation, u64 block) {
  constexpr double ticks_per_s = 1e9;
  const double now = soc_.cpu.local_time().to_seconds();
  switch (operation) {
    case sys_open:
      return open(block);
    case sys_close:
      return close(word(block, 0));
    case sys_writec:
      ports_.print(text_at(block).substr(0, 1));
      return 0;
    case sys_write0:
      ports_.print(text_at(block));
      return 0;
    case sys_write:
      return write(block);
    case sys_read:
      return read(block);
    case sys_iserror:
      return static_cast<i64>(word(block, 0)) < 0 ? 1 : 0;
    case sys_istty: {
      const Open* const found = find(word(block, 0));
      return found == nullptr ? fail(EBADF) : found->stream == Stream::file ? 0 : 1;
    }
    case sys_seek:
      return seek(block);
    case sys_flen:
      return length(word(block, 0));
    case sys_clock:
      return static_cast<i64>(now * 100);
    case sys_time:
      return static_cast<i64>(now);
    case sys_errno:
      return error_;
    case sys_elapsed: {
      const auto ticks = static_cast<u64>(now * ticks_per_s);
      soc_.write_memory(block, reinterpret_cast<const u8*>(&ticks), sizeof ticks);
      return 0;
    }
    case sys_tickfreq:
      return static_cast<i64>(ticks_per_s);
    case sys_exit:
    case sys_exit_extended:
      exit(block);
      return 0;
    default:
      return fail(ENOSYS);
  }
}

i64 Semihosting::fail(int error) {
  error_ = error;
  return -1;
}

u64 Semihosting::word(u64 block, unsigned index) {
  u64 value = 0;
  soc_.read_memory(block + index * sizeof value, reinterpret_cast<u8*>(&value), sizeof value);
  return value;
}

std::string Semihosting::text_at(u64 address) {
  std::string text;
  std::array<char, 64> piece{};
  while (text.size() < most_bytes) {
    const std::size_t count = soc_.read_some(address + text.size(), reinterpret_cast<u8*>(piece.data()), piece.size());
    const auto end = std::find(piece.begin(), piece.begin() + count, '\0');
    text.append(piece.begin(), end);
    if (count == 0 || end != piece.begin() + count) break;
  }
  return text;
}

const Semihosting::Open* Semihosting::find(u64 handle) const {
  const auto found = open_.find(handle);
  return found == open_.end() ? nullptr : &found->second;
}

i64 Semihosting::open(u64 block) {
  const u64 mode = word(block, 1), bytes = std::min(word(block, 2), most_bytes);
  std::string name(bytes, '\0');
  name.resize(soc_.read_some(word(block, 0), reinterpret_cast<u8*>(name.data()), bytes));
  if (mode >= mode_count) return fail(EINVAL);
  if (open_.size() >= most_files) return fail(EMFILE);
  if (name == ":tt") {
    open_[next_handle_] = {mode < first_write_mode ? Stream::input : Stream::output, -1};
    return static_cast<i64>(next_handle_++);
  }
  return open_file(name, mode);
}

i64 Semihosting::open_file(const std::string& name, u64 mode) {
  if (!directory_ || name.empty() || name.find('\0') != std::string::npos) return fail(EACCES);
  std::error_code error;
  const fs::path root = fs::canonical(*directory_, error);
  if (error) return fail(ENOENT);
  const fs::path path = fs::weakly_canonical(root / name, error);
  if (error || !within(path, root) || path == root) return fail(EACCES);
  const bool updates = (mode & 2) != 0;  // "r+", "w+", "a+"
  int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  if (mode < first_write_mode) {
    flags |= updates ? O_RDWR : O_RDONLY;
  } else {
    flags |= (updates ? O_RDWR : O_WRONLY) | O_CREAT | (mode < first_append_mode ? O_TRUNC : O_APPEND);
  }
  constexpr mode_t rights = 0644;
  const int descriptor = ::open(path.c_str(), flags, rights);
  if (descriptor < 0) return fail(errno);
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return fail(EACCES);
  }
  open_[next_handle_] = {Stream::file, descriptor};
  return static_cast<i64>(next_handle_++);
}

i64 Semihosting::close(u64 handle) {
  const Open* const found = find(handle);
  if (found == nullptr) return fail(EBADF);
  const int result = found->descriptor < 0 ? 0 : ::close(found->descriptor);
  open_.erase(handle);
  return result == 0 ? 0 : fail(errno);
}

// Returns the number of bytes that were not written.
i64 Semihosting::write(u64 block) {
  const u64 asked = word(block, 2);
  std::string bytes(std::min(asked, most_bytes), '\0');
  bytes.resize(soc_.read_some(word(block, 1), reinterpret_cast<u8*>(bytes.data()), bytes.size()));
  const Open* const found = find(word(block, 0));
  u64 written = 0;
  if (found == nullptr || found->stream == Stream::input) {
    error_ = EBADF;
  } else if (found->stream == Stream::output) {
    ports_.print(bytes);
    written = bytes.size();
  } else {
    const ssize_t count = ::write(found->descriptor, bytes.data(), bytes.size());
    if (count < 0) error_ = errno;
    written = count < 0 ? 0 : static_cast<u64>(count);
  }
  return static_cast<i64>(asked - written);
}

// Returns the number of bytes that were not read.
i64 Semihosting::read(u64 block) {
  const u64 asked = word(block, 2);
  const Open* const found = find(word(block, 0));
  if (found == nullptr || found->stream == Stream::output) {
    error_ = EBADF;
    return static_cast<i64>(asked);
  }
  if (found->stream == Stream::input) return static_cast<i64>(asked);
  std::string bytes(std::min(asked, most_bytes), '\0');
  const ssize_t count = ::read(found->descriptor, bytes.data(), bytes.size());
  if (count < 0) {
    error_ = errno;
    return static_cast<i64>(asked);
  }
  const auto length = static_cast<u64>(count);
  if (length != 0 && !soc_.write_memory(word(block, 1), reinterpret_cast<const u8*>(bytes.data()), length)) {
    error_ = EFAULT;
    return static_cast<i64>(asked);
  }
  return static_cast<i64>(asked - length);
}

i64 Semihosting::seek(u64 block) {
  const Open* const found = find(word(block, 0));
  if (found == nullptr || found->stream != Stream::file) return fail(EBADF);
  return lseek(found->descriptor, static_cast<off_t>(word(block, 1)), SEEK_SET) < 0 ? fail(errno) : 0;
}

i64 Semihosting::length(u64 handle) {
  const Open* const found = find(handle);
  struct stat status {};
  if (found == nullptr || found->stream != Stream::file) return fail(EBADF);
  return fstat(found->descriptor, &status) != 0 ? fail(errno) : static_cast<i64>(status.st_size);
}

void Semihosting::exit(u64 block) {
  const u64 reason = word(block, 0), code = word(block, 1);
  // Any other reason is a failure that has no code of its own.
  ports_.exit(reason == application_exit ? code : 1);
}

}  // namespace bvp
