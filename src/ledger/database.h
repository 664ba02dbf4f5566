// SQLite as values: a connection and its statements, every failure a Status.
//
// The settings are the ones a ledger needs: write-ahead log, synchronous=FULL (a commit that
// returned survives a power cut), foreign keys, a bounded wait for other writers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace freehold::ledger {

// One prepared statement. Bind from 1, step, read columns from 0, reset. Not for two threads.
class Statement {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  Statement& bind(int index, int64_t value);
  Statement& bind(int index, std::string_view value);
  Statement& bind_blob(int index, std::string_view bytes);

  // True: a row is ready. False: finished. Errors: kIo (also a failed bind), kLimitExceeded when
  // the disk is full or another writer held the file too long.
  base::Result<bool> step();
  // Runs to the end and resets.
  base::Status run();
  void reset();

  int64_t integer(int column) const;
  std::string text(int column) const;

 private:
  friend class Database;
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  int bind_result_ = 0;
};

class Database {
 public:
  // Opens or creates the file. Errors: kIo with the path, kBadFormat for a file that is no
  // database or is damaged.
  static base::Result<Database> open(const std::filesystem::path& path);

  base::Status execute(const std::string& sql);
  base::Result<Statement> prepare(std::string_view sql);
  // Rows changed by the last statement.
  int64_t changes() const;

 private:
  struct Closer {
    void operator()(sqlite3* handle) const;
  };
  std::unique_ptr<sqlite3, Closer> handle_;
};

}  // namespace freehold::ledger
