// The monotonic clock, for durations and deadlines; never the date.
#pragma once

#include <chrono>
#include <cstdint>

namespace freehold::base {

// Microseconds since an arbitrary moment; never goes back.
inline uint64_t now_us() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

}  // namespace freehold::base
