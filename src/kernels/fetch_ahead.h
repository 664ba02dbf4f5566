// Reading panels from memory at its full rate.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/panel.h"
#include "kernels/unroll.h"

namespace freehold::kernels {

// The processor's own prefetching begins anew with every page of this size.
inline constexpr size_t kFetchAhead = 4096;

// Asks for the `bytes` that are due `ahead` bytes after those at `from`. Addresses past the end of
// the weights do no harm.
FREEHOLD_INLINE void fetch_ahead(const uint8_t* from, size_t bytes, size_t ahead = kFetchAhead) {
  constexpr size_t kLine = 64;
  for (size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(from + ahead + i);
}

// Likewise, but no nearer than the second cache: for bytes that are wanted after work which needs
// the first for itself.
FREEHOLD_INLINE void fetch_for_later(const uint8_t* from, size_t bytes) {
  constexpr size_t kLine = 64;
  constexpr int kSecondCache = 2;
  for (size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(from + i, 0, kSecondCache);
}

// The share in what is due, of sub-block `s` of 32 weights a row, of format F: at least a whole
// block ahead, for a sub-block's bits lie all over its block.
template <class F>
FREEHOLD_INLINE void fetch_ahead_of(const uint8_t* block, size_t s) {
  constexpr size_t kBlock = F::kBytes * kPanelRows;
  constexpr size_t kPart = kBlock / (F::kElements / 32);
  constexpr size_t kAhead = kBlock > kFetchAhead ? kBlock : kFetchAhead;
  fetch_ahead(block + s * kPart, kPart, kAhead);
}

}  // namespace freehold::kernels
