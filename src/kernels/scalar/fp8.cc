// The reference product of FP8 panels, one row at a time.
#include "kernels/fp8.h"

#include <cmath>
#include <cstring>

#include "quant/half.h"

namespace freehold::kernels::scalar {
namespace {

void product(const std::byte* panel, size_t k, const std::byte* const* rows, size_t n_tokens,
             float* const* out) {
  for (size_t t = 0; t < n_tokens; ++t) {
    const auto* x = reinterpret_cast<const float*>(rows[t]);
    for (size_t row = 0; row < kPanelRows; ++row) {
      float acc = 0.0F;
      for (size_t first = 0; first < k; first += kFp8Block) {
        const std::byte* block = panel + first / kFp8Block * kFp8BlockBytes;
        const std::byte* codes = block + 4 * kPanelRows + row;
        float part = 0.0F;
        for (size_t i = 0; i < kFp8Block; ++i) {
          const auto code = std::to_integer<uint8_t>(codes[i * kPanelRows]);
          part = std::fma(quant::e4m3fn_to_f32(code) * 0x1p-8F, x[first + i], part);
        }
        float scale = 0.0F;
        std::memcpy(&scale, block + 4 * row, sizeof scale);
        acc = std::fma(part, scale * 256.0F, acc);
      }
      out[t][row] = acc;
    }
  }
}

}  // namespace

PanelProduct fp8_panel_product() { return product; }

}  // namespace freehold::kernels::scalar
