// Weights in F32, F16, BF16 and DeepSeek's FP8. Refuses other dtypes. All conversions are exact,
// but for FP8 times a scale that is no power of two, which is rounded to F32.
#include "gguf/hf_matrix.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "gguf/hf_convert.h"
#include "gguf/reader.h"
#include "quant/half.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;
using quant::Type;

namespace {

constexpr uint64_t kFp8Block = 128;

constexpr std::array<float, 256> kE4m3 = [] {
  std::array<float, 256> values{};
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = quant::e4m3fn_to_f32(static_cast<uint8_t>(i));
  }
  return values;
}();

std::unexpected<base::Error> refuse(ErrorCode code, const SafeTensor& tensor,
                                    const std::string& what) {
  return base::fail(code, "tensor " + shown(tensor.name) + " " + what);
}

// A power of two between 2^-100 and 2^100: far from where BF16's range ends.
bool is_moderate_power_of_two(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  constexpr uint32_t kLowest = (127 - 100) << 23;
  constexpr uint32_t kHighest = (127 + 100) << 23;
  return (bits & 0x007fffffu) == 0 && bits >= kLowest && bits <= kHighest;
}

float scale_at(const HfMatrix& matrix, uint64_t i) {
  if (matrix.scale_dtype == Dtype::kF32) return load<float>(matrix.scales.data() + 4 * i);
  return quant::bf16_to_f32(load<uint16_t>(matrix.scales.data() + 2 * i));
}

// The scale of a row's i-th block.
float scale_in_row(const HfMatrix& matrix, uint64_t row, uint64_t i) {
  return scale_at(matrix, row / matrix.block_rows * matrix.scales_per_row() + i);
}

Result<HfMatrix> with_scales(HfMatrix matrix, const HfPiece& piece, const HfConfig& config) {
  const bool is_matrix = piece.weight->shape.size() == 2;
  if (piece.scale == nullptr || !config.fp8_block || !is_matrix) {
    return refuse(ErrorCode::kBadFormat, *piece.weight,
                  "is FP8 but has no scales, or config.json no weight_block_size");
  }
  matrix.block_rows = (*config.fp8_block)[0];
  matrix.block_columns = (*config.fp8_block)[1];
  matrix.scales = piece.scale->data;
  matrix.scale_dtype = piece.scale->dtype;
  const uint64_t block_rows = (matrix.rows + matrix.block_rows - 1) / matrix.block_rows;
  const bool is_number = matrix.scale_dtype == Dtype::kF32 || matrix.scale_dtype == Dtype::kBF16;
  if (!is_number ||
      piece.scale->shape != std::vector<uint64_t>{block_rows, matrix.scales_per_row()}) {
    return refuse(ErrorCode::kBadFormat, *piece.scale,
                  "is not one F32 or BF16 for each block of its weight");
  }
  return matrix;
}

void write_fp8_floats(const HfMatrix& matrix, Type type, uint64_t row, uint64_t first, uint64_t n,
                      std::byte* out) {
  const std::byte* codes = matrix.elements.data() + row * matrix.columns;
  for (uint64_t at = first; at < first + n;) {
    const uint64_t block = at / matrix.block_columns;
    const float scale = scale_in_row(matrix, row, block);
    const uint64_t end = std::min((block + 1) * matrix.block_columns, first + n);
    for (; at < end; ++at) {
      const float value = kE4m3[std::to_integer<size_t>(codes[at])] * scale;
      if (type == Type::kBF16) {
        store(quant::f32_to_bf16(value), out + 2 * (at - first));
      } else {
        store(value, out + 4 * (at - first));
      }
    }
  }
}

void write_fp8_row(const HfMatrix& matrix, uint64_t row, std::byte* out) {
  const std::byte* codes = matrix.elements.data() + row * matrix.columns;
  for (uint64_t block = 0; block < matrix.columns / kFp8Block; ++block) {
    store(scale_in_row(matrix, row, block), out);
    std::memcpy(out + 4, codes + block * kFp8Block, kFp8Block);
    out += 4 + kFp8Block;
  }
}

}  // namespace

Result<HfMatrix> as_matrix(const HfPiece& piece, const HfConfig& config) {
  const SafeTensor& weight = *piece.weight;
  HfMatrix matrix;
  matrix.dtype = weight.dtype;
  matrix.elements = weight.data;
  matrix.columns = weight.shape.empty() ? 1 : weight.shape.back();
  matrix.rows = matrix.columns > 0 ? weight.n_elements() / matrix.columns : 0;
  switch (weight.dtype) {
    case Dtype::kF8E4M3:
      return with_scales(matrix, piece, config);
    case Dtype::kF32:
    case Dtype::kF16:
    case Dtype::kBF16:
      break;
    default:
      return refuse(
          ErrorCode::kUnsupported, weight,
          "has dtype " + std::string(name(weight.dtype)) + ", which is not read as weights");
  }
  if (piece.scale != nullptr) {
    return refuse(ErrorCode::kBadFormat, *piece.scale, "scales a weight that is not FP8");
  }
  return matrix;
}

Type native_type(const HfMatrix& matrix) {
  const bool whole = matrix.block_columns == kFp8Block && matrix.columns % kFp8Block == 0;
  return matrix.dtype == Dtype::kF8E4M3 && whole ? Type::kFp8 : float_type(matrix);
}

Type float_type(const HfMatrix& matrix) {
  switch (matrix.dtype) {
    case Dtype::kF16:
      return Type::kF16;
    case Dtype::kBF16:
      return Type::kBF16;
    default:
      break;
  }
  const uint64_t n_scales = matrix.scales.size() / bytes_each(matrix.scale_dtype);
  for (uint64_t i = 0; i < n_scales; ++i) {
    if (!is_moderate_power_of_two(scale_at(matrix, i))) return Type::kF32;
  }
  return n_scales > 0 ? Type::kBF16 : Type::kF32;
}

void write_floats(const HfMatrix& matrix, Type type, uint64_t row, uint64_t first, uint64_t n,
                  std::byte* out) {
  if (matrix.dtype == Dtype::kF8E4M3) return write_fp8_floats(matrix, type, row, first, n, out);
  const uint64_t width = bytes_each(matrix.dtype);
  const auto elements = matrix.elements.subspan((row * matrix.columns + first) * width, n * width);
  if (type != Type::kF32) {
    std::ranges::copy(elements, out);
  } else {
    widen(matrix.dtype, elements, out);
  }
}

void write_row(const HfMatrix& matrix, Type type, uint64_t row, std::byte* out) {
  if (type == Type::kFp8) return write_fp8_row(matrix, row, out);
  write_floats(matrix, type, row, 0, matrix.columns, out);
}

}  // namespace freehold::gguf
