// The product of FP8 panels with eight rows in a register.
#include "kernels/fp8.h"

#include <immintrin.h>

namespace freehold::kernels::avx2 {
namespace {

struct Lanes {
  static constexpr int kRows = 8;
  using Float = __m256;

  static Float zero() { return _mm256_setzero_ps(); }
  static Float load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Float x) { _mm256_storeu_ps(p, x); }
  static Float splat(const float* p) { return _mm256_broadcast_ss(p); }
  static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static Float times_256(Float a) { return _mm256_mul_ps(a, _mm256_set1_ps(256.0F)); }
  // s eeee fff as the binary16 s 0eeee fff0000000; all ones (NaN) get the exponent's top bit too.
  static Float widen(const uint8_t* codes) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes));
    const __m128i top = _mm_slli_epi16(_mm_cvtepu8_epi16(bytes), 8);
    const __m128i half =
        _mm_and_si128(_mm_srai_epi16(top, 1), _mm_set1_epi16(static_cast<int16_t>(0xBF80)));
    const __m128i carried = _mm_add_epi16(half, _mm_set1_epi16(0x0080));
    return _mm256_cvtph_ps(_mm_or_si128(half, _mm_and_si128(carried, _mm_set1_epi16(0x4000))));
  }
};

}  // namespace

PanelProduct fp8_panel_product() { return fp8_product<Lanes>; }

}  // namespace freehold::kernels::avx2
