// SPDX-License-Identifier: Apache-2.0
#include "platform/cli/made_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>

#include "platform/support/file_identity.h"
#include "platform/support/input_error.h"
#include "platform/support/input_file.h"
#include "platform/support/interruption.h"
#include "platform/support/json_text.h"
#include "platform/support/made_directories.h"
#include "platform/support/seal.h"
#include "platform/support/sha256.h"
#include "platform/support/temporary_path.h"

namespace bvp {

namespace fs = std::filesystem;

MadeFiles::MadeFiles(fs::path directory, std::string manifest)
    : directory_(std::move(directory)), manifest_(std::move(manifest)) {}

MadeFiles::Hashes MadeFiles::read_earlier() const {
  const fs::path file = directory_ / manifest_;
  std::error_code ignored;
  if (!fs::is_regular_file(fs::symlink_status(file, ignored)) || !is_sealed(file, Sealed::program)) return {};
  try {
    Hashes hashes;
    const nlohmann::json manifest = read_json_file(file);
    for (const auto& [name, entry] : manifest.at("files").items()) {
      hashes[name] = entry.at("sha256").get<std::string>();
    }
    hashes[manifest_] = sha256_of_file(file);
    return hashes;
  } catch (const std::exception&) {
    // This is no manifest of this version, so it vouches for no file.
    return {};
  }
}

void MadeFiles::refuse_foreign(const Hashes& earlier, const InputFiles& inputs) const {
  std::vector<std::string> foreign, names{manifest_};
  for (const File& file : files_) names.push_back(file.name);
  for (const std::string& name : names) {
    const fs::path place = directory_ / name;
    if (!is_there(place)) continue;
    for (const auto& [key, input] : inputs) {
      if (!same_file(input, place)) continue;
      throw InputError(fmt::format("{}: this command reads '{}' and would overwrite it; expected another --out", key,
                                   place.string()));
    }
    const auto hash = earlier.find(name);
    if (hash == earlier.end() || !has_hash(place, hash->second)) foreign.push_back(name);
  }
  if (foreign.empty()) return;
  throw InputError(
      fmt::format("{}: {} {} there already, and {} says that this command has left {} so; expected another --out, or "
                  "move {} away",
                  directory_.string(), fmt::join(foreign, ", "), foreign.size() == 1 ? "is" : "are",
                  earlier.empty() ? fmt::format("no {} there", manifest_) : fmt::format("{} no longer", manifest_),
                  foreign.size() == 1 ? "it" : "them", foreign.size() == 1 ? "it" : "them"));
}

void MadeFiles::check(const InputFiles& inputs) const {
  std::error_code error;
  if (is_there(directory_) && !fs::is_directory(directory_, error)) {
    throw InputError(fmt::format("--out {}: is no directory", directory_.string()));
  }
  refuse_foreign(read_earlier(), inputs);
}

void MadeFiles::commit(nlohmann::ordered_json manifest, const InputFiles& inputs) {
  std::error_code error;
  MadeDirectories made(directory_, error);
  if (error || !fs::is_directory(directory_)) {
    throw InputError(fmt::format("--out {}: cannot be made: {}", directory_.string(),
                                 error ? error.message() : "it is not a directory"));
  }
  const Hashes earlier = read_earlier();
  refuse_foreign(earlier, inputs);
  TemporaryPath staging(directory_ / fmt::format(".butterfly-vp.{}", random_name()));
  if (!fs::create_directory(staging.path(), error)) {
    staging.keep();
    throw InputError(fmt::format("--out {}: cannot be written into: {}", directory_.string(), error.message()));
  }
  std::vector<std::unique_ptr<TemporaryPath>> staged;  // removed before their directory
  std::set<std::string> names;
  const auto write = [&](const std::string& name, std::string_view content) {
    staged.push_back(std::make_unique<TemporaryPath>(staging.path() / name));
    write_file(staging.path() / name, content);
    names.insert(name);
  };
  manifest["seal"] = seal_blank(Sealed::program);
  for (const File& file : files_) {
    write(file.name, file.content);
    manifest["files"][file.name] = {{"bytes", file.content.size()}, {"sha256", sha256_of(file.content)}};
  }
  // The manifest comes last, so that a reader who finds it finds the other files too.
  write(manifest_, sealed(json_text(manifest), Sealed::program));
  const Interruption::Change change;
  for (const auto& file : staged) {
    const fs::path to = directory_ / file->path().filename();
    const bool replaces = earlier.count(to.filename().string()) != 0 && is_there(to);
    const bool moved =
        replaces ? std::rename(file->path().c_str(), to.c_str()) == 0 : rename_to_free_name(file->path(), to);
    if (!moved) throw std::runtime_error(fmt::format("{}: cannot be written: {}", to.string(), std::strerror(errno)));
    file->keep();
  }
  for (const auto& [name, hash] : earlier) {
    const fs::path left = directory_ / name;
    if (names.count(name) == 0 && left.filename() == name && has_hash(left, hash)) fs::remove(left, error);
  }
  made.keep();
}

}  // namespace bvp
