// Float weights and their product with float activations, in the lanes of matmul_formats.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fetch_ahead.h"
#include "kernels/panel.h"
#include "kernels/unroll.h"

namespace freehold::kernels {

// R registers of rows by M tokens; F::widen turns L::kRows stored weights into floats.
template <class L, class F, int R, int M>
struct FloatTile {
  FREEHOLD_INLINE void run(const uint8_t* panel, size_t row0, size_t k,
                           const uint8_t* const* tokens, float* const* out) {
    typename L::Float acc[R][M];
    FREEHOLD_UNROLL(R, r, { FREEHOLD_UNROLL(M, m, { acc[r][m] = L::splat(0.0F); }); });
    for (size_t i = 0; i < k; ++i) {
      const uint8_t* weights = panel + (i * kPanelRows + row0) * F::kBytes;
      fetch_ahead(weights, R * L::kRows * F::kBytes);
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

}  // namespace freehold::kernels
