// Owns the calls into SQLite; nothing else in the program includes sqlite3.h.
#include "ledger/database.h"

#include <sqlite3.h>

namespace freehold::ledger {
namespace {

base::ErrorCode code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
      return base::ErrorCode::kLimitExceeded;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return base::ErrorCode::kBadFormat;
    case SQLITE_CONSTRAINT:
      return base::ErrorCode::kInvalidArgument;
    default:
      return base::ErrorCode::kIo;
  }
}

std::unexpected<base::Error> failure(sqlite3* handle, int result) {
  std::string message = "ledger: ";
  message += handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(result);
  return base::fail(code_of(result), std::move(message));
}

}  // namespace

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void Database::Closer::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Statement& Statement::bind(int index, int64_t value) {
  if (bind_result_ == SQLITE_OK) {
    bind_result_ = sqlite3_bind_int64(statement_.get(), index, value);
  }
  return *this;
}

Statement& Statement::bind(int index, std::string_view value) {
  if (bind_result_ == SQLITE_OK) {
    bind_result_ = sqlite3_bind_text64(statement_.get(), index, value.data(), value.size(),
                                       SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view bytes) {
  if (bind_result_ == SQLITE_OK) {
    bind_result_ =
        sqlite3_bind_blob64(statement_.get(), index, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
  }
  return *this;
}

base::Result<bool> Statement::step() {
  if (bind_result_ != SQLITE_OK) {
    return failure(sqlite3_db_handle(statement_.get()), bind_result_);
  }
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return failure(sqlite3_db_handle(statement_.get()), result);
}

base::Status Statement::run() {
  while (true) {
    const auto row = step();
    if (!row) {
      auto error = row.error();
      reset();
      return std::unexpected(std::move(error));
    }
    if (!*row) break;
  }
  reset();
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  bind_result_ = SQLITE_OK;
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
  // column_blob gives the bytes of a text or a blob alike.
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
}

base::Result<Database> Database::open(const std::filesystem::path& path) {
  Database database;
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int result = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  database.handle_.reset(handle);
  if (result != SQLITE_OK) {
    auto error = failure(handle, result).error();
    return base::in_context(path.string(), std::move(error));
  }
  sqlite3_busy_timeout(handle, 5000);
  for (const char* pragma : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
                             "PRAGMA foreign_keys=ON", "PRAGMA trusted_schema=OFF"}) {
    if (auto status = database.execute(pragma); !status) {
      return base::in_context(path.string(), status.error());
    }
  }
  return database;
}

base::Status Database::execute(const std::string& sql) {
  const int result = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return failure(handle_.get(), result);
  return {};
}

base::Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return failure(handle_.get(), result);
  return Statement(statement);
}

int64_t Database::changes() const { return sqlite3_changes64(handle_.get()); }

}  // namespace freehold::ledger
