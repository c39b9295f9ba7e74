// SPDX-License-Identifier: Apache-2.0
// Writes whole files.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bvp {

enum class Sealed;

/// A file that is replaced completely or not at all. The content is written into a new file in the same directory,
/// under a random name that no other file has (O_EXCL); commit() renames it to the intended name. Without commit()
/// nothing changes. If the intended file is not a regular file (a pipe, a device), or if the file may be written but
/// its directory may not, the content is written directly into it.
class OutputFile {
 public:
  /// @throws std::runtime_error  the file cannot be written; the message says why
  explicit OutputFile(const std::filesystem::path& file);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  [[nodiscard]] std::ostream& stream();
  /// The place of the content before commit(), for a reader that needs it; only if there is a new file.
  [[nodiscard]] std::filesystem::path content() const;
  /// Closes the new file; commit() does so too. @throws std::runtime_error  something of it could not be written
  void close();
  /// @throws std::runtime_error  something of it could not be written: what was there before is still there
  void commit();

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// Calls `write` with a stream and replaces `file` by what it writes; see OutputFile.
/// @throws std::runtime_error  the file cannot be written
void write_file(const std::filesystem::path& file, const std::function<void(std::ostream&)>& write);
void write_file(const std::filesystem::path& file, std::string_view text);

/// @throws std::runtime_error  it cannot be written
void append_to_file(const std::filesystem::path& file, std::string_view text);

/// Checks a file that will be written later. Changes nothing. @throws InputError  it could not be written
void check_writable(const std::filesystem::path& file);

/// An input of a command: the option or key that names the file, and the file.
using InputFiles = std::vector<std::pair<std::string, std::filesystem::path>>;

/// @throws InputError  `file` is one of those that the command reads
void check_not_read(const std::filesystem::path& file, const InputFiles& inputs);

/// Checks a file that the user names as an output. It must be writable and must not be an input of the command. If it
/// exists, it must be empty or a file that is_sealed() recognises as of this kind, because other files are the user's.
/// @throws InputError  it is not
void check_replaceable(const std::filesystem::path& file, const InputFiles& inputs, std::optional<Sealed> kind);

}  // namespace bvp
