#include "ledger_file.h"

#include "store.h"

namespace freehold::app {

base::Result<std::filesystem::path> ledger_file(const std::filesystem::path& file) {
  std::filesystem::path path = file;
  if (path.empty()) {
    FREEHOLD_ASSIGN(const Store store, Store::open());
    path = store.root() / "ledger.db";
  }
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error) {
    return base::fail(base::ErrorCode::kIo,
                      path.parent_path().string() + ": can't be made: " + error.message());
  }
  return path;
}

}  // namespace freehold::app
