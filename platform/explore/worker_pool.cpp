// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/worker_pool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio.hpp>
#include <boost/process.hpp>
#include <boost/process/extend.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <stdexcept>
#include <thread>

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
  // A shell on another host says by such a code that a signal has ended the worker.
  constexpr int code_of_signals = 128, most_signals = 64;
  const int code = WEXITSTATUS(status);
  if (code > code_of_signals && code <= code_of_signals + most_signals) {
    return fmt::format("ended by signal {} ({})", code - code_of_signals, strsignal(code - code_of_signals));
  }
  return fmt::format("ended with exit code {}", code);
}

class Pool;

/// One process and its three pipes.
class Worker {
 public:
  Worker(Pool& pool, asio::io_context& io, const PoolHost& host);
  ~Worker() { end(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void give(WorkerTask task);
  [[nodiscard]] bool busy() const { return task_.has_value(); }
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] u64 done() const { return done_; }
  /// Ends the process at once. @return its wait status
  int end();
  /// Waits for its end for a moment first: the exit code says what was lost.
  int end_by_itself();
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
  const std::string greeting_, host_;
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
  int status_ = 0;
};

class Pool {
 public:
  explicit Pool(PoolOptions options) : options_(std::move(options)), timer_(io_) {
    for (const PoolHost& host : options_.hosts) {
      hosts_.push_back({&host});
      for (unsigned i = 0; i < host.jobs; ++i) places_.push_back({hosts_.size() - 1, nullptr});
    }
  }

  bool run(const LauncherCallbacks& callbacks) {
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
    Place& place = place_of(worker);
    hosts_[place.host].barren = 0;
    // The next task goes out before this answer is stored, so that the worker does not wait.
    if (worker.done() >= options_.tasks_of_worker) replace(place);
    feed(place);
    report(std::move(answer));
    asio::post(io_, [this] { fill_queue(); });
  }

  /// The worker's output has ended: so has the worker, or the connection to it.
  void lost(Worker& worker) {
    if (stopped_) return;
    Place& place = place_of(worker);
    Host& host = hosts_[place.host];
    const int status = host.given->lost ? worker.end_by_itself() : worker.end();
    const std::string said = last_line_of(worker.said());
    const std::string reason = fmt::format("the worker {}{}{}", end_text(status), said.empty() ? "" : ": ", said);
    const bool is_barren = !worker.ready();
    const bool lost_connection = host.given->lost && (!WIFEXITED(status) || WEXITSTATUS(status) == *host.given->lost);
    std::optional<WorkerAnswer> answer;
    if (worker.busy()) {
      const bool again = is_barren || (lost_connection && losses_[worker.task().id]++ < options_.retries);
      if (again) {
        queue_.push_front(worker.task());
      } else {
        answer.emplace();
        answer->id = worker.task().id;
        answer->outcome = Outcome::crashed;
        answer->reason = reason;
        answer->host_seconds = worker.seconds();
        answer->host = host.given->name;
      }
    }
    replace(place);
    if (is_barren || lost_connection) {
      count_barren(host, reason);
      // A connection that could not be made now can perhaps be made later: not at once.
      if (host.given->lost) {
        if (answer) report(std::move(*answer));
        return;
      }
    }
    feed(place);
    if (answer) report(std::move(*answer));
  }

  asio::io_context& io() { return io_; }

 private:
  struct Host {
    const PoolHost* given = nullptr;
    unsigned barren = 0;  // workers one after the other that ended before they had done anything
    bool given_up = false;
    Clock::time_point not_before{};  // no worker starts before
  };
  struct Place {
    std::size_t host;  // index
    std::unique_ptr<Worker> worker;
  };

  void report(WorkerAnswer answer) {
    losses_.erase(answer.id);
    std::vector<WorkerAnswer> answers;
    answers.push_back(std::move(answer));
    callbacks_->ended(std::move(answers));
  }

  /// @throws std::runtime_error  the host was the last one
  void count_barren(Host& host, const std::string& reason) {
    constexpr unsigned most_barren = 10;
    constexpr std::chrono::seconds pause{1};
    if (host.given->lost) host.not_before = Clock::now() + pause;
    if (host.given_up || ++host.barren < most_barren) return;
    host.given_up = true;
    const std::string of_host = host.given->name.empty() ? "" : " on " + host.given->name;
    const std::string text =
        fmt::format("{} workers{} one after the other ended before they had done anything; the last one: {}",
                    host.barren, of_host, reason);
    for (Place& place : places_) {
      if (hosts_[place.host].given == host.given && place.worker && !place.worker->busy()) replace(place);
    }
    if (std::any_of(hosts_.begin(), hosts_.end(), [](const Host& other) { return !other.given_up; })) {
      if (options_.warn) options_.warn(text + "; the sweep goes on without it");
      return;
    }
    stop();
    throw std::runtime_error(text);
  }

  Place& place_of(const Worker& worker) {
    for (Place& place : places_) {
      if (place.worker.get() == &worker) return place;
    }
    throw std::logic_error("an answer of a worker that is gone");
  }

  /// A worker is destroyed later, outside of its own callbacks.
  void replace(Place& place) {
    if (!place.worker) return;
    place.worker->end();
    gone_.push_back(std::move(place.worker));
  }

  void fill_queue() {
    while (!stopped_ && !dry_ && queue_.size() < places_.size()) {
      std::optional<WorkerTask> task = callbacks_->next();
      if (task) {
        queue_.push_back(std::move(*task));
      } else {
        dry_ = true;
      }
    }
    for (Place& place : places_) feed(place);
    if (has_ended()) io_.stop();
  }

  /// Whether there is nothing more to do in this run.
  [[nodiscard]] bool has_ended() const { return dry_ && queue_.empty() && running() == 0; }

  void feed(Place& place) {
    const Host& host = hosts_[place.host];
    if (stopped_ || queue_.empty() || (place.worker && place.worker->busy())) return;
    if (!place.worker) {
      if (host.given_up || Clock::now() < host.not_before) return;
      place.worker = std::make_unique<Worker>(*this, io_, *host.given);
    }
    place.worker->give(std::move(queue_.front()));
    queue_.pop_front();
  }

  [[nodiscard]] u64 running() const {
    u64 count = 0;
    for (const Place& place : places_) count += place.worker && place.worker->busy() ? 1 : 0;
    return count;
  }

  void watch() {
    if (stopped_) return;
    gone_.clear();
    for (Place& place : places_) {
      if (!place.worker || !place.worker->busy() || place.worker->seconds() < options_.timeout_s) continue;
      WorkerAnswer answer;
      answer.id = place.worker->task().id;
      answer.outcome = Outcome::timed_out;
      answer.host_seconds = place.worker->seconds();
      answer.reason = fmt::format("took more than {:g} s", options_.timeout_s);
      answer.host = hosts_[place.host].given->name;
      replace(place);
      report(std::move(answer));
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
    for (Place& place : places_) {
      if (place.worker) place.worker->end();
    }
    io_.stop();
  }

  const PoolOptions options_;
  const LauncherCallbacks* callbacks_ = nullptr;  // of the present run
  asio::io_context io_;
  asio::steady_timer timer_;
  std::vector<Host> hosts_;
  std::vector<Place> places_;
  std::vector<std::unique_ptr<Worker>> gone_;
  std::deque<WorkerTask> queue_;
  std::map<u64, unsigned> losses_;  // of tasks whose connection was lost, by id
  bool dry_ = false, stopped_ = false;
};

Worker::Worker(Pool& pool, asio::io_context& io, const PoolHost& host)
    : pool_(pool), greeting_(host.greeting), host_(host.name), to_(io), from_(io), errors_(io) {
  const std::vector<std::string>& command = host.command;
  for (process::async_pipe* pipe : {&to_, &from_, &errors_}) close_on_exec(*pipe);
  const pid_t parent = getpid();
  // Signals from the terminal reach all processes of the group; only the parent is to answer them.
  const auto prepare = [parent](auto&) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
  };
  const bool is_path = command.front().find('/') != std::string::npos;
  const boost::filesystem::path program =
      is_path ? boost::filesystem::path(command.front()) : process::search_path(command.front());
  if (program.empty()) throw std::runtime_error(fmt::format("there is no command {}", command.front()));
  std::error_code error;
  child_ = process::child(program, process::args(std::vector<std::string>(command.begin() + 1, command.end())),
                          process::std_in<to_, process::std_out> from_, process::std_err > errors_, error,
                          process::extend::on_exec_setup = prepare);
  if (error) throw std::runtime_error(fmt::format("a worker cannot be started: {}", error.message()));
  read_line([this](const std::string& line) {
    ready_ = line == greeting_;
    if (!ready_) {
      said_ += fmt::format("\nfound '{}', expected '{}': the same build on all hosts\n", line, greeting_);
      return pool_.lost(*this);
    }
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

int Worker::end_by_itself() {
  constexpr std::chrono::milliseconds patience{500}, step{10};
  siginfo_t info{};
  for (auto waited = step; !ended_ && waited < patience; waited += step) {
    if (waitid(P_PID, static_cast<id_t>(child_.id()), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0)
      break;
    std::this_thread::sleep_for(step);
  }
  return end();
}

int Worker::end() {
  if (ended_) return status_;
  ended_ = true;
  const pid_t id = child_.id();
  // It does nothing to a worker that has ended by itself.
  kill(id, SIGKILL);
  while (waitpid(id, &status_, 0) < 0 && errno == EINTR) continue;
  child_.detach();
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
  return status_;
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
    answer.host = host_;
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

bool WorkerPool::run(const LauncherCallbacks& callbacks) { return implementation_->run(callbacks); }

}  // namespace bvp
