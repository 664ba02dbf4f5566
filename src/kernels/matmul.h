// Products of weight panels with activations.
//
// The arithmetic, the same on every instruction set and for any number of tokens: an output is the
// sum over its row's blocks of 32 weights, in order,
//     acc = fma(float(isum) * activation_scale, scale, acc)
//     acc = fma(activation_sum, minimum, acc)            (formats with an offset or a minimum)
// where isum is the exact integer sum of code times activation. What counts as code, scale and
// minimum is stated per format in scalar/matmul.cc. Float weights: acc = fma(weight, x, acc) in
// order of k; FP8 is in fp8.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/isa.h"
#include "quant/type.h"

namespace freehold::kernels {

// 32 of a token's activations quantised to int8. A row of k activations is k/32 of these.
struct ActivationBlock {
  static constexpr size_t kElements = 32;
  // Bytes of a row; k is a multiple of 32.
  static constexpr size_t bytes(size_t k) { return k / kElements * sizeof(ActivationBlock); }

  int8_t codes[kElements];
  float scale;        // the value of one code step
  float sum;          // scale * sum of the codes
  int16_t sums16[2];  // sums of 16 codes each
};
static_assert(sizeof(ActivationBlock) == 44);

// out[t][0..31] = panel * rows[t] for each of n_tokens. rows[t] is ActivationBlock[k/32] for
// quantised formats and float[k] for F32, F16, BF16 and FP8; 64-byte aligned rows are fastest.
using PanelProduct = void (*)(const std::byte* panel, size_t k, const std::byte* const* rows,
                              size_t n_tokens, float* const* out);

// Null for a type without a panel format.
PanelProduct panel_product(Isa isa, quant::Type type);

// Whether the product takes float activations rather than quantised ones.
constexpr bool takes_floats(quant::Type type) {
  return type == quant::Type::kF32 || type == quant::Type::kF16 || type == quant::Type::kBF16 ||
         type == quant::Type::kFp8;
}

}  // namespace freehold::kernels
