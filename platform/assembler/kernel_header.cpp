// SPDX-License-Identifier: Apache-2.0
#include "platform/assembler/kernel_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "platform/support/printable.h"
#include "platform/support/seal.h"

namespace bvp {
namespace {

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string words_of(const std::vector<u8>& image) {
  constexpr std::size_t word_bytes = 8, words_per_line = 4;
  std::string text;
  for (std::size_t at = 0; at < image.size(); at += word_bytes) {
    u64 word = 0;
    for (std::size_t i = 0; i < word_bytes; ++i) word |= u64{image[at + i]} << (8 * i);
    text += fmt::format("{}{:#018x},", at / word_bytes % words_per_line == 0 ? "\n    " : " ", word);
  }
  return text;
}

/// Text that does not end a comment of C.
std::string in_comment(const std::string& text) {
  std::string shown = printable(text, 200);
  std::replace(shown.begin(), shown.end(), '*', '?');
  return shown;
}

}  // namespace

std::string kernel_header(const AssembledKernel& assembled, const std::string& name, const std::string& source) {
  const Kernel& kernel = assembled.kernel;
  const std::vector<u8> image = kernel.encode();
  const std::string prefix = upper(name);
  std::string text = fmt::format(
      "/* Made by butterfly-vp of {}. {} */\n#ifndef BVP_KERNEL_{}\n#define BVP_KERNEL_{}\n\n#include <stdint.h>\n\n",
      in_comment(source), seal_blank(Sealed::kernel), prefix, prefix);
  const auto define = [&](const std::string& what, i64 value) {
    text += value < 0 ? fmt::format("#define {}_{} ({})\n", prefix, what, value)
                      : fmt::format("#define {}_{} {}\n", prefix, what, value);
  };
  define("IMAGE_BYTES", static_cast<i64>(image.size()));
  define("LANES", kernel.lanes);
  define("ROWS", kernel.pe_rows);
  define("COLUMNS", kernel.pe_columns);
  for (const AssembledKernel::Name& each : assembled.launch_registers) define("LAUNCH_" + upper(each.name), each.value);
  for (const AssembledKernel::Name& each : assembled.constants) define("CONST_" + upper(each.name), each.value);
  text += fmt::format("\nstatic const uint64_t {}_image[] __attribute__((aligned(64))) = {{{}\n}};\n\n#endif\n", name,
                      words_of(image));
  return sealed(text, Sealed::kernel);
}

std::string c_name(const std::string& text) {
  std::string name;
  for (const char c : text) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) name.insert(0, "_");
  return name;
}

}  // namespace bvp
