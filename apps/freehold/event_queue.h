// Events from the engine's thread to the one that shows them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "freehold/engine.h"

namespace freehold::app {

class EventQueue {
 public:
  void push(const Event& event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    ready_.notify_one();
  }

  // The next event; nothing after a short while without one, so that the caller can look at the
  // keyboard.
  std::optional<Event> wait() {
    std::unique_lock lock(mutex_);
    if (!ready_.wait_for(lock, std::chrono::milliseconds(50),
                         [this] { return !events_.empty(); })) {
      return std::nullopt;
    }
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Event> events_;
};

}  // namespace freehold::app
