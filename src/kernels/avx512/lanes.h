// Sixteen float lanes in one AVX-512 register; ScalarLanes says what each function does.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/intrinsics.h"

namespace freehold::kernels {

struct Avx512Lanes {
  using F32 = __m512;
  using Mask = __mmask16;

  // Thirty-two registers: sixteen accumulators beside four columns and a broadcast.
  static constexpr size_t kTileRows = 8;
  static constexpr size_t tile_vectors(size_t rows) { return rows <= 4 ? 4 : 2; }

  static F32 load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F32 a) { _mm512_storeu_ps(p, a); }
  static F32 broadcast(float value) { return _mm512_set1_ps(value); }

  static F32 add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
  static F32 sub(F32 a, F32 b) { return _mm512_sub_ps(a, b); }
  static F32 mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
  static F32 div(F32 a, F32 b) { return _mm512_div_ps(a, b); }
  static F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
  static F32 max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
  static F32 min(F32 a, F32 b) { return _mm512_min_ps(a, b); }

  static Mask less(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  static Mask is_nan(F32 a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
  static F32 select(Mask mask, F32 yes, F32 no) { return _mm512_mask_blend_ps(mask, no, yes); }

  static F32 add_to_exponent(F32 p, F32 t) {
    const __m512i shifted = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), shifted));
  }

  static float sum(F32 a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), high_half(a));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static float max_lane(F32 a) {
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), high_half(a));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  static uint32_t max_magnitude_bits(F32 a, F32 b) {
    const __m512i mask = _mm512_set1_epi32(0x7fffffff);
    const __m512i all = _mm512_max_epu32(_mm512_and_epi32(_mm512_castps_si512(a), mask),
                                         _mm512_and_epi32(_mm512_castps_si512(b), mask));
    const __m256i eight =
        _mm256_max_epu32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    __m128i four = _mm_max_epu32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0xb1));
    return static_cast<uint32_t>(_mm_cvtsi128_si32(four));
  }

  static F32 load_f16(const uint16_t* p) { return _mm512_cvtph_ps(load_256(p)); }
  static void store_f16(uint16_t* p, F32 a) {
    _mm256_storeu_si256(static_cast<__m256i*>(static_cast<void*>(p)),
                        _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static F32 load_bf16(const uint16_t* p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_256(p)), 16));
  }
  static F32 load_i8(const int8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_128(p)));
  }
  static void store_i8(int8_t* p, F32 a) {
    _mm_storeu_si128(static_cast<__m128i*>(static_cast<void*>(p)),
                     _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a)));
  }
  static int32_t sum_i8(const int8_t* p) {
    const __m128i pairs = _mm_maddubs_epi16(_mm_set1_epi8(1), load_128(p));
    __m128i sums = _mm_madd_epi16(pairs, _mm_set1_epi16(1));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4e));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0xb1));
    return _mm_cvtsi128_si32(sums);
  }

  static F32 interleave_low(F32 a, F32 b) {
    const __m512i order = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutex2var_ps(a, order, b);
  }
  static F32 interleave_high(F32 a, F32 b) {
    const __m512i order =
        _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
    return _mm512_permutex2var_ps(a, order, b);
  }
  static F32 even_twice(F32 a) {
    const __m512i order = _mm512_set_epi32(14, 14, 12, 12, 10, 10, 8, 8, 6, 6, 4, 4, 2, 2, 0, 0);
    return _mm512_permutexvar_ps(order, a);
  }
  static F32 odd_twice(F32 a) {
    const __m512i order = _mm512_set_epi32(15, 15, 13, 13, 11, 11, 9, 9, 7, 7, 5, 5, 3, 3, 1, 1);
    return _mm512_permutexvar_ps(order, a);
  }

 private:
  static __m256 high_half(F32 a) {
    return _mm256_castsi256_ps(_mm512_extracti64x4_epi64(_mm512_castps_si512(a), 1));
  }
  static __m128i load_128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static __m256i load_256(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
};

}  // namespace freehold::kernels
