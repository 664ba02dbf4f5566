// Who may start a request now: the limits of each key and of the whole server, decided before any
// work is done. Times are the monotonic clock's, handed in.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "ledger/ledger.h"
#include "server/api_error.h"
#include "server/limits.h"

namespace freehold::server {

class Admission {
 public:
  explicit Admission(uint32_t requests) : requests_(requests) {}

  // One admitted request; gives its place back when it goes. Must not outlive the Admission.
  class Slot {
   public:
    Slot() = default;
    Slot(Slot&& other) noexcept { *this = std::move(other); }
    Slot& operator=(Slot&& other) noexcept;
    ~Slot() { release(0); }
    // Ends it, with the tokens of its answer. Only the first call counts.
    void release(uint64_t completion_tokens);

   private:
    friend class Admission;
    Admission* admission_ = nullptr;
    std::string key_id_;
  };

  // Refuses with kRateLimited (and when to come back), kNoBudget or kOverloaded. Without keys
  // `key` is the empty Key, which has no limits.
  ApiResult<Slot> enter(const ledger::Key& key, uint64_t prompt_tokens, uint64_t now_us);
  void set_draining() { draining_ = true; }
  bool draining() const { return draining_; }
  uint32_t running();

 private:
  // A bucket of tokens that refills to `per_minute` in a minute; may go below zero.
  struct Bucket {
    double level = 0;
    uint64_t filled_us = 0;
    bool fresh = true;
    void refill(uint32_t per_minute, uint64_t now_us);
  };
  struct KeyState {
    Bucket requests;
    Bucket tokens;
    uint32_t running = 0;
  };

  void leave(const std::string& key_id, uint64_t completion_tokens);
  ApiResult<void> check_key(const ledger::Key& key, uint64_t now_us, KeyState& state);

  std::mutex mutex_;
  std::map<std::string, KeyState, std::less<>> keys_;
  uint32_t requests_;
  uint32_t running_ = 0;
  uint64_t last_leave_us_ = 0;
  double leave_gap_us_ = 1e6;          // between two requests that end, smoothed
  std::atomic<bool> draining_{false};  // read where the lock is not held, too
};

}  // namespace freehold::server
