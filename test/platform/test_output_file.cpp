// SPDX-License-Identifier: Apache-2.0
// Files that are written as a whole.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>

#include "platform/support/input_error.h"
#include "platform/support/output_file.h"
#include "platform/support/seal.h"
#include "platform/support/temporary_path.h"

namespace {

namespace fs = std::filesystem;

/// A directory that goes away with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(fs::temp_directory_path() / ("bvp_output_" + std::to_string(getpid()))) {
    fs::create_directories(path_);
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const fs::path& path() const { return path_; }
  [[nodiscard]] std::ptrdiff_t files() const { return std::distance(fs::directory_iterator(path_), {}); }

 private:
  fs::path path_;
};

std::string content(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE("A file is replaced as a whole, or stays", "[output_file]") {
  const TemporaryDirectory directory;
  const fs::path file = directory.path() / "file", link = directory.path() / "link";
  bvp::write_file(file, "first and long");
  CHECK(content(file) == "first and long");
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("file", link);
  bvp::write_file(link, "second");
  CHECK(content(file) == "second");
  CHECK(fs::is_symlink(link));
  CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  const auto interrupted = [&](std::ostream& stream) {
    stream << "third" << std::flush;
    CHECK(content(file) == "second");
    throw std::logic_error("interrupted");
  };
  CHECK_THROWS_AS(bvp::write_file(file, interrupted), std::logic_error);
  CHECK(content(file) == "second");
  CHECK(directory.files() == 2);
}

TEST_CASE("Files that cannot be written", "[output_file]") {
  using Catch::Matchers::Contains;
  const TemporaryDirectory directory;
  CHECK_THROWS_WITH(bvp::write_file("/dev/full", "text"), Contains("/dev/full: cannot be written"));
  CHECK_THROWS_WITH(bvp::append_to_file("/dev/full", "text"), Contains("/dev/full: cannot be written"));
  bvp::write_file("/dev/null", "text");
  CHECK(fs::is_character_file("/dev/null"));
  for (const fs::path& file : {directory.path(), directory.path() / "absent" / "file", fs::path("/dev/null/x"),
                               directory.path() / std::string(300, 'x')}) {
    CHECK_THROWS_AS(bvp::check_writable(file), bvp::InputError);
    CHECK_THROWS_WITH(bvp::write_file(file, "text"), Contains("cannot be written"));
  }
  bvp::check_writable(directory.path() / "new");
  CHECK(directory.files() == 0);
}

TEST_CASE("Names of files that are being written cannot be guessed", "[output_file]") {
  const TemporaryDirectory directory;
  const fs::path file = directory.path() / "file";
  std::set<fs::path> names;
  for (int i = 0; i < 20; ++i) {
    bvp::OutputFile output(file);
    output.stream() << i;
    CHECK(output.content().parent_path() == directory.path());
    CHECK(output.content().filename().string().size() > 32);
    names.insert(output.content());
    // Without commit() nothing stays.
  }
  CHECK(names.size() == 20);
  CHECK(directory.files() == 0);
}

TEST_CASE("What a signal handler removes is what is not finished", "[output_file]") {
  const TemporaryDirectory directory;
  bvp::write_file(directory.path() / "done", "text");
  bvp::TemporaryPath inner(directory.path() / "new");
  fs::create_directory(inner.path());
  const bvp::TemporaryPath in_it(inner.path() / "part"), never_made(directory.path() / "none");
  std::ofstream(in_it.path()) << "text";
  std::ofstream(directory.path() / "other") << "of the user";
  bvp::remove_temporary_paths();
  CHECK_FALSE(fs::exists(inner.path()));
  CHECK(directory.files() == 2);
}

TEST_CASE("Files of the user and files that are read are not replaced", "[output_file]") {
  using Catch::Matchers::Contains;
  constexpr bvp::Sealed kind = bvp::Sealed::report;
  const TemporaryDirectory directory;
  const fs::path file = directory.path() / "file", link = directory.path() / "link";
  fs::create_symlink("file", link);
  CHECK_NOTHROW(bvp::check_replaceable(file, {}, kind));
  std::ofstream(file) << "";
  CHECK_NOTHROW(bvp::check_replaceable(file, {}, kind));
  std::ofstream(file) << "of the user";
  for (const fs::path& name : {file, link}) {
    CHECK_THROWS_WITH(bvp::check_replaceable(name, {}, kind), Contains("is there already"));
  }
  std::ofstream(file) << bvp::sealed(bvp::seal_blank(kind), kind);
  CHECK_THROWS_WITH(bvp::check_replaceable(file, {}, bvp::Sealed::run), Contains("is there already"));
  CHECK_THROWS_WITH(bvp::check_replaceable(file, {}, std::nullopt), Contains("is there already"));
  CHECK_NOTHROW(bvp::check_replaceable(link, {}, kind));
  CHECK_THROWS_WITH(bvp::check_replaceable(file, {{"run.weights", link}}, kind),
                    Contains("is read here (run.weights)"));
  CHECK_NOTHROW(bvp::check_replaceable("/dev/null", {{"the scenario", "/dev/null"}}, kind));
}
