// Number formats, int8 activations and writing the cache, as templates over a lanes type; vector.h
// and kv_layout.h say what each computes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/matmul.h"
#include "kernels/vector.h"
#include "kernels/vector_math.h"

namespace freehold::kernels {

template <typename V>
struct Convert {
  using F32 = typename V::F32;

  static void f32_to_f16(const float* x, size_t n, uint16_t* out) {
    by_sixteen<V>(n, [&](size_t i, auto count) {
      store_halves(out + i, load_lanes<V>(x + i, count, 0.0F), count);
    });
  }
  static void f16_to_f32(const uint16_t* x, size_t n, float* out) {
    by_sixteen<V>(n, [&](size_t i, auto count) {
      store_lanes<V>(out + i, load_words(x + i, count, V::load_f16), count);
    });
  }
  static void bf16_to_f32(const uint16_t* x, size_t n, float* out) {
    by_sixteen<V>(n, [&](size_t i, auto count) {
      store_lanes<V>(out + i, load_words(x + i, count, V::load_bf16), count);
    });
  }

  static void quantise_row(const float* x, size_t k, std::byte* row) {
    for (size_t i = 0; i < k; i += ActivationBlock::kElements) {
      ActivationBlock block;
      block.scale = quantise_block(x + i, block.codes);
      const int32_t sums[2] = {V::sum_i8(block.codes), V::sum_i8(block.codes + 16)};
      block.sum = block.scale * static_cast<float>(sums[0] + sums[1]);
      for (int half = 0; half < 2; ++half) block.sums16[half] = static_cast<int16_t>(sums[half]);
      std::memcpy(row, &block, sizeof(block));
      row += sizeof(block);
    }
  }

  static void store_key(CacheType type, const float* x, size_t dim, std::byte* block, size_t slot) {
    switch (type) {
      case CacheType::kF32:
        return scatter(x, dim, block, slot);
      case CacheType::kF16:
        return by_sixteen<V>(dim, [&](size_t d, auto count) {
          uint16_t halves[16];
          V::store_f16(halves, saturated(load_lanes<V>(x + d, count, 0.0F)));
          scatter(halves, count, block + d * kBlockPositions * sizeof(uint16_t), slot);
        });
      case CacheType::kQ8_0:
        std::byte* scales = block + dim * kBlockPositions;
        for (size_t d = 0; d < dim; d += kScaleGroup) {
          int8_t codes[kScaleGroup];
          const uint16_t scale = quantise_group(x + d, codes);
          scatter(codes, kScaleGroup, block + d * kBlockPositions, slot);
          scatter(&scale, 1, scales + d / kScaleGroup * kBlockPositions * sizeof(scale), slot);
        }
    }
  }

  static void store_value(CacheType type, const float* x, size_t dim, std::byte* block,
                          size_t slot) {
    switch (type) {
      case CacheType::kF32:
        std::memcpy(block + slot * dim * sizeof(float), x, dim * sizeof(float));
        return;
      case CacheType::kF16: {
        std::byte* row = block + slot * dim * sizeof(uint16_t);
        return by_sixteen<V>(dim, [&](size_t d, auto count) {
          uint16_t halves[16];
          V::store_f16(halves, saturated(load_lanes<V>(x + d, count, 0.0F)));
          std::memcpy(row + d * sizeof(uint16_t), halves, count * sizeof(uint16_t));
        });
      }
      case CacheType::kQ8_0:
        std::byte* row = block + slot * dim;
        std::byte* scales =
            block + kBlockPositions * dim + slot * (dim / kScaleGroup) * sizeof(uint16_t);
        for (size_t d = 0; d < dim; d += kScaleGroup) {
          int8_t codes[kScaleGroup];
          const uint16_t scale = quantise_group(x + d, codes);
          std::memcpy(row + d, codes, sizeof(codes));
          std::memcpy(scales + d / kScaleGroup * sizeof(scale), &scale, sizeof(scale));
        }
    }
  }

 private:
  static constexpr uint32_t kLargestFinite = 0x7f7fffffU;
  static constexpr float kTiny = 1e-30F;

  template <typename Count>
  static void store_halves(uint16_t* p, F32 a, Count count) {
    uint16_t halves[16];
    V::store_f16(halves, a);
    std::memcpy(p, halves, count * sizeof(uint16_t));
  }

  template <typename Count, typename Load>
  static F32 load_words(const uint16_t* p, Count count, const Load& load) {
    uint16_t words[16] = {};
    std::memcpy(words, p, count * sizeof(uint16_t));
    return load(words);
  }

  // A NaN stays.
  static F32 saturated(F32 a) {
    return V::min(V::broadcast(65504.0F), V::max(V::broadcast(-65504.0F), a));
  }

  // 32 activations; returns their scale. x * (127 / largest) exceeds 127 by less than a rounding
  // step, so that its nearest integer needs no clamping.
  static float quantise_block(const float* x, int8_t* codes) {
    const F32 low = V::load(x);
    const F32 high = V::load(x + 16);
    const uint32_t bits = V::max_magnitude_bits(low, high);
    const float largest = __builtin_bit_cast(float, bits);
    if (bits > kLargestFinite || largest < kTiny) {
      std::memset(codes, 0, 32);
      return bits > kLargestFinite ? __builtin_nanf("") : 0.0F;
    }
    const F32 inverse = V::broadcast(127.0F / largest);
    V::store_i8(codes, V::mul(low, inverse));
    V::store_i8(codes + 16, V::mul(high, inverse));
    return largest / 127.0F;
  }

  // 32 elements of the cache; returns their scale, a half. The codes are made with the rounded
  // scale, which may be too small for the largest element: hence the clamp.
  static uint16_t quantise_group(const float* x, int8_t* codes) {
    const F32 low = V::load(x);
    const F32 high = V::load(x + 16);
    const uint32_t bits = V::max_magnitude_bits(low, high);
    std::memset(codes, 0, kScaleGroup);
    if (bits > kLargestFinite) return 0x7e00;
    uint16_t halves[16];
    V::store_f16(halves, saturated(V::broadcast(__builtin_bit_cast(float, bits) / 127.0F)));
    if (halves[0] == 0) return 0;
    const F32 inverse = V::div(V::broadcast(1.0F), V::load_f16(halves));
    const auto code = [&](F32 a) {
      const F32 bounded = V::max(V::broadcast(-127.0F), V::mul(a, inverse));
      return V::min(V::broadcast(127.0F), bounded);
    };
    V::store_i8(codes, code(low));
    V::store_i8(codes + 16, code(high));
    return halves[0];
  }

  // Puts x[0..n) into column `slot` of the transposed rows.
  template <typename T>
  static void scatter(const T* x, size_t n, std::byte* rows, size_t slot) {
    for (size_t d = 0; d < n; ++d) {
      std::memcpy(rows + (d * kBlockPositions + slot) * sizeof(T), x + d, sizeof(T));
    }
  }
};

}  // namespace freehold::kernels
