// Number formats, int8 activations and writing the cache.
#include <cstring>

#include "kernels/matmul.h"
#include "kernels/vector_test_data.h"
#include "quant/half.h"

namespace freehold::kernels {
namespace {

using testing::awkward_floats;
using testing::random_bits;
using testing::random_floats;
using testing::same_bits;
using Floats = std::vector<float>;
using Bytes = std::vector<std::byte>;

bool is_nan_half(uint16_t half) { return (half & 0x7fffU) > 0x7c00U; }

TEST(VectorConvert, EveryHalfWidens) {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  Floats expected;
  Floats brain;
  for (const uint16_t half : halves) {
    expected.push_back(quant::f16_to_f32(half));
    brain.push_back(std::bit_cast<float>(static_cast<uint32_t>(half) << 16));
  }
  for (const Isa isa : available_isas()) {
    Floats out(halves.size());
    vector_kernels(isa).f16_to_f32(halves.data(), halves.size(), out.data());
    EXPECT_TRUE(same_bits(expected, out)) << name(isa);
    vector_kernels(isa).bf16_to_f32(halves.data(), halves.size(), out.data());
    EXPECT_TRUE(same_bits(brain, out)) << name(isa);
    Floats tail(3);
    vector_kernels(isa).f16_to_f32(halves.data() + 0x3c00, 3, tail.data());
    EXPECT_EQ(tail[2], 1.0F + 2 * 0x1p-10F);
  }
}

TEST(VectorConvert, FloatsNarrowToTheNearestHalf) {
  Floats x = awkward_floats();
  for (const float value : random_bits(20000, 7)) x.push_back(value);
  for (const float value : random_floats(20000, 8, 1e-4F)) x.push_back(value);
  for (uint32_t half = 0; half < 0x7c00U; ++half) {  // ties: half way to the next one
    x.push_back(std::bit_cast<float>(
        std::bit_cast<uint32_t>(quant::f16_to_f32(static_cast<uint16_t>(half))) + 0x1000U));
  }
  for (const Isa isa : available_isas()) {
    std::vector<uint16_t> out(x.size());
    vector_kernels(isa).f32_to_f16(x.data(), x.size(), out.data());
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i])) {
        EXPECT_TRUE(is_nan_half(out[i]));
      } else {
        ASSERT_EQ(out[i], quant::f32_to_f16(x[i])) << x[i] << " on " << name(isa);
      }
    }
  }
}

std::vector<ActivationBlock> quantised(const VectorKernels& kernels, const Floats& x) {
  std::vector<ActivationBlock> row(x.size() / ActivationBlock::kElements);
  kernels.quantise_row(x.data(), x.size(), reinterpret_cast<std::byte*>(row.data()));
  return row;
}

template <typename T>
T value_at(const Bytes& row, size_t offset, size_t index) {
  T value;
  std::memcpy(&value, row.data() + offset + index * sizeof(T), sizeof(T));
  return value;
}

TEST(VectorConvert, QuantisedRowsHoldWhatTheyPromise) {
  constexpr size_t kSize = 512;
  const Floats x = random_floats(kSize, 51, 2.5F);
  const std::vector<ActivationBlock> row = quantised(vector_kernels(Isa::kScalar), x);
  for (size_t block = 0; block < kSize / 32; ++block) {
    float largest = 0;
    for (size_t i = 0; i < 32; ++i) largest = std::max(largest, std::abs(x[block * 32 + i]));
    const float scale = row[block].scale;
    EXPECT_EQ(scale, largest / 127.0F);
    int sums[2] = {0, 0};
    for (size_t i = 0; i < 32; ++i) {
      const int code = row[block].codes[i];
      EXPECT_EQ(static_cast<float>(code), std::nearbyint(x[block * 32 + i] * (127.0F / largest)));
      EXPECT_LE(std::abs(code), 127);
      sums[i / 16] += code;
    }
    EXPECT_EQ(row[block].sums16[0], sums[0]);
    EXPECT_EQ(row[block].sums16[1], sums[1]);
    EXPECT_EQ(row[block].sum, scale * static_cast<float>(sums[0] + sums[1]));
  }
}

TEST(VectorConvert, QuantisedRowsAreTheSameEverywhere) {
  Floats x = random_floats(4096, 52, 100.0F);
  for (size_t i = 0; i < 2048; ++i) x[i] = std::exp2(x[i]);  // all sizes, zeros and infinities
  for (size_t i = 2048; i < 2080; ++i) x[i] = i % 2 == 0 ? 127.0F : -127.0F;
  for (size_t i = 2080; i < 2112; ++i) x[i] = static_cast<float>(i - 2080) + 0.5F;  // ties
  x[2111] = 127.0F;
  for (size_t i = 2112; i < 2144; ++i) x[i] = 9e-31F;
  const Floats wild = random_bits(4096, 53);
  x.insert(x.end(), wild.begin(), wild.end());
  Floats cleaned = wild;
  for (float& value : cleaned) value = std::isfinite(value) ? value : 1.0F;
  x.insert(x.end(), cleaned.begin(), cleaned.end());
  const std::vector<ActivationBlock> expected = quantised(vector_kernels(Isa::kScalar), x);
  EXPECT_EQ(expected[66].scale, 0.0F);
  EXPECT_EQ(expected[65].codes[1], 2);  // 1.5 to even
  EXPECT_EQ(expected[65].codes[2], 2);  // 2.5 to even
  for (const Isa isa : available_isas()) {
    const std::vector<ActivationBlock> got = quantised(vector_kernels(isa), x);
    EXPECT_EQ(std::memcmp(got.data(), expected.data(), ActivationBlock::bytes(x.size())), 0)
        << name(isa);
  }
}

TEST(VectorConvert, BlocksThatAreNotFiniteSayNaN) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN()}) {
    Floats x = random_floats(64, 54);
    x[40] = bad;
    const std::vector<ActivationBlock> row = quantised(vector_kernels(Isa::kScalar), x);
    EXPECT_FALSE(std::isnan(row[0].scale));
    EXPECT_TRUE(std::isnan(row[1].scale));
    EXPECT_TRUE(std::isnan(row[1].sum));
    EXPECT_EQ(row[1].codes[9], 0);
  }
}

TEST(VectorConvert, CacheBlocksAreTheSameEverywhere) {
  for (const CacheType type : {CacheType::kF16, CacheType::kF32, CacheType::kQ8_0}) {
    for (const size_t dim : std::initializer_list<size_t>{32, 64, 72, 192}) {
      if (!cache_dim_fits(type, dim)) continue;
      const auto filled = [&](Isa isa, bool keys) {
        Bytes block(cache_block_bytes(type, dim));
        for (uint32_t slot = 0; slot < kBlockPositions; ++slot) {
          Floats x = random_floats(dim, slot, std::exp2(static_cast<float>(slot) * 2 - 30));
          if (slot == 5) x = random_bits(dim, 9);
          for (float& value : x) value = std::isnan(value) ? 1e9F : value;
          if (slot == 7) x.assign(dim, 1e-12F);
          const VectorKernels& k = vector_kernels(isa);
          (keys ? k.store_key : k.store_value)(type, x.data(), dim, block.data(), slot);
        }
        return block;
      };
      for (const Isa isa : available_isas()) {
        EXPECT_EQ(filled(isa, true), filled(Isa::kScalar, true)) << name(isa) << dim;
        EXPECT_EQ(filled(isa, false), filled(Isa::kScalar, false)) << name(isa) << dim;
      }
    }
  }
}

TEST(VectorConvert, CacheBlockSizes) {
  EXPECT_EQ(key_block_bytes(CacheType::kF16, 128), 32U * 128 * 2);
  EXPECT_EQ(value_block_bytes(CacheType::kF32, 72), 32U * 72 * 4);
  EXPECT_EQ(latent_block_bytes(CacheType::kQ8_0, 576), 32U * (576 + 18 * 2));
  EXPECT_TRUE(cache_dim_fits(CacheType::kF16, 72));
  EXPECT_FALSE(cache_dim_fits(CacheType::kQ8_0, 72));
  EXPECT_FALSE(cache_dim_fits(CacheType::kF32, 12));
  EXPECT_FALSE(cache_dim_fits(CacheType::kF32, 0));
}

TEST(VectorConvert, CacheLayoutAndSaturation) {
  const VectorKernels& k = vector_kernels(Isa::kScalar);
  Floats x(8, 0.0F);
  x[3] = 1e6F;
  x[4] = -65520.0F;
  x[5] = 0.25F;
  Bytes key(key_block_bytes(CacheType::kF16, 8));
  Bytes value(value_block_bytes(CacheType::kF16, 8));
  k.store_key(CacheType::kF16, x.data(), 8, key.data(), 31);
  k.store_value(CacheType::kF16, x.data(), 8, value.data(), 31);
  for (size_t d = 0; d < 8; ++d) {
    const float expected = std::clamp(x[d], -65504.0F, 65504.0F);
    EXPECT_EQ(quant::f16_to_f32(value_at<uint16_t>(key, 0, d * 32 + 31)), expected);
    EXPECT_EQ(quant::f16_to_f32(value_at<uint16_t>(value, 0, 31 * 8 + d)), expected);
  }
}

TEST(VectorConvert, QuantisedCacheIsWithinHalfAStep) {
  constexpr size_t kDim = 64;
  const VectorKernels& k = vector_kernels(Isa::kScalar);
  const Floats x = random_floats(kDim, 61, 3.0F);
  Bytes key(key_block_bytes(CacheType::kQ8_0, kDim));
  Bytes value(value_block_bytes(CacheType::kQ8_0, kDim));
  k.store_key(CacheType::kQ8_0, x.data(), kDim, key.data(), 2);
  k.store_value(CacheType::kQ8_0, x.data(), kDim, value.data(), 2);
  for (size_t d = 0; d < kDim; ++d) {
    const auto key_scale = value_at<uint16_t>(key, kDim * 32, d / 32 * 32 + 2);
    const auto value_scale = value_at<uint16_t>(value, kDim * 32, 2 * kDim / 32 + d / 32);
    EXPECT_EQ(key_scale, value_scale);
    const float scale = quant::f16_to_f32(key_scale);
    const int code = value_at<int8_t>(key, 0, d * 32 + 2);
    EXPECT_EQ(code, value_at<int8_t>(value, 0, 2 * kDim + d));
    // Half a step, and at the largest element what the scale lost by rounding to a half.
    EXPECT_NEAR(static_cast<float>(code) * scale, x[d], scale * 0.57F);
  }
}

}  // namespace
}  // namespace freehold::kernels
