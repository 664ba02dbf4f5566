// The bytes of cache blocks: one block holds the keys or the values of kBlockPositions consecutive
// positions of one KV head of one layer.
//
//   type   key block                              value block
//   F16    half [k_dim][32]                       half [32][v_dim]
//   F32    float [k_dim][32]                      float [32][v_dim]
//   Q8_0   int8 [k_dim][32], half scales          int8 [32][v_dim], half scales [32][v_dim/32]
//          [k_dim/32][32]
//
// Keys lie transposed, so that a score's lanes are positions. A latent block (MLA) holds both in
// rows like a value block's. Dimensions are multiples of 8, and of 32 for Q8_0. Halves are
// binary16, numbers are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>

namespace freehold::kernels {

enum class CacheType : uint8_t { kF16, kF32, kQ8_0 };

inline constexpr uint32_t kBlockPositions = 32;   // of a cache block
inline constexpr uint32_t kChunkPositions = 256;  // softmax partial results are merged by these
inline constexpr uint32_t kScaleGroup = 32;       // Q8_0: elements that share a scale

// Bytes of a key block, a value block or a latent block whose rows have `dim` elements.
constexpr size_t cache_block_bytes(CacheType type, size_t dim) {
  switch (type) {
    case CacheType::kF32:
      return kBlockPositions * dim * 4;
    case CacheType::kF16:
      return kBlockPositions * dim * 2;
    case CacheType::kQ8_0:
      return kBlockPositions * (dim + dim / kScaleGroup * 2);
  }
  return 0;
}

constexpr size_t key_block_bytes(CacheType type, size_t k_dim) {
  return cache_block_bytes(type, k_dim);
}
constexpr size_t value_block_bytes(CacheType type, size_t v_dim) {
  return cache_block_bytes(type, v_dim);
}
constexpr size_t latent_block_bytes(CacheType type, size_t row_dim) {
  return cache_block_bytes(type, row_dim);
}

// Whether a head of this size can be stored: not empty, a multiple of 8, and of 32 for Q8_0.
constexpr bool cache_dim_fits(CacheType type, size_t dim) {
  return dim > 0 && dim % (type == CacheType::kQ8_0 ? kScaleGroup : 8) == 0;
}

}  // namespace freehold::kernels
