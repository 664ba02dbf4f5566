// Where keys and usage are kept when nothing else is said: ledger.db beside the store's models.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace freehold::app {

// `file` itself, or the default where it is empty; its folder is made. Errors: kNotFound (no home),
// kIo.
base::Result<std::filesystem::path> ledger_file(const std::filesystem::path& file);

}  // namespace freehold::app
