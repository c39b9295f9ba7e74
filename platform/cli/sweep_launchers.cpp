// SPDX-License-Identifier: Apache-2.0
// Where the points of a sweep run: on this host, on others by ssh, as jobs of Slurm; and the command of the processes
// that are started there.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "platform/cli/sweep_commands.h"
#include "platform/cli/terminal.h"
#include "platform/explore/chunk_job.h"
#include "platform/explore/slurm.h"
#include "platform/support/input_error.h"
#include "platform/support/interruption.h"
#include "platform/support/sha256.h"
#include "platform/support/shell_word.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;

/// What a worker process was started with.
struct WorkerCommand {
  bool identify = false, check_files = false;
  std::string directory;  ///< of a chunk; empty: tasks come over a pipe
  u64 index = 0;
  unsigned jobs = 1;
  double timeout_s = 3600;
};

void warn_user(const std::string& text) { say("warning: " + text + "\n"); }

std::string program_of(const LauncherChoice& choice) {
  return choice.program.empty() ? fs::read_symlink("/proc/self/exe").string() : choice.program;
}

/// "a,b:4" as hosts with their numbers of workers.
std::vector<std::pair<std::string, unsigned>> hosts_of(const LauncherChoice& choice) {
  std::vector<std::pair<std::string, unsigned>> hosts;
  std::istringstream words(choice.hosts);
  for (std::string word; std::getline(words, word, ',');) {
    constexpr unsigned most = 1024;
    unsigned jobs = std::max(1U, choice.jobs);
    const std::size_t colon = word.rfind(':');
    std::string name = word;
    if (colon != std::string::npos && word.find(']') == std::string::npos) {
      name = word.substr(0, colon);
      const std::string count = word.substr(colon + 1);
      const bool is_number =
          !count.empty() && count.size() < 5 && count.find_first_not_of("0123456789") == std::string::npos;
      jobs = is_number ? static_cast<unsigned>(std::stoul(count)) : 0;
    }
    // A name that begins with '-' would be an option of ssh.
    if (name.empty() || name.front() == '-' || jobs == 0 || jobs > most) {
      throw InputError(fmt::format("--hosts {}: found '{}', expected HOST or HOST:WORKERS, with 1 to {} workers",
                                   choice.hosts, word, most));
    }
    hosts.emplace_back(std::move(name), jobs);
  }
  if (hosts.empty()) throw InputError("--launcher ssh: no hosts; expected --hosts HOST,HOST:WORKERS");
  return hosts;
}

PoolOptions ssh_pool(const LauncherChoice& choice, const BuildInfo& build) {
  PoolOptions pool;
  pool.timeout_s = choice.timeout_s;
  pool.retries = static_cast<unsigned>(choice.retries);
  pool.warn = warn_user;
  std::vector<std::string> ssh;
  std::istringstream words(choice.ssh_command);
  for (std::string word; words >> word;) ssh.push_back(word);
  if (ssh.empty()) throw InputError("--ssh-command: it is empty; expected a command such as ssh");
  // A shell that stays says by its exit code that a signal has ended the worker; ssh itself would say that the
  // connection was lost.
  const std::string remote = fmt::format("cd {} && {} worker --identify; exit $?", shell_word(fs::current_path()),
                                         shell_word(program_of(choice)));
  for (const auto& [name, jobs] : hosts_of(choice)) {
    PoolHost host;
    host.name = name;
    host.jobs = jobs;
    host.command = ssh;
    host.command.push_back(name);
    host.command.push_back(remote);
    host.greeting = worker_greeting(build_identity(build));
    constexpr int code_of_ssh = 255;
    host.lost = code_of_ssh;
    pool.hosts.push_back(std::move(host));
  }
  return pool;
}

SlurmOptions slurm_options(const LauncherChoice& choice, const fs::path& directory, const BuildInfo& build) {
  SlurmOptions options;
  options.spool = fs::absolute(spool_of(choice, directory));
  options.command = {program_of(choice),          "worker",    "--jobs",
                     std::to_string(choice.cpus), "--timeout", fmt::format("{}", choice.timeout_s)};
  options.build = build_identity(build);
  if (choice.jobs > 0) options.jobs = choice.jobs;
  options.chunk = choice.chunk;
  options.retries = static_cast<unsigned>(choice.retries);
  options.warn = warn_user;
  options.sbatch = {"--ntasks=1", fmt::format("--cpus-per-task={}", choice.cpus)};
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) options.sbatch.push_back(fmt::format("--{}={}", option, value));
  };
  add("partition", choice.partition);
  add("account", choice.account);
  add("time", choice.job_time);
  options.sbatch.insert(options.sbatch.end(), choice.sbatch.begin(), choice.sbatch.end());
  return options;
}

/// Options that have an effect with one launcher only.
void check_choice(const LauncherChoice& choice) {
  const LauncherChoice none;
  const auto refuse = [&](const char* option, const char* launcher) {
    throw InputError(
        fmt::format("{}: found with --launcher {}, expected --launcher {}", option, choice.launcher, launcher));
  };
  if (choice.launcher != "ssh") {
    if (!choice.hosts.empty()) refuse("--hosts", "ssh");
    if (choice.ssh_command != none.ssh_command) refuse("--ssh-command", "ssh");
  }
  if (choice.launcher == "slurm") return;
  if (choice.chunk != none.chunk) refuse("--chunk", "slurm");
  if (choice.cpus != none.cpus) refuse("--cpus", "slurm");
  const std::vector<std::pair<const char*, const std::string*>> texts{{"--spool", &choice.spool},
                                                                      {"--partition", &choice.partition},
                                                                      {"--account", &choice.account},
                                                                      {"--job-time", &choice.job_time}};
  for (const auto& [option, text] : texts) {
    if (!text->empty()) refuse(option, "slurm");
  }
  if (!choice.sbatch.empty()) refuse("--sbatch", "slurm");
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int chunk_process(const WorkerCommand& command, const BuildInfo& build) {
  utsname host{};
  static_cast<void>(uname(&host));
  ChunkJob job;
  job.place = {command.directory, command.index};
  // Slurm's number of the job and of the restart: a job that is requeued has both in common with none before it.
  job.attempt = fmt::format("{}-{}-{}-{}", environment("SLURM_JOB_ID"), environment("SLURM_RESTART_COUNT"),
                            host.nodename, getpid());
  job.build = build_identity(build);
  job.host = host.nodename;
  job.pool = local_pool(command.jobs, command.timeout_s);
  job.pool.hosts.front().command.push_back("--check-files");
  const Interruption::Simulation simulation;
  job.asked_to_end = [] { return Interruption::asked() != 0; };
  const bool all = run_chunk(job);
  if (const int signal = Interruption::asked()) Interruption::end_by(signal);
  return all ? exit_passed : exit_failed;
}

/// A worker's answers go to a descriptor of their own: what else is printed must not come between them.
int worker_process(const WorkerCommand& command, const BuildInfo& build) {
  if (!command.directory.empty()) return chunk_process(command, build);
  WorkerService service;
  service.in = STDIN_FILENO;
  service.out = dup(STDOUT_FILENO);
  if (service.out < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return exit_failed;
  service.identifies = service.ends_with_input = command.identify;
  service.checks_files = command.check_files || command.identify;
  if (service.checks_files) service.build = build_identity(build);
  return serve_points(service, scenario_options({}));
}

}  // namespace

void add_jobs_option(CLI::App& app, unsigned& jobs) {
  app.add_option("--jobs", jobs, "Worker processes (default: one a core)")->type_name("N")->check(CLI::Range(1, 1024));
}

void add_timeout_option(CLI::App& app, double& seconds) {
  app.add_option("--timeout", seconds, "Seconds that a point may take (default: 3600)")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber);
}

unsigned jobs_of(unsigned given) { return given > 0 ? given : std::max(1U, std::thread::hardware_concurrency()); }

PoolOptions local_pool(unsigned jobs, double timeout_s) {
  PoolOptions pool;
  pool.timeout_s = timeout_s;
  PoolHost host;
  host.jobs = jobs_of(jobs);
  // This program, also if another file has taken its place since.
  host.command = {"/proc/self/exe", "worker"};
  pool.hosts.push_back(std::move(host));
  return pool;
}

void add_launcher_options(CLI::App& app, LauncherChoice& choice) {
  app.add_option("--launcher", choice.launcher, "Where points run: local (default), slurm, ssh")
      ->type_name("WHERE")
      ->check(CLI::IsMember({"local", "slurm", "ssh"}));
  constexpr unsigned most_jobs = 100'000;
  app.add_option("--jobs", choice.jobs,
                 "Worker processes (default: one a core); jobs of Slurm at a time (100); workers on a host of --hosts "
                 "that has no number (1)")
      ->type_name("N")
      ->check(CLI::Range(1U, most_jobs));
  add_timeout_option(app, choice.timeout_s);
  app.add_option("--retries", choice.retries,
                 "slurm, ssh: how often a point runs again whose job or connection ended while it ran (default: 3)")
      ->type_name("N")
      ->check(CLI::Range(u64{0}, u64{1000}));
  app.add_option("--hosts", choice.hosts, "ssh: hosts, each with its number of workers")->type_name("HOST[:N],...");
  app.add_option("--ssh-command", choice.ssh_command, "ssh: the command that host and remote command are added to")
      ->type_name("COMMAND");
  app.add_option("--program", choice.program, "slurm, ssh: butterfly-vp on the other hosts (default: the path of this)")
      ->type_name("FILE");
  app.add_option("--chunk", choice.chunk, "slurm: points of a job (default: 100)")
      ->type_name("N")
      ->check(CLI::Range(u64{1}, u64{100'000}));
  app.add_option("--cpus", choice.cpus, "slurm: cores of a job, each with a worker (default: 1)")
      ->type_name("N")
      ->check(CLI::Range(1U, 1024U));
  app.add_option("--spool", choice.spool,
                 "slurm: a directory that all hosts share, for files of jobs (default: jobs in that of the sweep)")
      ->type_name("DIR");
  app.add_option("--partition", choice.partition, "slurm: partition")->type_name("NAME");
  app.add_option("--account", choice.account, "slurm: account")->type_name("NAME");
  app.add_option("--job-time", choice.job_time, "slurm: limit of time of a job, as sbatch takes it")->type_name("TIME");
  app.add_option("--sbatch", choice.sbatch, "slurm: a further option of sbatch, as --sbatch=--mem=2G; may be repeated")
      ->type_name("OPTION")
      ->allow_extra_args(false);
}

fs::path spool_of(const LauncherChoice& choice, const fs::path& directory) {
  if (choice.spool.empty()) return directory / "jobs";
  constexpr std::size_t digits = 12;
  return fs::path(choice.spool) /
         ("sweep-" + sha256_of(fs::absolute(directory).lexically_normal().string()).substr(0, digits));
}

std::unique_ptr<TaskLauncher> make_launcher(const LauncherChoice& choice, const fs::path& directory,
                                            const BuildInfo& build) {
  check_choice(choice);
  if (choice.launcher == "ssh") return std::make_unique<WorkerPool>(ssh_pool(choice, build));
  if (choice.launcher == "slurm") return std::make_unique<SlurmLauncher>(slurm_options(choice, directory, build));
  constexpr unsigned most_workers = 1024;
  if (choice.jobs > most_workers) {
    throw InputError(
        fmt::format("--jobs: found {}, expected at most {} workers on one host", choice.jobs, most_workers));
  }
  return std::make_unique<WorkerPool>(local_pool(choice.jobs, choice.timeout_s));
}

void add_worker_command(CommandLine& line) {
  const auto given = std::make_shared<WorkerCommand>();
  CLI::App& app = *line.app.add_subcommand("worker", "A worker process of a sweep");
  app.group("");  // no command for people
  app.add_option("directory", given->directory, "Directory of a chunk of tasks, instead of tasks over a pipe");
  app.add_option("index", given->index, "Number of the chunk");
  app.add_flag("--identify", given->identify, "Say what identifies the build, and end with the input");
  app.add_flag("--check-files", given->check_files, "Refuse tasks whose files differ from those of their sweep");
  add_jobs_option(app, given->jobs);
  add_timeout_option(app, given->timeout_s);
  app.final_callback(
      [&line, given] { line.selected = [&line, given] { return worker_process(*given, line.invocation.build); }; });
}

}  // namespace bvp
