#include "answer_view.h"

#include <fmt/core.h>

namespace freehold::app {
namespace {

constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::string_view kEraseLine = "\r\x1b[K";

}  // namespace

AnswerSink AnswerView::sink() {
  return {[this](std::string_view text) { reasoning(text); },
          [this](std::string_view text) { content(text); }};
}

// A model's text may not move the cursor, recolour or rename the terminal.
std::string AnswerView::printable(std::string_view text) const {
  std::string out;
  for (const char c : text) {
    const bool control = (c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == '\x7f';
    if (control && options_.terminal) {
      out += "\xEF\xBF\xBD";
    } else {
      out += c;
    }
  }
  return out;
}

void AnswerView::reasoning(std::string_view text) {
  if (!options_.terminal || text.empty()) return;
  if (part_ == Part::kNothing) {
    const size_t start = text.find_first_not_of(" \n\t");
    if (start == std::string_view::npos) return;
    text.remove_prefix(start);
    thinking_since_ = std::chrono::steady_clock::now();
    write_(kDim);
    if (options_.hide_thinking) write_("thinking ...");
    part_ = Part::kThinking;
  }
  if (options_.hide_thinking) return;
  write_(printable(text));
  at_line_start_ = text.ends_with('\n');
}

void AnswerView::leave_thinking() {
  if (part_ != Part::kThinking) return;
  if (options_.hide_thinking) {
    const auto seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - thinking_since_);
    write_(fmt::format("{}thought for {:.1f} s", kEraseLine, seconds.count()));
    at_line_start_ = false;
  }
  write_(kPlain);
  write_(at_line_start_ ? "\n" : "\n\n");
  at_line_start_ = true;
  part_ = Part::kNothing;
}

void AnswerView::content(std::string_view text) {
  if (part_ != Part::kContent) {
    const size_t start = text.find_first_not_of(" \n\t");
    if (start == std::string_view::npos) return;
    text.remove_prefix(start);
    leave_thinking();
    part_ = Part::kContent;
  }
  if (text.empty()) return;
  write_(printable(text));
  at_line_start_ = text.ends_with('\n');
}

void AnswerView::finish() {
  leave_thinking();
  if (!at_line_start_) write_("\n");
  at_line_start_ = true;
  part_ = Part::kNothing;
}

}  // namespace freehold::app
