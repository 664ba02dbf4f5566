// Sixteen float lanes in two AVX2 registers; ScalarLanes says what each function does.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace freehold::kernels {

struct Avx2Lanes {
  struct F32 {
    __m256 low, high;
  };
  using Mask = F32;

  // Sixteen registers: at most twelve accumulators beside two columns and a broadcast.
  static constexpr size_t kTileRows = 6;
  static constexpr size_t tile_vectors(size_t rows) { return rows == 1 ? 4 : rows <= 3 ? 2 : 1; }

  static F32 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void store(float* p, F32 a) {
    _mm256_storeu_ps(p, a.low);
    _mm256_storeu_ps(p + 8, a.high);
  }
  static F32 broadcast(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }

  static F32 add(F32 a, F32 b) {
    return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
  }
  static F32 sub(F32 a, F32 b) {
    return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
  }
  static F32 mul(F32 a, F32 b) {
    return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
  }
  static F32 div(F32 a, F32 b) {
    return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
  }
  static F32 fma(F32 a, F32 b, F32 c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  static F32 max(F32 a, F32 b) {
    return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
  }
  static F32 min(F32 a, F32 b) {
    return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
  }

  static Mask less(F32 a, F32 b) {
    return {_mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ)};
  }
  static Mask is_nan(F32 a) {
    return {_mm256_cmp_ps(a.low, a.low, _CMP_UNORD_Q), _mm256_cmp_ps(a.high, a.high, _CMP_UNORD_Q)};
  }
  static F32 select(Mask mask, F32 yes, F32 no) {
    return {_mm256_blendv_ps(no.low, yes.low, mask.low),
            _mm256_blendv_ps(no.high, yes.high, mask.high)};
  }

  static F32 add_to_exponent(F32 p, F32 t) {
    const auto half = [](__m256 of_p, __m256 of_t) {
      const __m256i shifted = _mm256_slli_epi32(_mm256_castps_si256(of_t), 23);
      return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(of_p), shifted));
    };
    return {half(p.low, t.low), half(p.high, t.high)};
  }

  static float sum(F32 a) {
    const __m256 eight = _mm256_add_ps(a.low, a.high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static float max_lane(F32 a) {
    const __m256 eight = _mm256_max_ps(a.low, a.high);
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  static uint32_t max_magnitude_bits(F32 a, F32 b) {
    const __m256i mask = _mm256_set1_epi32(0x7fffffff);
    const auto magnitude = [&](__m256 x) { return _mm256_and_si256(_mm256_castps_si256(x), mask); };
    const __m256i eight = _mm256_max_epu32(_mm256_max_epu32(magnitude(a.low), magnitude(a.high)),
                                           _mm256_max_epu32(magnitude(b.low), magnitude(b.high)));
    __m128i four = _mm_max_epu32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0xb1));
    return static_cast<uint32_t>(_mm_cvtsi128_si32(four));
  }

  static F32 load_f16(const uint16_t* p) {
    return {_mm256_cvtph_ps(load_128(p)), _mm256_cvtph_ps(load_128(p + 8))};
  }
  static void store_f16(uint16_t* p, F32 a) {
    store_128(p, _mm256_cvtps_ph(a.low, _MM_FROUND_TO_NEAREST_INT));
    store_128(p + 8, _mm256_cvtps_ph(a.high, _MM_FROUND_TO_NEAREST_INT));
  }
  static F32 load_bf16(const uint16_t* p) {
    const auto half = [](__m128i x) {
      return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
    };
    return {half(load_128(p)), half(load_128(p + 8))};
  }
  static F32 load_i8(const int8_t* p) {
    const __m128i bytes = load_128(p);
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(bytes, bytes)))};
  }
  static void store_i8(int8_t* p, F32 a) {
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)), 0xd8);
    store_128(p,
              _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
  static int32_t sum_i8(const int8_t* p) {
    const __m128i pairs = _mm_maddubs_epi16(_mm_set1_epi8(1), load_128(p));
    __m128i sums = _mm_madd_epi16(pairs, _mm_set1_epi16(1));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4e));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0xb1));
    return _mm_cvtsi128_si32(sums);
  }

  static F32 interleave_low(F32 a, F32 b) { return interleave(a.low, b.low); }
  static F32 interleave_high(F32 a, F32 b) { return interleave(a.high, b.high); }
  static F32 even_twice(F32 a) { return {_mm256_moveldup_ps(a.low), _mm256_moveldup_ps(a.high)}; }
  static F32 odd_twice(F32 a) { return {_mm256_movehdup_ps(a.low), _mm256_movehdup_ps(a.high)}; }

 private:
  static __m128i load_128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static void store_128(void* p, __m128i value) {
    _mm_storeu_si128(static_cast<__m128i*>(p), value);
  }
  static F32 interleave(__m256 a, __m256 b) {
    const __m256 low = _mm256_unpacklo_ps(a, b);
    const __m256 high = _mm256_unpackhi_ps(a, b);
    return {_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31)};
  }
};

}  // namespace freehold::kernels
