// The one thread that writes usage: takes what has gathered, commits it together, says so.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "ledger/database.h"
#include "ledger/ledger.h"

namespace freehold::ledger {

class Writer {
 public:
  struct Begin {
    UsageStart start;
  };
  struct Progress {
    std::string request_id;
    uint32_t completion_tokens = 0;
  };
  struct Settle {
    std::string request_id;
    UsageEnd end;
  };
  struct Operation {
    std::variant<Begin, Progress, Settle> what;
    Ledger::Done done;
  };

  static base::Result<std::unique_ptr<Writer>> start(Database database);
  // Writes what is queued, then ends the thread.
  ~Writer();

  void push(Operation operation);
  bool healthy() const { return healthy_.load(); }

 private:
  Writer(Database database, std::vector<Statement> statements);
  void loop();
  // One transaction. Errors: those of the first statement that failed; nothing is kept then.
  base::Status commit(const std::vector<Operation>& batch);
  base::Status apply(const Operation& operation);
  base::Status apply_settle(const Settle& settle);
  // After a failure: settles that may yet be written, the rest told that they were not.
  std::vector<Operation> keep_retriable(std::vector<Operation> batch, bool may_retry);

  Database database_;
  Statement begin_;
  Statement progress_;
  Statement settle_;
  Statement spend_;
  std::atomic<bool> healthy_{true};
  bool poisoned_ = false;  // the file's state is unknown; only the writer's thread looks at it
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Operation> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace freehold::ledger
