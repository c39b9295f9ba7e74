// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/slurm.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <fstream>
#include <future>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "platform/explore/chunk_files.h"
#include "platform/explore/slurm_commands.h"
#include "platform/support/printable.h"
#include "platform/support/sha256.h"
#include "platform/support/shell_word.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// Of all jobs of a sweep, by its directory: those that a process before this one has left are found by it.
std::string job_name(const fs::path& spool) {
  constexpr std::size_t digits = 12;
  return "bvp-" + sha256_of(fs::absolute(spool).lexically_normal().string()).substr(0, digits);
}

/// Whether it is time again.
class Interval {
 public:
  explicit Interval(Clock::duration length) : length_(length) {}
  bool passed() {
    const auto now = Clock::now();
    if (now < next_) return false;
    next_ = now + length_;
    return true;
  }

 private:
  Clock::duration length_;
  Clock::time_point next_{};
};

void cancel_jobs(const std::string& name) { static_cast<void>(run_command({"scancel", "--name=" + name})); }

}  // namespace

class SlurmLauncher::Implementation {
 public:
  explicit Implementation(SlurmOptions options)
      : options_(std::move(options)), name_(job_name(options_.spool)), most_of_array_(most_of_array()) {
    fs::create_directories(options_.spool);
  }

  /// Nothing is left behind for a later sweep to recover if all has ended.
  void clean() {
    if (!waiting_.empty() || !ready_.empty() || !alone_.empty()) return;
    cancel_jobs(name_);
    remove_answers(options_.spool);
  }

  bool run(const LauncherCallbacks& callbacks) {
    callbacks_ = &callbacks;
    dry_ = false;
    while (true) {
      if (answers_time_.passed()) read_answers();
      look_at_jobs();
      const bool gathered = gather();
      submit();
      if (dry_ && waiting_.empty() && ready_.empty() && alone_.empty()) return true;
      if (callbacks.tick(running_)) {
        cancel_jobs(name_);
        return false;
      }
      if (!gathered) std::this_thread::sleep_for(100ms);
    }
  }

 private:
  struct JobOfChunk {
    std::set<std::string> missing;          // keys of tasks without an answer
    std::set<std::string> begun;            // of these
    std::optional<Clock::time_point> gone;  // since then it is neither queued nor running
  };
  struct Submission {
    explicit Submission(fs::path place) : directory(std::move(place)), reader(directory) {}
    fs::path directory;
    AnswerReader reader;
    u64 array = 0;  // Slurm's number
    std::map<u64, JobOfChunk> open;
    bool lost_some = false;  // a job may still write that is believed to be gone
  };

  void warn(const std::string& text) const {
    if (options_.warn) options_.warn(text);
  }

  [[nodiscard]] u64 open_jobs() const {
    u64 count = 0;
    for (const auto& [number, submission] : submissions_) count += submission.open.size();
    return count;
  }

  /// Asks for tasks, as many as there are jobs for, but for no longer than others can wait.
  /// @return whether there were any
  bool gather() {
    const auto until = Clock::now() + 100ms;
    const u64 open = open_jobs() + alone_.size();
    const u64 room = open < options_.jobs ? (options_.jobs - open) * options_.chunk : 0;
    bool any = false;
    while (!dry_ && ready_.size() < room && Clock::now() < until) {
      std::optional<WorkerTask> task = callbacks_->next();
      if (!task) {
        dry_ = true;
        break;
      }
      ready_.push_back(std::move(*task));
      any = true;
    }
    return any;
  }

  void submit() {
    if (!submit_time_.passed()) return;
    u64 open = open_jobs();
    std::vector<Chunk> chunks;
    const auto take = [&](std::deque<WorkerTask>& from, u64 most) {
      Chunk chunk{options_.build, {}};
      for (; most > 0 && !from.empty(); --most) {
        chunk.tasks.push_back(std::move(from.front()));
        from.pop_front();
      }
      chunks.push_back(std::move(chunk));
      ++open;
    };
    const auto has_room = [&] { return open < options_.jobs && chunks.size() < most_of_array_; };
    // A task whose job has ended may be what ended it: alone, it costs no other one anything.
    while (!alone_.empty() && has_room()) take(alone_, 1);
    while (!ready_.empty() && has_room() && (dry_ || ready_.size() >= options_.chunk)) take(ready_, options_.chunk);
    if (!chunks.empty()) submit(std::move(chunks));
  }

  void submit(std::vector<Chunk> chunks) {
    while (fs::exists(options_.spool / std::to_string(next_))) ++next_;
    const auto entry = submissions_.try_emplace(next_, options_.spool / std::to_string(next_)).first;
    ++next_;
    Submission& submission = entry->second;
    fs::create_directories(submission.directory);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      write_chunk({submission.directory, i}, chunks[i]);
      for (WorkerTask& task : chunks[i].tasks) {
        submission.open[i].missing.insert(task.key);
        waiting_[task.key] = std::move(task);
      }
    }
    const std::optional<u64> array = submit_array(submission.directory, chunks.size());
    if (array) {
      submission.array = *array;
      return;
    }
    for (const auto& [index, job] : submission.open) {
      for (const std::string& key : job.missing) give_back(key, false);
    }
    std::error_code ignored;
    fs::remove_all(submission.directory, ignored);
    submissions_.erase(entry);
  }

  /// @return Slurm's number; nullopt: not now
  std::optional<u64> submit_array(const fs::path& directory, std::size_t count) {
    std::string script = "#!/bin/sh\nexec";
    for (const std::string& word : options_.command) script += " " + shell_word(word);
    script += " " + shell_word(directory.string()) + " \"$SLURM_ARRAY_TASK_ID\"\n";
    std::vector<std::string> command{"sbatch",
                                     "--parsable",
                                     "--requeue",
                                     "--open-mode=append",
                                     "--job-name=" + name_,
                                     fmt::format("--array=0-{}", count - 1),
                                     "--output=" + (directory / "%a.log").string()};
    command.insert(command.end(), options_.sbatch.begin(), options_.sbatch.end());
    const CommandEnd end = run_command(command, script);
    u64 array = 0;
    if (end.code == 0 && (std::istringstream(end.out) >> array)) {
      has_submitted_ = true;
      return array;
    }
    const std::string said = last_line_of(end.errors);
    if (!has_submitted_ && !is_passing(end.errors)) throw std::runtime_error("sbatch takes no jobs: " + said);
    if (warn_time_.passed()) warn(fmt::format("sbatch takes no jobs now: {}; the sweep asks again", said));
    std::this_thread::sleep_for(1s);
    return std::nullopt;
  }

  /// The task is to be submitted again.
  void give_back(const std::string& key, bool was_running) {
    const auto task = waiting_.find(key);
    if (task == waiting_.end()) return;
    if (was_running) {
      alone_.push_back(std::move(task->second));
    } else {
      ready_.push_front(std::move(task->second));
    }
    waiting_.erase(task);
  }

  void read_answers() {
    std::vector<WorkerAnswer> answers;
    for (auto& [number, submission] : submissions_) {
      submission.reader.read(
          [&, &submission = submission](const AnswerNote& note) { take(submission, note, answers); });
    }
    if (!answers.empty()) callbacks_->ended(std::move(answers));
    for (auto entry = submissions_.begin(); entry != submissions_.end();) {
      std::error_code ignored;
      const bool done = entry->second.open.empty() && !entry->second.lost_some;
      if (done) fs::remove_all(entry->second.directory, ignored);
      entry = done ? submissions_.erase(entry) : std::next(entry);
    }
  }

  void take(Submission& submission, const AnswerNote& note, std::vector<WorkerAnswer>& answers) {
    if (note.kind == AnswerNote::Kind::refused) throw std::runtime_error(note.text);
    barren_ = 0;
    const auto job = submission.open.find(note.chunk);
    if (note.kind == AnswerNote::Kind::begun) {
      if (job != submission.open.end() && job->second.missing.count(note.key) != 0) job->second.begun.insert(note.key);
      return;
    }
    if (job != submission.open.end()) {
      job->second.missing.erase(note.key);
      job->second.begun.erase(note.key);
      if (job->second.missing.empty()) submission.open.erase(job);
    }
    // Another job may have been given the task, because this one was believed to be lost: the first answer counts.
    if (waiting_.erase(note.key) == 0 && !take_from(ready_, note.key) && !take_from(alone_, note.key)) return;
    losses_.erase(note.key);
    answers.push_back(answer_of(note));
  }

  static bool take_from(std::deque<WorkerTask>& tasks, const std::string& key) {
    const auto found =
        std::find_if(tasks.begin(), tasks.end(), [&](const WorkerTask& task) { return task.key == key; });
    if (found == tasks.end()) return false;
    tasks.erase(found);
    return true;
  }

  /// Finds jobs that have ended without all answers. Slurm is asked in a thread: its controller may be slow.
  void look_at_jobs() {
    if (!asked_.valid()) {
      if (submissions_.empty() || !jobs_time_.passed()) return;
      asked_from_ = next_;
      asked_ = std::async(std::launch::async, [name = name_] { return jobs_of_name(name); });
    }
    if (asked_.wait_for(0s) != std::future_status::ready) return;
    const std::optional<std::map<ArrayJob, JobState>> jobs = asked_.get();
    if (!jobs) {
      if (warn_time_.passed()) warn("Slurm's controller does not answer; the sweep waits for it");
      return;
    }
    running_ = 0;
    for (const auto& [job, state] : *jobs) running_ += state.state == "RUNNING" ? 1 : 0;
    std::vector<std::pair<u64, u64>> lost;
    for (auto& [number, submission] : submissions_) {
      // Submitted after the question.
      if (number >= asked_from_) continue;
      for (auto& [index, job] : submission.open) {
        if (judge_job(*jobs, {submission.array, index}, job)) lost.emplace_back(number, index);
      }
    }
    if (lost.empty()) return;
    read_answers();
    for (const auto& [number, index] : lost) lose(number, index);
  }

  /// @return whether the job is given up
  bool judge_job(const std::map<ArrayJob, JobState>& jobs, const ArrayJob& id, JobOfChunk& job) const {
    const auto found = jobs.find(id);
    const bool held = found != jobs.end() && found->second.state == "PENDING" &&
                      (found->second.reason.find("held") != std::string::npos ||
                       found->second.reason.find("Held") != std::string::npos);
    if (held) {
      // It would wait for an operator, as after a failed launch.
      static_cast<void>(run_command({"scancel", fmt::format("{}_{}", id.first, id.second)}));
      return true;
    }
    if (found != jobs.end()) {
      job.gone.reset();
      return false;
    }
    if (!job.gone) job.gone = Clock::now();
    // What a job has written last may reach this host after the news of its end.
    return Clock::now() - *job.gone > 10s;
  }

  void lose(u64 number, u64 index) {
    const auto entry = submissions_.find(number);
    if (entry == submissions_.end()) return;
    Submission& submission = entry->second;
    const auto found = submission.open.find(index);
    if (found == submission.open.end()) return;
    const JobOfChunk job = std::move(found->second);
    submission.open.erase(found);
    submission.lost_some = true;
    const std::string name = fmt::format("job {}_{}", submission.array, index);
    std::ifstream log(submission.directory / fmt::format("{}.log", index));
    const std::string said = last_line_of(std::string(std::istreambuf_iterator<char>(log), {}));
    std::vector<WorkerAnswer> crashed;
    for (const std::string& key : job.missing) {
      if (job.begun.count(key) == 0 || losses_[key]++ < options_.retries) {
        give_back(key, job.begun.count(key) != 0);
        continue;
      }
      const auto task = waiting_.find(key);
      if (task == waiting_.end()) continue;
      WorkerAnswer answer;
      answer.id = task->second.id;
      answer.outcome = Outcome::crashed;
      answer.reason =
          fmt::format("its job ended {} times while it ran{}{}", losses_[key], said.empty() ? "" : ": ", said);
      waiting_.erase(task);
      losses_.erase(key);
      crashed.push_back(std::move(answer));
    }
    warn(fmt::format("{} has ended before its {} points had; they are submitted again", name, job.missing.size()));
    if (!crashed.empty()) callbacks_->ended(std::move(crashed));
    constexpr unsigned most_barren = 10;
    if (!job.begun.empty()) barren_ = 0;
    if (!job.begun.empty() || ++barren_ < most_barren) return;
    throw std::runtime_error(
        fmt::format("{} jobs one after the other ended before they had begun a point; the last "
                    "one, {}{}{}",
                    barren_, name, said.empty() ? ", has written nothing" : ": ", said));
  }

  const SlurmOptions options_;
  const std::string name_;
  const u64 most_of_array_;
  const LauncherCallbacks* callbacks_ = nullptr;  // of the present run
  std::deque<WorkerTask> ready_;                  // to be submitted
  std::deque<WorkerTask> alone_;                  // to be submitted with a job for each
  std::map<std::string, WorkerTask> waiting_;     // submitted and not answered, by key
  std::map<std::string, unsigned> losses_;        // of tasks whose job ended while they ran, by key
  std::map<u64, Submission> submissions_;
  u64 next_ = 1;        // number of the submission to come
  u64 asked_from_ = 0;  // submissions before this one are known to Slurm when it is asked
  std::future<std::optional<std::map<ArrayJob, JobState>>> asked_;
  u64 running_ = 0;      // jobs, when Slurm was asked last
  unsigned barren_ = 0;  // jobs one after the other that ended before they had begun a task
  bool dry_ = false;
  bool has_submitted_ = false;  // sbatch has taken a job of this process
  Interval answers_time_{1s}, submit_time_{1s}, jobs_time_{2s}, warn_time_{60s};
};

SlurmLauncher::SlurmLauncher(SlurmOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}

SlurmLauncher::~SlurmLauncher() {
  try {
    implementation_->clean();
  } catch (const std::exception&) {
    // The next sweep in the directory removes what is left.
  }
}

bool SlurmLauncher::run(const LauncherCallbacks& callbacks) { return implementation_->run(callbacks); }

void recover_answers(const fs::path& spool, const std::function<void(AnsweredTask)>& visit) {
  std::error_code error;
  if (!fs::is_directory(spool, error)) return;
  cancel_jobs(job_name(spool));
  for (fs::directory_iterator entry(spool, error), end; !error && entry != end; entry.increment(error)) {
    std::map<std::string, WorkerTask> tasks;
    AnswerReader(entry->path()).read([&](const AnswerNote& note) {
      if (note.kind != AnswerNote::Kind::answered) return;
      if (tasks.count(note.key) == 0) {
        for (WorkerTask& task : read_chunk({entry->path(), note.chunk}).tasks) tasks[task.key] = std::move(task);
      }
      const auto task = tasks.find(note.key);
      if (task != tasks.end()) visit({task->second, answer_of(note)});
    });
  }
}

void remove_answers(const fs::path& spool) {
  std::error_code ignored;
  fs::remove_all(spool, ignored);
}

}  // namespace bvp
