// Sixteen float lanes in plain C++: the definition that the vector versions (avx2/lanes.h,
// avx512/lanes.h) agree with to the bit. Only the payload of a NaN may differ.
//
// A lanes type offers, as static functions, what the kernels in vector_*.h are written with; an
// algorithm is written once as a template over it. Nothing here has external linkage, see
// CMakeLists.txt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "quant/half.h"

namespace freehold::kernels {

struct ScalarLanes {
  struct F32 {
    float lane[16];
  };
  struct Mask {
    bool lane[16];
  };

  // Shape of the register tile in vector_tile.h: rows at most, and sixteen-lane columns for a
  // number of rows.
  static constexpr size_t kTileRows = 4;
  static constexpr size_t tile_vectors(size_t) { return 1; }

  static F32 load(const float* p) {
    F32 out;
    std::memcpy(out.lane, p, sizeof(out.lane));
    return out;
  }
  static void store(float* p, F32 a) { std::memcpy(p, a.lane, sizeof(a.lane)); }
  static F32 broadcast(float value) {
    return each([&](size_t) { return value; });
  }

  static F32 add(F32 a, F32 b) {
    return each([&](size_t i) { return a.lane[i] + b.lane[i]; });
  }
  static F32 sub(F32 a, F32 b) {
    return each([&](size_t i) { return a.lane[i] - b.lane[i]; });
  }
  static F32 mul(F32 a, F32 b) {
    return each([&](size_t i) { return a.lane[i] * b.lane[i]; });
  }
  static F32 div(F32 a, F32 b) {
    return each([&](size_t i) { return a.lane[i] / b.lane[i]; });
  }
  // a * b + c, rounded once.
  static F32 fma(F32 a, F32 b, F32 c) {
    return each([&](size_t i) { return __builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]); });
  }
  // The second operand when one is NaN or both are zeros, as MAXPS and MINPS have it.
  static F32 max(F32 a, F32 b) {
    return each([&](size_t i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static F32 min(F32 a, F32 b) {
    return each([&](size_t i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }

  // Comparisons are false where a NaN takes part; `is_nan` finds those.
  static Mask less(F32 a, F32 b) {
    Mask out;
    for (size_t i = 0; i < 16; ++i) out.lane[i] = a.lane[i] < b.lane[i];
    return out;
  }
  static Mask is_nan(F32 a) {
    Mask out;
    for (size_t i = 0; i < 16; ++i) out.lane[i] = a.lane[i] != a.lane[i];
    return out;
  }
  static F32 select(Mask mask, F32 yes, F32 no) {
    return each([&](size_t i) { return mask.lane[i] ? yes.lane[i] : no.lane[i]; });
  }

  // Adds the integer in the low bits of t's representation to the exponent of p.
  static F32 add_to_exponent(F32 p, F32 t) {
    return each([&](size_t i) {
      return __builtin_bit_cast(float, bits(p.lane[i]) + (bits(t.lane[i]) << 23));
    });
  }

  // The tree (0+8, 1+9, ...), (0+4, ...), (0+2, 1+3), (0+1).
  static float sum(F32 a) {
    for (size_t half = 8; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) a.lane[i] += a.lane[i + half];
    }
    return a.lane[0];
  }
  // The same tree with `max`.
  static float max_lane(F32 a) {
    for (size_t half = 8; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) {
        if (!(a.lane[i] > a.lane[i + half])) a.lane[i] = a.lane[i + half];
      }
    }
    return a.lane[0];
  }
  // The largest representation without its sign among both: above 0x7f7fffff if not all finite.
  static uint32_t max_magnitude_bits(F32 a, F32 b) {
    uint32_t largest = 0;
    for (size_t i = 0; i < 16; ++i) {
      const uint32_t of_a = bits(a.lane[i]) & 0x7fffffffU;
      const uint32_t of_b = bits(b.lane[i]) & 0x7fffffffU;
      if (of_a > largest) largest = of_a;
      if (of_b > largest) largest = of_b;
    }
    return largest;
  }

  static F32 load_f16(const uint16_t* p) {
    return each([&](size_t i) { return quant::f16_to_f32(p[i]); });
  }
  static void store_f16(uint16_t* p, F32 a) {
    for (size_t i = 0; i < 16; ++i) p[i] = quant::f32_to_f16(a.lane[i]);
  }
  static F32 load_bf16(const uint16_t* p) {
    return each([&](size_t i) { return quant::bf16_to_f32(p[i]); });
  }
  static F32 load_i8(const int8_t* p) {
    return each([&](size_t i) { return static_cast<float>(p[i]); });
  }
  // Rounds to nearest even; every lane must lie within [-127, 127].
  static void store_i8(int8_t* p, F32 a) {
    constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23: its unit in the last place is 1
    for (size_t i = 0; i < 16; ++i) p[i] = static_cast<int8_t>((a.lane[i] + kMagic) - kMagic);
  }
  static int32_t sum_i8(const int8_t* p) {
    int32_t total = 0;
    for (size_t i = 0; i < 16; ++i) total += p[i];
    return total;
  }

  // a0 b0 a1 b1 ... of the first (second) eight lanes of each.
  static F32 interleave_low(F32 a, F32 b) {
    return each([&](size_t i) { return i % 2 == 0 ? a.lane[i / 2] : b.lane[i / 2]; });
  }
  static F32 interleave_high(F32 a, F32 b) {
    return each([&](size_t i) { return i % 2 == 0 ? a.lane[8 + i / 2] : b.lane[8 + i / 2]; });
  }
  // a0 a0 a2 a2 ..., and a1 a1 a3 a3 ...
  static F32 even_twice(F32 a) {
    return each([&](size_t i) { return a.lane[i & ~size_t{1}]; });
  }
  static F32 odd_twice(F32 a) {
    return each([&](size_t i) { return a.lane[i | 1]; });
  }

 private:
  static uint32_t bits(float value) { return __builtin_bit_cast(uint32_t, value); }
  template <typename Function>
  static F32 each(const Function& function) {
    F32 out;
    for (size_t i = 0; i < 16; ++i) out.lane[i] = function(i);
    return out;
  }
};

}  // namespace freehold::kernels
