// The product of FP8 panels with sixteen rows in a register.
#include "kernels/fp8.h"

#include "kernels/avx512/intrinsics.h"

namespace freehold::kernels::avx512 {
namespace {

struct Lanes {
  static constexpr int kRows = 16;
  using Float = __m512;

  static Float zero() { return _mm512_setzero_ps(); }
  static Float load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Float x) { _mm512_storeu_ps(p, x); }
  static Float splat(const float* p) { return _mm512_set1_ps(*p); }
  static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static Float times_256(Float a) { return _mm512_mul_ps(a, _mm512_set1_ps(256.0F)); }
  // As in AVX2.
  static Float widen(const uint8_t* codes) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
    const __m256i top = _mm256_slli_epi16(_mm256_cvtepu8_epi16(bytes), 8);
    const __m256i half = _mm256_and_si256(_mm256_srai_epi16(top, 1),
                                          _mm256_set1_epi16(static_cast<int16_t>(0xBF80)));
    const __m256i carried = _mm256_add_epi16(half, _mm256_set1_epi16(0x0080));
    return _mm512_cvtph_ps(
        _mm256_or_si256(half, _mm256_and_si256(carried, _mm256_set1_epi16(0x4000))));
  }
};

}  // namespace

PanelProduct fp8_panel_product() { return fp8_product<Lanes>; }

}  // namespace freehold::kernels::avx512
