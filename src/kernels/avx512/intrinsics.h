// The one door to the AVX-512 intrinsics: the processor's own, or, in a build with
// FREEHOLD_EMULATE_AVX512, SIMDe's functions of the same names on top of AVX2, so that the kernels'
// bits can be tested where the processor lacks AVX-512. What SIMDe lacks is added here.
#pragma once

#if !defined(FREEHOLD_EMULATE_AVX512)
#include <immintrin.h>
#else
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <cstring>

namespace freehold::kernels::emulated {

template <typename Whole, typename Half>
inline Whole join(Half low, Half high) {
  Whole whole;
  std::memcpy(&whole, &low, sizeof(low));
  std::memcpy(reinterpret_cast<char*>(&whole) + sizeof(low), &high, sizeof(high));
  return whole;
}

template <typename Half, typename Whole>
inline Half half_of(Whole whole, int index) {
  Half half;
  std::memcpy(&half,
              reinterpret_cast<const char*>(&whole) + sizeof(half) * static_cast<size_t>(index),
              sizeof(half));
  return half;
}

inline __m512 cvtph_ps(__m256i a) {
  return join<__m512>(_mm256_cvtph_ps(half_of<__m128i>(a, 0)),
                      _mm256_cvtph_ps(half_of<__m128i>(a, 1)));
}
inline __m256i cvtps_ph(__m512 a) {
  return join<__m256i>(_mm256_cvtps_ph(half_of<__m256>(a, 0), _MM_FROUND_TO_NEAREST_INT),
                       _mm256_cvtps_ph(half_of<__m256>(a, 1), _MM_FROUND_TO_NEAREST_INT));
}
inline __m512i cvtps_epi32(__m512 a) {
  return join<__m512i>(_mm256_cvtps_epi32(half_of<__m256>(a, 0)),
                       _mm256_cvtps_epi32(half_of<__m256>(a, 1)));
}
inline __m512 cvtepi32_ps(__m512i a) {
  return join<__m512>(_mm256_cvtepi32_ps(half_of<__m256i>(a, 0)),
                      _mm256_cvtepi32_ps(half_of<__m256i>(a, 1)));
}
inline __m512i cvtepi8_epi32(__m128i a) {
  return join<__m512i>(_mm256_cvtepi8_epi32(a), _mm256_cvtepi8_epi32(_mm_unpackhi_epi64(a, a)));
}
inline __m512i cvtepu8_epi32(__m128i a) {
  return join<__m512i>(_mm256_cvtepu8_epi32(a), _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(a, a)));
}
inline __m512i cvtepu16_epi32(__m256i a) {
  return join<__m512i>(_mm256_cvtepu16_epi32(half_of<__m128i>(a, 0)),
                       _mm256_cvtepu16_epi32(half_of<__m128i>(a, 1)));
}
inline __m512i cvtepi16_epi32(__m256i a) {
  return join<__m512i>(_mm256_cvtepi16_epi32(half_of<__m128i>(a, 0)),
                       _mm256_cvtepi16_epi32(half_of<__m128i>(a, 1)));
}
inline __m512i madd_epi16(__m512i a, __m512i b) {
  return join<__m512i>(_mm256_madd_epi16(half_of<__m256i>(a, 0), half_of<__m256i>(b, 0)),
                       _mm256_madd_epi16(half_of<__m256i>(a, 1), half_of<__m256i>(b, 1)));
}
inline __m512i srai_epi32(__m512i a, int count) {
  return join<__m512i>(_mm256_srai_epi32(half_of<__m256i>(a, 0), count),
                       _mm256_srai_epi32(half_of<__m256i>(a, 1), count));
}
// Keeps the low byte of each lane.
inline __m128i cvtepi32_epi8(__m512i a) {
  int lanes[16];
  signed char bytes[16];
  std::memcpy(lanes, &a, sizeof(lanes));
  for (int i = 0; i < 16; ++i) bytes[i] = static_cast<signed char>(lanes[i]);
  __m128i out;
  std::memcpy(&out, bytes, sizeof(out));
  return out;
}

}  // namespace freehold::kernels::emulated

#undef _mm512_cvtps_ph
#undef _mm512_srai_epi32
#undef _mm512_madd_epi16  // SIMDe 0.7.4 gives it the parameters of another
#define _mm512_cvtph_ps(a) ::freehold::kernels::emulated::cvtph_ps(a)
#define _mm512_cvtps_ph(a, rounding) ::freehold::kernels::emulated::cvtps_ph(a)
#define _mm512_cvtps_epi32(a) ::freehold::kernels::emulated::cvtps_epi32(a)
#define _mm512_cvtepi32_ps(a) ::freehold::kernels::emulated::cvtepi32_ps(a)
#define _mm512_cvtepi8_epi32(a) ::freehold::kernels::emulated::cvtepi8_epi32(a)
#define _mm512_cvtepu8_epi32(a) ::freehold::kernels::emulated::cvtepu8_epi32(a)
#define _mm512_cvtepu16_epi32(a) ::freehold::kernels::emulated::cvtepu16_epi32(a)
#define _mm512_cvtepi16_epi32(a) ::freehold::kernels::emulated::cvtepi16_epi32(a)
#define _mm512_madd_epi16(a, b) ::freehold::kernels::emulated::madd_epi16(a, b)
#define _mm512_srai_epi32(a, count) ::freehold::kernels::emulated::srai_epi32(a, count)
#define _mm512_cvtepi32_epi8(a) ::freehold::kernels::emulated::cvtepi32_epi8(a)

#endif
