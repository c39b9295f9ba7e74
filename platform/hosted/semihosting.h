// SPDX-License-Identifier: Apache-2.0
// RISC-V semihosting: what a program asks of its host by `slli zero, zero, 31; ebreak; srai zero, zero, 7`.
// See https://github.com/riscv-non-isa/riscv-semihosting
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "platform/soc/soc.h"

namespace bvp {

/// The time that a program is told is simulated time. Files lie in one directory that the user grants; without one,
/// none can be opened. The standard input is empty.
class Semihosting {
 public:
  struct Ports {
    std::function<void(std::string_view)> print;
    std::function<void(u64 code)> exit;
  };
  /// @param directory  that exists; nothing: no files
  Semihosting(Soc& soc, std::optional<std::filesystem::path> directory, Ports ports);
  ~Semihosting();
  Semihosting(const Semihosting&) = delete;
  Semihosting& operator=(const Semihosting&) = delete;

 private:
  enum class Stream { input, output, file };
  struct Open {
    Stream stream;
    int descriptor = -1;
  };

  void carry_out();
  [[nodiscard]] i64 call(u64 operation, u64 block);
  [[nodiscard]] i64 open(u64 block);
  [[nodiscard]] i64 open_file(const std::string& name, u64 mode);
  [[nodiscard]] i64 close(u64 handle);
  [[nodiscard]] i64 write(u64 block);
  [[nodiscard]] i64 read(u64 block);
  [[nodiscard]] i64 seek(u64 block);
  [[nodiscard]] i64 length(u64 handle);
  void exit(u64 block);
  i64 fail(int error);

  [[nodiscard]] u64 word(u64 block, unsigned index);
  [[nodiscard]] std::string text_at(u64 address);
  [[nodiscard]] const Open* find(u64 handle) const;

  Soc& soc_;
  const std::optional<std::filesystem::path> directory_;
  const Ports ports_;
  std::map<u64, Open> open_;
  u64 next_handle_ = 1;
  int error_ = 0;
};

}  // namespace bvp
