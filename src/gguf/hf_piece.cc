// Weights in F32, F16, BF16 and DeepSeek's FP8. Refuses other dtypes.
#include "gguf/hf_piece.h"

#include <algorithm>

#include "gguf/hf_convert.h"
#include "gguf/reader.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;

namespace {

// For a weight whose scales dense_type has checked.
Fp8Matrix fp8_matrix(const HfPiece& piece, const HfConfig& config) {
  const auto& [block_rows, block_columns] = *config.fp8_block;
  const std::vector<uint64_t>& shape = piece.weight->shape;
  return {piece.weight->data, piece.scale->data, piece.scale->dtype, shape[0],
          shape[1],           block_rows,        block_columns};
}

std::unexpected<base::Error> refuse(ErrorCode code, const SafeTensor& tensor,
                                    const std::string& what) {
  return base::fail(code, "tensor " + shown(tensor.name) + " " + what);
}

Result<quant::Type> fp8_type(const HfPiece& piece, const HfConfig& config) {
  if (piece.scale == nullptr || !config.fp8_block || piece.weight->shape.size() != 2) {
    return refuse(ErrorCode::kBadFormat, *piece.weight,
                  "is FP8 but has no scales, or config.json no weight_block_size");
  }
  const Fp8Matrix matrix = fp8_matrix(piece, config);
  const bool is_number = matrix.scale_dtype == Dtype::kF32 || matrix.scale_dtype == Dtype::kBF16;
  if (!is_number || piece.scale->n_elements() != matrix.n_scales()) {
    return refuse(ErrorCode::kBadFormat, *piece.scale,
                  "is not one F32 or BF16 for each block of its weight");
  }
  return exact_type(matrix);
}

}  // namespace

Result<quant::Type> dense_type(const HfPiece& piece, const HfConfig& config) {
  if (piece.weight->dtype == Dtype::kF8E4M3) return fp8_type(piece, config);
  if (piece.scale != nullptr) {
    return refuse(ErrorCode::kBadFormat, *piece.scale, "scales a weight that is not FP8");
  }
  switch (piece.weight->dtype) {
    case Dtype::kF32:
      return quant::Type::kF32;
    case Dtype::kF16:
      return quant::Type::kF16;
    case Dtype::kBF16:
      return quant::Type::kBF16;
    default:
      return refuse(
          ErrorCode::kUnsupported, *piece.weight,
          "has dtype " + std::string(name(piece.weight->dtype)) + ", which is not read as weights");
  }
}

void write_dense(const HfPiece& piece, const HfConfig& config, quant::Type type,
                 std::span<std::byte> out) {
  const SafeTensor& weight = *piece.weight;
  if (weight.dtype == Dtype::kF8E4M3) {
    dequantise(fp8_matrix(piece, config), type, out.data());
  } else if (out.size() == weight.data.size()) {
    std::ranges::copy(weight.data, out.begin());
  } else {
    widen(weight.dtype, weight.data, out.data());
  }
}

}  // namespace freehold::gguf
