#include "kernels/avx2/probe.h"

#include <immintrin.h>

namespace freehold::kernels::avx2 {

// The most that AVX2 allows: four-bit codes, whose products may be summed in 16 bits over eight
// groups of four before they are widened.
uint64_t int8_probe(uint64_t rounds, int32_t* sink) {
  alignas(32) uint8_t data[8 * 32];
  for (int i = 0; i < 8 * 32; ++i) data[i] = static_cast<uint8_t>(i % 7);
  const __m256i ones = _mm256_set1_epi16(1);
  const __m256i w0 = _mm256_set1_epi8(1);
  const __m256i w1 = _mm256_set1_epi8(2);
  const __m256i w2 = _mm256_set1_epi8(3);
  const __m256i w3 = _mm256_set1_epi8(-1);
  __m256i a0 = _mm256_setzero_si256();
  __m256i a1 = a0;
  __m256i a2 = a0;
  __m256i a3 = a0;
  for (uint64_t round = 0; round < rounds; ++round) {
    __m256i n0 = _mm256_setzero_si256();
    __m256i n1 = n0;
    __m256i n2 = n0;
    __m256i n3 = n0;
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
      const __m256i x = _mm256_load_si256(reinterpret_cast<const __m256i*>(data + g * 32));
      n0 = _mm256_add_epi16(n0, _mm256_maddubs_epi16(x, w0));
      n1 = _mm256_add_epi16(n1, _mm256_maddubs_epi16(x, w1));
      n2 = _mm256_add_epi16(n2, _mm256_maddubs_epi16(x, w2));
      n3 = _mm256_add_epi16(n3, _mm256_maddubs_epi16(x, w3));
    }
    a0 = _mm256_add_epi32(a0, _mm256_madd_epi16(n0, ones));
    a1 = _mm256_add_epi32(a1, _mm256_madd_epi16(n1, ones));
    a2 = _mm256_add_epi32(a2, _mm256_madd_epi16(n2, ones));
    a3 = _mm256_add_epi32(a3, _mm256_madd_epi16(n3, ones));
    // Else the compiler may see that every round does the same.
    asm volatile("" : : : "memory");
  }
  a0 = _mm256_add_epi32(_mm256_add_epi32(a0, a1), _mm256_add_epi32(a2, a3));
  *sink = _mm256_extract_epi32(a0, 0) ^ _mm256_extract_epi32(a0, 7);
  return rounds * 8 * 4 * 32 * 2;
}

}  // namespace freehold::kernels::avx2
