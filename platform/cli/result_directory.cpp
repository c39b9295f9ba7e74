// SPDX-License-Identifier: Apache-2.0
#include "platform/cli/result_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "platform/support/file_identity.h"
#include "platform/support/input_error.h"
#include "platform/support/input_file.h"
#include "platform/support/interruption.h"
#include "platform/support/seal.h"
#include "platform/support/sha256.h"

namespace bvp {

namespace {

namespace fs = std::filesystem;

constexpr const char* summary_name = "summary.json";
constexpr const char* profile_name = "profile.json";
constexpr const char* stacks_name = "profile.folded";

}  // namespace

struct ResultDirectory::Lock {
  explicit Lock(const fs::path& directory) : descriptor(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    // On a file system without such locks the directory is used without one.
    if (descriptor < 0 || flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
    close(descriptor);
    throw InputError(fmt::format("{}: another run is writing its results here; expected another --out, or wait for it",
                                 directory.string()));
  }
  ~Lock() {
    if (descriptor >= 0) close(descriptor);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  const int descriptor;
};

ResultDirectory::ResultDirectory(fs::path directory, const Scenario& scenario, InputFiles inputs)
    : directory_(std::move(directory)), inputs_(std::move(inputs)) {
  const RecordParameters& record = scenario.record;
  files_ = {{"uart.log", true},
            {"report.html", false},
            {"network.json", true},
            {"parameters.json", true},
            {"prices.json", true},
            {"statistics.json", record.statistics},
            {"statistics.csv", record.statistics},
            {"power.csv", record.power_window_s > 0},
            {"trace.json", record.trace},
            {"signals.vcd", record.vcd},
            {profile_name, false},
            {stacks_name, false},
            {"predictions.csv", !scenario.run.dataset.get().empty()},
            {"tensors.safetensors", record.tensors},
            {"weights.safetensors", record.tensors},
            {"tokens.safetensors", record.tensors && scenario.network.vocabulary > 0},
            // The summary comes last, so that a reader who finds it finds the other files too.
            {summary_name, true}};
}

void ResultDirectory::expect_profile() {
  for (File& file : files_) file.written = file.written || file.name == profile_name || file.name == stacks_name;
}

ResultDirectory::~ResultDirectory() {
  staged_.clear();
  staging_.reset();
}

ResultDirectory::Earlier ResultDirectory::read_earlier(const fs::path& directory) {
  Earlier earlier;
  const fs::path file = directory / summary_name;
  std::error_code ignored;
  if (!fs::is_regular_file(fs::symlink_status(file, ignored)) || !is_sealed(file, Sealed::run)) return earlier;
  try {
    const nlohmann::json summary = read_json_file(file);
    earlier.passed = summary.at("passed").get<bool>();
    earlier.hashes = summary.at("files").get<std::map<std::string, std::string>>();
    if (const auto& uart = summary.at("host_run").at("uart_file"); !uart.is_null()) {
      earlier.hashes[uart.at("path").get<std::string>()] = uart.at("sha256").get<std::string>();
    }
    earlier.hashes[summary_name] = sha256_of_file(file);
  } catch (const std::exception&) {
    // This is not a summary of this version, so it vouches for no file.
    return {};
  }
  return earlier;
}

bool ResultDirectory::is_read(const fs::path& file) const {
  return std::any_of(inputs_.begin(), inputs_.end(), [&](const auto& input) { return same_file(input.second, file); });
}

void ResultDirectory::refuse_foreign_files(const fs::path& directory, const Earlier& earlier) const {
  std::vector<std::string> foreign;
  for (const File& file : files_) {
    if (!file.written || !is_there(directory / file.name)) continue;
    const auto hash = earlier.hashes.find(file.name);
    if (hash == earlier.hashes.end() || !has_hash(directory / file.name, hash->second)) foreign.emplace_back(file.name);
  }
  if (foreign.empty()) return;
  throw InputError(
      fmt::format("{}: {} {} there already, and no summary of an earlier run there says that a run has left {} so, or "
                  "{} changed since; expected another --out, or move {} away",
                  directory.string(), fmt::join(foreign, ", "), foreign.size() == 1 ? "is" : "are",
                  foreign.size() == 1 ? "it" : "them", foreign.size() == 1 ? "it was" : "they were",
                  foreign.size() == 1 ? "it" : "them"));
}

void ResultDirectory::lock() {
  if (lock_ != nullptr) return;
  lock_ = std::make_unique<Lock>(directory_);
  earlier_ = read_earlier(directory_);
}

void ResultDirectory::check(const std::optional<fs::path>& uart) {
  std::vector<fs::path> written;
  if (uart) written.push_back(*uart);
  for (const File& file : files_) {
    if (file.written) written.push_back(directory_ / file.name);
  }
  for (const auto& [key, input] : inputs_) {
    for (const fs::path& file : written) {
      if (!same_file(input, file)) continue;
      throw InputError(fmt::format("{}: this run reads '{}' and would overwrite it; expected another file or --out",
                                   key, file.string()));
    }
  }
  std::error_code error;
  if (fs::is_directory(directory_, error)) {
    lock();
    refuse_foreign_files(directory_, earlier_);
  }
  if (!uart) return;
  const auto place = [&](const fs::path& path) { return fs::weakly_canonical(fs::absolute(path), error); };
  if (place(fs::absolute(*uart, error).parent_path()) == place(directory_)) {
    const bool result =
        std::any_of(files_.begin(), files_.end(), [&](const File& file) { return uart->filename() == file.name; });
    if (result) throw InputError(fmt::format("--uart file:{}: the run writes another file there", uart->string()));
    // A directory that does not exist yet contains no other files.
    if (!fs::is_directory(directory_, error)) return;
  }
  const fs::path real = place(*uart);
  const auto hash = earlier_.hashes.find(real.string());
  if (hash != earlier_.hashes.end() && has_hash(real, hash->second)) {
    check_writable(*uart);
  } else {
    check_replaceable(*uart, {}, std::nullopt);
  }
}

void ResultDirectory::begin() {
  std::error_code error;
  made_ = MadeDirectories(directory_, error);
  if (error || !fs::is_directory(directory_)) {
    throw InputError(fmt::format("{}: the directory for the results cannot be made: {}", directory_.string(),
                                 error ? error.message() : "it is not a directory"));
  }
  lock();
  refuse_foreign_files(directory_, earlier_);
  auto staging = std::make_unique<TemporaryPath>(directory_ / fmt::format(".butterfly-vp.{}", random_name()));
  if (!fs::create_directory(staging->path(), error)) {
    staging->keep();
    throw InputError(fmt::format("{}: cannot be written into: {}", directory_.string(), error.message()));
  }
  staging_ = std::move(staging);
  for (const File& file : files_) staged_.push_back(std::make_unique<TemporaryPath>(new_results() / file.name));
}

std::map<std::string, std::string> ResultDirectory::kept_files(bool passed) const {
  std::map<std::string, std::string> kept;
  if (!passed && earlier_.passed) return kept;
  for (const File& file : files_) {
    const auto hash = earlier_.hashes.find(file.name);
    const fs::path place = directory_ / file.name;
    if (file.written || hash == earlier_.hashes.end() || !is_read(place) || !has_hash(place, hash->second)) continue;
    kept.insert(*hash);
  }
  return kept;
}

fs::path ResultDirectory::commit(bool passed) {
  fs::path target = directory_;
  Earlier earlier = earlier_;
  if (!passed && earlier.passed) {
    target /= "failed";
    std::error_code error;
    fs::create_directory(target, error);
    if (!fs::is_directory(target)) {
      throw std::runtime_error(
          fmt::format("{}: results of the run that failed cannot be written there", target.string()));
    }
    earlier = read_earlier(target);
    refuse_foreign_files(target, earlier);
  }
  struct Move {
    const char* name;
    bool is_new, replaces;
  };
  std::vector<Move> moves;
  std::vector<fs::path> left;  // files of the earlier run
  for (const File& file : files_) {
    const fs::path place = target / file.name;
    const auto hash = earlier.hashes.find(file.name);
    const bool of_earlier_run = hash != earlier.hashes.end() && has_hash(place, hash->second);
    // The command `report` has made this file, from the earlier run.
    const bool report =
        std::strcmp(file.name, "report.html") == 0 && !earlier.hashes.empty() && is_sealed(place, Sealed::report);
    if (is_there(new_results() / file.name)) {
      moves.push_back({file.name, true, of_earlier_run});
    } else if ((of_earlier_run || report) && !is_read(place)) {
      left.push_back(place);
    }
  }
  const Interruption::Change change;
  for (const Move& move : moves) {
    const fs::path from = new_results() / move.name, to = target / move.name;
    const bool moved = move.replaces ? std::rename(from.c_str(), to.c_str()) == 0 : rename_to_free_name(from, to);
    if (moved) continue;
    const int error = errno;
    for (const auto& file : staged_) file->keep();
    staging_->keep();
    kept_ = true;
    made_.keep();
    throw std::runtime_error(fmt::format("{}: cannot be written: {}; the results of this run are in {}", to.string(),
                                         std::strerror(error), new_results().string()));
  }
  for (const fs::path& file : left) {
    std::error_code ignored;
    fs::remove(file, ignored);
  }
  made_.keep();
  return target;
}

}  // namespace bvp
