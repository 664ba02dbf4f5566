// Exact conversions of weights.
#include "gguf/hf_convert.h"

#include <algorithm>

#include "quant/half.h"

namespace freehold::gguf {

void widen(Dtype dtype, std::span<const std::byte> elements, std::byte* out) {
  if (dtype == Dtype::kF32) {
    std::memcpy(out, elements.data(), elements.size());
    return;
  }
  for (size_t i = 0; i < elements.size() / 2; ++i) {
    const auto bits = load<uint16_t>(elements.data() + 2 * i);
    store(dtype == Dtype::kF16 ? quant::f16_to_f32(bits) : quant::bf16_to_f32(bits), out + 4 * i);
  }
}

void transpose(std::span<const std::byte> matrix, const Columns& columns, uint64_t element_bytes,
               std::byte* out) {
  // In squares, so that both sides stay in the cache.
  constexpr uint64_t kSide = 32;
  for (uint64_t row0 = 0; row0 < columns.n_rows; row0 += kSide) {
    for (uint64_t column0 = 0; column0 < columns.n_columns; column0 += kSide) {
      const uint64_t row_end = std::min(row0 + kSide, columns.n_rows);
      const uint64_t column_end = std::min(column0 + kSide, columns.n_columns);
      for (uint64_t column = column0; column < column_end; ++column) {
        for (uint64_t row = row0; row < row_end; ++row) {
          const uint64_t from = row * columns.row_elements + columns.first + column * columns.step;
          const uint64_t to = column * columns.n_rows + row;
          std::memcpy(out + to * element_bytes, matrix.data() + from * element_bytes,
                      element_bytes);
        }
      }
    }
  }
}

void repack_mxfp4(std::span<const std::byte> blocks, std::span<const std::byte> scales,
                  std::byte* out) {
  for (size_t block = 0; block < scales.size(); ++block) {
    const std::byte* from = blocks.data() + 16 * block;
    const auto element = [from](size_t i) {
      return (from[i / 2] >> (4 * (i % 2))) & std::byte{15};
    };
    std::byte* to = out + 17 * block;
    to[0] = scales[block];
    for (size_t j = 0; j < 16; ++j) to[1 + j] = element(j) | (element(j + 16) << 4);
  }
}

}  // namespace freehold::gguf
