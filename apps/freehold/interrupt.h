// Ctrl-C as a flag instead of the program's end.
#pragma once

#include <atomic>

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

}  // namespace freehold::app
