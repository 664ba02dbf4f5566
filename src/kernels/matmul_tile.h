// The product of a panel with a tile of tokens in vector registers, written once over an
// instruction set's lanes. Rows lie in lanes, so no sum ever crosses them: the order of additions
// is that of kernels/matmul.h by construction, whatever the tile's shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/matmul.h"
#include "kernels/matmul_formats.h"

namespace freehold::kernels {

// Calls fn with the constants 0 … N-1, so that arrays of registers are indexed by constants.
template <int N, class Fn>
FREEHOLD_INLINE void unroll(Fn&& fn) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (fn(std::integral_constant<int, I>{}), ...);
  }
  (std::make_integer_sequence<int, N>{});
}

#define FREEHOLD_UNROLL(N, i, ...) unroll<N>([&](auto i) __attribute__((always_inline)) __VA_ARGS__)

// R registers of rows by M tokens.
template <class L, class F, int R, int M>
struct Tile {
  using Int = typename L::Int;
  using Float = typename L::Float;

  // isum of one sub-block: small unsigned codes, summed in L's narrow accumulators as long as they
  // can't overflow, then widened (with the sub-scale, where there is one).
  FREEHOLD_INLINE void sum_unsigned(const uint8_t* block, size_t s, size_t row0,
                                    const int8_t* const (&codes)[M], Int (&isum)[R][M]) {
    constexpr int kRun = L::template narrow_run<F::kMaxCode>();
    constexpr int kGroups = F::kHalfScales && kRun > 4 ? 4 : kRun;
    FREEHOLD_UNROLL(8 / kGroups, c, {
      Int narrow[R][M];
      FREEHOLD_UNROLL(kGroups, j, {
        constexpr size_t g = c * kGroups + j;
        Int w[R];
        FREEHOLD_UNROLL(R, r, { w[r] = F::template codes<L>(block, s, g, row0 + r * L::kRows); });
        FREEHOLD_UNROLL(M, m, {
          const Int a = L::splat_word(codes[m] + 4 * g);
          FREEHOLD_UNROLL(R, r, {
            narrow[r][m] = j == 0 ? L::dot(w[r], a) : L::dot_add(narrow[r][m], w[r], a);
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
                                  const int8_t* const (&codes)[M],
                                  const int16_t* const (&sums16)[M], Int (&isum)[R][M]) {
    FREEHOLD_UNROLL(M, m, {
      const Int start = L::signed_start(sums16[m]);
      FREEHOLD_UNROLL(R, r, { isum[r][m] = start; });
    });
    FREEHOLD_UNROLL(8, g, {
      typename L::Signed w[R];
      FREEHOLD_UNROLL(
          R, r, { w[r] = L::as_signed(F::template codes<L>(block, s, g, row0 + r * L::kRows)); });
      FREEHOLD_UNROLL(M, m, {
        const Int a = L::splat_word(codes[m] + 4 * g);
        FREEHOLD_UNROLL(R, r, { isum[r][m] = L::dot_signed(isum[r][m], w[r], a); });
      });
    });
  }

  // Takes kOffset out of the codes again: isum -= kOffset * sum over halves of sub-scale * sum16.
  FREEHOLD_INLINE void take_offset(const uint8_t* block, size_t s, size_t row0,
                                   const int16_t* const (&sums16)[M], Int (&isum)[R][M]) {
    FREEHOLD_UNROLL(R, r, {
      const size_t row = row0 + r * L::kRows;
      const Int pair = L::scaled_pair(F::template sub_scale<L>(block, s, 0, row),
                                      F::template sub_scale<L>(block, s, 1, row), -F::kOffset);
      FREEHOLD_UNROLL(M, m,
                      { isum[r][m] = L::dot_pairs(isum[r][m], pair, L::splat_word(sums16[m])); });
    });
  }

  FREEHOLD_INLINE void run(const uint8_t* panel, size_t row0, size_t k,
                           const uint8_t* const* tokens, float* const* out) {
    alignas(64) float storage[R * M * L::kRows] = {};
    float* acc = storage;
    // Hides that these are locals: the inner loop needs the registers, the accumulators don't.
    asm("" : "+r"(acc) : : "memory");
    const uint8_t* block = panel;
    for (size_t first = 0; first < k; first += F::kElements) {
      for (size_t s = 0; s < F::kElements / 32; ++s) {
        const size_t b = first / 32 + s;
        const int8_t* codes[M];
        const int16_t* sums16[M];
        FREEHOLD_UNROLL(M, m, {
          codes[m] = reinterpret_cast<const int8_t*>(tokens[m]) + 32 * b;
          sums16[m] =
              reinterpret_cast<const int16_t*>(tokens[m] + ActivationRow::sums16_offset(k)) + 2 * b;
        });
        Int isum[R][M];
        if constexpr (F::kSigned) {
          sum_signed(block, s, row0, codes, sums16, isum);
        } else {
          sum_unsigned(block, s, row0, codes, isum);
        }
        if constexpr (F::kOffset != 0) take_offset(block, s, row0, sums16, isum);
        float_step(block, s, row0, k, b, tokens, isum, acc);
      }
      block += F::kBytes * kPanelRows;
    }
    FREEHOLD_UNROLL(M, m, {
      FREEHOLD_UNROLL(R, r, {
        L::store(out[m] + row0 + r * L::kRows, L::load_float(acc + (r * M + m) * L::kRows));
      });
    });
  }

  FREEHOLD_INLINE void float_step(const uint8_t* block, size_t s, size_t row0, size_t k, size_t b,
                                  const uint8_t* const* tokens, const Int (&isum)[R][M],
                                  float* acc) {
    const size_t scales = ActivationRow::scales_offset(k) + 4 * b;
    const size_t sums = ActivationRow::sums_offset(k) + 4 * b;
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
        const Float step = L::splat_float(tokens[m] + scales);
        Float sum = L::load_float(slot);
        sum = L::fma(L::mul(L::to_float(isum[r][m]), step), scale, sum);
        if constexpr (F::kMinimum == Minimum::kFloat) {
          sum = L::fma(L::splat_float(tokens[m] + sums), minimum, sum);
        }
        if constexpr (F::kMinimum == Minimum::kInteger) {
          const auto* sums16 = tokens[m] + ActivationRow::sums16_offset(k) + 4 * b;
          const Int total = L::dot_pairs(L::splat_int(0), minimum_pair, L::splat_word(sums16));
          sum = L::fma(L::mul(L::to_float(total), step), minimum, sum);
        }
        L::store(slot, sum);
      });
    });
  }
};

// Float weights: kWiden turns kRows stored weights into floats.
template <class L, class F, int R, int M>
struct FloatTile {
  FREEHOLD_INLINE void run(const uint8_t* panel, size_t row0, size_t k,
                           const uint8_t* const* tokens, float* const* out) {
    typename L::Float acc[R][M];
    FREEHOLD_UNROLL(R, r, { FREEHOLD_UNROLL(M, m, { acc[r][m] = L::splat(0.0F); }); });
    for (size_t i = 0; i < k; ++i) {
      const uint8_t* weights = panel + (i * kPanelRows + row0) * F::kBytes;
      typename L::Float w[R];
      FREEHOLD_UNROLL(R, r, { w[r] = F::template widen<L>(weights + r * L::kRows * F::kBytes); });
      FREEHOLD_UNROLL(M, m, {
        const auto x = L::splat_float(tokens[m] + 4 * i);
        FREEHOLD_UNROLL(R, r, { acc[r][m] = L::fma(w[r], x, acc[r][m]); });
      });
    }
    FREEHOLD_UNROLL(
        M, m, { FREEHOLD_UNROLL(R, r, { L::store(out[m] + row0 + r * L::kRows, acc[r][m]); }); });
  }
};

struct FormatF32 {
  static constexpr size_t kBytes = 4;
  template <class L>
  FREEHOLD_INLINE typename L::Float widen(const uint8_t* p) {
    return L::load_float(reinterpret_cast<const float*>(p));
  }
};
struct FormatF16 {
  static constexpr size_t kBytes = 2;
  template <class L>
  FREEHOLD_INLINE typename L::Float widen(const uint8_t* p) {
    return L::halves(p);
  }
};
struct FormatBF16 {
  static constexpr size_t kBytes = 2;
  template <class L>
  FREEHOLD_INLINE typename L::Float widen(const uint8_t* p) {
    return L::brain_halves(p);
  }
};

// One panel by M tokens: the tile is repeated over the panel's rows.
template <class L, class F, template <class, class, int, int> class T, int R, int M>
__attribute__((noinline)) void panel_by_tokens(const uint8_t* panel, size_t k,
                                               const uint8_t* const* tokens, float* const* out) {
  for (size_t row = 0; row < kPanelRows; row += R * L::kRows) {
    T<L, F, R, M>::run(panel, row, k, tokens, out);
  }
}

// A PanelProduct: tiles of six tokens, then what is left. A single token takes all rows at once.
template <class L, class F, template <class, class, int, int> class T>
void tiled_product(const std::byte* panel_bytes, size_t k, const std::byte* const* rows,
                   size_t n_tokens, float* const* out) {
  const auto* panel = reinterpret_cast<const uint8_t*>(panel_bytes);
  const auto* tokens = reinterpret_cast<const uint8_t* const*>(rows);
  size_t t = 0;
  for (; t + 6 <= n_tokens; t += 6) panel_by_tokens<L, F, T, 2, 6>(panel, k, tokens + t, out + t);
  for (; t + 4 <= n_tokens; t += 4) panel_by_tokens<L, F, T, 2, 4>(panel, k, tokens + t, out + t);
  for (; t + 2 <= n_tokens; t += 2) panel_by_tokens<L, F, T, 2, 2>(panel, k, tokens + t, out + t);
  constexpr int kAllRows = static_cast<int>(kPanelRows) / L::kRows;
  if (t < n_tokens) panel_by_tokens<L, F, T, kAllRows, 1>(panel, k, tokens + t, out + t);
}

template <class L>
PanelProduct tiled_panel_product(quant::Type type) {
  using quant::Type;
  switch (type) {
    case Type::kF32:
      return tiled_product<L, FormatF32, FloatTile>;
    case Type::kF16:
      return tiled_product<L, FormatF16, FloatTile>;
    case Type::kBF16:
      return tiled_product<L, FormatBF16, FloatTile>;
    case Type::kQ4_0:
      return tiled_product<L, FormatQ4_0, Tile>;
    case Type::kQ4_1:
      return tiled_product<L, FormatQ4_1, Tile>;
    case Type::kQ5_0:
      return tiled_product<L, FormatQ5_0, Tile>;
    case Type::kQ5_1:
      return tiled_product<L, FormatQ5_1, Tile>;
    case Type::kQ8_0:
      return tiled_product<L, FormatQ8_0, Tile>;
    case Type::kQ2_K:
      return tiled_product<L, FormatQ2_K, Tile>;
    case Type::kQ3_K:
      return tiled_product<L, FormatQ3_K, Tile>;
    case Type::kQ4_K:
      return tiled_product<L, FormatQ4_K, Tile>;
    case Type::kQ5_K:
      return tiled_product<L, FormatQ5_K, Tile>;
    case Type::kQ6_K:
      return tiled_product<L, FormatQ6_K, Tile>;
    case Type::kIQ4_NL:
      return tiled_product<L, FormatIQ4_NL, Tile>;
    case Type::kIQ4_XS:
      return tiled_product<L, FormatIQ4_XS, Tile>;
    case Type::kMXFP4:
      return tiled_product<L, FormatMXFP4, Tile>;
    default:
      return nullptr;
  }
}

}  // namespace freehold::kernels
