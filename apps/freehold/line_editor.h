// Lines from a terminal: editing, and a history that outlives the program.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace freehold::app {

class LineEditor {
 public:
  enum class Outcome { kLine, kInterrupted, kEnd };

  // The history is read from `history`, which need not exist, and kept there.
  explicit LineEditor(std::filesystem::path history);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // One line without its end. kInterrupted after Ctrl-C, kEnd after Ctrl-D on an empty line.
  Outcome read_line(const std::string& prompt, std::string& line);
  // A message that may have several lines: a line ending in a backslash goes on in the next, and
  // what begins with """ ends with """. It is added to the history.
  Outcome read_message(const std::string& prompt, std::string& message);

 private:
  struct State;

  void remember(const std::string& message);

  std::unique_ptr<State> state_;
};

// Whether `message`, read so far, wants another line; takes the marks off it when it does not.
// Split out for its tests.
bool wants_more(std::string& message);

}  // namespace freehold::app
