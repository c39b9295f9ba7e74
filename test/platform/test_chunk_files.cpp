// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "platform/explore/chunk_files.h"
#include "platform/explore/slurm_commands.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

class Directory {
 public:
  Directory() : path_(fs::temp_directory_path() / ("bvp_chunks_" + std::to_string(getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Directory() { fs::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::vector<AnswerNote> notes_of(AnswerReader& reader) {
  std::vector<AnswerNote> notes;
  reader.read([&](AnswerNote note) { notes.push_back(std::move(note)); });
  return notes;
}

WorkerAnswer answer(u64 id) {
  WorkerAnswer made;
  made.id = id;
  made.outcome = Outcome::crashed;
  made.reason = "a\nreason";
  made.figures = R"({"cycles":7})";
  made.details = R"({"layers":[]})";
  made.host_seconds = 0.5;
  return made;
}

TEST_CASE("chunks of tasks come through a file", "[exploration]") {
  const Directory directory;
  const ChunkPlace place{directory.path(), 3};
  write_chunk(place,
              {"0.1 abc def", {{7, "a.yaml", {{"soc.array.lanes", "8", {}}}, "key7"}, {8, "b.yaml", {}, "key8"}}});
  const Chunk read = read_chunk(place);
  CHECK(read.build == "0.1 abc def");
  REQUIRE(read.tasks.size() == 2);
  CHECK(read.tasks[0].id == 7);
  CHECK(read.tasks[0].key == "key7");
  CHECK(read.tasks[0].overrides.at(0).value == "8");
  CHECK_THROWS_AS(read_chunk({directory.path(), 4}), std::runtime_error);
}

TEST_CASE("answers are read as far as they are complete", "[exploration]") {
  const Directory directory;
  const ChunkPlace place{directory.path(), 0};
  AnswerReader reader(directory.path());
  {
    AnswerWriter writer(place, "first");
    writer.begin("key");
    writer.answer("key", answer(7));
    CHECK(notes_of(reader).empty());
    writer.sync();
  }
  const std::vector<AnswerNote> notes = notes_of(reader);
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].kind == AnswerNote::Kind::begun);
  CHECK(notes[1].key == "key");
  const WorkerAnswer read = answer_of(notes[1]);
  CHECK(read.id == 7);
  CHECK(read.outcome == Outcome::crashed);
  CHECK(read.reason == "a\nreason");
  CHECK(nlohmann::json::parse(read.figures) == nlohmann::json::parse(R"({"cycles":7})"));
  CHECK(nlohmann::json::parse(read.details) == nlohmann::json::parse(R"({"layers":[]})"));
  CHECK(notes_of(reader).empty());

  // The same text in pieces of any length: nothing is read twice, and nothing is lost.
  std::ifstream whole(directory.path() / "0.first.answers");
  std::stringstream text;
  text << whole.rdbuf();
  for (std::size_t cut = 0; cut <= text.str().size(); ++cut) {
    const fs::path file = directory.path() / "1.torn.answers";
    AnswerReader of_torn(directory.path());
    static_cast<void>(notes_of(of_torn));
    std::ofstream(file) << text.str().substr(0, cut);
    std::size_t count = notes_of(of_torn).size();
    std::ofstream(file, std::ios::app) << text.str().substr(cut);
    count += notes_of(of_torn).size();
    CHECK(count == 2);
    fs::remove(file);
  }
}

TEST_CASE("what is damaged in a file of answers is no answer", "[exploration]") {
  const Directory directory;
  {
    AnswerWriter writer({directory.path(), 0}, "a");
    writer.answer("key", answer(7));
    writer.answer("other", answer(8));
    writer.sync();
  }
  const fs::path file = directory.path() / "0.a.answers";
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  for (const std::size_t at : {std::size_t{0}, std::size_t{20}, std::size_t{120}}) {
    std::string damaged = text.str();
    damaged[at] = '\0';
    std::ofstream(file, std::ios::trunc) << damaged;
    AnswerReader reader(directory.path());
    CAPTURE(at);
    CHECK(notes_of(reader).empty());
  }
}

TEST_CASE("what squeue prints", "[exploration]") {
  const auto jobs = read_jobs("12|0|RUNNING|None\n12|3|PENDING|JobHeldAdmin\n13|N/A|RUNNING|None\nnonsense\n");
  REQUIRE(jobs.size() == 2);
  CHECK(jobs.at({12, 3}).reason == "JobHeldAdmin");
  CHECK(is_passing("sbatch: error: Unable to contact slurm controller (connect failure)"));
  CHECK_FALSE(is_passing("sbatch: error: invalid partition specified: nowhere"));
}

}  // namespace
}  // namespace bvp
