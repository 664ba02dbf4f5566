#include "heap_meter.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<size_t> held_bytes = 0;
std::atomic<size_t> peak_held_bytes = 0;
std::atomic<size_t> held_at_reset = 0;

// Null where there is no memory.
void* allocate(size_t size) {
  void* p = std::malloc(size == 0 ? 1 : size);
  if (p == nullptr) return nullptr;
  const size_t held = held_bytes += ::malloc_usable_size(p);
  size_t peak = peak_held_bytes.load(std::memory_order_relaxed);
  while (peak < held && !peak_held_bytes.compare_exchange_weak(peak, held)) {
  }
  return p;
}

}  // namespace

// Not inlined: the compiler would see malloc meet delete and warn. Both forms of new: what one of
// them gives, the same delete takes back.
[[gnu::noinline]] void* operator new(size_t size) {
  void* p = allocate(size);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}

[[gnu::noinline]] void operator delete(void* p) noexcept {
  if (p == nullptr) return;
  held_bytes -= ::malloc_usable_size(p);
  std::free(p);
}

[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { operator delete(p); }

namespace freehold {

void HeapMeter::reset() {
  held_at_reset = held_bytes.load();
  peak_held_bytes = held_bytes.load();
}

size_t HeapMeter::peak_bytes() { return peak_held_bytes - held_at_reset; }

}  // namespace freehold
