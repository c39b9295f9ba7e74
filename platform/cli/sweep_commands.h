// SPDX-License-Identifier: Apache-2.0
// The commands below `butterfly-vp sweep`.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "platform/cli/commands.h"
#include "platform/explore/worker_pool.h"

namespace bvp {

/// Where the points of a sweep run, as its user has said it.
struct LauncherChoice {
  std::string launcher = "local";  ///< local, slurm, ssh
  unsigned jobs = 0;               ///< 0: one for each core; jobs of Slurm at a time: 100; workers on a host: 1
  double timeout_s = 3600;
  u64 retries = 3;
  std::string program;  ///< the executable on other hosts; empty: the path of this one
  // Of ssh:
  std::string hosts, ssh_command = "ssh -o BatchMode=yes -o ServerAliveInterval=15 -o ServerAliveCountMax=4";
  // Of Slurm:
  u64 chunk = 100;
  unsigned cpus = 1;
  std::string spool, partition, account, job_time;
  std::vector<std::string> sbatch;
};

/// Adds the options of it that a sweep has, with those of add_jobs_option() and add_timeout_option().
void add_launcher_options(CLI::App& app, LauncherChoice& choice);
/// The directory in which a sweep and its jobs of Slurm exchange files. @param directory  of the sweep
[[nodiscard]] std::filesystem::path spool_of(const LauncherChoice& choice, const std::filesystem::path& directory);
/// @throws InputError  options are missing, or do not belong to this launcher
[[nodiscard]] std::unique_ptr<TaskLauncher> make_launcher(const LauncherChoice& choice,
                                                          const std::filesystem::path& directory,
                                                          const BuildInfo& build);
/// Workers on this host. @param jobs  0: one for each core
[[nodiscard]] PoolOptions local_pool(unsigned jobs, double timeout_s);
/// @param given  0: one for each core
[[nodiscard]] unsigned jobs_of(unsigned given);

/// Adds `--jobs`, the worker processes of a command; jobs_of() says how many 0 are.
void add_jobs_option(CLI::App& app, unsigned& jobs);
/// Adds `--timeout`, the seconds that a point may take.
void add_timeout_option(CLI::App& app, double& seconds);

/// Adds `sweep confirm`.
void add_sweep_confirm_command(CLI::App& sweep, CommandLine& line);
/// Adds `sweep serve`.
void add_sweep_serve_command(CLI::App& sweep, CommandLine& line);
/// Adds `sweep show` and `sweep report`.
void add_sweep_analysis_commands(CLI::App& sweep, CommandLine& line);

}  // namespace bvp
