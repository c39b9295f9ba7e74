// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/worker.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "platform/explore/figure_values.h"
#include "platform/run/run.h"
#include "platform/support/json_text.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

/// Reads lines from a descriptor.
class Lines {
 public:
  explicit Lines(int descriptor) : descriptor_(descriptor) {}
  /// @return whether there was a line
  bool next(std::string& line) {
    while (true) {
      const std::size_t end = text_.find('\n');
      if (end != std::string::npos) {
        line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return true;
      }
      std::array<char, 4096> buffer{};
      const ssize_t got = read(descriptor_, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      text_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  int descriptor_;
  std::string text_;
};

bool write_all(int descriptor, const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t written = write(descriptor, text.data() + sent, text.size() - sent);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    sent += static_cast<std::size_t>(written);
  }
  return true;
}

void run_point(const WorkerTask& task, const ScenarioOptions& options, ContentKeys* keys, WorkerAnswer& answer) {
  ScenarioOptions with_values = options;
  with_values.overrides = task.overrides;
  const std::unique_ptr<Scenario> scenario = read_scenario(task.file, with_values);
  if (keys != nullptr && !task.key.empty() && keys->of(*scenario) != task.key) {
    throw std::runtime_error(
        "this host has other files (scenario, firmware, weights, tables) than the host of the sweep; expected the "
        "same");
  }
  const RunResult result = run_scenario(*scenario, {});
  const PointFigures figures = point_figures(result);
  answer.outcome = result.passed() ? Outcome::done : Outcome::failed;
  answer.reason = result.failure;
  answer.figures = json_text(figures.figures, -1);
  answer.details = json_text(figures.details, -1);
}

}  // namespace

std::string task_text(const WorkerTask& task) {
  Json overrides = Json::array();
  for (const Override& override : task.overrides) overrides.push_back({override.key, override.value});
  Json json{{"id", task.id}, {"file", task.file}, {"overrides", std::move(overrides)}};
  if (!task.key.empty()) json["key"] = task.key;
  return json_text(json, -1);
}

WorkerTask read_task(const std::string& line) {
  const Json json = Json::parse(line);
  WorkerTask task;
  task.id = json.at("id").get<u64>();
  task.file = json.at("file").get<std::string>();
  for (const Json& pair : json.at("overrides")) {
    task.overrides.push_back({pair.at(0).get<std::string>(), pair.at(1).get<std::string>(), {}});
  }
  task.key = json.value("key", "");
  return task;
}

std::string answer_text(const WorkerAnswer& answer) {
  const auto line = [](const std::string& text) { return text.empty() || text.back() != '\n' ? text + "\n" : text; };
  return json_text(Json{{"id", answer.id},
                        {"outcome", outcome_name(answer.outcome)},
                        {"reason", answer.reason},
                        {"host_seconds", answer.host_seconds}},
                   -1) +
         line(answer.figures) + line(answer.details);
}

WorkerAnswer read_answer(const std::string& head, std::string figures, std::string details) {
  const Json json = Json::parse(head, nullptr, false);
  if (!json.is_object() || !json.contains("outcome")) {
    throw std::runtime_error("a worker wrote what is no answer");
  }
  WorkerAnswer answer;
  answer.id = json.at("id").get<u64>();
  const auto outcome = json.at("outcome").get<std::string>();
  for (const Outcome known : {Outcome::done, Outcome::failed, Outcome::crashed, Outcome::timed_out, Outcome::refused}) {
    if (outcome == outcome_name(known)) answer.outcome = known;
  }
  answer.reason = json.at("reason").get<std::string>();
  answer.host_seconds = json.at("host_seconds").get<double>();
  answer.figures = std::move(figures);
  answer.details = std::move(details);
  return answer;
}

WorkerAnswer simulate_point(const WorkerTask& task, const ScenarioOptions& options, ContentKeys* keys) {
  WorkerAnswer answer;
  answer.id = task.id;
  const auto begin = std::chrono::steady_clock::now();
  try {
    run_point(task, options, keys, answer);
  } catch (const InputError& error) {
    answer.outcome = Outcome::refused;
    answer.reason = error.what();
  } catch (const std::exception& error) {
    answer.outcome = Outcome::failed;
    answer.reason = error.what();
  }
  answer.host_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return answer;
}

std::string worker_greeting(const std::string& build) { return build.empty() ? "ready" : "ready " + build; }

int serve_points(const WorkerService& service, const ScenarioOptions& options) {
  if (service.ends_with_input) {
    std::thread([in = service.in] {
      // It sees the end of the input also while lines of it have not been read.
      pollfd watched{in, POLLRDHUP, 0};
      while (poll(&watched, 1, -1) <= 0) continue;
      _exit(0);
    }).detach();
  }
  if (!write_all(service.out, worker_greeting(service.identifies ? service.build : "") + "\n")) return 1;
  ContentKeys keys(service.build);
  Lines lines(service.in);
  for (std::string line; lines.next(line);) {
    if (!write_all(service.out,
                   answer_text(simulate_point(read_task(line), options, service.checks_files ? &keys : nullptr))))
      return 1;
  }
  return 0;
}

}  // namespace bvp
