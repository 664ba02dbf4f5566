// Owns the rows of API keys. Refuses names that would not be safe in a table, a path or a log.
#include "ledger/keys.h"

#include <algorithm>
#include <cctype>
#include <chrono>

#include "ledger/secret.h"

namespace freehold::ledger {
namespace {

constexpr std::string_view kColumns =
    "id, name, owner, models, requests_per_minute, tokens_per_minute, concurrency, budget_tokens, "
    "created_us, revoked_us, spent_tokens, salt, hash";

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
  });
}

std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : "\n") + item;
  return text;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    items.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

Key key_of(const Statement& row) {
  Key key;
  key.id = row.text(0);
  key.name = row.text(1);
  key.owner = row.text(2);
  key.models = split(row.text(3));
  key.limits.requests_per_minute = static_cast<uint32_t>(row.integer(4));
  key.limits.tokens_per_minute = static_cast<uint32_t>(row.integer(5));
  key.limits.concurrency = static_cast<uint32_t>(row.integer(6));
  key.limits.budget_tokens = static_cast<uint64_t>(row.integer(7));
  key.created_us = row.integer(8);
  key.revoked_us = row.integer(9);
  key.spent_tokens = static_cast<uint64_t>(row.integer(10));
  return key;
}

int64_t now_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

}  // namespace

base::Result<Keys> Keys::open(Database& database) {
  FREEHOLD_ASSIGN(Statement find, database.prepare("SELECT " + std::string(kColumns) +
                                                   " FROM keys WHERE id = ?1 AND revoked_us = 0"));
  return Keys(database, std::move(find));
}

base::Result<NewKey> Keys::add(Key key) {
  if (!is_name(key.name)) {
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "a key's name has 1 to 64 of A-Z a-z 0-9 . _ -, not `" + key.name + "`");
  }
  for (const auto& model : key.models) {
    if (!is_name(model)) {
      return base::fail(base::ErrorCode::kInvalidArgument, "no model can be named `" + model + "`");
    }
  }
  FREEHOLD_ASSIGN(const Secret secret, make_secret());
  key.id = secret.id;
  key.created_us = now_us();
  FREEHOLD_ASSIGN(Statement insert,
                  database_->prepare("INSERT INTO keys(" + std::string(kColumns) +
                                     ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,0,0,?10,?11)"));
  insert.bind(1, key.id).bind(2, key.name).bind(3, key.owner).bind(4, join(key.models));
  insert.bind(5, int64_t{key.limits.requests_per_minute});
  insert.bind(6, int64_t{key.limits.tokens_per_minute});
  insert.bind(7, int64_t{key.limits.concurrency});
  insert.bind(8, static_cast<int64_t>(key.limits.budget_tokens)).bind(9, key.created_us);
  insert.bind_blob(10, secret.salt).bind_blob(11, secret.hash);
  if (const auto status = insert.run(); !status) {
    if (status.error().code != base::ErrorCode::kInvalidArgument) {
      return std::unexpected(status.error());
    }
    return base::fail(base::ErrorCode::kInvalidArgument,
                      "the name `" + key.name + "` is taken; choose another");
  }
  return NewKey{std::move(key), secret.text};
}

base::Result<std::vector<Key>> Keys::list() {
  FREEHOLD_ASSIGN(Statement select, database_->prepare("SELECT " + std::string(kColumns) +
                                                       " FROM keys ORDER BY created_us, id"));
  std::vector<Key> keys;
  while (true) {
    FREEHOLD_ASSIGN(const bool row, select.step());
    if (!row) return keys;
    keys.push_back(key_of(select));
  }
}

base::Status Keys::revoke(std::string_view name) {
  FREEHOLD_ASSIGN(Statement update,
                  database_->prepare("UPDATE keys SET revoked_us = CASE revoked_us WHEN 0 THEN ?2 "
                                     "ELSE revoked_us END WHERE name = ?1"));
  update.bind(1, name).bind(2, now_us());
  FREEHOLD_TRY(update.run());
  if (database_->changes() == 0) {
    return base::fail(base::ErrorCode::kNotFound, "no key is named `" + std::string(name) + "`");
  }
  return {};
}

base::Result<std::optional<Key>> Keys::find(std::string_view secret) {
  const std::string_view id = secret_id(secret);
  if (id.empty()) return std::nullopt;
  find_.bind(1, id);
  const auto row = find_.step();
  std::optional<Key> key;
  std::string salt;
  std::string hash;
  if (row && *row) {
    key = key_of(find_);
    salt = find_.text(11);
    hash = find_.text(12);
  }
  find_.reset();
  if (!row) return std::unexpected(row.error());
  // Hashed also for an unknown id, so that both answers take the same time.
  FREEHOLD_ASSIGN(const std::string asked, hash_secret(salt, secret));
  if (!key || !same_bytes(asked, hash)) return std::nullopt;
  return key;
}

base::Result<bool> Keys::any() {
  FREEHOLD_ASSIGN(Statement select,
                  database_->prepare("SELECT 1 FROM keys WHERE revoked_us = 0 LIMIT 1"));
  return select.step();
}

}  // namespace freehold::ledger
