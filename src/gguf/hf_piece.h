// A weight of a Hugging Face folder with the scale that may belong to it.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "gguf/hf_config.h"
#include "gguf/safetensors.h"
#include "quant/type.h"

namespace freehold::gguf {

struct HfPiece {
  const SafeTensor* weight = nullptr;
  const SafeTensor* scale = nullptr;  // FP8: F32 scales of blocks; MXFP4: E8M0
};

// The type in which a weight is kept without loss: its own of F32, F16 and BF16; for FP8 see
// exact_type. Errors: kUnsupported (another dtype), kBadFormat (FP8 without scales, scales of the
// wrong shape, scales that nothing needs).
base::Result<quant::Type> dense_type(const HfPiece& piece, const HfConfig& config);

// Writes the weight as `type`, which is what dense_type said, or kF32. `out` has just the bytes.
void write_dense(const HfPiece& piece, const HfConfig& config, quant::Type type,
                 std::span<std::byte> out);

}  // namespace freehold::gguf
