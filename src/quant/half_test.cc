#include "quant/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace freehold::quant {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The value of a float format's bits, from the definition.
float by_definition(uint32_t bits, int exponent_bits, int fraction_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const int fraction = static_cast<int>(bits & ((1U << fraction_bits) - 1));
  const bool negative = (bits >> (exponent_bits + fraction_bits)) & 1U;
  const double mantissa = fraction / static_cast<double>(1 << fraction_bits);
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, 1 - bias) : std::ldexp(1.0 + mantissa, exponent - bias);
  return static_cast<float>(negative ? -magnitude : magnitude);
}

TEST(Half, EveryF16WidensByDefinitionAndComesBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float wide = f16_to_f32(half);
    if ((half & 0x7C00U) == 0x7C00U) {
      if ((half & 0x3FFU) != 0) {
        EXPECT_TRUE(std::isnan(wide));
        EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(wide))));
        continue;
      }
      EXPECT_EQ(wide, half == 0x7C00U ? kInfinity : -kInfinity);
    } else {
      EXPECT_EQ(wide, by_definition(half, 5, 10)) << bits;
    }
    EXPECT_EQ(f32_to_f16(wide), half);
  }
}

// Around every pair of neighbours: just below the middle goes down, just above goes up, the middle
// to the even one. The last pair is the largest number and what would follow it: infinity.
TEST(Half, F16RoundsToNearestEven) {
  for (uint16_t half = 0; half < 0x7C00U; ++half) {
    const uint16_t next = static_cast<uint16_t>(half + 1);
    const float above = next == 0x7C00U ? 65536.0F : f16_to_f32(next);
    const float middle = (f16_to_f32(half) + above) / 2;
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, 0.0F)), half);
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, kInfinity)), next);
    EXPECT_EQ(f32_to_f16(middle), half % 2 == 0 ? half : next);
    EXPECT_EQ(f32_to_f16(-middle), 0x8000U | (half % 2 == 0 ? half : next));
  }
  EXPECT_EQ(f32_to_f16(1e30F), 0x7C00U);
  EXPECT_EQ(f32_to_f16(-kInfinity), 0xFC00U);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0U);
}

TEST(Half, Bf16) {
  EXPECT_EQ(bf16_to_f32(0x3F80U), 1.0F);
  EXPECT_EQ(f32_to_bf16(1.0F), 0x3F80U);
  EXPECT_EQ(f32_to_bf16(1.00390625F), 0x3F80U);  // a tie, to even
  EXPECT_EQ(f32_to_bf16(1.01171875F), 0x3F82U);  // a tie, to even upwards
  EXPECT_EQ(f32_to_bf16(std::nextafter(1.00390625F, 2.0F)), 0x3F81U);
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7F80U);
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7F800001U)))));
}

TEST(Half, EightBitFloats) {
  for (uint32_t bits = 0; bits < 256; ++bits) {
    const uint8_t byte = static_cast<uint8_t>(bits);
    if ((bits & 0x7FU) == 0x7FU) {
      EXPECT_TRUE(std::isnan(e4m3fn_to_f32(byte)));
      EXPECT_EQ(ue4m3_to_f32(byte), 0.0F);
    } else {
      EXPECT_EQ(e4m3fn_to_f32(byte), by_definition(bits, 4, 3));
    }
    if (bits < 255) {
      EXPECT_EQ(e8m0_to_f32(byte), std::ldexp(1.0F, static_cast<int>(bits) - 127));
    }
  }
  EXPECT_EQ(e4m3fn_to_f32(0x7E), 448.0F);
  EXPECT_TRUE(std::isnan(e8m0_to_f32(255)));
}

TEST(Half, E2M1RoundsToNearestEven) {
  for (uint8_t code = 0; code < 16; ++code) {
    EXPECT_EQ(e2m1_to_f32(code), by_definition(code, 2, 1));
    EXPECT_EQ(f32_to_e2m1(e2m1_to_f32(code)), code);
  }
  for (uint8_t code = 0; code < 7; ++code) {
    const float middle = (kE2M1[code] + kE2M1[code + 1]) / 2;
    EXPECT_EQ(f32_to_e2m1(std::nextafter(middle, 0.0F)), code);
    EXPECT_EQ(f32_to_e2m1(middle), code + code % 2);
    EXPECT_EQ(f32_to_e2m1(std::nextafter(middle, 9.0F)), code + 1);
  }
  EXPECT_EQ(f32_to_e2m1(-1e9F), 15);
  EXPECT_EQ(f32_to_e2m1(std::numeric_limits<float>::quiet_NaN()) & 7, 0);
}

}  // namespace
}  // namespace freehold::quant
