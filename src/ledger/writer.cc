// Owns the order and durability of usage records. Refuses to go on after an input/output error:
// what the disk then holds is unknown, and only opening the file anew can tell.
#include "ledger/writer.h"

#include <chrono>
#include <memory>
#include <utility>

namespace freehold::ledger {
namespace {

constexpr size_t kBatch = 512;             // operations in one transaction
constexpr size_t kRetriable = 100'000;     // settles kept in memory while the disk is full
constexpr std::chrono::seconds kRetry{1};  // between tries then

constexpr std::string_view kBeginSql =
    "INSERT INTO usage(request_id, key_id, key_name, model, route, prompt_tokens, started_us) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(request_id) DO NOTHING";
constexpr std::string_view kProgressSql =
    "UPDATE usage SET completion_tokens = max(completion_tokens, ?2) "
    "WHERE request_id = ?1 AND state = 0";
constexpr std::string_view kSettleSql =
    "UPDATE usage SET state = 1, prompt_tokens = ?2, cached_tokens = ?3, completion_tokens = ?4, "
    "reasoning_tokens = ?5, finish = ?6, queue_us = ?7, prompt_us = ?8, generate_us = ?9, "
    "ended_us = ?10 WHERE request_id = ?1 AND state = 0";
constexpr std::string_view kSpendSql =
    "UPDATE keys SET spent_tokens = spent_tokens + ?2 WHERE id = "
    "(SELECT key_id FROM usage WHERE request_id = ?1)";

int64_t now_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

}  // namespace

base::Result<std::unique_ptr<Writer>> Writer::start(Database database) {
  std::vector<Statement> statements;
  for (const std::string_view sql : {kBeginSql, kProgressSql, kSettleSql, kSpendSql}) {
    FREEHOLD_ASSIGN(Statement statement, database.prepare(sql));
    statements.push_back(std::move(statement));
  }
  std::unique_ptr<Writer> writer(new Writer(std::move(database), std::move(statements)));
  writer->thread_ = std::thread([raw = writer.get()] { raw->loop(); });
  return writer;
}

Writer::Writer(Database database, std::vector<Statement> statements)
    : database_(std::move(database)),
      begin_(std::move(statements[0])),
      progress_(std::move(statements[1])),
      settle_(std::move(statements[2])),
      spend_(std::move(statements[3])) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Writer::push(Operation operation) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(operation));
  }
  wake_.notify_one();
}

void Writer::loop() {
  std::vector<Operation> kept;  // waits for the disk to have room
  while (true) {
    std::vector<Operation> batch;
    {
      std::unique_lock lock(mutex_);
      const auto ready = [this] { return stopping_ || !queue_.empty(); };
      if (kept.empty()) {
        wake_.wait(lock, ready);
      } else {
        wake_.wait_for(lock, kRetry, ready);
      }
      if (stopping_ && queue_.empty() && kept.empty()) return;
      batch = std::exchange(kept, {});
      const size_t n = std::min(queue_.size(), kBatch);
      std::move(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(n),
                std::back_inserter(batch));
      queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(n));
    }
    const auto status =
        poisoned_ ? base::Status(base::fail(base::ErrorCode::kIo, "")) : commit(batch);
    healthy_.store(status.has_value());
    if (status) {
      for (auto& operation : batch) {
        if (operation.done) operation.done(true);
      }
      continue;
    }
    poisoned_ = status.error().code != base::ErrorCode::kLimitExceeded;
    bool stopping = false;
    {
      const std::lock_guard lock(mutex_);
      stopping = stopping_;
    }
    kept = keep_retriable(std::move(batch), !poisoned_ && !stopping);
  }
}

std::vector<Writer::Operation> Writer::keep_retriable(std::vector<Operation> batch,
                                                      bool may_retry) {
  std::vector<Operation> kept;
  for (auto& operation : batch) {
    const bool settles = std::holds_alternative<Settle>(operation.what);
    if (settles && may_retry && kept.size() < kRetriable) {
      kept.push_back(std::move(operation));
    } else if (operation.done) {
      operation.done(false);
    }
  }
  return kept;
}

base::Status Writer::commit(const std::vector<Operation>& batch) {
  FREEHOLD_TRY(database_.execute("BEGIN IMMEDIATE"));
  for (const auto& operation : batch) {
    if (auto status = apply(operation); !status) {
      // A failed rollback means that SQLite has rolled back already.
      (void)database_.execute("ROLLBACK");
      return status;
    }
  }
  if (auto status = database_.execute("COMMIT"); !status) {
    (void)database_.execute("ROLLBACK");
    return status;
  }
  return {};
}

base::Status Writer::apply(const Operation& operation) {
  if (const auto* begin = std::get_if<Begin>(&operation.what)) {
    const UsageStart& start = begin->start;
    begin_.bind(1, start.request_id).bind(2, start.key_id).bind(3, start.key_name);
    begin_.bind(4, start.model).bind(5, start.route).bind(6, int64_t{start.prompt_tokens});
    begin_.bind(7, now_us());
    return begin_.run();
  }
  if (const auto* progress = std::get_if<Progress>(&operation.what)) {
    progress_.bind(1, progress->request_id).bind(2, int64_t{progress->completion_tokens});
    return progress_.run();
  }
  return apply_settle(std::get<Settle>(operation.what));
}

base::Status Writer::apply_settle(const Settle& settle) {
  const UsageEnd& end = settle.end;
  settle_.bind(1, settle.request_id).bind(2, int64_t{end.prompt_tokens});
  settle_.bind(3, int64_t{end.cached_tokens}).bind(4, int64_t{end.completion_tokens});
  settle_.bind(5, int64_t{end.reasoning_tokens}).bind(6, end.finish);
  settle_.bind(7, static_cast<int64_t>(end.queue_us));
  settle_.bind(8, static_cast<int64_t>(end.prompt_us));
  settle_.bind(9, static_cast<int64_t>(end.generate_us)).bind(10, now_us());
  FREEHOLD_TRY(settle_.run());
  if (database_.changes() == 0) return {};  // settled before: the key has paid
  const int64_t tokens = int64_t{end.prompt_tokens} + int64_t{end.completion_tokens};
  spend_.bind(1, settle.request_id).bind(2, tokens);
  return spend_.run();
}

}  // namespace freehold::ledger
