// SPDX-License-Identifier: Apache-2.0
// Writing whole files.
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

/// A file that is all there or not at all. What is written goes into a new file beside the one that is meant, under a
/// random name that nothing else has (O_EXCL), and takes the place of that one with commit(). Without commit() nothing
/// changes. What is no regular file (a pipe, a device) is written into, and so is a file that may be written in a
/// directory that may not.
class OutputFile {
 public:
  /// @throws std::runtime_error  it cannot be written, and why
  explicit OutputFile(const std::filesystem::path& file);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  [[nodiscard]] std::ostream& stream();
  /// Where the content is before commit(), for who must read it; only if it is a new file.
  [[nodiscard]] std::filesystem::path content() const;
  /// Closes the new file; commit() does so too. @throws std::runtime_error  something of it could not be written
  void close();
  /// @throws std::runtime_error  something of it could not be written: what was there before is still there
  void commit();

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// Makes `file` what `write` puts into the stream; see OutputFile.
/// @throws std::runtime_error  it cannot be written
void write_file(const std::filesystem::path& file, const std::function<void(std::ostream&)>& write);
void write_file(const std::filesystem::path& file, std::string_view text);

/// @throws std::runtime_error  it cannot be written
void append_to_file(const std::filesystem::path& file, std::string_view text);

/// For a file that will be written later. Touches nothing. @throws InputError  it could not be
void check_writable(const std::filesystem::path& file);

/// What a command reads: the option or key that names the file, and the file.
using InputFiles = std::vector<std::pair<std::string, std::filesystem::path>>;

/// @throws InputError  `file` is one of those that the command reads
void check_not_read(const std::filesystem::path& file, const InputFiles& inputs);

/// For a file that the user names to be written: it can be written, is not read by the command, and is a file of the
/// user's only if it is empty: apart from that, it is replaced if is_sealed() tells that it is of this kind, if any.
/// @throws InputError
void check_replaceable(const std::filesystem::path& file, const InputFiles& inputs, std::optional<Sealed> kind);

}  // namespace bvp
