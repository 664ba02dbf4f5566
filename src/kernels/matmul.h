// Products of weight panels with activations.
//
// The arithmetic, the same on every instruction set and for any number of tokens: an output is the
// sum over its row's blocks of 32 weights, in order,
//     acc = fma(float(isum) * activation_scale, scale, acc)
//     acc = fma(activation_sum, minimum, acc)            (formats with an offset or a minimum)
// where isum is the exact integer sum of code times activation. What counts as code, scale and
// minimum is stated per format in scalar/matmul.cc. Float weights: acc = fma(weight, x, acc) in
// order of k.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/isa.h"
#include "quant/type.h"

namespace freehold::kernels {

// One token's activations quantised to int8 in blocks of 32, as one run of bytes:
//   int8 codes[k] | float scales[k/32] | float sums[k/32] | int16 sums16[k/16]
// scales: the value of one code step; sums: scale * sum of the block's codes; sums16: the integer
// sum of each 16 codes. k is a multiple of 32. vector.h's quantise_row writes it.
struct ActivationRow {
  static constexpr size_t bytes(size_t k) { return k + k / 32 * 8 + k / 16 * 2; }
  static constexpr size_t scales_offset(size_t k) { return k; }
  static constexpr size_t sums_offset(size_t k) { return k + k / 32 * 4; }
  static constexpr size_t sums16_offset(size_t k) { return k + k / 32 * 8; }
};

// out[t][0..31] = panel * rows[t] for each of n_tokens. rows[t] is an ActivationRow for quantised
// formats and float[k] for F32, F16 and BF16; 64-byte aligned rows are fastest.
using PanelProduct = void (*)(const std::byte* panel, size_t k, const std::byte* const* rows,
                              size_t n_tokens, float* const* out);

// Null for a type without a panel format.
PanelProduct panel_product(Isa isa, quant::Type type);

// Whether the product takes float activations rather than quantised ones.
constexpr bool takes_floats(quant::Type type) {
  return type == quant::Type::kF32 || type == quant::Type::kF16 || type == quant::Type::kBF16;
}

}  // namespace freehold::kernels
