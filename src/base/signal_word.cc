#include "base/signal_word.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

#include "base/clock.h"

namespace freehold::base {

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t),
              "the kernel reads the word itself");

// Either advance() sees the sleeper, or the sleeper's futex call sees the new value and returns at
// once: both sides are sequentially consistent, and the kernel compares under its own lock.
void SignalWord::advance() {
  value_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    syscall(SYS_futex, &value_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  }
}

void SignalWord::wait(uint32_t seen, uint32_t spin_us) {
  if (value() != seen) return;
  if (spin_us > 0) {
    const uint64_t until = now_us() + spin_us;
    do {
      for (int i = 0; i < 16; ++i) {
        spin_pause();
        if (value() != seen) return;
      }
    } while (now_us() < until);
  }
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (value_.load(std::memory_order_seq_cst) == seen) {
    // Returns on a wake, a signal, or when the word is no longer `seen`; the loop tells.
    syscall(SYS_futex, &value_, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
  }
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace freehold::base
