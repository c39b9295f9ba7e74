// SPDX-License-Identifier: Apache-2.0
#include "platform/support/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <ext/stdio_filebuf.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <ostream>
#include <stdexcept>

#include "platform/support/input_error.h"
#include "platform/support/seal.h"
#include "platform/support/temporary_path.h"

namespace bvp {

namespace {

namespace fs = std::filesystem;

std::string refusal(const fs::path& file, int error) {
  return fmt::format("{}: cannot be written{}", file.string(),
                     error == 0 ? "" : fmt::format(": {}", std::strerror(error)));
}

/// The path after following symbolic links.
fs::path followed(const fs::path& file) {
  std::error_code error;
  const fs::path real = fs::canonical(file, error);
  return error ? file : real;
}

}  // namespace

struct OutputFile::Implementation {
  explicit Implementation(const fs::path& path) : file(path), destination(followed(path)) {
    std::error_code ignored;
    const fs::file_status before = fs::status(destination, ignored);
    const bool there = fs::exists(before);
    if (there && access(destination.c_str(), W_OK) != 0) throw std::runtime_error(refusal(file, errno));
    if (there && !fs::is_regular_file(before)) {
      open(destination, O_WRONLY);
      return;
    }
    const std::string name = fmt::format(".butterfly-vp.{}.part", random_name());
    temporary.emplace(destination.parent_path() / name);
    try {
      open(temporary->path(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
      if (there) fs::permissions(temporary->path(), before.permissions(), ignored);
    } catch (const std::runtime_error&) {
      const bool closed_directory = errno == EACCES || errno == EPERM || errno == EROFS;
      temporary->keep();
      temporary.reset();
      if (!there || !closed_directory) throw;
      open(destination, O_WRONLY | O_TRUNC);
    }
  }

  void open(const fs::path& path, int flags) {
    constexpr mode_t readable_and_writable = 0666;  // The permissions, without those that the process's mask removes.
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, readable_and_writable);
    if (descriptor < 0) throw std::runtime_error(refusal(file, errno));
    buffer.emplace(descriptor, std::ios::out | std::ios::binary);
    stream.rdbuf(&*buffer);
  }

  void close() {
    if (!buffer) return;
    if (stream) errno = 0;
    stream.flush();
    const bool closed = buffer->close() != nullptr;
    const bool good = closed && stream;
    const int error = errno;
    stream.rdbuf(nullptr);
    buffer.reset();
    if (!good) throw std::runtime_error(refusal(file, error));
  }

  const fs::path file, destination;
  std::optional<TemporaryPath> temporary;
  std::optional<__gnu_cxx::stdio_filebuf<char>> buffer;
  std::ostream stream{nullptr};
};

OutputFile::OutputFile(const fs::path& file) : implementation_(std::make_unique<Implementation>(file)) {}
OutputFile::~OutputFile() = default;

std::ostream& OutputFile::stream() { return implementation_->stream; }

fs::path OutputFile::content() const {
  return implementation_->temporary ? implementation_->temporary->path() : fs::path();
}

void OutputFile::close() { implementation_->close(); }

void OutputFile::commit() {
  Implementation& all = *implementation_;
  all.close();
  if (!all.temporary) return;
  if (std::rename(all.temporary->path().c_str(), all.destination.c_str()) != 0) {
    throw std::runtime_error(refusal(all.file, errno));
  }
  all.temporary->keep();
}

void write_file(const fs::path& file, const std::function<void(std::ostream&)>& write) {
  OutputFile output(file);
  errno = 0;
  write(output.stream());
  output.commit();
}

void write_file(const fs::path& file, std::string_view text) {
  write_file(file, [text](std::ostream& stream) { stream << text; });
}

void append_to_file(const fs::path& file, std::string_view text) {
  errno = 0;
  std::ofstream stream(file, std::ios::binary | std::ios::app);
  if (stream) stream << text;
  stream.close();
  if (!stream) throw std::runtime_error(refusal(file, errno));
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

void check_not_read(const fs::path& file, const InputFiles& inputs) {
  for (const auto& [what, input] : inputs) {
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored) && fs::equivalent(file, input, ignored)) {
      throw InputError(
          fmt::format("{}: is read here ({}) and would be overwritten; expected another file", file.string(), what));
    }
  }
}

void check_replaceable(const fs::path& file, const InputFiles& inputs, std::optional<Sealed> kind) {
  check_writable(file);
  check_not_read(file, inputs);
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored) || fs::file_size(file, ignored) == 0) return;
  if (kind && is_sealed(file, *kind)) return;
  throw InputError(
      fmt::format("{}: is there already, and is no file that this command has made and nobody changed since; expected "
                  "another file, or move it away",
                  file.string()));
}

}  // namespace bvp
