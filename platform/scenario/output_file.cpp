// SPDX-License-Identifier: Apache-2.0
#include "platform/scenario/output_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "platform/scenario/input_error.h"

namespace bvp {

namespace {

namespace fs = std::filesystem;

std::string refusal(const fs::path& file, int error) {
  return fmt::format("{}: cannot be written{}", file.string(),
                     error == 0 ? "" : fmt::format(": {}", std::strerror(error)));
}

/// @throws std::runtime_error  naming `file`
void write_into(const fs::path& destination, std::ios::openmode mode, const fs::path& file,
                const std::function<void(std::ostream&)>& write) {
  errno = 0;
  std::ofstream stream(destination, std::ios::binary | mode);
  if (stream) write(stream);
  stream.close();
  if (!stream) throw std::runtime_error(refusal(file, errno));
}

/// Where links lead to.
fs::path followed(const fs::path& file) {
  std::error_code error;
  const fs::path real = fs::canonical(file, error);
  return error ? file : real;
}

/// Goes away with the object, unless it has got another name in the meantime.
struct TemporaryFile {
  explicit TemporaryFile(fs::path p) : path(std::move(p)) {}
  ~TemporaryFile() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const fs::path path;
};

/// A file may be writable where none can be made beside it.
bool can_be_made(const fs::path& file) { return std::ofstream(file, std::ios::binary | std::ios::trunc).is_open(); }

}  // namespace

void write_file(const fs::path& file, const std::function<void(std::ostream&)>& write) {
  const fs::path destination = followed(file);
  std::error_code ignored;
  const fs::file_status before = fs::status(destination, ignored);
  const bool writable = !fs::exists(before) || access(destination.c_str(), W_OK) == 0;
  const bool ordinary = !fs::exists(before) || fs::is_regular_file(before);
  const TemporaryFile beside(destination.parent_path() / fmt::format(".butterfly-vp.{}.part", getpid()));
  if (!ordinary || !writable || !can_be_made(beside.path)) {
    return write_into(destination, std::ios::trunc, file, write);
  }
  write_into(beside.path, std::ios::trunc, file, write);
  if (fs::exists(before)) fs::permissions(beside.path, before.permissions(), ignored);
  std::error_code error;
  fs::rename(beside.path, destination, error);
  if (error) throw std::runtime_error(refusal(file, error.value()));
}

void write_file(const fs::path& file, std::string_view text) {
  write_file(file, [text](std::ostream& stream) { stream << text; });
}

void append_to_file(const fs::path& file, std::string_view text) {
  write_into(file, std::ios::app, file, [text](std::ostream& stream) { stream << text; });
}

void check_writable(const fs::path& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (fs::is_directory(status)) throw InputError(refusal(file, EISDIR));
  if (status.type() == fs::file_type::none) throw InputError(refusal(file, error.value()));
  const fs::path directory = file.has_parent_path() ? file.parent_path() : ".";
  const bool good = fs::exists(status) ? access(file.c_str(), W_OK) == 0 : access(directory.c_str(), W_OK | X_OK) == 0;
  if (!good) throw InputError(refusal(file, errno));
}

}  // namespace bvp
