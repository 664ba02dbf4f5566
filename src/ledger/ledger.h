// Durable records: who may ask (keys) and what was used (usage), in one SQLite file.
//
// Usage lands exactly once. A request opens a row before its first token leaves (begin), may mark
// its progress, and settles; a row still open when the file is next opened belongs to a process
// that died, and becomes `interrupted` with the tokens of its last mark. Writes go through one
// thread that commits many requests at a time; `done` is called after the commit reached the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freehold::ledger {

struct KeyLimits {
  uint32_t requests_per_minute = 0;  // 0: no limit, here and below
  uint32_t tokens_per_minute = 0;
  uint32_t concurrency = 0;
  uint64_t budget_tokens = 0;  // prompt and answer, over the key's life
};

struct Key {
  std::string id{};
  std::string name{};
  std::string owner{};
  std::vector<std::string> models{};  // empty: all
  KeyLimits limits{};
  int64_t created_us = 0;  // microseconds since 1970, UTC
  int64_t revoked_us = 0;  // 0: valid
  uint64_t spent_tokens = 0;
};

struct NewKey {
  Key key;
  std::string secret{};  // shown once; only its hash is kept
};

struct UsageStart {
  std::string request_id{};
  std::string key_id{};    // "" without keys
  std::string key_name{};  // "local" without keys
  std::string model{};
  std::string route{};
  uint32_t prompt_tokens = 0;
};

struct UsageEnd {
  uint32_t prompt_tokens = 0;
  uint32_t cached_tokens = 0;
  uint32_t completion_tokens = 0;
  uint32_t reasoning_tokens = 0;
  std::string finish{};  // stop, length, tool_calls, cancelled, error
  uint64_t queue_us = 0;
  uint64_t prompt_us = 0;
  uint64_t generate_us = 0;
};

// A sum over the rows that share `group`: the values of the asked columns, in order.
struct UsageRow {
  std::vector<std::string> group{};
  uint64_t requests = 0;
  uint64_t prompt_tokens = 0;
  uint64_t cached_tokens = 0;
  uint64_t completion_tokens = 0;
  uint64_t reasoning_tokens = 0;
  uint64_t unfinished = 0;  // interrupted or cancelled
};

struct UsageQuery {
  std::vector<std::string> by{};  // of key, owner, model, day, route, finish, request
  std::string since{};            // YYYY-MM-DD or ""
  std::string until{};            // the last day, included
  std::string key{};              // a name, or "" for all
};

class Ledger {
 public:
  enum class Role {
    kServer,  // the one process that serves: closes rows that a dead one left open
    kTool,    // a command beside it: touches nobody's open rows
  };

  // Errors: kIo, kBadFormat (no ledger, or one of a newer version).
  static base::Result<std::unique_ptr<Ledger>> open(const std::filesystem::path& path, Role role);
  virtual ~Ledger() = default;

  // Errors: kInvalidArgument for a name that is taken or not [A-Za-z0-9._-]{1,64}.
  virtual base::Result<NewKey> add_key(Key key) = 0;
  virtual base::Result<std::vector<Key>> list_keys() = 0;
  // Errors: kNotFound; revoking twice is not an error.
  virtual base::Status revoke_key(std::string_view name) = 0;
  // The key that the secret opens; nothing for an unknown or revoked one. Any thread.
  virtual base::Result<std::optional<Key>> find_key(std::string_view secret) = 0;
  virtual base::Result<bool> has_keys() = 0;

  using Done = std::function<void(bool durable)>;  // called on the writer's thread
  virtual void begin(UsageStart start, Done done) = 0;
  virtual void progress(std::string request_id, uint32_t completion_tokens) = 0;
  // Counts once for a request, however often it is called. Kept and tried again while the disk is
  // full; `done(false)` only when it can't be kept any more.
  virtual void settle(std::string request_id, UsageEnd end, Done done) = 0;
  // False after a write failed: nothing new should be accepted. True again once one succeeds;
  // never again after an input/output error.
  virtual bool healthy() const = 0;

  virtual base::Result<std::vector<UsageRow>> usage(const UsageQuery& query) = 0;
};

}  // namespace freehold::ledger
