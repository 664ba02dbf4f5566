// A column: up to 256 weights of a panel's 32 rows, decoded once for all the tokens of a product.
// Where many tokens share the weights this saves decoding them again for each tile of tokens, and
// what is left to do is the same for all formats of one Kind. A column stays in the first cache.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/matmul_formats.h"
#include "kernels/unroll.h"

namespace freehold::kernels {

// 32 weights of each row.
struct DecodedBlock {
  alignas(64) uint8_t codes[8 * kPanelRows * 4];  // [8][kPanelRows] groups of four
  float scale[kPanelRows];
  float minimum[kPanelRows];
  int32_t sub_scale[2][kPanelRows];  // as L::as_multiplier
  int32_t pair[kPanelRows];          // L::scaled_pair of offsets or minima
  const uint8_t* plain_codes;        // instead of codes, where the panel has them like that
};

inline constexpr size_t kColumnBlocks = 8;

// What a tile needs to know of a format.
template <int kRunValue, bool kSignedValue, bool kPlainCodesValue, bool kHalfScalesValue,
          bool kOffsetValue, Minimum kMinimumValue>
struct Kind {
  static constexpr int kRun = kRunValue;  // groups of four that a narrow accumulator takes
  static constexpr bool kSigned = kSignedValue;
  static constexpr bool kPlainCodes = kPlainCodesValue;
  static constexpr bool kHalfScales = kHalfScalesValue;
  static constexpr bool kOffset = kOffsetValue;
  static constexpr Minimum kMinimum = kMinimumValue;
};

template <class L, class F>
constexpr int run_of() {
  if (F::kSigned) return 1;
  constexpr int kRun = L::template narrow_run<F::kMaxCode>();
  return F::kHalfScales && kRun > 4 ? 4 : kRun;
}

template <class L, class F>
using KindOf =
    Kind<run_of<L, F>(), F::kSigned, F::kPlainCodes, F::kHalfScales, F::kOffset != 0, F::kMinimum>;

// Sub-block `s` of a panel's block, L::kRows rows from `row` on.
template <class L, class F>
FREEHOLD_INLINE void decode_rows(const uint8_t* block, size_t s, size_t row, DecodedBlock& out) {
  if constexpr (!F::kPlainCodes) {
    // All loads before the stores, for GCC thinks that they might overlap.
    typename L::Int codes[8];
    FREEHOLD_UNROLL(8, g, { codes[g] = F::template codes<L>(block, s, g, row); });
    FREEHOLD_UNROLL(8, g, { L::store(out.codes + (g * kPanelRows + row) * 4, codes[g]); });
  }
  L::store(&out.scale[row], F::template scale<L>(block, s, row));
  if constexpr (F::kMinimum != Minimum::kNone) {
    L::store(&out.minimum[row], F::template minimum<L>(block, s, row));
  }
  if constexpr (F::kHalfScales) {
    const auto low = F::template sub_scale<L>(block, s, 0, row);
    const auto high = F::template sub_scale<L>(block, s, 1, row);
    L::store(&out.sub_scale[0][row], L::as_multiplier(low));
    L::store(&out.sub_scale[1][row], L::as_multiplier(high));
    if constexpr (F::kOffset != 0) {
      L::store(&out.pair[row], L::scaled_pair(low, high, -F::kOffset));
    }
  }
  if constexpr (F::kMinimum == Minimum::kInteger) {
    L::store(&out.pair[row], L::scaled_pair(F::template sub_minimum<L>(block, s, 0, row),
                                            F::template sub_minimum<L>(block, s, 1, row), 1));
  }
}

// The first `n_blocks` blocks of 32 weights from `panel` on.
template <class L, class F>
void decode_column(const uint8_t* panel, size_t n_blocks, DecodedBlock* column) {
  constexpr size_t kSubs = F::kElements / 32;
  for (size_t i = 0; i < n_blocks / F::kPeriod; ++i) {
    FREEHOLD_UNROLL(F::kPeriod, p, {
      const size_t b = i * F::kPeriod + p;
      const uint8_t* block = panel + b / kSubs * (F::kBytes * kPanelRows);
      if constexpr (F::kPlainCodes) column[b].plain_codes = block + F::kCodes * kPanelRows;
      for (size_t row = 0; row < kPanelRows; row += static_cast<size_t>(L::kRows)) {
        decode_rows<L, F>(block, b % kSubs, row, column[b]);
      }
    });
  }
}

}  // namespace freehold::kernels
