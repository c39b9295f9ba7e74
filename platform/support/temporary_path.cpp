// SPDX-License-Identifier: Apache-2.0
#include "platform/support/temporary_path.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

namespace bvp {

/// Entries are reused and never freed, so that a signal handler can walk through them at any time.
struct TemporaryPath::Entry {
  std::atomic<char*> path{nullptr};
  Entry* next = nullptr;
};

namespace {

std::atomic<void*> first_entry{nullptr};

}  // namespace

std::string random_name() {
  std::array<unsigned char, 16> bytes{};
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
    if (got > 0) filled += static_cast<std::size_t>(got);
    if (got < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "random numbers");
  }
  std::string name;
  for (const unsigned char byte : bytes) name += fmt::format("{:02x}", byte);
  return name;
}

TemporaryPath::TemporaryPath(std::filesystem::path path) : path_(std::move(path)) {
  char* const text = strdup(path_.c_str());
  if (text == nullptr) throw std::bad_alloc();
  auto* entry = static_cast<Entry*>(first_entry.load());
  while (entry != nullptr && entry->path.load() != nullptr) entry = entry->next;
  if (entry == nullptr) {
    entry = new Entry;
    entry->next = static_cast<Entry*>(first_entry.load());
    first_entry.store(entry);
  }
  entry->path.store(text);
  entry_ = entry;
}

TemporaryPath::~TemporaryPath() {
  if (entry_ == nullptr) return;
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
  keep();
}

void TemporaryPath::keep() {
  if (entry_ == nullptr) return;
  std::free(entry_->path.exchange(nullptr));
  entry_ = nullptr;
}

void remove_temporary_paths() {
  const auto each = [](int (*remove)(const char*)) {
    for (auto* entry = static_cast<TemporaryPath::Entry*>(first_entry.load()); entry != nullptr; entry = entry->next) {
      if (const char* path = entry->path.load()) remove(path);
    }
  };
  each(unlink);
  // A directory can be removed only after the entries in it.
  constexpr int deepest = 4;
  for (int depth = 0; depth < deepest; ++depth) each(rmdir);
}

void forget_temporary_paths() { first_entry.store(nullptr); }

}  // namespace bvp
