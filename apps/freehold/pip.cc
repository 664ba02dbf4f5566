#include "pip.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

namespace freehold::app {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

// Runs a program to its end, its standard output on our standard error.
Status run_program(std::vector<std::string> arguments) {
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) {
    return fail(ErrorCode::kNotFound,
                arguments[0] + " is not installed: apt-get install python3-pip");
  }
  if (error != 0) return fail(ErrorCode::kIo, arguments[0] + ": " + std::strerror(error));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorCode::kIo, fmt::format("{} failed (status {}); its messages are above",
                                          fmt::join(arguments, " "), status));
}

}  // namespace

Result<fs::path> fetch_python_package(const std::string& requirement, const fs::path& folder) {
  FREEHOLD_TRY(
      run_program({"python3", "-m", "pip", "install", "--no-deps", "--no-compile",
                   "--only-binary=:all:", "--disable-pip-version-check",
                   "--root-user-action=ignore", "--target", folder.string(), requirement}));
  std::optional<fs::path> found;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (!at->is_regular_file() || at->path().extension() != ".gguf") continue;
    if (found) return fail(ErrorCode::kBadFormat, requirement + ": holds more than one GGUF file");
    found = at->path();
  }
  if (error) return fail(ErrorCode::kIo, folder.string() + ": " + error.message());
  if (!found) return fail(ErrorCode::kNotFound, requirement + ": holds no GGUF file");
  return *found;
}

}  // namespace freehold::app
