// Conversions between F32 and the small floats that weight files hold: F16, BF16, E4M3FN, UE4M3,
// E8M0, E2M1. Widening is exact; narrowing rounds to nearest, ties to even. All are constexpr and
// work on bits, so they give the same result on every processor.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace freehold::quant {

// IEEE binary16, subnormals, infinities and NaN payloads included.
constexpr float f16_to_f32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t exponent = (half >> 10) & 31U;
  const uint32_t fraction = half & 0x3FFU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | fraction << 13);
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | fraction << 13);
  }
  const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

// Overflow gives infinity; a NaN stays one (made quiet).
constexpr uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000U;
  const uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) {
    return static_cast<uint16_t>(sign | 0x7E00U | ((magnitude >> 13) & 0x3FFU));
  }
  if (magnitude >= 0x477FF000U) return static_cast<uint16_t>(sign | 0x7C00U);  // 65520 and above
  if (magnitude < 0x38800000U) {
    // Below 2^-14: adding 0.5 leaves the result, a multiple of 2^-24, in the low bits, rounded.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000U));
  }
  const uint32_t odd = (magnitude >> 13) & 1U;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000U + 0xFFFU + odd) >> 13));
}

constexpr float bf16_to_f32(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// A NaN stays one (made quiet).
constexpr uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<uint16_t>(bits >> 16 | 0x40U);
  return static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

// E8M0, a power of two: 2^(e - 127), 0 being the subnormal 2^-127. 255 is NaN.
constexpr float e8m0_to_f32(uint8_t e) {
  if (e == 255) return std::bit_cast<float>(0x7FC00000U);
  return std::bit_cast<float>(e == 0 ? 0x00400000U : static_cast<uint32_t>(e) << 23);
}

// E4M3FN, DeepSeek's and OCP's FP8: bias 7, no infinity, 0x7F and 0xFF NaN, largest 448.
constexpr float e4m3fn_to_f32(uint8_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x80U) << 24;
  const uint32_t exponent = (bits >> 3) & 15U;
  const uint32_t fraction = bits & 7U;
  if (exponent == 15 && fraction == 7) return std::bit_cast<float>(sign | 0x7FC00000U);
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 120) << 23) | fraction << 20);
  }
  const float magnitude = static_cast<float>(fraction) * 0x1p-9F;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

// The unsigned scales of NVFP4: E4M3 without its sign; 0x7F counts as 0.
constexpr float ue4m3_to_f32(uint8_t bits) {
  const uint8_t magnitude = bits & 0x7FU;
  return magnitude == 0x7F ? 0.0F : e4m3fn_to_f32(magnitude);
}

// E2M1, the values of MXFP4 and NVFP4. Code 8 is -0.
inline constexpr std::array<float, 16> kE2M1 = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,
                                                4.0F,  6.0F,  -0.0F, -0.5F, -1.0F, -1.5F,
                                                -2.0F, -3.0F, -4.0F, -6.0F};

constexpr float e2m1_to_f32(uint8_t code) { return kE2M1[code & 15U]; }

// The nearest code; between two, the even one (ties to even); beyond 6, 6. NaN becomes 0.
constexpr uint8_t f32_to_e2m1(float value) {
  const uint8_t sign = std::bit_cast<uint32_t>(value) >> 31 != 0 ? 8 : 0;
  const float magnitude = sign != 0 ? -value : value;
  // Halfway between code k and k + 1; a tie goes to k when k is even.
  constexpr std::array<float, 7> kHalfway = {0.25F, 0.75F, 1.25F, 1.75F, 2.5F, 3.5F, 5.0F};
  uint8_t code = 0;
  while (code < 7 && (magnitude > kHalfway[code] || (magnitude == kHalfway[code] && code % 2 == 1)))
    ++code;
  return static_cast<uint8_t>(sign | code);
}

}  // namespace freehold::quant
