// AVX-512 VNNI lanes for matmul_product.h: sixteen rows a register. vpdpbusd multiplies unsigned
// codes by signed activations and adds four products into 32 bits without saturating, so a narrow
// accumulator is a wide one.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/avx512/intrinsics.h"
#include "kernels/matmul_formats.h"

namespace freehold::kernels::avx512 {

struct IntLanes {
  static constexpr int kRows = 16;
  static constexpr int kTileTokens = 6;  // twelve sums hide the latency of their additions
  using Int = __m512i;
  using Float = __m512;

  FREEHOLD_INLINE Int load(const void* p) { return _mm512_loadu_si512(p); }
  FREEHOLD_INLINE void store(void* p, Int x) { _mm512_storeu_si512(p, x); }
  FREEHOLD_INLINE Int load_u16(const uint8_t* p) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  FREEHOLD_INLINE Float halves(const uint8_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  FREEHOLD_INLINE Float brain_halves(const uint8_t* p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(load_u16(p), 16));
  }
  // 2^(e - 128) of sixteen E8M0 bytes.
  FREEHOLD_INLINE Float half_powers_of_two(const uint8_t* p) {
    const Int e = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    const Int normal = _mm512_slli_epi32(_mm512_sub_epi32(e, splat_int(1)), 23);
    const Int subnormal = _mm512_sllv_epi32(splat_int(0x00200000), e);
    return _mm512_castsi512_ps(
        _mm512_mask_blend_epi32(_mm512_cmpgt_epi32_mask(splat_int(2), e), normal, subnormal));
  }
  FREEHOLD_INLINE Float load_float(const float* p) { return _mm512_loadu_ps(p); }
  FREEHOLD_INLINE void store(float* p, Float x) { _mm512_storeu_ps(p, x); }

  FREEHOLD_INLINE Int splat_word(const void* p) {
    int32_t word;
    std::memcpy(&word, p, sizeof word);
    return _mm512_set1_epi32(word);
  }
  FREEHOLD_INLINE Float splat_float(const uint8_t* p) {
    float x;
    std::memcpy(&x, p, sizeof x);
    return _mm512_set1_ps(x);
  }
  FREEHOLD_INLINE Int splat_int(int32_t x) { return _mm512_set1_epi32(x); }
  FREEHOLD_INLINE Float splat(float x) { return _mm512_set1_ps(x); }

  FREEHOLD_INLINE Int or_(Int a, Int b) { return _mm512_or_si512(a, b); }
  FREEHOLD_INLINE Int and_bytes(Int a, char mask) {
    return _mm512_and_si512(a, _mm512_set1_epi8(mask));
  }
  FREEHOLD_INLINE Int and_words(Int a, int32_t mask) {
    return _mm512_and_si512(a, splat_int(mask));
  }
  // Within 16 bits: mask the bytes afterwards.
  FREEHOLD_INLINE Int shift_right(Int a, int n) { return _mm512_srl_epi16(a, count(n)); }
  FREEHOLD_INLINE Int shift_left(Int a, int n) { return _mm512_sll_epi16(a, count(n)); }
  FREEHOLD_INLINE Int shift_words_right(Int a, int n) { return _mm512_srl_epi32(a, count(n)); }
  FREEHOLD_INLINE Int shift_words_left(Int a, int n) { return _mm512_sll_epi32(a, count(n)); }
  FREEHOLD_INLINE Int signed_byte(Int a, int i) {
    return _mm512_srai_epi32(_mm512_sll_epi32(a, count(24 - 8 * i)), 24);
  }
  FREEHOLD_INLINE Int lookup(const int8_t* table, Int index) {
    const __m128i quarter = _mm_load_si128(reinterpret_cast<const __m128i*>(table));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(quarter), index);
  }
  // Byte i of each word becomes `value` where bit first+i of the word is set.
  FREEHOLD_INLINE Int spread_bits(Int words, int first, char value) {
    const Int pick = _mm512_add_epi8(
        _mm512_set1_epi8(static_cast<char>(first / 8)),
        _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C)));
    const Int bit = splat_int(first % 8 == 0 ? 0x08040201 : static_cast<int32_t>(0x80402010));
    return _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(_mm512_shuffle_epi8(words, pick), bit),
                                 _mm512_set1_epi8(value));
  }

  FREEHOLD_INLINE Int add(Int a, Int b) { return _mm512_add_epi32(a, b); }
  FREEHOLD_INLINE Float to_float(Int a) { return _mm512_cvtepi32_ps(a); }
  FREEHOLD_INLINE Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
  FREEHOLD_INLINE Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  FREEHOLD_INLINE Float negate(Float a) {
    return _mm512_castsi512_ps(
        _mm512_xor_si512(_mm512_castps_si512(a), splat_int(static_cast<int32_t>(0x80000000U))));
  }

  template <int>
  static constexpr int narrow_run() {
    return 8;
  }
  static constexpr bool kCentres = false;  // wide sums need it not
  FREEHOLD_INLINE Int dot(Int w, Int a) { return dot_add(_mm512_setzero_si512(), w, a); }
  FREEHOLD_INLINE Int dot_add(Int acc, Int w, Int a) { return _mm512_dpbusd_epi32(acc, w, a); }
  FREEHOLD_INLINE Int widen(Int acc) { return acc; }
  FREEHOLD_INLINE Int as_multiplier(Int scale) { return scale; }
  FREEHOLD_INLINE Int widen_scaled(Int acc, Int scale) { return _mm512_mullo_epi32(acc, scale); }

  // Two 32-bit numbers, each times `factor` (products within 16 bits), as a pair of 16 bits.
  FREEHOLD_INLINE Int scaled_pair(Int low, Int high, int16_t factor) {
    const Int pair = _mm512_mask_blend_epi16(0xAAAAAAAAU, low, _mm512_slli_epi32(high, 16));
    return factor == 1 ? pair : _mm512_mullo_epi16(pair, _mm512_set1_epi16(factor));
  }
  FREEHOLD_INLINE Int dot_pairs(Int acc, Int a, Int b) { return _mm512_dpwssd_epi32(acc, a, b); }

  // int8 codes as unsigned ones, 128 higher; the accumulator starts at -128 * sum of activations.
  using Signed = Int;
  FREEHOLD_INLINE Signed as_signed(Int codes) {
    return _mm512_xor_si512(codes, _mm512_set1_epi8(static_cast<char>(0x80)));
  }
  FREEHOLD_INLINE Int signed_start(const void* sums16) {
    return _mm512_madd_epi16(splat_word(sums16), _mm512_set1_epi16(-128));
  }
  FREEHOLD_INLINE Int dot_signed(Int acc, Signed w, Int a) { return dot_add(acc, w, a); }

 private:
  FREEHOLD_INLINE __m128i count(int n) { return _mm_cvtsi32_si128(n); }
};

}  // namespace freehold::kernels::avx512
