// Weights in each type that they are kept in, against values worked out another way.
#include "gguf/hf_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "gguf/hf_rows.h"
#include "quant/decode.h"
#include "quant/half.h"

namespace freehold::gguf {
namespace {

using quant::Type;
using testing::ElementsAre;

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

HfMatrix fp8(const std::vector<uint8_t>& codes, const std::vector<float>& scales, uint64_t rows,
             std::array<uint64_t, 2> block) {
  return {Dtype::kF8E4M3,   bytes_of(codes), rows,     codes.size() / rows,
          bytes_of(scales), Dtype::kF32,     block[0], block[1]};
}

// All rows of a maker, decoded.
std::vector<float> floats(const RowMaker& maker, Type type, uint64_t n_rows, uint64_t columns) {
  const quant::TypeInfo& info = quant::info(type);
  std::vector<std::byte> bytes(n_rows * columns / info.block_elements * info.block_bytes);
  maker(0, n_rows, bytes.data());
  std::vector<float> out(n_rows * columns);
  quant::decode_row(type, bytes.data(), out.size(), out.data());
  return out;
}

// 3 x 5 weights in blocks of 2 x 2: the scales are 2 x 3 and the edge blocks partial.
TEST(HfMatrix, Fp8TakesTheScaleOfItsBlock) {
  const std::vector<uint8_t> codes(15, 0x38);  // 1.0
  const std::vector<float> scales = {1, 2, 3, 10, 20, 30};
  const HfMatrix matrix = fp8(codes, scales, 3, {2, 2});
  EXPECT_EQ(native_type(matrix), Type::kF32);
  EXPECT_THAT(floats(converted_rows(matrix, Type::kF32), Type::kF32, 3, 5),
              ElementsAre(1, 1, 2, 2, 3, 1, 1, 2, 2, 3, 10, 10, 20, 20, 30));
  float part[3];
  write_floats(matrix, Type::kF32, 2, 1, 3, reinterpret_cast<std::byte*>(part));
  EXPECT_THAT(part, ElementsAre(10, 20, 20));
}

TEST(HfMatrix, Fp8ScalesMayBeBf16) {
  const std::vector<uint8_t> codes = {0x38, 0xb8};
  const std::vector<uint16_t> scales = {0x4040, 0x4000};  // 3, 2
  HfMatrix matrix = fp8(codes, {}, 1, {1, 1});
  matrix.scales = bytes_of(scales);
  matrix.scale_dtype = Dtype::kBF16;
  EXPECT_THAT(floats(converted_rows(matrix, Type::kF32), Type::kF32, 1, 2), ElementsAre(3, -2));
}

// As DeepSeek publishes it: every code under three scales, partial blocks of rows.
TEST(HfMatrix, Fp8OfWholeBlocksKeepsItsBytes) {
  std::vector<uint8_t> codes(130 * 256);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i * 7 + i / 256);
  const std::vector<float> scales = {0.3f, 2e-4f, 7.0f, 1.0f};
  const HfMatrix matrix = fp8(codes, scales, 130, {128, 128});
  ASSERT_EQ(native_type(matrix), Type::kFp8);
  const auto kept = floats(converted_rows(matrix, Type::kFp8), Type::kFp8, 130, 256);
  for (size_t i = 0; i < codes.size(); ++i) {
    const float scale = scales[i / 256 / 128 * 2 + i % 256 / 128];
    const float want = quant::e4m3fn_to_f32(codes[i]) * scale;
    ASSERT_TRUE(kept[i] == want || (std::isnan(kept[i]) && std::isnan(want))) << i;
  }
}

TEST(HfMatrix, PowersOfTwoKeepFp8ExactInBf16) {
  std::vector<uint8_t> codes(256);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i);
  for (const float scale : {std::ldexp(1.0f, -100), 0.25f, std::ldexp(1.0f, 100)}) {
    const std::vector<float> scales = {scale};
    const HfMatrix matrix = fp8(codes, scales, 1, {128, 256});
    ASSERT_EQ(native_type(matrix), Type::kBF16);
    const auto out = floats(converted_rows(matrix, Type::kBF16), Type::kBF16, 1, 256);
    for (size_t i = 0; i < codes.size(); ++i) {
      const float want = quant::e4m3fn_to_f32(codes[i]) * scale;
      if (std::isnan(want)) continue;
      EXPECT_EQ(out[i], want) << i;
    }
  }
  for (const float scale : {3.0f, -2.0f, 0.0f, std::ldexp(1.0f, 101), std::nanf("")}) {
    const std::vector<float> scales = {scale};
    EXPECT_EQ(float_type(fp8(codes, scales, 1, {128, 256})), Type::kF32) << scale;
  }
}

HfMatrix f32(const std::vector<float>& values, uint64_t rows) {
  return {Dtype::kF32, bytes_of(values), rows, values.size() / rows};
}

TEST(HfRows, HalvesOfEachHeadBecomePairs) {
  const std::vector<float> rows = {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15};
  EXPECT_THAT(floats(paired_rows(f32(rows, 12), Type::kF32, 6), Type::kF32, 12, 1),
              ElementsAre(0, 3, 1, 4, 2, 5, 10, 13, 11, 14, 12, 15));
  EXPECT_THAT(floats(paired_elements(f32(rows, 1), 6), Type::kF32, 1, 12),
              ElementsAre(0, 3, 1, 4, 2, 5, 10, 13, 11, 14, 12, 15));
}

// Any piece of the rows is the same piece of all of them.
TEST(HfRows, PiecesAgreeWithTheWhole) {
  std::vector<float> values(4 * 5 * 6);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const HfMatrix matrix = f32(values, 20);  // 20 x 6
  struct Case {
    RowMaker maker;
    uint64_t n_rows, columns;
  };
  const Case cases[] = {
      {paired_rows(matrix, Type::kF32, 10), 20, 6},
      {stacked_rows({f32(values, 20), f32(values, 20)}, Type::kF32), 40, 6},
      {latent_keys(matrix, Type::kF32, {3, 2}), 24, 3},
      {latent_values(matrix, Type::kF32, {3, 2}), 8, 6},
      {turned_rows(bytes_of(values), 4, {5, 6, 1, 3, 2}), 12, 5},
      {alternate_elements(matrix, 1), 20, 3},
  };
  for (const Case& c : cases) {
    const auto whole = floats(c.maker, Type::kF32, c.n_rows, c.columns);
    for (uint64_t first = 0; first < c.n_rows; ++first) {
      for (uint64_t count = 0; count <= c.n_rows - first; ++count) {
        std::vector<float> piece(count * c.columns);
        c.maker(first, count, reinterpret_cast<std::byte*>(piece.data()));
        const auto want = std::span(whole).subspan(first * c.columns, piece.size());
        ASSERT_TRUE(std::ranges::equal(piece, want))
            << &c - cases << ": " << first << ", " << count;
      }
    }
  }
}

}  // namespace
}  // namespace freehold::gguf
