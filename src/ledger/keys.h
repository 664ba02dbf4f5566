// The table of API keys: its rows and the rules for their names.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ledger/database.h"
#include "ledger/ledger.h"

namespace freehold::ledger {

// Works on one connection; the caller serialises.
class Keys {
 public:
  static base::Result<Keys> open(Database& database);

  base::Result<NewKey> add(Key key);
  base::Result<std::vector<Key>> list();
  base::Status revoke(std::string_view name);
  base::Result<std::optional<Key>> find(std::string_view secret);
  base::Result<bool> any();

 private:
  Keys(Database& database, Statement find) : database_(&database), find_(std::move(find)) {}

  Database* database_;
  Statement find_;
};

}  // namespace freehold::ledger
