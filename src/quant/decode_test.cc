#include "quant/decode.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace freehold::quant {
namespace {

// A gzipped file of tests/data/dequant, whole; empty when there is none.
std::vector<std::byte> golden(const std::string& name) {
  const std::string path = FREEHOLD_TEST_DATA "/dequant/" + name + ".gz";
  std::vector<std::byte> bytes(1 << 16);
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return {};
  const int got = gzread(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return bytes;
}

class GoldenBlocks : public testing::TestWithParam<const char*> {};

TEST_P(GoldenBlocks, DecodeToTheSameBits) {
  const Type type = type_from_name(GetParam()).value();
  constexpr size_t kElements = 4096;
  const auto blocks = golden(std::string(GetParam()) + ".blocks");
  const auto expected = golden(std::string(GetParam()) + ".f32");
  ASSERT_TRUE(info(type).decodable);
  ASSERT_EQ(blocks.size(), kElements / info(type).block_elements * info(type).block_bytes);
  ASSERT_EQ(expected.size(), kElements * sizeof(float));
  std::vector<float> values(kElements);
  decode_row(type, blocks.data(), kElements, values.data());
  for (size_t e = 0; e < kElements; ++e) {
    uint32_t bits = 0;
    std::memcpy(&bits, expected.data() + 4 * e, 4);
    // NaN payloads aside, to the bit.
    if (std::isnan(values[e]) && std::isnan(std::bit_cast<float>(bits))) continue;
    ASSERT_EQ(std::bit_cast<uint32_t>(values[e]), bits) << "element " << e;
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenBlocks,
                         testing::Values("F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0",
                                         "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS",
                                         "TQ1_0", "TQ2_0", "MXFP4"),
                         [](const auto& test) { return std::string(test.param); });

// One block of bytes (37 i + 11) mod 256 with plain scales written over them, and what the format's
// own reference functions make of it: some elements, and the sum of y_i ((i mod 7) + 1).
struct Vector {
  const char* type;
  std::vector<std::pair<size_t, std::vector<uint8_t>>> fields;
  std::vector<std::pair<size_t, float>> values;
  double sum, weighted_sum;
};

const std::vector<uint8_t> kOne = {0x00, 0x3C};
const std::vector<uint8_t> kHalf = {0x00, 0x38};

const Vector kVectors[] = {
    {"Q4_0", {{0, kOne}}, {{0, -3}, {1, 2}, {15, -8}, {17, -1}, {31, 0}}, -21, 28},
    {"Q4_1", {{0, kOne}, {2, kHalf}}, {{0, 15.5}, {1, 4.5}, {16, 9.5}, {31, 12.5}}, 261, 957},
    {"Q5_0", {{0, kOne}}, {{0, 9}, {1, -2}, {15, -12}, {16, 14}, {31, 1}}, 15, 112},
    {"Q5_1", {{0, kOne}, {2, kHalf}}, {{0, 19.5}, {1, 24.5}, {16, 19.5}, {31, 5.5}}, 521, 1872},
    {"Q8_0", {{0, kOne}}, {{0, 85}, {1, 122}, {15, -128}, {16, -91}, {31, -48}}, -176, -618},
    {"Q2_K",
     {{80, kOne}, {82, kHalf}},
     {{0, 33}, {1, 0}, {16, -1.5}, {32, 7.5}, {64, 10.5}, {127, 42}, {255, 4.5}},
     2059,
     8031.5},
    {"Q3_K",
     {{108, kOne}},
     {{0, 81}, {1, -108}, {16, -96}, {17, 128}, {64, 34}, {128, 2}, {255, 42}},
     958,
     2964},
    {"Q4_K",
     {{0, kOne}, {2, kHalf}},
     {{0, 315.5}, {1, -25.5}, {32, 8}, {64, 420.5}, {128, 423}, {255, 48.5}},
     54440,
     210149},
    {"Q5_K",
     {{0, kOne}, {2, kHalf}},
     {{0, 811.5}, {1, -25.5}, {32, 112}, {64, 420.5}, {128, 1047}, {255, 108.5}},
     116216,
     459357},
    {"Q6_K",
     {{208, kOne}},
     {{0, -1431}, {1, 1696}, {16, -432}, {32, 231}, {64, -3040}, {128, -351}, {255, -60}},
     4612,
     9877},
    {"IQ4_NL", {{0, kOne}}, {{0, -35}, {1, 25}, {15, -127}, {16, -35}, {31, 1}}, -257, 613},
    {"IQ4_XS",
     {{0, kOne}},
     {{0, 65}, {1, -1}, {15, -89}, {32, 455}, {64, 780}, {128, -585}, {255, -16}},
     -11005,
     -144392},
    {"MXFP4", {{0, {127}}}, {{0, 0}, {1, 3}, {15, -1.5}, {16, 1.5}, {31, 3}}, 12.5, 42.5},
    {"NVFP4",
     {{0, {0x38, 0x40, 0x30, 0x05}}},
     {{0, -6}, {1, 2}, {15, -1}, {16, 12}, {32, -3}, {63, 0.0048828125F}},
     -4.44629,
     -54.1621},
};

TEST(Decode, PublishedVectors) {
  for (const Vector& vector : kVectors) {
    SCOPED_TRACE(vector.type);
    const TypeInfo& layout = info(type_from_name(vector.type).value());
    // One byte past the start: blocks are seldom aligned.
    std::vector<std::byte> storage(layout.block_bytes + 1);
    std::byte* block = storage.data() + 1;
    for (size_t i = 0; i < layout.block_bytes; ++i) {
      block[i] = static_cast<std::byte>(37 * i + 11);
    }
    for (const auto& [at, bytes] : vector.fields) {
      for (size_t i = 0; i < bytes.size(); ++i) block[at + i] = std::byte{bytes[i]};
    }
    std::vector<float> y(layout.block_elements);
    decode_row(layout.type, block, y.size(), y.data());
    for (const auto& [e, value] : vector.values) EXPECT_EQ(y[e], value) << "element " << e;
    double sum = 0, weighted_sum = 0;
    for (size_t i = 0; i < y.size(); ++i) {
      sum += static_cast<double>(y[i]);
      weighted_sum += static_cast<double>(y[i]) * static_cast<double>(i % 7 + 1);
    }
    EXPECT_NEAR(sum, vector.sum, 1e-5);
    EXPECT_NEAR(weighted_sum, vector.weighted_sum, 1e-4);
  }
}

TEST(Decode, F32IsCopied) {
  const std::vector<float> in = {1.5F, -0.0F, 3e-41F};
  std::vector<float> out(3);
  decode_row(Type::kF32, reinterpret_cast<const std::byte*>(in.data()), 3, out.data());
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(in[i]));
  }
}

}  // namespace
}  // namespace freehold::quant
