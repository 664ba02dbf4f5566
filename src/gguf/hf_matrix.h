// A weight of a Hugging Face folder with the scales that may belong to it, and its elements in the
// types that we keep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "gguf/hf_config.h"
#include "gguf/safetensors.h"
#include "quant/type.h"

namespace freehold::gguf {

struct HfPiece {
  const SafeTensor* weight = nullptr;
  const SafeTensor* scale = nullptr;  // FP8: F32 or BF16, one a block; MXFP4: E8M0
};

// Views of a mapped file. `columns` is the last dimension, `rows` all others together.
struct HfMatrix {
  Dtype dtype = Dtype::kF32;  // kF32, kF16, kBF16 or kF8E4M3
  std::span<const std::byte> elements;
  uint64_t rows = 0;
  uint64_t columns = 0;
  // DeepSeek's FP8: a weight is its code times the scale of its block of block_rows x
  // block_columns; blocks at the edges are partial.
  std::span<const std::byte> scales = {};
  Dtype scale_dtype = Dtype::kF32;  // or kBF16, as Qwen publishes them
  uint64_t block_rows = 0;
  uint64_t block_columns = 0;

  uint64_t scales_per_row() const { return (columns + block_columns - 1) / block_columns; }
};

// Errors: kUnsupported (another dtype), kBadFormat (FP8 without scales, scales of the wrong shape
// or dtype, scales that nothing needs).
base::Result<HfMatrix> as_matrix(const HfPiece& piece, const HfConfig& config);

// The type in which its rows are kept at the bits of the file: F32, F16, BF16, or kFp8 where the
// rows are whole blocks of 128; float_type otherwise.
quant::Type native_type(const HfMatrix& matrix);
// The plain float that keeps every element. FP8: BF16 where every scale is a power of two of
// moderate size, so that no product is rounded; F32 otherwise.
quant::Type float_type(const HfMatrix& matrix);

// `n` elements of a row from column `first` on, as floats of `type`: F32, or what float_type says.
void write_floats(const HfMatrix& matrix, quant::Type type, uint64_t row, uint64_t first,
                  uint64_t n, std::byte* out);
// A whole row as `type`: F32, or what native_type or float_type says.
void write_row(const HfMatrix& matrix, quant::Type type, uint64_t row, std::byte* out);

}  // namespace freehold::gguf
