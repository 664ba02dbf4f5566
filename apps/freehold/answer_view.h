// An answer as it is made, on standard output: thinking dimmed or folded away, nothing in it that
// could command the terminal.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "chat_model.h"

namespace freehold::app {

class AnswerView {
 public:
  struct Options {
    bool terminal = false;       // standard output is one: thinking is shown, in a dim face
    bool hide_thinking = false;  // only how long it took
  };

  // `write` gets what is to be printed, for standard output.
  using Write = std::function<void(std::string_view text)>;
  AnswerView(Options options, Write write) : options_(options), write_(std::move(write)) {}

  AnswerSink sink();
  // The end of an answer: closes what is open, ends the line.
  void finish();

 private:
  enum class Part { kNothing, kThinking, kContent };

  void reasoning(std::string_view text);
  void content(std::string_view text);
  void leave_thinking();
  std::string printable(std::string_view text) const;

  Options options_;
  Write write_;
  Part part_ = Part::kNothing;
  std::chrono::steady_clock::time_point thinking_since_;
  bool at_line_start_ = true;
};

}  // namespace freehold::app
