// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/slurm_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/process.hpp>
#include <future>
#include <sstream>
#include <stdexcept>

namespace bvp {

namespace process = boost::process;

CommandEnd run_command(const std::vector<std::string>& command, const std::string& input) {
  const boost::filesystem::path file = process::search_path(command.front());
  if (file.empty()) throw std::runtime_error(fmt::format("there is no command {}", command.front()));
  boost::asio::io_context io;
  std::future<std::string> out, errors;
  boost::asio::const_buffer given = boost::asio::buffer(input);
  process::child child(file, process::args(std::vector<std::string>(command.begin() + 1, command.end())),
                       process::std_in<given, process::std_out> out, process::std_err > errors, io);
  io.run();
  child.wait();
  return {child.exit_code(), out.get(), errors.get()};
}

std::map<ArrayJob, JobState> read_jobs(const std::string& text) {
  std::map<ArrayJob, JobState> jobs;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string array, index;
    JobState job;
    std::getline(fields, array, '|');
    std::getline(fields, index, '|');
    std::getline(fields, job.state, '|');
    std::getline(fields, job.reason);
    const auto is_number = [](const std::string& word) {
      return !word.empty() && word.size() < 19 && word.find_first_not_of("0123456789") == std::string::npos;
    };
    if (is_number(array) && is_number(index)) jobs[{std::stoull(array), std::stoull(index)}] = std::move(job);
  }
  return jobs;
}

std::optional<std::map<ArrayJob, JobState>> jobs_of_name(const std::string& name) {
  const CommandEnd end = run_command({"squeue", "--noheader", "--array", "--name=" + name, "--format=%F|%K|%T|%r"});
  if (end.code != 0) return std::nullopt;
  return read_jobs(end.out);
}

bool is_passing(const std::string& message) {
  const std::vector<const char*> passing{"Unable to contact slurm controller",
                                         "Socket timed out",
                                         "temporarily",
                                         "Connection refused",
                                         "submit limit",
                                         "Zero Bytes were"};
  return std::any_of(passing.begin(), passing.end(),
                     [&](const char* words) { return message.find(words) != std::string::npos; });
}

u64 most_of_array() {
  constexpr u64 usual = 1001;
  const CommandEnd end = run_command({"scontrol", "show", "config"});
  const std::size_t at = end.out.find("MaxArraySize");
  const std::size_t equals = at == std::string::npos ? at : end.out.find('=', at);
  if (equals == std::string::npos) return usual - 1;
  std::istringstream number(end.out.substr(equals + 1));
  u64 most = usual;
  number >> most;
  // It bounds the index, which begins at 0; 0 means that there are no arrays, and sbatch says so.
  return std::max<u64>(most, 2) - 1;
}

}  // namespace bvp
