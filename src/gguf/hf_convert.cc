// Exact conversions of weights.
#include "gguf/hf_convert.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "quant/half.h"

namespace freehold::gguf {

namespace {

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

constexpr std::array<float, 256> kE4m3 = [] {
  std::array<float, 256> values{};
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = quant::e4m3fn_to_f32(static_cast<uint8_t>(i));
  }
  return values;
}();

// A power of two between 2^-100 and 2^100: far from where BF16's range ends.
bool is_moderate_power_of_two(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  constexpr uint32_t kLowest = (127 - 100) << 23;
  constexpr uint32_t kHighest = (127 + 100) << 23;
  return (bits & 0x007fffffu) == 0 && bits >= kLowest && bits <= kHighest;
}

float scale_at(const Fp8Matrix& matrix, uint64_t i) {
  if (matrix.scale_dtype == Dtype::kF32) return load<float>(matrix.scales.data() + 4 * i);
  return quant::bf16_to_f32(load<uint16_t>(matrix.scales.data() + 2 * i));
}

}  // namespace

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

quant::Type exact_type(const Fp8Matrix& matrix) {
  for (uint64_t i = 0; i < matrix.n_scales(); ++i) {
    if (!is_moderate_power_of_two(scale_at(matrix, i))) return quant::Type::kF32;
  }
  return quant::Type::kBF16;
}

void dequantise(const Fp8Matrix& matrix, quant::Type type, std::byte* out) {
  for (uint64_t row = 0; row < matrix.rows; ++row) {
    const uint64_t row_scales = row / matrix.block_rows * matrix.scales_per_row();
    for (uint64_t first = 0; first < matrix.columns; first += matrix.block_columns) {
      const uint64_t end = std::min(first + matrix.block_columns, matrix.columns);
      const float scale = scale_at(matrix, row_scales + first / matrix.block_columns);
      for (uint64_t at = row * matrix.columns + first; at < row * matrix.columns + end; ++at) {
        const float value = kE4m3[std::to_integer<size_t>(matrix.codes[at])] * scale;
        if (type == quant::Type::kBF16) {
          store(quant::f32_to_bf16(value), out + 2 * at);
        } else {
          store(value, out + 4 * at);
        }
      }
    }
  }
}

void interleave_halves(std::span<const std::byte> rows, uint64_t n_heads, uint64_t head_rows,
                       std::byte* out) {
  const uint64_t row_bytes = rows.size() / (n_heads * head_rows);
  for (uint64_t head = 0; head < n_heads; ++head) {
    for (uint64_t row = 0; row < head_rows; ++row) {
      const uint64_t from = head * head_rows + row % 2 * (head_rows / 2) + row / 2;
      std::memcpy(out, rows.data() + from * row_bytes, row_bytes);
      out += row_bytes;
    }
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
