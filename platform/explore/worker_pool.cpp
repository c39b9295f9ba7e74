// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/worker_pool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio.hpp>
#include <boost/process.hpp>
#include <boost/process/extend.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>

#include "platform/support/printable.h"

namespace bvp {
namespace {

namespace asio = boost::asio;
namespace process = boost::process;
using Clock = std::chrono::steady_clock;

/// The pipe's ends are not inherited by workers that start later.
void close_on_exec(process::async_pipe& pipe) {
  for (const int descriptor : {pipe.native_source(), pipe.native_sink()}) {
    if (descriptor >= 0) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
}

/// "ended by signal 11 (Segmentation fault)", "ended with exit code 3"
std::string end_text(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  }
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

/// The last line of what a worker has written to its standard error.
std::string last_line(const std::string& text) {
  std::size_t end = text.find_last_not_of(" \n");
  if (end == std::string::npos) return {};
  const std::size_t before = text.rfind('\n', end);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  constexpr std::size_t longest = 200;
  return printable(std::string_view(text).substr(begin, end + 1 - begin), longest);
}

class Pool;

/// One process and its three pipes.
class Worker {
 public:
  Worker(Pool& pool, asio::io_context& io, const std::vector<std::string>& command);
  ~Worker() { end(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void give(WorkerTask task);
  [[nodiscard]] bool busy() const { return task_.has_value(); }
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] u64 done() const { return done_; }
  /// Ends the process at once. @return how it has ended, for people
  std::string end();
  [[nodiscard]] const WorkerTask& task() const { return *task_; }
  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
  [[nodiscard]] const std::string& said() const { return said_; }

 private:
  void read_head();
  void read_figures(const std::string& head);
  void read_details(const std::string& head, const std::string& figures);
  void listen();
  void read_line(const std::function<void(std::string)>& then);

  Pool& pool_;
  process::async_pipe to_, from_, errors_;
  process::child child_;
  asio::streambuf received_;
  std::array<char, 1024> heard_{};
  std::string said_;  // on the standard error, the end of it
  std::string sent_;
  std::optional<WorkerTask> task_;
  Clock::time_point begin_;
  u64 done_ = 0;
  bool ready_ = false, ended_ = false;
  std::string end_text_;
};

class Pool {
 public:
  explicit Pool(PoolOptions options) : options_(std::move(options)), timer_(io_), workers_(options_.jobs) {}

  bool run(const PoolCallbacks& callbacks) {
    callbacks_ = &callbacks;
    dry_ = false;
    io_.restart();
    fill_queue();
    watch();
    io_.run();
    return !stopped_;
  }

  void answered(Worker& worker, WorkerAnswer answer) {
    if (stopped_) return;
    barren_ = 0;
    // The next task goes out before this answer is stored, so that the worker does not wait.
    const auto place = place_of(worker);
    if (worker.done() >= options_.tasks_of_worker) replace(*place);
    feed(*place);
    callbacks_->ended(std::move(answer));
    asio::post(io_, [this] { fill_queue(); });
  }

  /// The worker's output has ended: so has the worker.
  void lost(Worker& worker) {
    if (stopped_) return;
    const auto place = place_of(worker);
    const std::string how = worker.end();
    const std::string said = last_line(worker.said());
    const std::string reason = fmt::format("the worker {}{}{}", how, said.empty() ? "" : ": ", said);
    const bool had_task = worker.busy();
    WorkerAnswer answer;
    if (had_task) {
      answer.id = worker.task().id;
      answer.outcome = Outcome::crashed;
      answer.reason = reason;
      answer.host_seconds = worker.seconds();
    }
    if (!worker.ready()) {
      if (had_task) queue_.push_front(worker.task());
      replace(*place);
      constexpr unsigned most_barren = 10;
      if (++barren_ < most_barren) return feed(*place);
      stop();
      throw std::runtime_error(fmt::format(
          "{} workers one after the other ended before they were ready; the last one: {}", barren_, reason));
    }
    replace(*place);
    feed(*place);
    if (had_task) callbacks_->ended(std::move(answer));
  }

  asio::io_context& io() { return io_; }

 private:
  using Place = std::unique_ptr<Worker>;

  Place* place_of(const Worker& worker) {
    for (Place& place : workers_) {
      if (place.get() == &worker) return &place;
    }
    throw std::logic_error("an answer of a worker that is gone");
  }

  /// A worker is destroyed later, outside of its own callbacks.
  void replace(Place& place) {
    if (!place) return;
    place->end();
    gone_.push_back(std::move(place));
  }

  void fill_queue() {
    while (!stopped_ && !dry_ && queue_.size() < options_.jobs) {
      std::optional<WorkerTask> task = callbacks_->next();
      if (task) {
        queue_.push_back(std::move(*task));
      } else {
        dry_ = true;
      }
    }
    for (Place& place : workers_) feed(place);
    if (has_ended()) io_.stop();
  }

  /// Whether there is nothing more to do in this run.
  [[nodiscard]] bool has_ended() const { return dry_ && queue_.empty() && running() == 0; }

  void feed(Place& place) {
    if (stopped_ || queue_.empty() || (place && place->busy())) return;
    if (!place) place = std::make_unique<Worker>(*this, io_, options_.command);
    place->give(std::move(queue_.front()));
    queue_.pop_front();
  }

  [[nodiscard]] unsigned running() const {
    unsigned count = 0;
    for (const Place& place : workers_) count += place && place->busy() ? 1 : 0;
    return count;
  }

  void watch() {
    if (stopped_) return;
    gone_.clear();
    for (Place& place : workers_) {
      if (!place || !place->busy() || place->seconds() < options_.timeout_s) continue;
      WorkerAnswer answer;
      answer.id = place->task().id;
      answer.outcome = Outcome::timed_out;
      answer.host_seconds = place->seconds();
      answer.reason = fmt::format("took more than {:g} s", options_.timeout_s);
      replace(place);
      callbacks_->ended(std::move(answer));
    }
    fill_queue();
    const bool asked_to_stop = callbacks_->tick(running());
    if (has_ended()) return io_.stop();
    if (asked_to_stop) {
      stopped_ = true;
      return stop();
    }
    constexpr std::chrono::milliseconds interval{100};
    timer_.expires_after(interval);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) watch();
    });
  }

  void stop() {
    for (Place& place : workers_) {
      if (place) place->end();
    }
    io_.stop();
  }

  const PoolOptions options_;
  const PoolCallbacks* callbacks_ = nullptr;  // of the present run
  asio::io_context io_;
  asio::steady_timer timer_;
  std::vector<Place> workers_;
  std::vector<Place> gone_;
  std::deque<WorkerTask> queue_;
  bool dry_ = false, stopped_ = false;
  unsigned barren_ = 0;  // workers one after the other that ended before they were ready
};

Worker::Worker(Pool& pool, asio::io_context& io, const std::vector<std::string>& command)
    : pool_(pool), to_(io), from_(io), errors_(io) {
  for (process::async_pipe* pipe : {&to_, &from_, &errors_}) close_on_exec(*pipe);
  const pid_t parent = getpid();
  // Signals from the terminal reach all processes of the group; only the parent is to answer them.
  const auto prepare = [parent](auto&) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
  };
  std::error_code error;
  child_ = process::child(command.front(), process::args(std::vector<std::string>(command.begin() + 1, command.end())),
                          process::std_in<to_, process::std_out> from_, process::std_err > errors_, error,
                          process::extend::on_exec_setup = prepare);
  if (error) throw std::runtime_error(fmt::format("a worker cannot be started: {}", error.message()));
  read_line([this](const std::string& line) {
    ready_ = line == worker_greeting;
    if (!ready_) return pool_.lost(*this);
    read_head();
  });
  listen();
}

void Worker::give(WorkerTask task) {
  sent_ = task_text(task);
  task_ = std::move(task);
  begin_ = Clock::now();
  asio::async_write(to_, asio::buffer(sent_), [](const boost::system::error_code&, std::size_t) {
    // A worker that does not read has ended; the end of its output reports it.
  });
}

std::string Worker::end() {
  if (ended_) return end_text_;
  ended_ = true;
  const pid_t id = child_.id();
  // It does nothing to a worker that has ended by itself.
  kill(id, SIGKILL);
  int status = 0;
  while (waitpid(id, &status, 0) < 0 && errno == EINTR) continue;
  child_.detach();
  end_text_ = end_text(status);
  to_.close();
  // What it has said last is still in the pipe.
  const int errors = errors_.native_source();
  if (errors >= 0 && fcntl(errors, F_SETFL, O_NONBLOCK) == 0) {
    std::array<char, 4096> rest{};
    const ssize_t got = read(errors, rest.data(), rest.size());
    if (got > 0) said_.append(rest.data(), static_cast<std::size_t>(got));
  }
  errors_.close();
  from_.close();
  return end_text_;
}

void Worker::read_line(const std::function<void(std::string)>& then) {
  asio::async_read_until(from_, received_, '\n', [this, then](const boost::system::error_code& error, std::size_t) {
    if (error == asio::error::operation_aborted || ended_) return;
    if (error) return pool_.lost(*this);
    std::istream stream(&received_);
    std::string line;
    std::getline(stream, line);
    then(std::move(line));
  });
}

void Worker::read_head() {
  read_line([this](const std::string& head) { read_figures(head); });
}

void Worker::read_figures(const std::string& head) {
  read_line([this, head](const std::string& figures) { read_details(head, figures); });
}

void Worker::read_details(const std::string& head, const std::string& figures) {
  read_line([this, head, figures](std::string details) {
    WorkerAnswer answer = read_answer(head, figures, std::move(details));
    task_.reset();
    ++done_;
    read_head();
    pool_.answered(*this, std::move(answer));
  });
}

void Worker::listen() {
  errors_.async_read_some(asio::buffer(heard_), [this](const boost::system::error_code& error, std::size_t got) {
    if (error || ended_) return;
    said_.append(heard_.data(), got);
    constexpr std::size_t most = 2000;
    if (said_.size() > most) said_.erase(0, said_.size() - most);
    listen();
  });
}

}  // namespace

class WorkerPool::Implementation : public Pool {
 public:
  using Pool::Pool;
};

WorkerPool::WorkerPool(PoolOptions options) : implementation_(std::make_unique<Implementation>(std::move(options))) {}

WorkerPool::~WorkerPool() = default;

bool WorkerPool::run(const PoolCallbacks& callbacks) { return implementation_->run(callbacks); }

}  // namespace bvp
