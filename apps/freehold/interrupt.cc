#include "interrupt.h"

#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

namespace freehold::app {
namespace {

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

// What a signal's handler may read: set before it is installed.
std::array<char, 1024> last_words;
std::array<char, PATH_MAX> file_to_delete;

void on_interrupt(int) { interrupted = true; }

void on_end(int number) {
  if (file_to_delete[0] != '\0') ::unlink(file_to_delete.data());
  const auto end = std::ranges::find(last_words, '\0');
  (void)!::write(STDERR_FILENO, last_words.data(), static_cast<size_t>(end - last_words.begin()));
  std::signal(number, SIG_DFL);
  std::raise(number);  // comes when this returns
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;  // without SA_RESTART: reads end with EINTR
  sigemptyset(&action.sa_mask);
  ::sigaction(number, &action, nullptr);
}

bool is_ignored(int number) {
  struct sigaction action {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// As much as there is room for, and a zero.
template <size_t N>
void keep(std::array<char, N>& into, const std::string& text) {
  into.fill('\0');
  std::copy_n(text.begin(), std::min(text.size(), N - 1), into.begin());
}

}  // namespace

InterruptFlag::InterruptFlag() {
  interrupted = false;
  handle(SIGINT, on_interrupt);
}

InterruptFlag::~InterruptFlag() { handle(SIGINT, SIG_DFL); }

const std::atomic<bool>& InterruptFlag::flag() { return interrupted; }

bool InterruptFlag::take() { return interrupted.exchange(false); }

LastWords::LastWords(const std::string& words, const std::filesystem::path& file) {
  keep(last_words, "\nfreehold: " + words + "\n");
  keep(file_to_delete, file.native().size() < PATH_MAX ? file.native() : "");
  for (const int number : {SIGINT, SIGTERM}) {
    if (!is_ignored(number)) handle(number, on_end);
  }
}

LastWords::~LastWords() {
  for (const int number : {SIGINT, SIGTERM}) {
    if (!is_ignored(number)) handle(number, SIG_DFL);
  }
}

}  // namespace freehold::app
