// The activations of a few tokens, as the tiles read them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/matmul.h"
#include "kernels/unroll.h"

namespace freehold::kernels {

// The same block of M tokens' activations, `at` bytes into their rows.
template <int M>
struct TokenTile {
  const uint8_t* row[M];
  size_t at;

  FREEHOLD_INLINE TokenTile of(const uint8_t* const* rows, size_t block) {
    TokenTile tile;
    for (int m = 0; m < M; ++m) tile.row[m] = rows[m];
    tile.at = block * sizeof(ActivationBlock);
    return tile;
  }
  FREEHOLD_INLINE_MEMBER void advance() { at += sizeof(ActivationBlock); }
  // Four codes, the scale, the sum, the pair of sums: to be splat over a register.
  FREEHOLD_INLINE_MEMBER const uint8_t* codes(int m, size_t g) const { return row[m] + at + 4 * g; }
  FREEHOLD_INLINE_MEMBER const uint8_t* scale(int m) const {
    return row[m] + at + offsetof(ActivationBlock, scale);
  }
  FREEHOLD_INLINE_MEMBER const uint8_t* sum(int m) const {
    return row[m] + at + offsetof(ActivationBlock, sum);
  }
  FREEHOLD_INLINE_MEMBER const uint8_t* sums16(int m) const {
    return row[m] + at + offsetof(ActivationBlock, sums16);
  }
};

}  // namespace freehold::kernels
