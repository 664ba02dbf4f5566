// Conversions against values worked out another way.
#include "gguf/hf_convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "quant/decode.h"
#include "quant/half.h"

namespace freehold::gguf {
namespace {

using testing::ElementsAre;

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

TEST(HfConvert, WidensWithoutLoss) {
  float out[2];
  const std::vector<uint16_t> bf16 = {0x3f80, 0xc040};
  widen(Dtype::kBF16, bytes_of(bf16), reinterpret_cast<std::byte*>(out));
  EXPECT_THAT(out, ElementsAre(1.0f, -3.0f));
  const std::vector<uint16_t> f16 = {0x3c00, 0x0001};
  widen(Dtype::kF16, bytes_of(f16), reinterpret_cast<std::byte*>(out));
  EXPECT_THAT(out, ElementsAre(1.0f, std::ldexp(1.0f, -24)));
  const std::vector<float> f32 = {0.1f, -0.0f};
  widen(Dtype::kF32, bytes_of(f32), reinterpret_cast<std::byte*>(out));
  EXPECT_EQ(std::memcmp(out, f32.data(), 8), 0);
}

TEST(HfConvert, TransposesSomeColumns) {
  std::vector<uint16_t> matrix(70 * 90);
  for (size_t i = 0; i < matrix.size(); ++i) matrix[i] = static_cast<uint16_t>(i);
  std::vector<uint16_t> out(40 * 70);
  transpose(bytes_of(matrix), {70, 90, 50, 40}, 2, reinterpret_cast<std::byte*>(out.data()));
  for (size_t column = 0; column < 40; ++column) {
    for (size_t row = 0; row < 70; ++row) {
      ASSERT_EQ(out[column * 70 + row], matrix[row * 90 + 50 + column]);
    }
  }
}

TEST(HfConvert, Mxfp4KeepsItsValues) {
  std::vector<uint8_t> blocks(32);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<uint8_t>(i * 37 + 11);
  const std::vector<uint8_t> scales = {127, 120};
  std::byte packed[34];
  repack_mxfp4(bytes_of(blocks), bytes_of(scales), packed);
  float out[64];
  quant::decode_row(quant::Type::kMXFP4, packed, 64, out);
  for (size_t i = 0; i < 64; ++i) {
    const auto code = static_cast<uint8_t>(blocks[i / 2] >> (i % 2 * 4) & 15);
    EXPECT_EQ(out[i], quant::e2m1_to_f32(code) * std::ldexp(1.0f, scales[i / 32] - 127)) << i;
  }
}

}  // namespace
}  // namespace freehold::gguf
