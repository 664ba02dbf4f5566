// Cache blocks widened to floats, as templates over a lanes type. A Q8_0 element is its code times
// its scale, rounded once. Meanwhile the block that will be wanted next is fetched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/kv_layout.h"
#include "kernels/vector_math.h"

namespace freehold::kernels {

// A range relative to some start.
struct Span {
  uint32_t begin, end;
  bool empty() const { return begin >= end; }
};

template <typename V>
struct Widen {
  using F32 = typename V::F32;

  struct Blocks {
    const std::byte* block;
    const std::byte* next;  // to be fetched, or block
  };

  // A whole F16 or Q8_0 key block to out[2][k_dim][16]: positions 0 to 15, then 16 to 31.
  static void keys(CacheType type, Blocks from, size_t k_dim, float* out) {
    float* second = out + k_dim * 16;
    if (type == CacheType::kF16) {
      const uint16_t* halves = as<uint16_t>(from.block);
      for (size_t d = 0; d < k_dim; ++d) {
        __builtin_prefetch(from.next + d * kBlockPositions * sizeof(uint16_t));
        V::store(out + d * 16, V::load_f16(halves + d * kBlockPositions));
        V::store(second + d * 16, V::load_f16(halves + d * kBlockPositions + 16));
      }
      return;
    }
    const int8_t* codes = as<int8_t>(from.block);
    const uint16_t* scales = as<uint16_t>(from.block + k_dim * kBlockPositions);
    for (size_t group = 0; group < k_dim / kScaleGroup; ++group, scales += kBlockPositions) {
      const F32 low = V::load_f16(scales);
      const F32 high = V::load_f16(scales + 16);
      for (size_t d = group * kScaleGroup; d < (group + 1) * kScaleGroup; ++d) {
        __builtin_prefetch(from.next + d * kBlockPositions);
        V::store(out + d * 16, V::mul(V::load_i8(codes + d * kBlockPositions), low));
        V::store(second + d * 16, V::mul(V::load_i8(codes + d * kBlockPositions + 16), high));
      }
    }
  }

  // Where rows() puts sixteen elements: vector n of row j at n * vector_stride + j * row_stride.
  struct Place {
    float* out;
    size_t vector_stride, row_stride;
    float* scales;  // [dim], for Q8_0
  };

  // The rows `which` of a value or latent block; the last vector is filled up with zeros.
  static void rows(CacheType type, Blocks from, size_t dim, Span which, Place to) {
    if (type == CacheType::kQ8_0) return quantised_rows(from, dim, which, to);
    const size_t row_bytes = cache_block_bytes(type, dim) / kBlockPositions;
    for (size_t j = which.begin; j < which.end; ++j) {
      by_sixteen<V>(dim, [&](size_t d, auto count) {
        float* out = to.out + d / 16 * to.vector_stride + j * to.row_stride;
        __builtin_prefetch(from.next + j * row_bytes + d * (row_bytes / dim));
        if (type == CacheType::kF32) {
          V::store(out, load_lanes<V>(as<float>(from.block) + j * dim + d, count, 0.0F));
        } else {
          V::store(out, load_halves(as<uint16_t>(from.block) + j * dim + d, count));
        }
      });
    }
  }

 private:
  template <typename T>
  static const T* as(const std::byte* p) {
    return static_cast<const T*>(static_cast<const void*>(p));
  }

  template <typename Count>
  static F32 load_halves(const uint16_t* p, Count count) {
    if constexpr (std::is_same_v<Count, Sixteen>) {
      return V::load_f16(p);
    } else {
      uint16_t halves[16] = {};
      std::memcpy(halves, p, count * sizeof(uint16_t));
      return V::load_f16(halves);
    }
  }

  static void quantised_rows(Blocks from, size_t dim, Span which, Place to) {
    const int8_t* codes = as<int8_t>(from.block);
    const uint16_t* halves = as<uint16_t>(from.block + kBlockPositions * dim);
    for (size_t i = 0; i < dim; i += 16) V::store(to.scales + i, V::load_f16(halves + i));
    for (size_t j = which.begin; j < which.end; ++j) {
      float* out = to.out + j * to.row_stride;
      const float* scales = to.scales + j * (dim / kScaleGroup);
      for (size_t d = 0; d < dim; d += 16, out += to.vector_stride) {
        const F32 scale = V::broadcast(scales[d / kScaleGroup]);
        __builtin_prefetch(from.next + j * dim + d);
        V::store(out, V::mul(V::load_i8(codes + j * dim + d), scale));
      }
    }
  }
};

}  // namespace freehold::kernels
