// Rearrangements and conversions of weights on their way from safetensors to GGUF's forms. All are
// exact, but for FP8 times a scale that is no power of two, which is rounded to F32. Sizes have
// been checked by the caller; buffers may be unaligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "gguf/safetensors.h"
#include "quant/type.h"

namespace freehold::gguf {

// Elements of F32, F16 or BF16 as floats, one after another, 4 bytes each at `out`.
void widen(Dtype dtype, std::span<const std::byte> elements, std::byte* out);

// DeepSeek's FP8: E4M3 weights {columns, rows}; scales, one a block of block_rows x block_columns,
// blocks at the edges partial; a weight is its code times its block's scale.
struct Fp8Matrix {
  std::span<const std::byte> codes;
  std::span<const std::byte> scales;
  Dtype scale_dtype;  // kF32, or kBF16 as Qwen publishes them
  uint64_t rows;
  uint64_t columns;
  uint64_t block_rows;
  uint64_t block_columns;

  uint64_t scales_per_row() const { return (columns + block_columns - 1) / block_columns; }
  uint64_t n_scales() const { return (rows + block_rows - 1) / block_rows * scales_per_row(); }
};

// BF16 where every scale is a power of two of moderate size, so that each product fits in BF16
// without rounding; F32 otherwise.
quant::Type exact_type(const Fp8Matrix& matrix);
// `type` is kF32, or kBF16 where exact_type says so.
void dequantise(const Fp8Matrix& matrix, quant::Type type, std::byte* out);

// Rows reordered inside each head from halves to pairs: out row 2i+s = row s*head_rows/2 + i.
void interleave_halves(std::span<const std::byte> rows, uint64_t n_heads, uint64_t head_rows,
                       std::byte* out);

// Of a matrix with n_rows rows of `row_elements`, the columns from `first` on, `n_columns` of them,
// as rows.
struct Columns {
  uint64_t n_rows;
  uint64_t row_elements;
  uint64_t first;
  uint64_t n_columns;
  uint64_t step = 1;  // from one column to the next
};
void transpose(std::span<const std::byte> matrix, const Columns& columns, uint64_t element_bytes,
               std::byte* out);

// gpt-oss's MXFP4 (16 bytes a block of 32, element 2j in the low half of byte j; scales apart) as
// GGUF's (17 bytes: scale, then element j in the low half of byte j and j + 16 in the high half).
void repack_mxfp4(std::span<const std::byte> blocks, std::span<const std::byte> scales,
                  std::byte* out);

}  // namespace freehold::gguf
