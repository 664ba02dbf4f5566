// The product of a panel with one token, or very few, straight from its native bits: weights are
// decoded into registers and never stored, because then reading them is what takes the time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fetch_ahead.h"
#include "kernels/matmul.h"
#include "kernels/matmul_formats.h"
#include "kernels/matmul_tokens.h"
#include "kernels/unroll.h"

namespace freehold::kernels {

// R registers of rows by M tokens.
template <class L, class F, int R, int M>
struct DirectTile {
  using Int = typename L::Int;
  using Float = typename L::Float;

  // Whether narrow accumulators begin with kOffset taken out of all codes.
  static constexpr bool kCentred = L::kCentres && F::kOffset > 0;
  static_assert(!kCentred || (F::kHalfScales && F::kMaxCode < 2 * F::kOffset && F::kOffset <= 32));

  // isum of one sub-block: small unsigned codes, summed in L's narrow accumulators as long as they
  // can't overflow, then widened (with the sub-scale, where there is one).
  FREEHOLD_INLINE void sum_unsigned(const uint8_t* block, size_t s, size_t row0,
                                    const TokenTile<M>& tokens, Int (&isum)[R][M]) {
    constexpr int kRun = L::template narrow_run<F::kMaxCode>();
    constexpr int kGroups = kCentred || (F::kHalfScales && kRun > 4) ? 4 : kRun;
    FREEHOLD_UNROLL(8 / kGroups, c, {
      Int narrow[R][M];
      if constexpr (kCentred) {
        FREEHOLD_UNROLL(M, m, {
          const Int start = L::centred_start(tokens.codes(m, c * 4), F::kOffset);
          FREEHOLD_UNROLL(R, r, { narrow[r][m] = start; });
        });
      }
      FREEHOLD_UNROLL(kGroups, j, {
        constexpr size_t g = c * kGroups + j;
        Int w[R];
        FREEHOLD_UNROLL(R, r, { w[r] = F::template codes<L>(block, s, g, row0 + r * L::kRows); });
        FREEHOLD_UNROLL(M, m, {
          const Int a = L::splat_word(tokens.codes(m, g));
          FREEHOLD_UNROLL(R, r, {
            narrow[r][m] =
                j == 0 && !kCentred ? L::dot(w[r], a) : L::dot_add(narrow[r][m], w[r], a);
          });
        });
      });
      FREEHOLD_UNROLL(R, r, {
        if constexpr (F::kHalfScales) {
          constexpr size_t half = c * kGroups / 4;
          const Int scale =
              L::as_multiplier(F::template sub_scale<L>(block, s, half, row0 + r * L::kRows));
          FREEHOLD_UNROLL(M, m, {
            const Int part = L::widen_scaled(narrow[r][m], scale);
            isum[r][m] = c == 0 ? part : L::add(isum[r][m], part);
          });
        } else {
          FREEHOLD_UNROLL(M, m, {
            const Int part = L::widen(narrow[r][m]);
            isum[r][m] = c == 0 ? part : L::add(isum[r][m], part);
          });
        }
      });
    });
  }

  FREEHOLD_INLINE void sum_signed(const uint8_t* block, size_t s, size_t row0,
                                  const TokenTile<M>& tokens, Int (&isum)[R][M]) {
    FREEHOLD_UNROLL(M, m, {
      const Int start = L::signed_start(tokens.sums16(m));
      FREEHOLD_UNROLL(R, r, { isum[r][m] = start; });
    });
    FREEHOLD_UNROLL(8, g, {
      typename L::Signed w[R];
      FREEHOLD_UNROLL(
          R, r, { w[r] = L::as_signed(F::template codes<L>(block, s, g, row0 + r * L::kRows)); });
      FREEHOLD_UNROLL(M, m, {
        const Int a = L::splat_word(tokens.codes(m, g));
        FREEHOLD_UNROLL(R, r, { isum[r][m] = L::dot_signed(isum[r][m], w[r], a); });
      });
    });
  }

  // Takes kOffset out of the codes again: isum -= kOffset * sum over halves of sub-scale * sum16.
  FREEHOLD_INLINE void take_offset(const uint8_t* block, size_t s, size_t row0,
                                   const TokenTile<M>& tokens, Int (&isum)[R][M]) {
    FREEHOLD_UNROLL(R, r, {
      const size_t row = row0 + r * L::kRows;
      const Int pair = L::scaled_pair(F::template sub_scale<L>(block, s, 0, row),
                                      F::template sub_scale<L>(block, s, 1, row), -F::kOffset);
      FREEHOLD_UNROLL(
          M, m, { isum[r][m] = L::dot_pairs(isum[r][m], pair, L::splat_word(tokens.sums16(m))); });
    });
  }

  FREEHOLD_INLINE void run(const uint8_t* panel, size_t row0, size_t k, TokenTile<M> tokens,
                           float* const* out) {
    alignas(64) float storage[R * M * L::kRows] = {};
    float* acc = storage;
    // Hides that these are locals: the inner loop needs the registers, the accumulators don't.
    asm("" : "+r"(acc) : : "memory");
    const uint8_t* block = panel;
    for (size_t first = 0; first < k; first += F::kElements) {
      for (size_t i = 0; i < F::kElements / 32 / F::kPeriod; ++i) {
        FREEHOLD_UNROLL(F::kPeriod, p, {
          sub_block(block, i * F::kPeriod + p, row0, tokens, acc);
          tokens.advance();
        });
      }
      block += F::kBytes * kPanelRows;
    }
    FREEHOLD_UNROLL(M, m, {
      FREEHOLD_UNROLL(R, r, {
        L::store(out[m] + row0 + r * L::kRows, L::load_float(acc + (r * M + m) * L::kRows));
      });
    });
  }

  FREEHOLD_INLINE void sub_block(const uint8_t* block, size_t s, size_t row0,
                                 const TokenTile<M>& tokens, float* acc) {
    Int isum[R][M];
    if constexpr (F::kSigned) {
      sum_signed(block, s, row0, tokens, isum);
    } else {
      sum_unsigned(block, s, row0, tokens, isum);
    }
    if constexpr (F::kOffset != 0 && !kCentred) take_offset(block, s, row0, tokens, isum);
    float_step(block, s, row0, tokens, isum, acc);
    fetch_ahead_of<F>(block, s);
  }

  FREEHOLD_INLINE void float_step(const uint8_t* block, size_t s, size_t row0,
                                  const TokenTile<M>& tokens, const Int (&isum)[R][M], float* acc) {
    FREEHOLD_UNROLL(R, r, {
      const size_t row = row0 + r * L::kRows;
      const Float scale = F::template scale<L>(block, s, row);
      Float minimum;
      Int minimum_pair;
      if constexpr (F::kMinimum != Minimum::kNone) minimum = F::template minimum<L>(block, s, row);
      if constexpr (F::kMinimum == Minimum::kInteger) {
        minimum_pair = L::scaled_pair(F::template sub_minimum<L>(block, s, 0, row),
                                      F::template sub_minimum<L>(block, s, 1, row), 1);
      }
      FREEHOLD_UNROLL(M, m, {
        float* slot = acc + (r * M + m) * L::kRows;
        const Float step = L::splat_float(tokens.scale(m));
        Float sum = L::load_float(slot);
        sum = L::fma(L::mul(L::to_float(isum[r][m]), step), scale, sum);
        if constexpr (F::kMinimum == Minimum::kFloat) {
          sum = L::fma(L::splat_float(tokens.sum(m)), minimum, sum);
        }
        if constexpr (F::kMinimum == Minimum::kInteger) {
          const Int total =
              L::dot_pairs(L::splat_int(0), minimum_pair, L::splat_word(tokens.sums16(m)));
          sum = L::fma(L::mul(L::to_float(total), step), minimum, sum);
        }
        L::store(slot, sum);
      });
    });
  }
};

}  // namespace freehold::kernels
