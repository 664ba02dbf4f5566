// A number that threads wait on: it only goes up, waiting spins a moment and then sleeps in the
// kernel, and advancing it costs no system call while nobody sleeps.
#pragma once

#include <atomic>
#include <cstdint>

namespace freehold::base {

// Tells the processor that this is a spin loop.
inline void spin_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

class SignalWord {
 public:
  uint32_t value() const { return value_.load(std::memory_order_acquire); }

  // Adds one and wakes every waiter. What happened before is visible to whoever sees the new value.
  void advance();

  // Returns when the value differs from `seen`; spins for `spin_us`, then sleeps.
  void wait(uint32_t seen, uint32_t spin_us);

 private:
  std::atomic<uint32_t> value_{0};
  std::atomic<uint32_t> sleepers_{0};
};

}  // namespace freehold::base
