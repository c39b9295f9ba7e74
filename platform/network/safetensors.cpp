// SPDX-License-Identifier: Apache-2.0
#include "platform/network/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "platform/network/half.h"
#include "platform/support/input_error.h"
#include "platform/support/output_file.h"
#include "platform/support/printable.h"

namespace bvp {
namespace {

using nlohmann::json;

constexpr u64 header_limit = u64{16} << 20;  // enough for more than 100,000 tensors
constexpr u64 file_limit = u64{16} << 30;
constexpr std::size_t rank_limit = 16;

struct Entry {
  std::string name;
  std::string type;
  std::vector<u64> shape;
  u64 elements = 0;
  u64 begin = 0;
  u64 end = 0;
};

template <class... Args>
[[noreturn]] void refuse(const std::filesystem::path& file, fmt::format_string<Args...> format, Args&&... args) {
  throw InputError(fmt::format("{}: {}", file.string(), fmt::format(format, std::forward<Args>(args)...)));
}

template <class... Args>
[[noreturn]] void refuse_tensor(const std::filesystem::path& file, const std::string& name,
                                fmt::format_string<Args...> format, Args&&... args) {
  refuse(file, "tensor '{}'{}", printable(name), fmt::format(format, std::forward<Args>(args)...));
}

/// Checks two things that the JSON parser accepts: names that appear twice, and deep nesting, for which a tree would
/// need much memory and stack. (The parser with a callback notices repeated names, but its time grows with the square
/// of their number.)
class HeaderCheck final : public nlohmann::json_sax<json> {
 public:
  [[nodiscard]] const std::string& problem() const { return problem_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    if (depth_ != 1 || names_.insert(name).second) return true;
    problem_ = fmt::format("tensor '{}' appears twice in the header", printable(name));
    return false;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    problem_ = fmt::format("is not a safetensors file: its header is not JSON (at byte {})", position);
    return false;
  }

 private:
  bool enter() {
    constexpr int deepest = 8;  // a tensor's shape lies at depth 3
    if (++depth_ <= deepest) return true;
    problem_ = fmt::format("is not a safetensors file: its header is nested more than {} deep", deepest);
    return false;
  }
  bool leave() {
    --depth_;
    return true;
  }

  int depth_ = 0;
  std::unordered_set<std::string> names_;
  std::string problem_;
};

/// Size of an element of this type; 0: the type is not supported.
u64 float_size(const std::string& type) {
  if (type == "F16" || type == "BF16") return 2;
  if (type == "F32") return 4;
  if (type == "F64") return 8;
  return 0;
}

u64 integer_size(const std::string& type) {
  if (type == "U8") return 1;
  if (type == "U16") return 2;
  if (type == "I32" || type == "U32") return 4;
  if (type == "I64") return 8;
  return 0;
}

/// Types that a file may contain beside the tensors that are needed, and that are not read.
u64 other_size(const std::string& type) {
  if (type == "BOOL" || type == "I8" || type == "F8_E4M3" || type == "F8_E5M2") return 1;
  if (type == "I16") return 2;
  if (type == "U64") return 8;
  return 0;
}

/// Opens a file. @return its size
u64 open(const std::filesystem::path& file, std::ifstream& stream) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) refuse(file, "there is no such file");
  const u64 size = std::filesystem::file_size(file, error);
  if (error) refuse(file, "cannot be read: {}", error.message());
  if (access(file.c_str(), R_OK) != 0) refuse(file, "cannot be read: {}", std::strerror(errno));
  if (size > file_limit) refuse(file, "has {} bytes, more than the {} that are supported", size, file_limit);
  stream.open(file, std::ios::binary);
  return size;
}

std::string read_bytes(const std::filesystem::path& file, std::ifstream& stream, u64 size) {
  std::string bytes(size, '\0');
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(size))) refuse(file, "cannot be read");
  return bytes;
}

json parse_header(const std::filesystem::path& file, const std::string& text) {
  HeaderCheck check;
  if (!json::sax_parse(text, &check)) refuse(file, "{}", check.problem());
  json header = json::parse(text);
  if (!header.is_object()) refuse(file, "is not a safetensors file: its header is not a JSON object");
  return header;
}

Entry parse_entry(const std::filesystem::path& file, const std::string& name, const json& value, u64 data_size) {
  const auto is_counts = [](const json& list) {
    return list.is_array() &&
           std::all_of(list.begin(), list.end(), [](const json& item) { return item.is_number_unsigned(); });
  };
  if (!value.is_object() || !value.contains("dtype") || !value["dtype"].is_string() || !value.contains("shape") ||
      !is_counts(value["shape"]) || !value.contains("data_offsets") || !is_counts(value["data_offsets"]) ||
      value["data_offsets"].size() != 2) {
    refuse_tensor(file, name, ": expected a dtype, a shape and two data_offsets");
  }
  Entry entry{name, value["dtype"],           value["shape"].get<std::vector<u64>>(),
              1,    value["data_offsets"][0], value["data_offsets"][1]};
  const u64 size = std::max({float_size(entry.type), integer_size(entry.type), other_size(entry.type)});
  if (size == 0) {
    refuse_tensor(file, name,
                  ": type {} is not supported, expected F16, BF16, F32 or F64 (token ids: U8, U16, I32, U32 or I64)",
                  printable(entry.type));
  }
  if (entry.shape.size() > rank_limit) refuse_tensor(file, name, " has {} dimensions", entry.shape.size());
  for (const u64 extent : entry.shape) {
    // The product is bounded by the size of the data, so that it cannot overflow.
    if (extent != 0 && entry.elements > data_size / extent) {
      refuse_tensor(file, name, ": its shape needs more bytes than the file has");
    }
    entry.elements *= extent;
  }
  if (entry.begin > entry.end || entry.end > data_size) {
    refuse_tensor(file, name, ": its data_offsets [{}, {}] lie outside of the {} bytes of data", entry.begin, entry.end,
                  data_size);
  }
  if (entry.end - entry.begin != entry.elements * size) {
    refuse_tensor(file, name, ": its shape needs {} bytes, its data_offsets span {}", entry.elements * size,
                  entry.end - entry.begin);
  }
  return entry;
}

/// Reads the upper half of an IEEE 754 number of 32 bits (BF16).
struct Bfloat16 {
  u16 bits = 0;
  operator float() const {
    const u32 word = u32{bits} << 16;
    float value = 0;
    std::memcpy(&value, &word, sizeof(value));
    return value;
  }
};

/// `Stored` is the type in the file, and `T` the type of the result.
template <class T, class Stored = T>
void round_elements(const std::filesystem::path& file, const Entry& entry, const char* data, std::vector<u16>& out) {
  for (u64 i = 0; i < entry.elements; ++i) {
    Stored stored{};
    std::memcpy(&stored, data + i * sizeof(Stored), sizeof(Stored));
    const T value = stored;
    out[i] = to_half(value);
    if (std::isfinite(value) && !is_finite_half(out[i])) {
      refuse_tensor(file, entry.name, ": {} at flat index {} is beyond the range of fp16", value, i);
    }
  }
}

Tensor decode(const std::filesystem::path& file, const Entry& entry, const char* data) {
  Tensor tensor{entry.shape, std::vector<u16>(entry.elements)};
  if (entry.type == "F16") {
    if (entry.elements != 0) std::memcpy(tensor.data.data(), data, entry.elements * 2);
  } else if (entry.type == "BF16") {
    round_elements<float, Bfloat16>(file, entry, data, tensor.data);
  } else if (entry.type == "F32") {
    round_elements<float>(file, entry, data, tensor.data);
  } else {
    round_elements<double>(file, entry, data, tensor.data);
  }
  return tensor;
}

template <class T>
void widen_elements(const char* data, std::vector<i64>& out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value = 0;
    std::memcpy(&value, data + i * sizeof(T), sizeof(T));
    out[i] = static_cast<i64>(value);
  }
}

IntegerTensor decode_integers(const std::filesystem::path& file, const Entry& entry, const char* data) {
  if (integer_size(entry.type) == 0) {
    refuse_tensor(file, entry.name, ": found type {}, expected U8, U16, I32, U32 or I64", printable(entry.type));
  }
  IntegerTensor tensor{entry.shape, std::vector<i64>(entry.elements)};
  if (entry.type == "U8") widen_elements<u8>(data, tensor.data);
  if (entry.type == "U16") widen_elements<u16>(data, tensor.data);
  if (entry.type == "I32") widen_elements<i32>(data, tensor.data);
  if (entry.type == "U32") widen_elements<u32>(data, tensor.data);
  if (entry.type == "I64") widen_elements<i64>(data, tensor.data);
  return tensor;
}

/// The entries of a file in the order of their data; the data are read on demand.
class FileContents {
 public:
  explicit FileContents(const std::filesystem::path& file) : file_(file) {
    const u64 size = open(file, stream_);
    if (size < 8) refuse(file, "is not a safetensors file: it has only {} bytes", size);
    const std::string length = read_bytes(file, stream_, 8);
    u64 header_size = 0;
    for (auto byte = length.rbegin(); byte != length.rend(); ++byte)
      header_size = header_size << 8 | static_cast<u8>(*byte);
    if (header_size > size - 8) {
      refuse(file, "is not a safetensors file, or is cut short: it announces a header of {} bytes and has {}",
             header_size, size - 8);
    }
    if (header_size > header_limit) {
      refuse(file, "has a header of {} bytes, more than the {} that are supported", header_size, header_limit);
    }
    const json header = parse_header(file, read_bytes(file, stream_, header_size));
    data_size_ = size - 8 - header_size;
    data_begin_ = 8 + header_size;
    for (const auto& [name, value] : header.items()) {
      if (name != "__metadata__") entries_.push_back(parse_entry(file, name, value, data_size_));
    }
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
    u64 next = 0;
    for (const Entry& entry : entries_) {
      if (entry.begin != next) {
        refuse_tensor(file, entry.name, " begins at byte {} of the data, expected {}: tensors overlap or leave a gap",
                      entry.begin, next);
      }
      next = entry.end;
    }
    if (next != data_size_) refuse(file, "has {} bytes of data behind the last tensor", data_size_ - next);
  }

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  /// Reads the data of one entry.
  [[nodiscard]] std::string data_of(const Entry& entry) {
    stream_.seekg(static_cast<std::streamoff>(data_begin_ + entry.begin));
    return read_bytes(file_, stream_, entry.end - entry.begin);
  }
  /// Reads the data after the header. Call it only once.
  [[nodiscard]] std::string data() { return read_bytes(file_, stream_, data_size_); }

 private:
  const std::filesystem::path file_;
  std::ifstream stream_;
  u64 data_size_ = 0, data_begin_ = 0;
  std::vector<Entry> entries_;
};

/// @param parts  the bytes of each tensor, in the header's order
void write_tensors(const std::filesystem::path& file, const json& header,
                   const std::vector<std::pair<const void*, u64>>& parts) {
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  write_file(file, [&](std::ostream& stream) {
    for (int shift = 0; shift < 64; shift += 8) stream.put(static_cast<char>(u64{text.size()} >> shift));
    stream << text;
    for (const auto& [data, bytes] : parts) {
      stream.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
    }
  });
}

}  // namespace

FloatTensors read_safetensors(const std::filesystem::path& file) {
  FileContents contents(file);
  const std::string data = contents.data();
  FloatTensors found;
  for (const Entry& entry : contents.entries()) {
    if (float_size(entry.type) == 0) {
      found.others.emplace(entry.name, entry.type);
      continue;
    }
    found.bfloat16 += entry.type == "BF16" ? 1 : 0;
    found.tensors.emplace(entry.name, decode(file, entry, data.data() + entry.begin));
  }
  return found;
}

FloatTensors read_safetensors_shapes(const std::filesystem::path& file) {
  const FileContents contents(file);
  FloatTensors found;
  for (const Entry& entry : contents.entries()) {
    if (float_size(entry.type) == 0) {
      found.others.emplace(entry.name, entry.type);
      continue;
    }
    found.bfloat16 += entry.type == "BF16" ? 1 : 0;
    found.tensors.emplace(entry.name, Tensor{entry.shape, {}});
  }
  return found;
}

class SafetensorsReader::Contents : public FileContents {
 public:
  using FileContents::FileContents;
};

SafetensorsReader::SafetensorsReader(const std::filesystem::path& file) : contents_(std::make_unique<Contents>(file)) {}
SafetensorsReader::~SafetensorsReader() = default;

std::map<std::string, SafetensorsReader::Header> SafetensorsReader::headers() const {
  std::map<std::string, Header> headers;
  for (const Entry& entry : contents_->entries()) headers.emplace(entry.name, Header{entry.type, entry.shape});
  return headers;
}

FloatTensor SafetensorsReader::read(const std::string& name) {
  const std::vector<Entry>& entries = contents_->entries();
  const auto entry = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.name == name; });
  if (entry == entries.end()) refuse(contents_->file(), "there is no tensor '{}'", printable(name));
  if (float_size(entry->type) == 0) {
    refuse_tensor(contents_->file(), name, ": found type {}, expected F16, BF16, F32 or F64", printable(entry->type));
  }
  const std::string data = contents_->data_of(*entry);
  FloatTensor tensor{entry->shape, std::vector<float>(entry->elements)};
  const auto element = [&](u64 i, auto stored) {
    std::memcpy(&stored, data.data() + i * sizeof(stored), sizeof(stored));
    return stored;
  };
  for (u64 i = 0; i < entry->elements; ++i) {
    float& value = tensor.data[i];
    if (entry->type == "F16") value = from_half(element(i, u16{}));
    if (entry->type == "BF16") value = element(i, Bfloat16{});
    if (entry->type == "F32") value = element(i, float{});
    if (entry->type == "F64") value = static_cast<float>(element(i, double{}));
    if (!std::isfinite(value)) refuse_tensor(contents_->file(), name, ": {} at flat index {} is not finite", value, i);
  }
  return tensor;
}

IntegerTensor read_integers(const std::filesystem::path& file, const std::string& name) {
  constexpr std::size_t shown = 10;
  FileContents contents(file);
  std::vector<std::string> others;
  for (const Entry& entry : contents.entries()) {
    if (entry.name == name) return decode_integers(file, entry, contents.data().data() + entry.begin);
    if (others.size() < shown) others.push_back(fmt::format("'{}'", printable(entry.name)));
  }
  const std::size_t more = contents.entries().size() - others.size();
  refuse(file, "there is no tensor '{}', found {}{}", name,
         others.empty() ? "none" : fmt::format("{}", fmt::join(others, ", ")),
         more == 0 ? "" : fmt::format(" and {} more", more));
}

void write_safetensors(const std::filesystem::path& file, const TensorMap& tensors) {
  json header = json::object();
  std::vector<std::pair<const void*, u64>> parts;
  u64 offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const u64 bytes = 2 * tensor.data.size();
    header[name] = {{"dtype", "F16"}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    parts.emplace_back(tensor.data.data(), bytes);
    offset += bytes;
  }
  write_tensors(file, header, parts);
}

void write_integers(const std::filesystem::path& file, const std::vector<NamedIntegers>& tensors) {
  json header = json::object();
  std::vector<std::pair<const void*, u64>> parts;
  u64 offset = 0;
  for (const NamedIntegers& tensor : tensors) {
    const u64 bytes = 4 * tensor.values.size();
    header[tensor.name] = {{"dtype", "U32"}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    parts.emplace_back(tensor.values.data(), bytes);
    offset += bytes;
  }
  write_tensors(file, header, parts);
}

}  // namespace bvp
