// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/chunk_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "platform/support/output_file.h"
#include "platform/support/sha256.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

constexpr const char* tasks_end = ".tasks";
constexpr const char* answers_end = ".answers";
constexpr const char* chunk_head = "butterfly-vp chunk 1 ";

/// The index of a chunk, from the name of a file of answers; nullopt: it is no such file.
std::optional<u64> chunk_of(const fs::path& file) {
  if (file.extension() != answers_end) return std::nullopt;
  const std::string name = file.filename().string();
  u64 index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  return error == std::errc() && *end == '.' ? std::optional<u64>(index) : std::nullopt;
}

/// From this place to the end of the file; empty if it cannot be read now.
std::string rest_of(const fs::path& file, std::uintmax_t from) {
  // Opened anew each time: a network file system looks for news of other hosts when a file is opened.
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(from));
  std::ostringstream text;
  if (stream) text << stream.rdbuf();
  return text.str();
}

/// A note as its line and its text follow each other in a file: "KIND KEY BYTES SHA256\n" and so many bytes.
std::string framed(const char* kind, const std::string& key, const std::string& text) {
  return fmt::format("{} {} {} {}\n{}", kind, key, text.size(), sha256_of(text), text);
}

enum class Parsed { note, incomplete, broken };

/// Takes the note at `at` and moves it behind the note.
Parsed take_note(const std::string& text, std::size_t& at, AnswerNote& note) {
  const std::size_t line_end = text.find('\n', at);
  if (line_end == std::string::npos) return Parsed::incomplete;
  std::istringstream line(text.substr(at, line_end - at));
  std::string kind, hash;
  std::size_t bytes = 0;
  if (!(line >> kind >> note.key >> bytes >> hash)) return Parsed::broken;
  const std::map<std::string, AnswerNote::Kind> kinds{{"begin", AnswerNote::Kind::begun},
                                                      {"answer", AnswerNote::Kind::answered},
                                                      {"refuse", AnswerNote::Kind::refused}};
  const auto known = kinds.find(kind);
  if (known == kinds.end()) return Parsed::broken;
  if (text.size() - line_end - 1 < bytes) return Parsed::incomplete;
  note.kind = known->second;
  note.text = text.substr(line_end + 1, bytes);
  if (sha256_of(note.text) != hash) return Parsed::broken;
  at = line_end + 1 + bytes;
  return Parsed::note;
}

}  // namespace

fs::path ChunkPlace::tasks() const { return directory / (std::to_string(index) + tasks_end); }

void write_chunk(const ChunkPlace& place, const Chunk& chunk) {
  write_file(place.tasks(), [&](std::ostream& out) {
    out << chunk_head << chunk.build << '\n';
    for (const WorkerTask& task : chunk.tasks) out << task_text(task);
  });
}

Chunk read_chunk(const ChunkPlace& place) {
  std::ifstream in(place.tasks());
  Chunk chunk;
  std::string line;
  if (!std::getline(in, line) || line.rfind(chunk_head, 0) != 0) {
    throw std::runtime_error(fmt::format("{}: found no chunk of a sweep", place.tasks().string()));
  }
  chunk.build = line.substr(std::strlen(chunk_head));
  while (std::getline(in, line)) chunk.tasks.push_back(read_task(line));
  return chunk;
}

AnswerWriter::AnswerWriter(const ChunkPlace& place, const std::string& attempt)
    : file_(place.directory / fmt::format("{}.{}{}", place.index, attempt, answers_end)) {
  constexpr mode_t mode = 0666;
  descriptor_ = open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, mode);
  if (descriptor_ < 0) throw std::runtime_error(fmt::format("{}: {}", file_.string(), std::strerror(errno)));
}

AnswerWriter::~AnswerWriter() { close(descriptor_); }

void AnswerWriter::begin(const std::string& key) { text_ += framed("begin", key, {}); }

void AnswerWriter::answer(const std::string& key, const WorkerAnswer& answer) {
  text_ += framed("answer", key, answer_text(answer));
}

void AnswerWriter::refuse(const std::string& why) { text_ += framed("refuse", "-", why); }

void AnswerWriter::flush() {
  std::size_t sent = 0;
  while (sent < text_.size()) {
    const ssize_t written = write(descriptor_, text_.data() + sent, text_.size() - sent);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw std::runtime_error(fmt::format("{}: {}", file_.string(), std::strerror(errno)));
    sent += static_cast<std::size_t>(written);
  }
  text_.clear();
}

void AnswerWriter::sync() {
  flush();
  fdatasync(descriptor_);
}

WorkerAnswer answer_of(const AnswerNote& note) {
  const std::size_t head_end = note.text.find('\n');
  const std::size_t figures_end = head_end == std::string::npos ? head_end : note.text.find('\n', head_end + 1);
  if (figures_end == std::string::npos) throw std::runtime_error("a job wrote what is no answer");
  std::string details = note.text.substr(figures_end + 1);
  if (!details.empty() && details.back() == '\n') details.pop_back();
  return read_answer(note.text.substr(0, head_end), note.text.substr(head_end + 1, figures_end - head_end - 1),
                     std::move(details));
}

void AnswerReader::read(const std::function<void(AnswerNote)>& visit) {
  std::error_code error;
  for (fs::directory_iterator entry(directory_, error), end; !error && entry != end; entry.increment(error)) {
    const std::optional<u64> chunk = chunk_of(entry->path());
    if (!chunk) continue;
    File& file = files_[entry->path()];
    if (file.broken) continue;
    const std::string text = rest_of(entry->path(), file.read);
    std::size_t at = 0;
    for (Parsed parsed = Parsed::note; parsed == Parsed::note;) {
      AnswerNote note;
      note.chunk = *chunk;
      parsed = take_note(text, at, note);
      if (parsed == Parsed::note) visit(std::move(note));
      file.broken = parsed == Parsed::broken;
    }
    file.read += at;
  }
}

}  // namespace bvp
