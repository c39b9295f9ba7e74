// SPDX-License-Identifier: Apache-2.0
#include "platform/support/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "platform/support/input_error.h"
#include "platform/support/printable.h"

namespace bvp {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

[[noreturn]] void refuse(const fs::path& file, const std::string& what) {
  throw InputError(fmt::format("{}: {}", file.string(), what));
}

[[noreturn]] void refuse_size(const fs::path& file, std::uintmax_t bytes, std::uintmax_t limit) {
  refuse(file, fmt::format("has {} bytes, expected at most {}", bytes, limit));
}

class Descriptor {
 public:
  Descriptor(const fs::path& file, int flags) : value_(open(file.c_str(), O_RDONLY | O_CLOEXEC | flags)) {
    if (value_ >= 0) return;
    if (errno == ENOENT) refuse(file, "there is no such file");
    refuse(file, fmt::format("cannot be read: {}", std::strerror(errno)));
  }
  ~Descriptor() { close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
};

/// Reads to the end of the file, or one byte more than `limit`.
std::string read_to_end(const fs::path& file, int descriptor, std::size_t expected, std::uintmax_t limit) {
  constexpr std::size_t step = std::size_t{64} << 10;
  std::string text;
  std::size_t filled = 0;
  while (filled <= limit) {
    // One byte more than expected is requested, so that the end is noticed without another read.
    if (text.size() == filled) text.resize(filled == 0 ? std::max(step, expected + 1) : filled + step);
    const ssize_t got = read(descriptor, text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(file, fmt::format("cannot be read: {}", std::strerror(errno)));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  if (filled > limit) refuse(file, fmt::format("has more than the {} bytes that are expected at most", limit));
  text.resize(filled);
  return text;
}

/// Checks the nesting depth, which the JSON parser does not limit (a tree would need much memory and stack), and finds
/// where a text stops being JSON.
class DepthCheck final : public nlohmann::json_sax<Json> {
 public:
  explicit DepthCheck(int deepest) : deepest_(deepest) {}
  [[nodiscard]] bool too_deep() const { return depth_ > deepest_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return ++depth_ <= deepest_; }
  bool start_array(std::size_t) override { return ++depth_ <= deepest_; }
  bool end_object() override { return --depth_ >= 0; }
  bool end_array() override { return --depth_ >= 0; }
  bool key(string_t&) override { return true; }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    position_ = position;
    error_ = error.what();
    return false;
  }
  /// The position of the error in the text, counted from 1.
  [[nodiscard]] std::size_t line(const std::string& text) const {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(position_, text.size()));
    return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
  }
  /// Returns the parser's sentence without its prefix: "[json.exception.parse_error.101] parse error at line 1, column
  /// 2: syntax error while parsing value - invalid literal; last read: 'x'; expected ..."
  [[nodiscard]] std::string error() const {
    std::size_t begin = 0;
    if (const std::size_t mark = error_.find("] "); mark != std::string::npos) begin = mark + 2;
    if (const std::size_t dash = error_.find(" - "); dash != std::string::npos) begin = dash + 3;
    return error_.substr(begin, std::min(error_.find("; "), error_.size()) - begin);
  }

 private:
  const int deepest_;
  int depth_ = 0;
  std::size_t position_ = 0;
  std::string error_;
};

class LikeCheck {
 public:
  explicit LikeCheck(const fs::path& file) : file_(file) {}

  void check(const Json& found, const Json& example, const std::string& key) const {
    if (example.is_null()) return;
    if (example.is_object() && example.size() == 1 && example.contains("?")) {
      if (!found.is_null()) check(found, example["?"], key);
      return;
    }
    if (std::strcmp(kind_of(found), kind_of(example)) != 0) {
      refuse(file_,
             fmt::format("{}: found {}, expected {}", key.empty() ? "the whole" : key, shown(found), kind_of(example)));
    }
    if (example.is_array() && !example.empty()) {
      for (std::size_t i = 0; i < found.size(); ++i) check(found[i], example[0], fmt::format("{}[{}]", key, i));
    }
    if (!example.is_object()) return;
    const auto below = [&](const std::string& name) {
      return key.empty() ? std::string(printable(name)) : fmt::format("{}.{}", key, printable(name));
    };
    if (example.size() == 1 && example.contains("*")) {
      for (const auto& [name, value] : found.items()) check(value, example["*"], below(name));
      return;
    }
    for (const auto& [name, value] : example.items()) {
      const auto entry = found.find(name);
      if (entry == found.end()) {
        refuse(file_, fmt::format("no '{}'; expected a file that a run of this version left", below(name)));
      }
      check(*entry, value, below(name));
    }
  }

 private:
  static std::string shown(const Json& value) {
    return value.is_string() ? fmt::format("'{}'", printable(value.get_ref<const std::string&>())) : kind_of(value);
  }
  const fs::path& file_;
};

}  // namespace

std::string why_no_file(const fs::path& file, const std::string& name) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  const std::string shown = fmt::format("'{}'", printable(name));
  switch (status.type()) {
    case fs::file_type::regular:
      if (access(file.c_str(), R_OK) == 0) return {};
      return fmt::format("{} cannot be read: {}", shown, std::strerror(errno));
    case fs::file_type::not_found:
      return "there is no file " + shown;
    case fs::file_type::directory:
      return shown + " is a directory";
    case fs::file_type::none:
      return fmt::format("{} cannot be read: {}", shown, error.message());
    default:
      return shown + " is no regular file";
  }
}

std::string read_input_file(const fs::path& file, std::uintmax_t limit) {
  // Opening a pipe that has no writer would wait for one.
  const Descriptor descriptor(file, O_NONBLOCK);
  struct stat status {};
  if (fstat(descriptor.value(), &status) != 0) refuse(file, fmt::format("cannot be read: {}", std::strerror(errno)));
  if (S_ISDIR(status.st_mode)) refuse(file, "is a directory, expected a file");
  if (!S_ISREG(status.st_mode)) refuse(file, "is no regular file");
  const auto size = static_cast<std::uintmax_t>(status.st_size);
  if (size > limit) refuse_size(file, size, limit);
  return read_to_end(file, descriptor.value(), size, limit);
}

std::string read_input_stream(const fs::path& file, std::uintmax_t limit) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (status.type() == fs::file_type::none) refuse(file, fmt::format("cannot be read: {}", error.message()));
  if (fs::is_directory(status)) refuse(file, "is a directory, expected a file");
  if (!fs::exists(status) || fs::is_regular_file(status)) return read_input_file(file, limit);
  const Descriptor descriptor(file, 0);
  return read_to_end(file, descriptor.value(), 0, limit);
}

Json read_json_file(const fs::path& file, std::uintmax_t limit, int deepest) {
  const std::string text = read_input_file(file, limit);
  DepthCheck depth(deepest);
  if (!Json::sax_parse(text, &depth)) {
    if (depth.too_deep()) refuse(file, fmt::format("lists and maps are nested more than {} deep", deepest));
    refuse(file, fmt::format("is not JSON (line {}): {}; expected a file that a run left", depth.line(text),
                             printable(depth.error(), 120)));
  }
  return Json::parse(text);
}

const char* kind_of(const Json& value) {
  if (value.is_object()) return "a map";
  if (value.is_array()) return "a list";
  if (value.is_string()) return "text";
  if (value.is_number()) return "a number";
  if (value.is_boolean()) return "true or false";
  return "nothing";
}

void check_like(const fs::path& file, const Json& found, const Json& example) {
  LikeCheck(file).check(found, example, "");
}

}  // namespace bvp
