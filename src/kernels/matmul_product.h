// Panel products of any number of tokens, and the product of each type, over an instruction set's
// lanes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/matmul.h"
#include "kernels/matmul_column.h"
#include "kernels/matmul_direct.h"
#include "kernels/matmul_float.h"
#include "kernels/matmul_tile.h"

namespace freehold::kernels {

// The sums of M tokens, [M][kPanelRows]: from `out` (or nothing, before the first column) into a
// place of their own, and back there in the end. Tiles add to `at`.
template <int M>
struct TileSums {
  FREEHOLD_INLINE_MEMBER TileSums(float* const* out, bool first) : at(storage) {
    // Hides that these are locals: a tile needs the registers, and GCC would keep its sums here.
    asm("" : "+r"(at) : : "memory");
    for (size_t m = 0; m < M; ++m) {
      if (first) {
        std::memset(at + m * kPanelRows, 0, kPanelRows * sizeof(float));
      } else {
        std::memcpy(at + m * kPanelRows, out[m], kPanelRows * sizeof(float));
      }
    }
  }
  FREEHOLD_INLINE_MEMBER void write(float* const* out) const {
    for (size_t m = 0; m < M; ++m) {
      std::memcpy(out[m], at + m * kPanelRows, kPanelRows * sizeof(float));
    }
  }

  alignas(64) float storage[M * kPanelRows];
  float* at;
};

// No tile has more tokens.
inline constexpr int kMaxTokens = 6;

// Calls fn.operator()<M>(first token) for tiles of kTokens, and then one for the last six or fewer.
template <int kTokens, class Fn>
FREEHOLD_INLINE void for_each_tile(size_t n_tokens, Fn&& fn) {
  size_t t = 0;
  for (; n_tokens - t > kMaxTokens; t += kTokens) fn.template operator()<kTokens>(t);
  FREEHOLD_UNROLL(kMaxTokens, i, {
    if (n_tokens - t == i + 1) fn.template operator()<i + 1>(t);
  });
}

// Blocks [first, first + n) of a panel's rows, decoded, and what is to be fetched meanwhile.
struct ColumnPlace {
  const DecodedBlock* blocks;
  size_t first;
  size_t n;
  NextColumn next;
};

template <class L, class K, int M>
__attribute__((noinline)) void column_by_tokens(const ColumnPlace& column,
                                                const uint8_t* const* tokens, float* const* out) {
  TileSums<M> sums(out, column.first == 0);
  Tile<L, K, 2, M>::run(column.blocks, column.blocks + column.n,
                        TokenTile<M>::of(tokens, column.first), column.next, sums.at);
  sums.write(out);
}

template <class L, class K>
void column_by_all_tokens(ColumnPlace column, const uint8_t* const* tokens, size_t n_tokens,
                          float* const* out) {
  constexpr int kTokens = K::kSigned ? kMaxTokens : L::kTileTokens;
  for_each_tile<kTokens>(n_tokens, [&]<int M>(size_t t) {
    column_by_tokens<L, K, M>(column, tokens + t, out + t);
    column.next.block_bytes = 0;  // has been asked for
  });
}

template <class L, class F, int R, int M>
__attribute__((noinline)) void direct_product(const uint8_t* panel, size_t k,
                                              const uint8_t* const* tokens, float* const* out) {
  for (size_t row = 0; row < kPanelRows; row += R * L::kRows) {
    DirectTile<L, F, R, M>::run(panel, row, k, TokenTile<M>::of(tokens, 0), out);
  }
}

template <class L, class F>
void quantised_product(const std::byte* panel_bytes, size_t k, const std::byte* const* rows,
                       size_t n_tokens, float* const* out) {
  const auto* panel = reinterpret_cast<const uint8_t*>(panel_bytes);
  const auto* tokens = reinterpret_cast<const uint8_t* const*>(rows);
  constexpr int kAllRows = static_cast<int>(kPanelRows) / L::kRows;
  // Few tokens don't pay for a column, the fewer the harder their codes are to decode.
  if (n_tokens == 1) return direct_product<L, F, kAllRows, 1>(panel, k, tokens, out);
  if (n_tokens == 2) return direct_product<L, F, 2, 2>(panel, k, tokens, out);
  if constexpr (F::kElements == 32) {
    if (n_tokens == 3) {
      direct_product<L, F, 2, 2>(panel, k, tokens, out);
      return direct_product<L, F, kAllRows, 1>(panel, k, tokens + 2, out + 2);
    }
    if (n_tokens == 4) return direct_product<L, F, 2, 4>(panel, k, tokens, out);
  }
  constexpr size_t kColumnBytes = kColumnBlocks * 32 / F::kElements * F::kBytes * kPanelRows;
  constexpr size_t kBlockBytes = kColumnBytes / kColumnBlocks;
  DecodedBlock column[kColumnBlocks];
  for (size_t first = 0; first < k / 32; first += kColumnBlocks) {
    const size_t left = k / 32 - first;
    const size_t n = left < kColumnBlocks ? left : kColumnBlocks;
    decode_column<L, F>(panel, n, column);
    panel += kColumnBytes;
    column_by_all_tokens<L, KindOf<L, F>>({column, first, n, {panel, kBlockBytes}}, tokens,
                                          n_tokens, out);
  }
}

template <class L, class F, int R, int M>
__attribute__((noinline)) void floats_by_tokens(const uint8_t* panel, size_t k,
                                                const uint8_t* const* tokens, float* const* out) {
  for (size_t row = 0; row < kPanelRows; row += R * L::kRows) {
    FloatTile<L, F, R, M>::run(panel, row, k, tokens, out);
  }
}

// Float weights are widened again for each tile: doing it once, into a column, was slower.
template <class L, class F>
void float_product(const std::byte* panel_bytes, size_t k, const std::byte* const* rows,
                   size_t n_tokens, float* const* out) {
  const auto* panel = reinterpret_cast<const uint8_t*>(panel_bytes);
  const auto* tokens = reinterpret_cast<const uint8_t* const*>(rows);
  for_each_tile<kMaxTokens>(n_tokens, [&]<int M>(size_t t) {
    constexpr int kRegisters = M == 1 ? static_cast<int>(kPanelRows) / L::kRows : 2;
    floats_by_tokens<L, F, kRegisters, M>(panel, k, tokens + t, out + t);
  });
}

// The product of a type; null for one without a panel format.
template <class L>
PanelProduct product_of(quant::Type type) {
  using quant::Type;
  switch (type) {
    case Type::kF32:
      return float_product<L, FormatF32>;
    case Type::kF16:
      return float_product<L, FormatF16>;
    case Type::kBF16:
      return float_product<L, FormatBF16>;
    case Type::kQ4_0:
      return quantised_product<L, FormatQ4_0>;
    case Type::kQ4_1:
      return quantised_product<L, FormatQ4_1>;
    case Type::kQ5_0:
      return quantised_product<L, FormatQ5_0>;
    case Type::kQ5_1:
      return quantised_product<L, FormatQ5_1>;
    case Type::kQ8_0:
      return quantised_product<L, FormatQ8_0>;
    case Type::kQ2_K:
      return quantised_product<L, FormatQ2_K>;
    case Type::kQ3_K:
      return quantised_product<L, FormatQ3_K>;
    case Type::kQ4_K:
      return quantised_product<L, FormatQ4_K>;
    case Type::kQ5_K:
      return quantised_product<L, FormatQ5_K>;
    case Type::kQ6_K:
      return quantised_product<L, FormatQ6_K>;
    case Type::kIQ4_NL:
      return quantised_product<L, FormatIQ4_NL>;
    case Type::kIQ4_XS:
      return quantised_product<L, FormatIQ4_XS>;
    case Type::kMXFP4:
      return quantised_product<L, FormatMXFP4>;
    default:
      return nullptr;
  }
}

}  // namespace freehold::kernels
