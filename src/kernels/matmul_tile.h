// The product of a decoded column with a tile of tokens in vector registers, written once over an
// instruction set's lanes. Rows lie in lanes, so no sum ever crosses them: the order of additions
// is that of kernels/matmul.h by construction, whatever the tile's shape.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fetch_ahead.h"
#include "kernels/matmul_column.h"
#include "kernels/matmul_tokens.h"

namespace freehold::kernels {

// The column that is decoded next, as the panel has it, to be fetched bit by bit while this one is
// multiplied: all at once they would be more lines than a processor keeps on their way.
struct NextColumn {
  const uint8_t* bytes;
  size_t block_bytes;  // for each block of this column
};

// Registers of R by M sums: R registers of rows by M tokens.
template <class L, class K, int R, int M>
struct Tile {
  using Int = typename L::Int;
  using Float = typename L::Float;

  // isum of one sub-block: small unsigned codes, summed in L's narrow accumulators as long as they
  // can't overflow, then widened (with the sub-scale, where there is one).
  FREEHOLD_INLINE void sum_unsigned(const DecodedBlock& block, size_t row0,
                                    const TokenTile<M>& tokens, Int (&isum)[R][M]) {
    FREEHOLD_UNROLL(8 / K::kRun, c, {
      Int narrow[R][M];
      FREEHOLD_UNROLL(K::kRun, j, {
        constexpr size_t g = c * K::kRun + j;
        Int w[R];
        FREEHOLD_UNROLL(
            R, r, { w[r] = L::load(block.codes + (g * kPanelRows + row0 + r * L::kRows) * 4); });
        FREEHOLD_UNROLL(M, m, {
          const Int a = L::splat_word(tokens.codes(m, g));
          FREEHOLD_UNROLL(R, r, {
            narrow[r][m] = j == 0 ? L::dot(w[r], a) : L::dot_add(narrow[r][m], w[r], a);
          });
        });
      });
      FREEHOLD_UNROLL(R, r, {
        if constexpr (K::kHalfScales) {
          constexpr size_t half = c * K::kRun / 4;
          const Int scale = L::load(&block.sub_scale[half][row0 + r * L::kRows]);
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

  FREEHOLD_INLINE void sum_signed(const DecodedBlock& block, size_t row0,
                                  const TokenTile<M>& tokens, Int (&isum)[R][M]) {
    FREEHOLD_UNROLL(M, m, {
      const Int start = L::signed_start(tokens.sums16(m));
      FREEHOLD_UNROLL(R, r, { isum[r][m] = start; });
    });
    const uint8_t* codes = K::kPlainCodes ? block.plain_codes : block.codes;
    FREEHOLD_UNROLL(8, g, {
      typename L::Signed w[R];
      FREEHOLD_UNROLL(R, r, {
        w[r] = L::as_signed(L::load(codes + (g * kPanelRows + row0 + r * L::kRows) * 4));
      });
      FREEHOLD_UNROLL(M, m, {
        const Int a = L::splat_word(tokens.codes(m, g));
        FREEHOLD_UNROLL(R, r, { isum[r][m] = L::dot_signed(isum[r][m], w[r], a); });
      });
    });
  }

  // Adds pair (by column) times sums16 (by token).
  FREEHOLD_INLINE void add_pairs(const DecodedBlock& block, size_t row0, const TokenTile<M>& tokens,
                                 Int (&isum)[R][M]) {
    FREEHOLD_UNROLL(R, r, {
      const Int pair = L::load(&block.pair[row0 + r * L::kRows]);
      FREEHOLD_UNROLL(
          M, m, { isum[r][m] = L::dot_pairs(isum[r][m], pair, L::splat_word(tokens.sums16(m))); });
    });
  }

  // One float step of every sum; acc is [M][kPanelRows].
  FREEHOLD_INLINE void float_step(const DecodedBlock& block, size_t row0,
                                  const TokenTile<M>& tokens, const Int (&isum)[R][M], float* acc) {
    FREEHOLD_UNROLL(M, m, {
      const Float step = L::splat_float(tokens.scale(m));
      Float activation_sum;
      if constexpr (K::kMinimum == Minimum::kFloat) activation_sum = L::splat_float(tokens.sum(m));
      FREEHOLD_UNROLL(R, r, {
        const size_t row = row0 + r * L::kRows;
        float* slot = acc + m * kPanelRows + row;
        Float sum = L::load_float(slot);
        sum = L::fma(L::mul(L::to_float(isum[r][m]), step), L::load_float(&block.scale[row]), sum);
        if constexpr (K::kMinimum == Minimum::kFloat) {
          sum = L::fma(activation_sum, L::load_float(&block.minimum[row]), sum);
        }
        if constexpr (K::kMinimum == Minimum::kInteger) {
          const Int total = L::dot_pairs(L::splat_int(0), L::load(&block.pair[row]),
                                         L::splat_word(tokens.sums16(m)));
          sum = L::fma(L::mul(L::to_float(total), step), L::load_float(&block.minimum[row]), sum);
        }
        L::store(slot, sum);
      });
    });
  }

  // acc [M][kPanelRows] += the blocks [block, end) times the tokens.
  FREEHOLD_INLINE void run(const DecodedBlock* block, const DecodedBlock* end, TokenTile<M> tokens,
                           NextColumn next, float* acc) {
    for (; block != end; ++block) {
      fetch_for_later(next.bytes, next.block_bytes);
      next.bytes += next.block_bytes;
      for (size_t row = 0; row < kPanelRows; row += R * L::kRows) {
        Int isum[R][M];
        if constexpr (K::kSigned) {
          sum_signed(*block, row, tokens, isum);
        } else {
          sum_unsigned(*block, row, tokens, isum);
        }
        if constexpr (K::kOffset) add_pairs(*block, row, tokens, isum);
        float_step(*block, row, tokens, isum, acc);
      }
      tokens.advance();
    }
  }
};

}  // namespace freehold::kernels
