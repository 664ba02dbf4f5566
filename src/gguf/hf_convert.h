// Rearrangements and conversions of elements on their way from safetensors to GGUF's forms, all
// exact. Sizes have been checked by the caller; buffers may be unaligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "gguf/safetensors.h"

namespace freehold::gguf {

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
void store(T value, std::byte* to) {
  std::memcpy(to, &value, sizeof(T));
}

// Elements of F32, F16 or BF16 as floats, one after another, 4 bytes each at `out`.
void widen(Dtype dtype, std::span<const std::byte> elements, std::byte* out);

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
