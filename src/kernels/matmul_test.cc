// Every product on every instruction set against the reference, bit for bit, for any number of
// tokens; the reference against a double-precision sum.
#include "kernels/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/panel.h"
#include "quant/decode.h"
#include "quant/half.h"

namespace freehold::kernels {
namespace {

using quant::Type;

constexpr Type kTypes[] = {Type::kF32,  Type::kF16,    Type::kBF16,   Type::kQ4_0,
                           Type::kQ4_1, Type::kQ5_0,   Type::kQ5_1,   Type::kQ8_0,
                           Type::kQ2_K, Type::kQ3_K,   Type::kQ4_K,   Type::kQ5_K,
                           Type::kQ6_K, Type::kIQ4_NL, Type::kIQ4_XS, Type::kMXFP4};

// Where a format keeps its binary16 scales.
std::vector<size_t> half_offsets(Type type) {
  switch (type) {
    case Type::kQ4_1:
    case Type::kQ5_1:
    case Type::kQ4_K:
    case Type::kQ5_K:
      return {0, 2};
    case Type::kQ2_K:
      return {80, 82};
    case Type::kQ3_K:
      return {108};
    case Type::kQ6_K:
      return {208};
    case Type::kMXFP4:
      return {};
    default:
      return {0};
  }
}

// Rows of random codes, in some blocks all at one end, with finite scales of every size a file may
// have.
std::vector<std::byte> random_rows(Type type, size_t n_rows, size_t k, std::mt19937& random) {
  const PanelFormat& format = *panel_format(type);
  std::vector<std::byte> rows(n_rows * k / format.block_elements * format.block_bytes);
  for (std::byte& byte : rows) byte = static_cast<std::byte>(random());
  for (size_t at = 0; at < rows.size(); at += format.block_bytes) {
    if (random() % 4 == 0) std::memset(&rows[at], random() % 2 == 0 ? 0 : 0xff, format.block_bytes);
    const float value = std::ldexp(static_cast<float>(random() % 2048) - 1024.0F, -18);
    if (type == Type::kF32) {
      std::memcpy(&rows[at], &value, 4);
    } else if (type == Type::kBF16) {
      const uint16_t bits = quant::f32_to_bf16(value);
      std::memcpy(&rows[at], &bits, 2);
    } else if (type == Type::kMXFP4) {
      rows[at] = static_cast<std::byte>(random() % 4 == 0 ? random() % 3 : 100 + random() % 40);
    } else {
      for (const size_t offset : half_offsets(type)) {
        const uint16_t bits = quant::f32_to_f16(random() % 16 == 0 ? value * 0x1p-12F : value);
        std::memcpy(&rows[at + offset], &bits, 2);
      }
    }
  }
  return rows;
}

std::vector<std::byte> random_activations(bool floats, size_t k, std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(-2.0F, 2.0F);
  if (floats) {
    std::vector<std::byte> row(k * 4);
    auto* x = reinterpret_cast<float*>(row.data());
    for (size_t i = 0; i < k; ++i) x[i] = uniform(random);
    return row;
  }
  std::vector<std::byte> row(ActivationBlock::bytes(k));
  auto* blocks = reinterpret_cast<ActivationBlock*>(row.data());
  // All at one end: the worst case for saturation, with codes at theirs.
  const int extreme = random() % 3 != 0 ? 0 : random() % 2 == 0 ? 127 : -127;
  for (size_t b = 0; b < k / 32; ++b) {
    ActivationBlock& block = blocks[b];
    for (size_t i = 0; i < 32; ++i) {
      block.codes[i] =
          static_cast<int8_t>(extreme != 0 ? extreme : static_cast<int>(random() % 255) - 127);
      block.sums16[i / 16] =
          static_cast<int16_t>((i % 16 == 0 ? 0 : block.sums16[i / 16]) + block.codes[i]);
    }
    block.scale = std::abs(uniform(random));
    block.sum = block.scale * static_cast<float>(block.sums16[0] + block.sums16[1]);
  }
  return row;
}

struct Case {
  Type type;
  size_t k;
  std::vector<std::byte> native;
  std::vector<std::byte> panel;
  std::vector<std::vector<std::byte>> activations;

  Case(Type t, size_t n_rows, size_t n_tokens, uint32_t seed) : type(t), k(768) {
    std::mt19937 random(seed);
    const PanelFormat& format = *panel_format(type);
    if (format.block_elements <= 32) k -= 32;  // no whole number of columns
    native = random_rows(type, n_rows, k, random);
    panel.resize(panel_bytes(format, k));
    pack_panel(format, native.data(), n_rows, k, panel.data());
    for (size_t i = 0; i < n_tokens; ++i) {
      activations.push_back(random_activations(takes_floats(type), k, random));
    }
  }

  std::vector<float> run(Isa isa, size_t first, size_t count) const {
    std::vector<const std::byte*> rows;
    std::vector<float> out(count * kPanelRows);
    std::vector<float*> out_rows;
    for (size_t t = 0; t < count; ++t) {
      rows.push_back(activations[first + t].data());
      out_rows.push_back(out.data() + t * kPanelRows);
    }
    panel_product(isa, type)(panel.data(), k, rows.data(), count, out_rows.data());
    return out;
  }
};

class MatmulTest : public testing::TestWithParam<Type> {};

TEST_P(MatmulTest, AnyIsaAndAnyNumberOfTokensGiveTheReferenceBits) {
  constexpr size_t kTokens = 23;
  const Case c(GetParam(), kPanelRows, kTokens, 7);
  const std::vector<float> expected = c.run(Isa::kScalar, 0, kTokens);
  for (const float x : expected) ASSERT_TRUE(std::isfinite(x));
  for (const Isa isa : available_isas()) {
    for (const size_t count : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U, 10U, 11U, 23U}) {
      for (size_t first = 0; first + count <= kTokens; first += count) {
        const std::vector<float> got = c.run(isa, first, count);
        ASSERT_EQ(std::memcmp(got.data(), &expected[first * kPanelRows], got.size() * 4), 0)
            << name(isa) << ", " << count << " tokens from " << first;
      }
    }
  }
}

TEST_P(MatmulTest, ReferenceIsTheProductOfTheDecodedWeights) {
  const Case c(GetParam(), kPanelRows, 3, 11);
  const PanelFormat& format = *panel_format(c.type);
  const size_t row_bytes = c.k / format.block_elements * format.block_bytes;
  for (size_t t = 0; t < 3; ++t) {
    const std::vector<float> out = c.run(Isa::kScalar, t, 1);
    for (size_t row = 0; row < kPanelRows; ++row) {
      std::vector<float> weights(c.k);
      quant::decode_row(c.type, c.native.data() + row * row_bytes, c.k, weights.data());
      double sum = 0.0;
      double magnitude = 0.0;
      for (size_t i = 0; i < c.k; ++i) {
        const auto* activations = c.activations[t].data();
        double x = 0.0;
        if (takes_floats(c.type)) {
          x = reinterpret_cast<const float*>(activations)[i];
        } else {
          const auto& block = reinterpret_cast<const ActivationBlock*>(activations)[i / 32];
          x = static_cast<double>(block.codes[i % 32]) * static_cast<double>(block.scale);
        }
        sum += weights[i] * x;
        // Codes and offsets cancel in `weights`; their products are rounded one by one.
        magnitude +=
            (std::abs(weights[i]) + 32.0 * std::abs(weights[i] - weights[i ^ 1])) * std::abs(x);
      }
      // Each of the k float steps rounds once, relative 2^-24, as do the products going in.
      const double tolerance = static_cast<double>(c.k) * 0x1p-24 * magnitude + 1e-30;
      ASSERT_NEAR(out[row], sum, tolerance) << "row " << row << ", token " << t;
    }
  }
}

TEST_P(MatmulTest, RowsBeyondTheMatrixAreNothingAndTheOthersUnchanged) {
  const Case whole(GetParam(), kPanelRows, 1, 5);
  Case part(GetParam(), kPanelRows, 1, 5);
  const PanelFormat& format = *panel_format(part.type);
  pack_panel(format, part.native.data(), 5, part.k, part.panel.data());
  const std::vector<float> expected = whole.run(Isa::kScalar, 0, 1);
  for (const Isa isa : available_isas()) {
    const std::vector<float> out = part.run(isa, 0, 1);
    EXPECT_EQ(std::memcmp(out.data(), expected.data(), 5 * sizeof(float)), 0);
    // MXFP4's zero scale byte is 2^-127, so there rounding may leave something that small.
    for (size_t row = 5; row < kPanelRows; ++row) EXPECT_LT(std::abs(out[row]), 1e-30F);
  }
}

TEST_P(MatmulTest, PanelsKeepEveryBit) {
  const Case c(GetParam(), kPanelRows, 0, 3);
  const PanelFormat& format = *panel_format(c.type);
  const size_t n_blocks = c.k / format.block_elements;
  std::vector<std::byte> block(format.block_bytes);
  for (size_t b = 0; b < n_blocks; ++b) {
    for (size_t row = 0; row < kPanelRows; ++row) {
      unpack_block(format, &c.panel[b * kPanelRows * format.block_bytes], row, block.data());
      ASSERT_EQ(std::memcmp(block.data(), &c.native[(row * n_blocks + b) * format.block_bytes],
                            block.size()),
                0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, MatmulTest, testing::ValuesIn(kTypes), [](const auto& type) {
  return std::string(quant::info(type.param).name);
});

}  // namespace
}  // namespace freehold::kernels
