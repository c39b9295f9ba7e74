// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

#include "platform/metrics/figures.h"
#include "platform/support/input_error.h"
#include "platform/support/json_text.h"
#include "platform/support/output_file.h"
#include "platform/support/shell_word.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* store_name = "sweep.sqlite";
/// Marks the file as one of ours ("bvps"), see PRAGMA application_id.
constexpr int application_id = 0x62767073;
constexpr int format_version = 1;

constexpr const char* schema = R"(
CREATE TABLE sweep(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE figures(key TEXT PRIMARY KEY, unit TEXT NOT NULL, sentence TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE outcomes(outcome INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE results(
  key TEXT PRIMARY KEY,           -- SHA-256 of all that the result depends on
  outcome INTEGER NOT NULL REFERENCES outcomes,
  reason TEXT NOT NULL,
  figures TEXT,                   -- JSON: numbers, words and maps of summary.json
  runs INTEGER NOT NULL,          -- how often it was computed: 1
  host_seconds REAL NOT NULL, host TEXT NOT NULL, finished TEXT NOT NULL);
CREATE TABLE details(             -- JSON: the lists of summary.json
  key TEXT PRIMARY KEY REFERENCES results, details TEXT NOT NULL);
CREATE TABLE points(
  point INTEGER PRIMARY KEY,      -- 0: the base
  axis_values TEXT NOT NULL,      -- JSON: key -> value
  key TEXT,                       -- of its result; NULL: it was not run
  outcome INTEGER NOT NULL REFERENCES outcomes,
  reason TEXT NOT NULL,
  file TEXT NOT NULL,             -- of its scenario
  overrides TEXT NOT NULL);       -- JSON: [[key, value], ...]
CREATE INDEX points_of_results ON points(key);
CREATE VIEW point_results AS
  SELECT point, axis_values, name AS outcome, points.reason AS reason, figures, host_seconds
  FROM points JOIN outcomes USING(outcome) LEFT JOIN results USING(key) ORDER BY point;
)";

/// Made when a point is run again in another fidelity: stores without such points are as they were before.
constexpr const char* confirmation_schema = R"(
CREATE TABLE IF NOT EXISTS confirmations(
  point INTEGER PRIMARY KEY REFERENCES points,
  key TEXT NOT NULL,              -- of its result
  outcome INTEGER NOT NULL REFERENCES outcomes,
  reason TEXT NOT NULL,
  overrides TEXT NOT NULL);       -- JSON: [[key, value], ...]
)";

[[noreturn]] void fail(sqlite3* database, const fs::path& file) {
  throw std::runtime_error(fmt::format("{}: {}", file.string(), sqlite3_errmsg(database)));
}

/// A statement that is prepared once and used with other values again and again.
class Statement {
 public:
  Statement(sqlite3* database, fs::path file, const char* sql) : database_(database), file_(std::move(file)) {
    if (sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr) != SQLITE_OK) fail(database_, file_);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int at, const std::string& text) {
    sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(int at, u64 number) {
    sqlite3_bind_int64(statement_, at, static_cast<sqlite3_int64>(number));
    return *this;
  }
  Statement& bind(int at, double number) {
    sqlite3_bind_double(statement_, at, number);
    return *this;
  }
  Statement& bind_null(int at) {
    sqlite3_bind_null(statement_, at);
    return *this;
  }
  /// @return whether there is a row
  bool step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) {
      sqlite3_reset(statement_);
      fail(database_, file_);
    }
    sqlite3_reset(statement_);
    return false;
  }
  void run() {
    while (step()) continue;
  }
  void reset() { sqlite3_reset(statement_); }

  [[nodiscard]] std::string text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return data == nullptr ? "" : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }
  [[nodiscard]] u64 integer(int column) const { return static_cast<u64>(sqlite3_column_int64(statement_, column)); }
  [[nodiscard]] double real(int column) const { return sqlite3_column_double(statement_, column); }
  /// @throws InputError  the number is that of no outcome
  [[nodiscard]] Outcome outcome(int column) const {
    const u64 number = integer(column);
    if (number < outcome_names().size()) return static_cast<Outcome>(number);
    throw InputError(fmt::format("{}: found outcome {}, expected a number below {}", file_.string(),
                                 static_cast<i64>(number), outcome_names().size()));
  }

 private:
  sqlite3* database_;
  fs::path file_;
  sqlite3_stmt* statement_ = nullptr;
};

/// JSON on one line, without a line end.
std::string compact(const Json& json) {
  std::string text = json_text(json, -1);
  text.pop_back();
  return text;
}

std::string overrides_text(const StoredPoint& point) {
  Json overrides = Json::array();
  for (const Override& override : point.overrides) overrides.push_back({override.key, override.value});
  return compact(overrides);
}

/// Whether a definition in a file of a stranger has the members that definition_json() writes and that readers rely on.
bool is_definition(const Json& json) {
  const auto has = [](const Json& object, const char* key, auto is) { return object.contains(key) && is(object[key]); };
  const auto text = [](const Json& value) { return value.is_string(); };
  const auto each = [](auto is) {
    return [is](const Json& list) { return list.is_array() && std::all_of(list.begin(), list.end(), is); };
  };
  const auto axis = [&](const Json& value) {
    const bool listed = has(value, "positions", [](const Json& positions) { return positions.is_array(); });
    return value.is_object() && has(value, "keys", each(text)) && (listed || value.contains("range"));
  };
  const auto objective = [&](const Json& value) {
    return value.is_object() && value.size() == 1 && value.begin()->is_string();
  };
  const auto sampling = [&](const Json& value) {
    return has(value, "points", [](const Json& points) { return points.is_number_unsigned(); });
  };
  return json.is_object() && has(json, "name", text) && has(json, "axes", each(axis)) &&
         has(json, "constraints", each(text)) && has(json, "objectives", each(objective)) &&
         has(json, "sampling", sampling);
}

/// Held by the kernel, so that it ends with the process.
class DirectoryLock {
 public:
  explicit DirectoryLock(const fs::path& directory)
      : descriptor_(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    // On a file system without such locks the directory is used without one.
    if (descriptor_ < 0 || flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
    close(descriptor_);
    throw InputError(fmt::format(
        "{}: another sweep is writing its results here; expected another --out, or wait for it", directory.string()));
  }
  ~DirectoryLock() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_;
};

class Connection {
 public:
  Connection(fs::path file, int flags) : file_(std::move(file)) {
    const int code = sqlite3_open_v2(file_.c_str(), &database_, flags, nullptr);
    if (code != SQLITE_OK) {
      const std::string message = sqlite3_errmsg(database_);
      sqlite3_close(database_);
      throw InputError(fmt::format("{}: cannot be opened: {}", file_.string(), message));
    }
    constexpr int patience_ms = 10'000;
    sqlite3_busy_timeout(database_, patience_ms);
  }
  ~Connection() { sqlite3_close(database_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void run(const char* sql) const {
    if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(database_, file_);
  }
  [[nodiscard]] Statement statement(const char* sql) const { return {database_, file_, sql}; }
  [[nodiscard]] u64 integer(const char* sql) const {
    Statement statement(database_, file_, sql);
    return statement.step() ? statement.integer(0) : 0;
  }
  /// Whether there are no tables yet: the file is new, or the process that made it was killed in doing so.
  [[nodiscard]] bool is_empty() const {
    try {
      return integer("PRAGMA application_id") == 0 && integer("SELECT count(*) FROM sqlite_master") == 0;
    } catch (const std::runtime_error&) {
      return false;
    }
  }
  /// All that `change` does, or nothing if it throws.
  void transaction(const std::function<void()>& change) const {
    // Within another one it is a part of that.
    if (sqlite3_get_autocommit(database_) == 0) return change();
    run("BEGIN IMMEDIATE");
    try {
      change();
      run("COMMIT");
    } catch (...) {
      sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }
  [[nodiscard]] sqlite3* get() const { return database_; }
  [[nodiscard]] const fs::path& file() const { return file_; }

  /// @throws InputError  the file is no sweep of this format
  void check_format() const {
    u64 id = 0, version = 0;
    try {
      id = integer("PRAGMA application_id");
      version = integer("PRAGMA user_version");
    } catch (const std::runtime_error& error) {
      throw InputError(fmt::format("{}; expected the store of a sweep", error.what()));
    }
    if (id != static_cast<u64>(application_id)) {
      throw InputError(fmt::format("{}: is not the store of a sweep", file_.string()));
    }
    if (version != static_cast<u64>(format_version)) {
      throw InputError(fmt::format("{}: has format {}, expected {}: another version of butterfly-vp made it",
                                   file_.string(), version, format_version));
    }
  }

 private:
  fs::path file_;
  sqlite3* database_ = nullptr;
};

StoredResult read_result(Statement& statement, const std::string& key) {
  StoredResult result;
  result.key = key;
  result.outcome = statement.outcome(0);
  result.reason = statement.text(1);
  result.figures = statement.text(2);
  result.details = statement.text(3);
  result.host_seconds = statement.real(4);
  result.host = statement.text(5);
  result.finished = statement.text(6);
  statement.reset();
  return result;
}

PointRow read_row(const Statement& rows) {
  PointRow row;
  row.point.number = rows.integer(0);
  row.point.values = Json::parse(rows.text(1));
  row.point.key = rows.text(2);
  row.point.outcome = rows.outcome(3);
  row.point.reason = rows.text(4);
  row.point.file = rows.text(5);
  for (const Json& pair : Json::parse(rows.text(11))) {
    row.point.overrides.push_back({pair.at(0).get<std::string>(), pair.at(1).get<std::string>(), {}});
  }
  row.figures = rows.text(6);
  row.host_seconds = rows.real(7);
  row.host = rows.text(8);
  row.finished = rows.text(9);
  row.details = rows.text(10);
  return row;
}

constexpr const char* select_result =
    "SELECT outcome, reason, figures, details, host_seconds, host, finished FROM results LEFT JOIN details USING(key) "
    "WHERE key = ?1";

}  // namespace

const std::vector<std::string>& outcome_names() {
  static const std::vector<std::string> names{"done", "failed", "crashed", "timed_out", "refused", "excluded"};
  return names;
}

const std::string& outcome_name(Outcome outcome) { return outcome_names()[static_cast<std::size_t>(outcome)]; }

bool is_failure(Outcome outcome) {
  return outcome == Outcome::failed || outcome == Outcome::crashed || outcome == Outcome::timed_out;
}

std::string command_of(const StoredPoint& point) {
  std::string command = "butterfly-vp run " + shell_word(point.file);
  for (const Override& override : point.overrides) {
    command += " --set " + shell_word(override.key + "=" + override.value);
  }
  return command;
}

struct SweepStore::Implementation {
  Implementation(const fs::path& file, int flags) : connection(file, flags) {}

  std::unique_ptr<DirectoryLock> lock;
  Connection connection;
  /// Prepared for a store that is written.
  std::unique_ptr<Statement> insert_result, insert_details, insert_point;
  std::map<std::string, std::unique_ptr<Connection>> others;
};

SweepStore::SweepStore(fs::path directory) : directory_(std::move(directory)) {
  const fs::path file = directory_ / store_name;
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) {
    throw InputError(fmt::format("{}: there is no sweep here ({} is missing)", directory_.string(), store_name));
  }
  implementation_ = std::make_unique<Implementation>(file, SQLITE_OPEN_READWRITE);
  implementation_->connection.check_format();
}

// This constructor is long because each way in which a directory cannot take a sweep has a message of its own.
SweepStore::SweepStore(fs::path directory, Open how, const Json& definition, const Provenance& provenance)
    : directory_(std::move(directory)) {
  const fs::path file = directory_ / store_name;
  std::error_code error;
  const bool there = fs::exists(file, error);
  if (there && how == Open::create && !Connection(file, SQLITE_OPEN_READWRITE).is_empty()) {
    static_cast<void>(SweepStore(directory_));  // refuses what is no sweep
    throw InputError(
        fmt::format("{}: has the results of a sweep already; expected --resume to go on with it, or "
                    "another --out",
                    directory_.string()));
  }
  fs::create_directories(directory_, error);
  if (error) throw InputError(fmt::format("{}: cannot be made: {}", directory_.string(), error.message()));
  auto lock = std::make_unique<DirectoryLock>(directory_);
  if (!there) check_writable(file);
  implementation_ = std::make_unique<Implementation>(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  implementation_->lock = std::move(lock);
  const Connection& connection = implementation_->connection;
  const bool is_empty = connection.is_empty();
  if (!is_empty) connection.check_format();
  // WAL: readers see the store while it is written. FULL: what is recorded is on the disk.
  connection.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  const std::string text = compact(definition);
  if (is_empty) {
    connection.run("BEGIN IMMEDIATE");
    connection.run(
        fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", application_id, format_version).c_str());
    connection.run(schema);
    Statement row = connection.statement("INSERT INTO sweep VALUES(?1, ?2)");
    row.bind(1, std::string("definition")).bind(2, text).run();
    const Json origin{{"version", provenance.build.version},
                      {"commit", provenance.build.commit},
                      {"dirty", provenance.build.dirty},
                      {"build_type", provenance.build.build_type},
                      {"compiler", provenance.build.compiler},
                      {"host_run",
                       {{"command", provenance.command},
                        {"begun", provenance.begun},
                        {"host", provenance.host},
                        {"cpu", provenance.cpu}}}};
    row.bind(1, std::string("provenance")).bind(2, compact(origin)).run();
    Statement figure = connection.statement("INSERT INTO figures VALUES(?1, ?2, ?3)");
    for (const Figure& entry : figures()) figure.bind(1, entry.key).bind(2, entry.unit).bind(3, entry.sentence).run();
    Statement outcome = connection.statement("INSERT INTO outcomes VALUES(?1, ?2)");
    for (u64 i = 0; i < outcome_names().size(); ++i) outcome.bind(1, i).bind(2, outcome_names()[i]).run();
    connection.run("COMMIT");
  } else if (compact(this->definition()) != text) {
    throw InputError(
        fmt::format("{}: has the results of a sweep with other axes, constraints, objectives or settings; "
                    "expected those, or another --out",
                    directory_.string()));
  }
  implementation_->insert_result = std::make_unique<Statement>(
      connection.get(), connection.file(),
      "INSERT INTO results VALUES(?1, ?2, ?3, ?4, 1, ?5, ?6, ?7) ON CONFLICT(key) DO UPDATE SET runs = runs + 1");
  implementation_->insert_details =
      std::make_unique<Statement>(connection.get(), connection.file(), "INSERT OR REPLACE INTO details VALUES(?1, ?2)");
  implementation_->insert_point = std::make_unique<Statement>(
      connection.get(), connection.file(), "INSERT OR REPLACE INTO points VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
}

SweepStore::~SweepStore() = default;

Json SweepStore::definition() const {
  Statement row = implementation_->connection.statement("SELECT value FROM sweep WHERE name = 'definition'");
  Json definition = row.step() ? Json::parse(row.text(0), nullptr, false) : Json::object();
  if (is_definition(definition)) return definition;
  throw InputError(fmt::format("{}: its definition is none of a sweep; expected the store of a sweep",
                               (directory_ / store_name).string()));
}

Json SweepStore::provenance() const {
  Statement row = implementation_->connection.statement("SELECT value FROM sweep WHERE name = 'provenance'");
  Json provenance = row.step() ? Json::parse(row.text(0), nullptr, false) : Json::object();
  if (provenance.is_object()) return provenance;
  throw InputError(fmt::format("{}: its provenance is no JSON object; expected the store of a sweep",
                               (directory_ / store_name).string()));
}

std::vector<u64> SweepStore::ended_points() const {
  std::vector<u64> numbers;
  Statement rows = implementation_->connection.statement("SELECT point FROM points ORDER BY point");
  while (rows.step()) numbers.push_back(rows.integer(0));
  return numbers;
}

std::map<Outcome, u64> SweepStore::counts() const {
  std::map<Outcome, u64> counts;
  Statement rows = implementation_->connection.statement("SELECT outcome, count(*) FROM points GROUP BY outcome");
  while (rows.step()) counts[rows.outcome(0)] = rows.integer(1);
  return counts;
}

std::vector<std::pair<std::string, u64>> SweepStore::reasons(Outcome outcome) const {
  std::vector<std::pair<std::string, u64>> reasons;
  Statement rows = implementation_->connection.statement(
      "SELECT reason, count(*) AS n FROM points WHERE outcome = ?1 GROUP BY reason ORDER BY n DESC, reason");
  rows.bind(1, static_cast<u64>(outcome));
  while (rows.step()) reasons.emplace_back(rows.text(0), rows.integer(1));
  return reasons;
}

std::optional<StoredResult> SweepStore::result(const std::string& key) const {
  Statement row = implementation_->connection.statement(select_result);
  if (!row.bind(1, key).step()) return std::nullopt;
  return read_result(row, key);
}

std::optional<StoredResult> SweepStore::result_of(const fs::path& other, const std::string& key) {
  std::unique_ptr<Connection>& connection = implementation_->others[other.string()];
  if (!connection) {
    static_cast<void>(SweepStore(other));  // refuses what is no sweep
    connection = std::make_unique<Connection>(other / store_name, SQLITE_OPEN_READWRITE);
  }
  Statement row = connection->statement(select_result);
  if (!row.bind(1, key).step()) return std::nullopt;
  StoredResult result = read_result(row, key);
  // Failures may have to do with the host.
  if (result.outcome != Outcome::done && result.outcome != Outcome::refused) return std::nullopt;
  return result;
}

void SweepStore::insert_result(const StoredResult& result) {
  Statement& row = *implementation_->insert_result;
  row.bind(1, result.key).bind(2, static_cast<u64>(result.outcome)).bind(3, result.reason);
  if (result.figures.empty()) {
    row.bind_null(4);
  } else {
    row.bind(4, result.figures);
  }
  row.bind(5, result.host_seconds).bind(6, result.host).bind(7, result.finished).run();
  if (result.details.empty()) return;
  implementation_->insert_details->bind(1, result.key).bind(2, result.details).run();
}

void SweepStore::record(const std::vector<StoredPoint>& points, const std::optional<StoredResult>& result) {
  implementation_->connection.transaction([&] {
    if (result) insert_result(*result);
    for (const StoredPoint& point : points) {
      Statement& row = *implementation_->insert_point;
      row.bind(1, point.number).bind(2, compact(point.values));
      if (point.key.empty()) {
        row.bind_null(3);
      } else {
        row.bind(3, point.key);
      }
      row.bind(4, static_cast<u64>(point.outcome)).bind(5, point.reason).bind(6, point.file);
      row.bind(7, overrides_text(point)).run();
    }
  });
}

void SweepStore::together(const std::function<void()>& change) { implementation_->connection.transaction(change); }

void SweepStore::record_confirmation(const StoredPoint& point, const std::optional<StoredResult>& result) {
  const Connection& connection = implementation_->connection;
  connection.transaction([&] {
    connection.run(confirmation_schema);
    if (result) insert_result(*result);
    Statement row = connection.statement("INSERT OR REPLACE INTO confirmations VALUES(?1, ?2, ?3, ?4, ?5)");
    row.bind(1, point.number).bind(2, point.key).bind(3, static_cast<u64>(point.outcome)).bind(4, point.reason);
    row.bind(5, overrides_text(point)).run();
  });
}

std::vector<PointRow> SweepStore::confirmations() const {
  const Connection& connection = implementation_->connection;
  std::vector<PointRow> found;
  if (connection.integer("SELECT count(*) FROM sqlite_master WHERE name = 'confirmations'") == 0) return found;
  Statement rows = connection.statement(
      "SELECT point, axis_values, confirmations.key, confirmations.outcome, confirmations.reason, file, figures, "
      "host_seconds, host, finished, NULL, confirmations.overrides FROM confirmations JOIN points USING(point) "
      "LEFT JOIN results ON results.key = confirmations.key ORDER BY point");
  while (rows.step()) found.push_back(read_row(rows));
  return found;
}

u64 SweepStore::forget_failures() {
  const Connection& connection = implementation_->connection;
  const u64 count = connection.integer("SELECT count(*) FROM points WHERE outcome IN (1, 2, 3)");
  connection.run(
      "BEGIN IMMEDIATE; DELETE FROM points WHERE outcome IN (1, 2, 3);"
      "DELETE FROM details WHERE key IN (SELECT key FROM results WHERE outcome IN (1, 2, 3));"
      "DELETE FROM results WHERE outcome IN (1, 2, 3); COMMIT");
  return count;
}

u64 SweepStore::repeated() const {
  return implementation_->connection.integer("SELECT coalesce(sum(runs - 1), 0) FROM results");
}

void SweepStore::forget_points_from(u64 number) {
  implementation_->connection.statement("DELETE FROM points WHERE point >= ?1").bind(1, number).run();
}

PointRow SweepStore::point(u64 number) const {
  Statement rows = implementation_->connection.statement(
      "SELECT point, axis_values, points.key, points.outcome, points.reason, file, figures, host_seconds, host, "
      "finished, NULL, overrides FROM points LEFT JOIN results USING(key) WHERE point = ?1");
  if (!rows.bind(1, number).step()) {
    throw std::runtime_error(fmt::format("{}: there is no point {}", (directory_ / store_name).string(), number));
  }
  return read_row(rows);
}

void SweepStore::for_each(bool with_details, const std::function<void(const PointRow&)>& visit) const {
  Statement rows = implementation_->connection.statement(
      with_details
          ? "SELECT point, axis_values, points.key, points.outcome, points.reason, file, figures, host_seconds, "
            "host, finished, details, overrides FROM points LEFT JOIN results USING(key) LEFT JOIN details USING(key) "
            "ORDER BY "
            "point"
          : "SELECT point, axis_values, points.key, points.outcome, points.reason, file, figures, host_seconds, "
            "host, finished, NULL, overrides FROM points LEFT JOIN results USING(key) ORDER BY point");
  while (rows.step()) visit(read_row(rows));
}

}  // namespace bvp
