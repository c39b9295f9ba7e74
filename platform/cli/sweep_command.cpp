// SPDX-License-Identifier: Apache-2.0
// butterfly-vp sweep
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "platform/cli/commands.h"
#include "platform/cli/progress_line.h"
#include "platform/cli/sweep_commands.h"
#include "platform/cli/terminal.h"
#include "platform/explore/analysis.h"
#include "platform/explore/export.h"
#include "platform/explore/sweep.h"
#include "platform/explore/worker.h"
#include "platform/network/random.h"
#include "platform/support/interruption.h"
#include "platform/support/json_text.h"
#include "platform/support/output_file.h"
#include "platform/support/text_table.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// Of a dry run: points beyond these are judged by the ones looked at.
constexpr u64 most_dry_points = 2000;

struct SweepCommand {
  SweepArguments arguments;
  std::vector<std::string> sets;
  std::string fidelity;
  bool no_data = false;
  std::string directory;  ///< empty: sweeps/NAME
  LauncherChoice launcher;
  bool resume = false, retry_failed = false, dry_run = false, schema = false, quiet = false;
  std::vector<std::string> reuse;
};

struct StoreCommand {
  std::string directory;
  std::string format = "csv", out;
  u64 sample = 10, seed = 1;
  unsigned jobs = 0;
};

std::string counts_text(const std::map<Outcome, u64>& counts) {
  std::string text;
  for (const auto& [outcome, count] : counts) {
    if (count == 0) continue;
    std::string name = outcome_name(outcome);
    std::replace(name.begin(), name.end(), '_', ' ');
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", grouped(count), name);
  }
  return text.empty() ? "nothing yet" : text;
}

/// As many items as fit into `width` columns.
std::string sweep_progress_text(const SweepProgress& progress, std::size_t width) {
  std::string text = fmt::format("{}/{} points", progress.all_ended(), progress.points);
  const auto add = [&](const std::string& part) {
    if (text.size() + 2 + part.size() <= width) text += ", " + part;
  };
  const auto add_count = [&](u64 count, const char* what) {
    if (count > 0) add(fmt::format("{} {}", count, what));
  };
  add_count(progress.failures(), "failed");
  const double rate = progress.seconds > 0 ? static_cast<double>(progress.computed) / progress.seconds : 0;
  if (rate > 0) {
    add(duration_text(static_cast<double>(progress.points - progress.all_ended()) / rate) + " left");
    add(rate < 10 ? fmt::format("{:.2f}/s", rate) : fmt::format("{:.0f}/s", rate));
  }
  add(fmt::format("{} running", progress.running));
  const auto count_of = [&](Outcome outcome) {
    const auto found = progress.ended.find(outcome);
    return found == progress.ended.end() ? 0 : found->second;
  };
  add_count(count_of(Outcome::refused), "refused");
  add_count(count_of(Outcome::excluded), "excluded");
  if (!progress.best.empty()) add("best " + progress.best);
  return text;
}

/// On a terminal one line that is rewritten, otherwise a line a minute.
class SweepLine {
 public:
  explicit SweepLine(bool enabled) : enabled_(enabled), rewrites_(can_rewrite_lines(STDERR_FILENO)) {
    if (!rewrites_) next_ = Clock::now() + interval();
  }
  ~SweepLine() {
    if (visible_) say("\r\x1b[K");
  }
  SweepLine(const SweepLine&) = delete;
  SweepLine& operator=(const SweepLine&) = delete;

  void show(const SweepProgress& progress) {
    const auto now = Clock::now();
    if (!enabled_ || now < next_) return;
    next_ = now + interval();
    if (rewrites_) {
      // Some terminals begin a new line after the last column.
      say("\r\x1b[K" + sweep_progress_text(progress, terminal_width(STDERR_FILENO) - 1));
      visible_ = true;
    } else {
      constexpr std::size_t unlimited = 1000;
      say(sweep_progress_text(progress, unlimited) + "\n");
    }
  }

 private:
  [[nodiscard]] std::chrono::milliseconds interval() const {
    return rewrites_ ? std::chrono::milliseconds(200) : std::chrono::minutes(1);
  }
  bool enabled_, rewrites_, visible_ = false;
  Clock::time_point next_ = Clock::now();
};

void print_reasons(const char* what, const std::vector<std::pair<std::string, u64>>& reasons) {
  constexpr std::size_t most = 10;
  for (std::size_t i = 0; i < std::min(most, reasons.size()); ++i) {
    fmt::print("  {} {}: {}\n", grouped(reasons[i].second), what, reasons[i].first);
  }
  if (reasons.size() > most) fmt::print("  {} further reasons\n", reasons.size() - most);
}

int dry_run(const SweepDefinition& definition, const ScenarioOptions& options, const BuildInfo& build, unsigned jobs) {
  const SweepPlan plan = plan_sweep(definition, options, build, most_dry_points);
  fmt::print("{} points with the base", grouped(plan.points));
  if (plan.looked_at < plan.points) fmt::print("; {} of them, evenly spread, were looked at", grouped(plan.looked_at));
  fmt::print("\n  {} can run\n", grouped(plan.ready));
  print_reasons("excluded by", plan.excluded);
  print_reasons("refused", plan.refused);
  if (plan.measured > 0) {
    const double points =
        static_cast<double>(plan.ready) * static_cast<double>(plan.points) / static_cast<double>(plan.looked_at);
    fmt::print("about {} with {} jobs and {} on disk, by {} points that were simulated: {:.3g} s and {} each\n",
               duration_text(points * plan.seconds_of_point / jobs), jobs, si(points * plan.bytes_of_point, "B"),
               plan.measured, plan.seconds_of_point, si(plan.bytes_of_point, "B"));
  }
  return exit_passed;
}

/// Prints what went wrong, with the commands that repeat it.
void print_failures(const SweepStore& store) {
  constexpr u64 most = 10;
  u64 count = 0;
  store.for_each(false, [&](const PointRow& row) {
    if (!is_failure(row.point.outcome) || ++count > most) return;
    print_error(fmt::format("point {} {}: {}; repeat it by: {}", row.point.number, outcome_name(row.point.outcome),
                            row.point.reason, command_of(row.point)));
  });
  if (count > most) print_error(fmt::format("{} further points failed; see sweep export", count - most));
}

fs::path directory_of(const SweepCommand& command, const SweepDefinition& definition) {
  return command.directory.empty() ? fs::path("sweeps") / definition.name : fs::path(command.directory);
}

void print_end(const SweepStore& store, const SweepProgress& end) {
  fmt::print("{} points: {}; {} computed in {}", grouped(end.points), counts_text(end.ended), grouped(end.computed),
             duration_text(end.seconds));
  if (end.reused > 0) fmt::print(", {} taken over", grouped(end.reused));
  fmt::print("\n");
  print_reasons("excluded by", store.reasons(Outcome::excluded));
  print_reasons("refused", store.reasons(Outcome::refused));
  const std::size_t width = terminal_width(STDOUT_FILENO);
  for (const std::string& sentence : analyse(store).sentences) fmt::print("{}\n", wrapped(sentence, width, 2));
  fmt::print("results in {}\n", store.directory().string());
}

int sweep_command(SweepCommand command, const Invocation& invocation) {
  if (command.schema) {
    fmt::print("{}", json_text(sweep_schema()));
    return exit_passed;
  }
  if (command.arguments.file.empty())
    throw InputError("sweep: no scenario; expected SCENARIO KEY=VALUES... or the file of a sweep");
  command.arguments.sets = parse_overrides(command.sets);
  if (!command.fidelity.empty()) command.arguments.sets.push_back({"run.fidelity", command.fidelity, "--fidelity"});
  if (command.no_data) command.arguments.sets.push_back({"run.data", "false", "--no-data"});
  command.arguments.find_scenario = scenario_file;
  const ScenarioOptions options = scenario_options({});
  const SweepDefinition definition = read_sweep(command.arguments, options);
  for (const std::string& warning : check_sweep(definition, options, invocation.build)) {
    say(fmt::format("warning: {}\n", warning));
  }
  if (command.dry_run) return dry_run(definition, options, invocation.build, jobs_of(command.launcher.jobs));

  Provenance provenance;
  provenance.build = invocation.build;
  provenance.command = invocation.arguments;
  describe_host(provenance);
  const fs::path directory = directory_of(command, definition);
  const std::unique_ptr<TaskLauncher> launcher = make_launcher(command.launcher, directory, invocation.build);
  SweepStore store(directory,
                   command.resume || command.retry_failed ? SweepStore::Open::resume : SweepStore::Open::create,
                   definition_json(definition), provenance);
  const fs::path spool = spool_of(command.launcher, store.directory());
  if (const u64 left = record_left_answers(store, spool, provenance.host)) {
    say(fmt::format("{} results of jobs of an earlier process are recorded\n", left));
  }
  if (command.retry_failed) store.forget_failures();

  SweepProgress end;
  {
    const Interruption::Simulation simulation;
    SweepLine line(!command.quiet);
    SweepRequest request;
    request.launcher = launcher.get();
    request.reuse.assign(command.reuse.begin(), command.reuse.end());
    request.host = provenance.host;
    request.tick = [&](const SweepProgress& progress) {
      line.show(progress);
      return Interruption::asked() != 0;
    };
    end = run_sweep(definition, options, invocation.build, store, request);
    if (const int signal = Interruption::asked()) {
      say(fmt::format("\n{} of {} points are in {}; go on with --resume\n", end.all_ended(), end.points,
                      store.directory().string()));
      Interruption::end_by(signal);
    }
  }
  if (!command.quiet) print_end(store, end);
  print_failures(store);
  return end.failures() == 0 ? exit_passed : exit_failed;
}

int status_command(const StoreCommand& command) {
  const SweepStore store(command.directory);
  const std::map<Outcome, u64> counts = store.counts();
  u64 ended = 0;
  for (const auto& [outcome, count] : counts) ended += count;
  const nlohmann::ordered_json definition = store.definition();
  u64 designs = definition["sampling"]["points"].get<u64>(), workloads = 1;
  const bool is_open = definition["sampling"].value("minutes", 0.0) > 0;
  const bool is_grid = designs == 0;
  if (is_grid) designs = 1;
  for (const auto& axis : definition["axes"]) {
    const u64 positions = axis.value("positions", nlohmann::ordered_json()).size();
    if (axis.value("workload", false)) {
      workloads *= positions;
    } else if (is_grid) {
      designs *= positions;
    }
  }
  // With workloads, the base runs all of them as a design does.
  const u64 points = workloads > 1 ? (designs + 1) * workloads : designs;
  fmt::print("{}: {}{} points ended: {}\n", definition["name"].get<std::string>(), grouped(ended),
             is_open ? "" : " of " + grouped(points + 1), counts_text(counts));
  for (const Outcome outcome : {Outcome::failed, Outcome::crashed, Outcome::timed_out, Outcome::refused}) {
    print_reasons(outcome_name(outcome).c_str(), store.reasons(outcome));
  }
  return exit_passed;
}

int verify_command(const StoreCommand& command) {
  const SweepStore store(command.directory);
  const nlohmann::ordered_json definition = store.definition();
  if (const u64 repeated = store.repeated()) {
    print_error(fmt::format("{} results were computed after they had been recorded", repeated));
  }
  std::vector<u64> done;
  store.for_each(false, [&](const PointRow& row) {
    if (row.point.outcome == Outcome::done) done.push_back(row.point.number);
  });
  Random random(command.seed, "verify");
  std::set<u64> sample;
  for (u64 i = 0; i < command.sample && !done.empty(); ++i) {
    const std::size_t at = static_cast<std::size_t>(random.uniform() * static_cast<double>(done.size()));
    sample.insert(done[at]);
    done.erase(done.begin() + static_cast<std::ptrdiff_t>(at));
  }
  struct Expected {
    std::string figures, details;
  };
  std::map<u64, Expected> expected;
  std::vector<WorkerTask> tasks;
  store.for_each(true, [&](const PointRow& row) {
    if (sample.count(row.point.number) == 0) return;
    expected[row.point.number] = {row.figures, row.details};
    tasks.push_back({row.point.number, row.point.file, row.point.overrides, {}});
  });
  u64 differing = 0;
  std::size_t next = 0;
  LauncherCallbacks callbacks;
  callbacks.next = [&]() -> std::optional<WorkerTask> {
    return next < tasks.size() ? std::optional<WorkerTask>(tasks[next++]) : std::nullopt;
  };
  const auto ended = [&](const WorkerAnswer& answer) {
    const Expected& stored = expected.at(answer.id);
    const auto same = [](const std::string& a, const std::string& b) {
      return nlohmann::json::parse(a, nullptr, false) == nlohmann::json::parse(b, nullptr, false);
    };
    if (answer.outcome == Outcome::done && same(answer.figures, stored.figures) && same(answer.details, stored.details))
      return;
    ++differing;
    print_error(fmt::format("point {}: {}", answer.id,
                            answer.outcome == Outcome::done ? "its figures differ from the stored ones"
                                                            : outcome_name(answer.outcome) + ": " + answer.reason));
  };
  callbacks.ended = [&](const std::vector<WorkerAnswer>& answers) {
    for (const WorkerAnswer& answer : answers) ended(answer);
  };
  callbacks.tick = [](u64) { return false; };
  constexpr double patience_s = 3600;
  WorkerPool(local_pool(command.jobs, patience_s)).run(callbacks);
  fmt::print("{} of {} points were run again: {} differ\n", tasks.size(), tasks.size() + done.size(), differing);
  return differing == 0 && store.repeated() == 0 ? exit_passed : exit_failed;
}

int export_command(const StoreCommand& command) {
  const SweepStore store(command.directory);
  const auto write = [&](std::ostream& out) {
    if (command.format == "csv") {
      export_csv(store, out);
    } else {
      export_json(store, out);
    }
  };
  if (command.out.empty()) {
    write(std::cout);
    std::cout.flush();
    if (!std::cout) throw std::runtime_error("standard output cannot be written");
    return exit_passed;
  }
  std::error_code ignored;
  if (fs::exists(command.out, ignored)) {
    throw InputError(fmt::format("--out {}: there is such a file; expected a new one", command.out));
  }
  check_writable(command.out);
  write_file(command.out, write);
  return exit_passed;
}

CLI::App& add_store_command(CLI::App& app, const char* name, const char* what,
                            const std::shared_ptr<StoreCommand>& given) {
  CLI::App& command = *app.add_subcommand(name, what);
  command.add_option("directory", given->directory, "Directory of the sweep")
      ->required()
      ->type_name("DIR")
      ->check(not_empty());
  return command;
}

void add_store_commands(CLI::App& app, CommandLine& line) {
  const auto status = std::make_shared<StoreCommand>();
  add_store_command(app, "status", "How far a sweep is, also while it runs", status).final_callback([&line, status] {
    line.selected = [status] { return status_command(*status); };
  });
  const auto verify = std::make_shared<StoreCommand>();
  CLI::App& verify_app = add_store_command(app, "verify", "Run points of a sweep again and compare", verify);
  verify_app.add_option("--sample", verify->sample, "How many points (default: 10)")->type_name("N");
  verify_app.add_option("--seed", verify->seed, "Seed of the sample (default: 1)")->type_name("N");
  add_jobs_option(verify_app, verify->jobs);
  verify_app.final_callback([&line, verify] { line.selected = [verify] { return verify_command(*verify); }; });
  const auto exported = std::make_shared<StoreCommand>();
  CLI::App& export_app = add_store_command(app, "export", "Write the results of a sweep as one file", exported);
  export_app.add_option("--format", exported->format, "csv (default): a line a point; json: with units and lists")
      ->type_name("csv|json")
      ->check(CLI::IsMember({"csv", "json"}));
  export_app.add_option("--out", exported->out, "File (default: standard output)")
      ->type_name("FILE")
      ->check(not_empty());
  export_app.final_callback([&line, exported] { line.selected = [exported] { return export_command(*exported); }; });
}

}  // namespace

void add_sweep_command(CommandLine& line) {
  const auto given = std::make_shared<SweepCommand>();
  CLI::App& app = *line.app.add_subcommand("sweep", "Run many points of a scenario and keep their results");
  SweepArguments& arguments = given->arguments;
  app.add_option("scenario", arguments.file, "Scenario, or the file of a sweep (--schema)")->type_name("SCENARIO");
  app.add_option("axes", arguments.axes,
                 "What varies: KEY=4,8,16 or KEY=2^18..2^24 (powers of two), 1..8, 1..9:2 (steps), 1e8..1e9@5 "
                 "(logarithmic); KEY+KEY=4:8,8:16 vary together; scenario=NAME,NAME")
      ->type_name("KEY=VALUES");
  add_set_option(app, given->sets);
  app.add_option("--constraint", arguments.constraints,
                 "Formula that must hold, over keys, estimates and figures: estimate.area_mm2 < 40; may be repeated")
      ->type_name("FORMULA")
      ->allow_extra_args(false);
  app.add_option("--minimise", arguments.minimise, "Objective (default: time_s and energy_j); may be repeated")
      ->type_name("FORMULA")
      ->allow_extra_args(false);
  app.add_option("--maximise", arguments.maximise, "Objective; may be repeated")
      ->type_name("FORMULA")
      ->allow_extra_args(false);
  app.add_option(
         "--sampling", arguments.method,
         "Which points: grid (default), random, latin_hypercube, sobol, or a search: nsga2 (two or three objectives), "
         "gaco (one)")
      ->type_name("METHOD");
  app.add_option("--points", arguments.points, "How many points, except for a grid")->type_name("N");
  app.add_option("--seed", arguments.seed, "Seed of the sampling (default: 1)")->type_name("N");
  app.add_option("--population", arguments.population, "Designs of a generation of a search (default: 20)")
      ->type_name("N");
  app.add_option("--minutes", arguments.minutes, "A search hands out no further points after this time")
      ->type_name("M");
  app.add_option("--fidelity", given->fidelity, "Timing of the array")->type_name("cycle|fast")->check(not_empty());
  app.add_flag("--no-data", given->no_data, "Simulate time and energy without the numbers");
  app.add_option("--out", given->directory, "Directory of the sweep (default: sweeps/NAME)")
      ->type_name("DIR")
      ->check(not_empty());
  add_launcher_options(app, given->launcher);
  app.add_flag("--resume", given->resume, "Go on with the sweep in the directory, or begin it");
  app.add_flag("--retry-failed", given->retry_failed, "Go on, and run failed points again");
  app.add_option("--reuse", given->reuse, "Directory of another sweep: points of equal content are taken over")
      ->type_name("DIR")
      ->allow_extra_args(false);
  app.add_flag("--dry-run", given->dry_run, "Say what would run, and what it would cost");
  app.add_flag("--schema", given->schema, "Print the JSON Schema of the file of a sweep");
  app.add_flag("--quiet", given->quiet, "No progress and no summary");
  app.require_subcommand(0, 1);
  add_store_commands(app, line);
  add_sweep_confirm_command(app, line);
  add_sweep_analysis_commands(app, line);
  add_sweep_serve_command(app, line);
  app.final_callback([&line, given, &app] {
    if (!app.get_subcommands().empty()) return;
    line.selected = [&line, given] { return sweep_command(*given, line.invocation); };
  });
}

}  // namespace bvp
