// Owns the ledger's file: its tables, the recovery of what a dead process left, its reports.
#include "ledger/ledger.h"

#include <mutex>

#include "ledger/database.h"
#include "ledger/keys.h"
#include "ledger/writer.h"

namespace freehold::ledger {
namespace {

constexpr int64_t kVersion = 1;

// state: 0 running, 1 settled, 2 interrupted (the process died).
constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS keys(
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, models TEXT NOT NULL,
  requests_per_minute INTEGER NOT NULL, tokens_per_minute INTEGER NOT NULL,
  concurrency INTEGER NOT NULL, budget_tokens INTEGER NOT NULL, created_us INTEGER NOT NULL,
  revoked_us INTEGER NOT NULL, spent_tokens INTEGER NOT NULL, salt BLOB NOT NULL,
  hash BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage(
  request_id TEXT PRIMARY KEY, key_id TEXT NOT NULL, key_name TEXT NOT NULL, model TEXT NOT NULL,
  route TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0, started_us INTEGER NOT NULL,
  ended_us INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0,
  reasoning_tokens INTEGER NOT NULL DEFAULT 0, finish TEXT NOT NULL DEFAULT '',
  queue_us INTEGER NOT NULL DEFAULT 0, prompt_us INTEGER NOT NULL DEFAULT 0,
  generate_us INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS usage_open ON usage(request_id) WHERE state = 0;
)sql";

// Rows of a process that died are billed by their last mark, once: the state says so.
constexpr const char* kRecover = R"sql(
UPDATE keys SET spent_tokens = spent_tokens + coalesce(
  (SELECT sum(prompt_tokens + completion_tokens) FROM usage
   WHERE state = 0 AND key_id = keys.id), 0);
UPDATE usage SET state = 2, finish = 'interrupted', ended_us = started_us WHERE state = 0;
)sql";

base::Status prepare_file(Database& database, Ledger::Role role) {
  FREEHOLD_TRY(database.execute("BEGIN IMMEDIATE"));
  FREEHOLD_ASSIGN(Statement version, database.prepare("PRAGMA user_version"));
  FREEHOLD_ASSIGN(const bool row, version.step());
  const int64_t found = row ? version.integer(0) : 0;
  version.reset();
  if (found > kVersion) {
    return base::fail(base::ErrorCode::kBadFormat,
                      "the ledger has version " + std::to_string(found) + ", this program knows " +
                          std::to_string(kVersion) + "; use a newer program");
  }
  FREEHOLD_TRY(database.execute(kSchema));
  FREEHOLD_TRY(database.execute("PRAGMA user_version = " + std::to_string(kVersion)));
  if (role == Ledger::Role::kServer) FREEHOLD_TRY(database.execute(kRecover));
  return database.execute("COMMIT");
}

base::Result<std::string> column_of(const std::string& name) {
  if (name == "key") return std::string("usage.key_name");
  if (name == "owner") return std::string("coalesce(keys.owner, '')");
  if (name == "model" || name == "route" || name == "finish") return "usage." + name;
  if (name == "day") return std::string("date(usage.started_us / 1000000, 'unixepoch')");
  if (name == "request") return std::string("usage.request_id");
  return base::fail(
      base::ErrorCode::kInvalidArgument,
      "usage is grouped by key, owner, model, day, route, finish or request, not `" + name + "`");
}

class FileLedger : public Ledger {
 public:
  FileLedger(Database reader, std::unique_ptr<Writer> writer)
      : reader_(std::move(reader)), writer_(std::move(writer)) {}

  base::Status prepare() {
    FREEHOLD_ASSIGN(keys_, Keys::open(reader_));
    return {};
  }

  base::Result<NewKey> add_key(Key key) override {
    const std::lock_guard lock(mutex_);
    return keys_->add(std::move(key));
  }
  base::Result<std::vector<Key>> list_keys() override {
    const std::lock_guard lock(mutex_);
    return keys_->list();
  }
  base::Status revoke_key(std::string_view name) override {
    const std::lock_guard lock(mutex_);
    return keys_->revoke(name);
  }
  base::Result<std::optional<Key>> find_key(std::string_view secret) override {
    const std::lock_guard lock(mutex_);
    return keys_->find(secret);
  }
  base::Result<bool> has_keys() override {
    const std::lock_guard lock(mutex_);
    return keys_->any();
  }

  void begin(UsageStart start, Done done) override {
    writer_->push({Writer::Begin{std::move(start)}, std::move(done)});
  }
  void progress(std::string request_id, uint32_t completion_tokens) override {
    writer_->push({Writer::Progress{std::move(request_id), completion_tokens}, {}});
  }
  void settle(std::string request_id, UsageEnd end, Done done) override {
    writer_->push({Writer::Settle{std::move(request_id), std::move(end)}, std::move(done)});
  }
  bool healthy() const override { return writer_->healthy(); }

  base::Result<std::vector<UsageRow>> usage(const UsageQuery& query) override;

 private:
  std::mutex mutex_;  // reader_ and keys_
  Database reader_;
  std::optional<Keys> keys_;
  std::unique_ptr<Writer> writer_;
};

base::Result<std::vector<UsageRow>> FileLedger::usage(const UsageQuery& query) {
  std::string groups;
  for (const auto& name : query.by) {
    FREEHOLD_ASSIGN(const std::string column, column_of(name));
    groups += column + ", ";
  }
  std::string sql = "SELECT " + groups +
                    "count(*), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens), "
                    "sum(reasoning_tokens), sum(state = 2 OR finish = 'cancelled') "
                    "FROM usage LEFT JOIN keys ON keys.id = usage.key_id WHERE state != 0 "
                    "AND (?1 = '' OR date(started_us / 1000000, 'unixepoch') >= ?1) "
                    "AND (?2 = '' OR date(started_us / 1000000, 'unixepoch') <= ?2) "
                    "AND (?3 = '' OR key_name = ?3)";
  if (!groups.empty()) {
    groups.resize(groups.size() - 2);
    sql += " GROUP BY " + groups + " ORDER BY " + groups;
  }
  const std::lock_guard lock(mutex_);
  FREEHOLD_ASSIGN(Statement select, reader_.prepare(sql));
  select.bind(1, query.since).bind(2, query.until).bind(3, query.key);
  const int n_groups = static_cast<int>(query.by.size());
  std::vector<UsageRow> rows;
  while (true) {
    FREEHOLD_ASSIGN(const bool found, select.step());
    if (!found) return rows;
    UsageRow row;
    for (int i = 0; i < n_groups; ++i) row.group.push_back(select.text(i));
    const auto number = [&](int i) { return static_cast<uint64_t>(select.integer(n_groups + i)); };
    row.requests = number(0);
    row.prompt_tokens = number(1);
    row.cached_tokens = number(2);
    row.completion_tokens = number(3);
    row.reasoning_tokens = number(4);
    row.unfinished = number(5);
    rows.push_back(std::move(row));
  }
}

}  // namespace

base::Result<std::unique_ptr<Ledger>> Ledger::open(const std::filesystem::path& path, Role role) {
  FREEHOLD_ASSIGN(Database writing, Database::open(path));
  if (auto status = prepare_file(writing, role); !status) {
    return base::in_context(path.string(), status.error());
  }
  FREEHOLD_ASSIGN(Database reading, Database::open(path));
  FREEHOLD_ASSIGN(auto writer, Writer::start(std::move(writing)));
  auto ledger = std::make_unique<FileLedger>(std::move(reading), std::move(writer));
  FREEHOLD_TRY(ledger->prepare());
  return ledger;
}

}  // namespace freehold::ledger
