// Ctrl-C as a flag instead of the program's end, or with something said and tidied before it.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>

namespace freehold::app {

// While one of these lives, SIGINT sets the flag (and interrupts a blocking read); afterwards it
// ends the program as before. One at a time.
class InterruptFlag {
 public:
  InterruptFlag();
  InterruptFlag(const InterruptFlag&) = delete;
  InterruptFlag& operator=(const InterruptFlag&) = delete;
  ~InterruptFlag();

  static const std::atomic<bool>& flag();
  // Whether it was set; clears it.
  static bool take();
};

// While one of these lives, SIGINT and SIGTERM delete a file and say a sentence before they end the
// program; one that is ignored stays so. One at a time.
class LastWords {
 public:
  // `file`: "" for none.
  LastWords(const std::string& words, const std::filesystem::path& file);
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;
  ~LastWords();
};

}  // namespace freehold::app
