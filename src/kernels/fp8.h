// The product of FP8 panels (quant::Type::kFp8) with float activations, written once over an
// instruction set's lanes. Rows lie in lanes, so no sum crosses them.
//
// The arithmetic, the same everywhere: for each block of 128 weights, in order,
//     part = fma(code / 256, x, part)     weight by weight, from 0
//     acc = fma(part, 256 * scale, acc)
// where code is the E4M3FN value. Its 256th is a binary16 with the same fields, which every
// processor widens exactly; powers of two round nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fetch_ahead.h"
#include "kernels/isa.h"
#include "kernels/matmul.h"
#include "kernels/panel.h"

namespace freehold::kernels {

inline constexpr size_t kFp8Block = 128;
inline constexpr size_t kFp8BlockBytes = (4 + kFp8Block) * kPanelRows;  // scales, then codes by row

// R registers of rows, from `row` on, by M tokens.
template <class L, int R, int M>
__attribute__((noinline)) void fp8_tile(const uint8_t* panel, size_t row, size_t k,
                                        const std::byte* const* rows, float* const* out) {
  for (size_t first = 0; first < k; first += kFp8Block, panel += kFp8BlockBytes) {
    typename L::Float part[R][M];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int m = 0; m < M; ++m) part[r][m] = L::zero();
    }
    const uint8_t* codes = panel + 4 * kPanelRows + row;
    for (size_t i = 0; i < kFp8Block; ++i, codes += kPanelRows) {
      fetch_ahead(codes, R * L::kRows);
      typename L::Float w[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) w[r] = L::widen(codes + r * L::kRows);
#pragma GCC unroll 8
      for (int m = 0; m < M; ++m) {
        const auto x = L::splat(reinterpret_cast<const float*>(rows[m]) + first + i);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) part[r][m] = L::fma(w[r], x, part[r][m]);
      }
    }
    const auto* scales = reinterpret_cast<const float*>(panel) + row;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto scale = L::times_256(L::load(scales + r * L::kRows));
#pragma GCC unroll 8
      for (int m = 0; m < M; ++m) {
        float* to = out[m] + row + r * L::kRows;
        L::store(to, L::fma(part[r][m], scale, first == 0 ? L::zero() : L::load(to)));
      }
    }
  }
}

template <class L, int M>
void fp8_tokens(const std::byte* panel, size_t k, const std::byte* const* rows, float* const* out) {
  constexpr int kRegisters = M == 1 ? 32 / L::kRows : 2;
  for (size_t row = 0; row < kPanelRows; row += kRegisters * L::kRows) {
    fp8_tile<L, kRegisters, M>(reinterpret_cast<const uint8_t*>(panel), row, k, rows, out);
  }
}

// A PanelProduct.
template <class L>
void fp8_product(const std::byte* panel, size_t k, const std::byte* const* rows, size_t n_tokens,
                 float* const* out) {
  size_t t = 0;
  for (; t + 6 <= n_tokens; t += 6) fp8_tokens<L, 6>(panel, k, rows + t, out + t);
  for (; t + 2 <= n_tokens; t += 2) fp8_tokens<L, 2>(panel, k, rows + t, out + t);
  if (t < n_tokens) fp8_tokens<L, 1>(panel, k, rows + t, out + t);
}

namespace scalar {
PanelProduct fp8_panel_product();
}
namespace avx2 {
PanelProduct fp8_panel_product();
}
namespace avx512 {
PanelProduct fp8_panel_product();
}

}  // namespace freehold::kernels
