#include "line_editor.h"

#include <histedit.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <cwchar>

#include "interrupt.h"

namespace freehold::app {
namespace {

constexpr int kHistoryEntries = 2000;
constexpr std::string_view kFence = "\"\"\"";

}  // namespace

struct LineEditor::State {
  std::filesystem::path path;
  EditLine* line = nullptr;
  History* history = nullptr;
  std::string prompt;
  bool interrupted = false;

  // libedit's own reader goes on after the first EINTR, so that Ctrl-C would be lost.
  static int read_character(EditLine* line, wchar_t* out) {
    State* state = nullptr;
    el_get(line, EL_CLIENTDATA, &state);
    std::mbstate_t shift{};
    while (true) {
      char byte = 0;
      const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
      if (n < 0 && errno == EINTR) {
        if (!InterruptFlag::take()) continue;
        state->interrupted = true;
        return -1;
      }
      if (n <= 0) return static_cast<int>(n);
      const size_t used = std::mbrtowc(out, &byte, 1, &shift);
      if (used == static_cast<size_t>(-2)) continue;  // the beginning of a character
      if (used == static_cast<size_t>(-1)) {
        shift = {};
        continue;
      }
      return 1;
    }
  }

  static char* show_prompt(EditLine* line) {
    State* state = nullptr;
    el_get(line, EL_CLIENTDATA, &state);
    return state->prompt.data();
  }
};

LineEditor::LineEditor(std::filesystem::path history) : state_(std::make_unique<State>()) {
  if (std::strcmp(std::setlocale(LC_CTYPE, ""), "C") == 0) std::setlocale(LC_CTYPE, "C.UTF-8");
  state_->path = std::move(history);
  state_->history = history_init();
  HistEvent event{};
  ::history(state_->history, &event, H_SETSIZE, kHistoryEntries);
  ::history(state_->history, &event, H_SETUNIQUE, 1);
  ::history(state_->history, &event, H_LOAD, state_->path.c_str());
  state_->line = el_init("freehold", stdin, stdout, stderr);
  el_set(state_->line, EL_CLIENTDATA, state_.get());
  el_set(state_->line, EL_PROMPT, &State::show_prompt);
  el_set(state_->line, EL_EDITOR, "emacs");
  el_set(state_->line, EL_HIST, ::history, state_->history);
  el_set(state_->line, EL_GETCFN, &State::read_character);
  el_set(state_->line, EL_BIND, "^R", "em-inc-search-prev", nullptr);
}

LineEditor::~LineEditor() {
  el_end(state_->line);
  history_end(state_->history);
}

LineEditor::Outcome LineEditor::read_line(const std::string& prompt, std::string& line) {
  state_->prompt = prompt;
  state_->interrupted = false;
  int n = 0;
  const char* text = el_gets(state_->line, &n);
  if (state_->interrupted) {
    el_set(state_->line, EL_UNBUFFERED, 0);
    el_reset(state_->line);
    std::fputs("\n", stdout);
    return Outcome::kInterrupted;
  }
  if (text == nullptr || n <= 0) return Outcome::kEnd;
  line.assign(text, static_cast<size_t>(n));
  if (line.ends_with('\n')) line.pop_back();
  return Outcome::kLine;
}

LineEditor::Outcome LineEditor::read_message(const std::string& prompt, std::string& message) {
  message.clear();
  std::string line;
  do {
    const bool first = message.empty();
    const Outcome outcome = read_line(first ? prompt : "... ", line);
    if (outcome != Outcome::kLine) return outcome;
    message += (first ? "" : "\n") + line;
  } while (wants_more(message));
  remember(message);
  return Outcome::kLine;
}

void LineEditor::remember(const std::string& message) {
  if (message.find_first_not_of(" \t\n") == std::string::npos) return;
  HistEvent event{};
  ::history(state_->history, &event, H_ENTER, message.c_str());
  std::error_code ignored;
  std::filesystem::create_directories(state_->path.parent_path(), ignored);
  ::history(state_->history, &event, H_SAVE, state_->path.c_str());
  std::filesystem::permissions(
      state_->path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write,
      ignored);
}

bool wants_more(std::string& message) {
  if (message.starts_with(kFence)) {
    const bool closed = message.size() >= 2 * kFence.size() && message.ends_with(kFence);
    if (!closed) return true;
    message = message.substr(kFence.size(), message.size() - 2 * kFence.size());
    if (message.starts_with('\n')) message.erase(0, 1);
    if (message.ends_with('\n')) message.pop_back();
    return false;
  }
  if (!message.ends_with('\\')) return false;
  message.pop_back();
  return true;
}

}  // namespace freehold::app
