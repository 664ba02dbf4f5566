// Reading panels from memory at its full rate.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/unroll.h"

namespace freehold::kernels {

// Asks for the `bytes` that are due 4 KiB after those at `from`: the processor's own prefetching
// begins anew with every page of that size. Addresses past the end of the weights do no harm.
FREEHOLD_INLINE void fetch_ahead(const uint8_t* from, size_t bytes) {
  constexpr size_t kAhead = 4096;
  constexpr size_t kLine = 64;
  for (size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(from + kAhead + i);
}

// The share in that of sub-block `s` of 32 weights a row, of format F.
template <class F>
FREEHOLD_INLINE void fetch_ahead_of(const uint8_t* block, size_t s, size_t panel_rows) {
  const size_t part = F::kBytes * panel_rows / (F::kElements / 32);
  fetch_ahead(block + s * part, part);
}

}  // namespace freehold::kernels
