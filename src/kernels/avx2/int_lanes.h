// AVX2 lanes for matmul_product.h: eight rows a register. There is no byte dot product here:
// vpmaddubsw multiplies unsigned codes by signed activations and adds pairs into 16 bits, which
// saturate; so codes of up to 15 are summed over eight groups (15*127*2*8 = 30480), up to 31 over
// four, up to 63 over two, and only then widened to 32 bits.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/matmul_formats.h"

namespace freehold::kernels::avx2 {

struct IntLanes {
  static constexpr int kRows = 8;
  static constexpr int kTileTokens = 4;  // as fast as six, with fewer registers to spill
  using Int = __m256i;
  using Float = __m256;

  FREEHOLD_INLINE Int load(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  FREEHOLD_INLINE void store(void* p, Int x) { _mm256_storeu_si256(static_cast<__m256i*>(p), x); }
  FREEHOLD_INLINE Int load_u16(const uint8_t* p) {
    return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  FREEHOLD_INLINE Float halves(const uint8_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  FREEHOLD_INLINE Float brain_halves(const uint8_t* p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(load_u16(p), 16));
  }
  // 2^(e - 128) of eight E8M0 bytes.
  FREEHOLD_INLINE Float half_powers_of_two(const uint8_t* p) {
    const Int e = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    const Int normal = _mm256_slli_epi32(_mm256_sub_epi32(e, splat_int(1)), 23);
    const Int subnormal = _mm256_sllv_epi32(splat_int(0x00200000), e);
    return _mm256_castsi256_ps(
        _mm256_blendv_epi8(normal, subnormal, _mm256_cmpgt_epi32(splat_int(2), e)));
  }
  FREEHOLD_INLINE Float load_float(const float* p) { return _mm256_loadu_ps(p); }
  FREEHOLD_INLINE void store(float* p, Float x) { _mm256_storeu_ps(p, x); }

  FREEHOLD_INLINE Int splat_word(const void* p) {
    int32_t word;
    std::memcpy(&word, p, sizeof word);
    return _mm256_set1_epi32(word);
  }
  FREEHOLD_INLINE Float splat_float(const uint8_t* p) {
    return _mm256_broadcast_ss(reinterpret_cast<const float*>(p));
  }
  FREEHOLD_INLINE Int splat_int(int32_t x) { return _mm256_set1_epi32(x); }
  FREEHOLD_INLINE Float splat(float x) { return _mm256_set1_ps(x); }

  FREEHOLD_INLINE Int or_(Int a, Int b) { return _mm256_or_si256(a, b); }
  FREEHOLD_INLINE Int and_bytes(Int a, char mask) {
    return _mm256_and_si256(a, _mm256_set1_epi8(mask));
  }
  FREEHOLD_INLINE Int and_words(Int a, int32_t mask) {
    return _mm256_and_si256(a, splat_int(mask));
  }
  // Within 16 bits: mask the bytes afterwards.
  FREEHOLD_INLINE Int shift_right(Int a, int n) { return _mm256_srli_epi16(a, n); }
  FREEHOLD_INLINE Int shift_left(Int a, int n) { return _mm256_slli_epi16(a, n); }
  FREEHOLD_INLINE Int shift_words_right(Int a, int n) { return _mm256_srli_epi32(a, n); }
  FREEHOLD_INLINE Int shift_words_left(Int a, int n) { return _mm256_slli_epi32(a, n); }
  FREEHOLD_INLINE Int signed_byte(Int a, int i) {
    return _mm256_srai_epi32(_mm256_slli_epi32(a, 24 - 8 * i), 24);
  }
  FREEHOLD_INLINE Int lookup(const int8_t* table, Int index) {
    const __m128i half = _mm_load_si128(reinterpret_cast<const __m128i*>(table));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(half), index);
  }
  // Byte i of each word becomes `value` (a power of two) where bit first+i of the word is set.
  FREEHOLD_INLINE Int spread_bits(Int words, int first, char value) {
    const int byte = first / 8;
    const Int pick = _mm256_add_epi8(_mm256_set1_epi8(static_cast<char>(byte)),
                                     _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C, 0,
                                                       0x04040404, 0x08080808, 0x0C0C0C0C));
    const Int bit = splat_int(first % 8 == 0 ? 0x08040201 : static_cast<int32_t>(0x80402010));
    const Int hit = _mm256_and_si256(_mm256_shuffle_epi8(words, pick), bit);
    return _mm256_and_si256(_mm256_cmpeq_epi8(hit, bit), _mm256_set1_epi8(value));
  }

  FREEHOLD_INLINE Int add(Int a, Int b) { return _mm256_add_epi32(a, b); }
  FREEHOLD_INLINE Float to_float(Int a) { return _mm256_cvtepi32_ps(a); }
  FREEHOLD_INLINE Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
  FREEHOLD_INLINE Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  FREEHOLD_INLINE Float negate(Float a) { return _mm256_xor_ps(a, splat(-0.0F)); }

  // How many groups of four codes a narrow accumulator takes.
  template <int kMaxCode>
  static constexpr int narrow_run() {
    return kMaxCode <= 15 ? 8 : kMaxCode <= 31 ? 4 : 2;
  }
  // Four groups of codes less an offset of up to half their range fit, for the sum of eight in each
  // half of a word is within 8*32*127 = 32512. Additions wrap, so no sum on the way there counts.
  static constexpr bool kCentres = true;
  // -offset times the sums of the four groups of activations from `p` on, as dot adds them up.
  FREEHOLD_INLINE Int centred_start(const uint8_t* p, int offset) {
    const __m128i activations = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i factor = _mm_set1_epi8(static_cast<char>(offset));
    __m128i sums = _mm_maddubs_epi16(factor, activations);
    sums = _mm_add_epi16(sums, _mm_shuffle_epi32(sums, 0x4e));
    sums = _mm_add_epi16(sums, _mm_shuffle_epi32(sums, 0xb1));
    return _mm256_broadcastd_epi32(_mm_sub_epi16(_mm_setzero_si128(), sums));
  }
  FREEHOLD_INLINE Int dot(Int w, Int a) { return _mm256_maddubs_epi16(w, a); }
  FREEHOLD_INLINE Int dot_add(Int acc, Int w, Int a) { return _mm256_add_epi16(acc, dot(w, a)); }
  FREEHOLD_INLINE Int widen(Int acc) { return _mm256_madd_epi16(acc, _mm256_set1_epi16(1)); }
  // A 32-bit scale as widen_scaled wants it: in both halves of the word.
  FREEHOLD_INLINE Int as_multiplier(Int scale) { return scaled_pair(scale, scale, 1); }
  FREEHOLD_INLINE Int widen_scaled(Int acc, Int scale) { return _mm256_madd_epi16(acc, scale); }

  // Two 32-bit numbers, each times `factor` (products within 16 bits), as a pair of 16 bits.
  FREEHOLD_INLINE Int scaled_pair(Int low, Int high, int16_t factor) {
    const Int pair = _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xAA);
    return factor == 1 ? pair : _mm256_mullo_epi16(pair, _mm256_set1_epi16(factor));
  }
  FREEHOLD_INLINE Int dot_pairs(Int acc, Int a, Int b) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
  }

  // int8 by int8: |code| times the activation under the code's sign; a pair is at most
  // 128*127*2 = 32512.
  struct Signed {
    Int code;
    Int magnitude;
  };
  FREEHOLD_INLINE Signed as_signed(Int codes) { return {codes, _mm256_abs_epi8(codes)}; }
  FREEHOLD_INLINE Int signed_start(const void*) { return _mm256_setzero_si256(); }
  FREEHOLD_INLINE Int dot_signed(Int acc, const Signed& w, Int a) {
    const Int pairs = _mm256_maddubs_epi16(w.magnitude, _mm256_sign_epi8(a, w.code));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};

}  // namespace freehold::kernels::avx2
