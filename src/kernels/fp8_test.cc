// FP8 products on every instruction set against the reference, bit for bit, for any number of
// tokens; the reference against a double-precision sum of the decoded weights.
#include "kernels/fp8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "quant/decode.h"

namespace freehold::kernels {
namespace {

using quant::Type;

constexpr size_t kDepth = 384;
constexpr size_t kRowBytes = kDepth / 128 * 132;

struct Case {
  std::vector<std::byte> native;  // kPanelRows rows
  std::vector<std::byte> panel;
  std::vector<std::vector<float>> tokens;
};

// Every code but the NaNs, or these as well; scales of many sizes.
Case make_case(bool with_nan) {
  std::mt19937 random(7);
  Case c;
  c.native.resize(kPanelRows * kRowBytes);
  for (std::byte& byte : c.native) {
    const auto code = static_cast<uint8_t>(random());
    byte = std::byte{code};
    if ((code & 0x7F) == 0x7F && !with_nan) byte = std::byte{0};
  }
  for (size_t at = 0; at < c.native.size(); at += 132) {
    const float scale = std::ldexp(1.0F + static_cast<float>(random() % 97) / 97.0F,
                                   -static_cast<int>(random() % 16));
    std::memcpy(c.native.data() + at, &scale, sizeof scale);
  }
  const PanelFormat& format = *panel_format(Type::kFp8);
  c.panel.resize(panel_bytes(format, kDepth));
  pack_panel(format, c.native.data(), kPanelRows, kDepth, c.panel.data());
  std::normal_distribution<float> bell;
  c.tokens.assign(11, std::vector<float>(kDepth));
  for (auto& token : c.tokens) {
    for (float& x : token) x = bell(random);
  }
  return c;
}

std::vector<float> multiply(PanelProduct product, const Case& c, size_t n_tokens) {
  std::vector<const std::byte*> rows;
  std::vector<float> values(n_tokens * kPanelRows, -1.0F);
  std::vector<float*> out;
  for (size_t t = 0; t < n_tokens; ++t) {
    rows.push_back(reinterpret_cast<const std::byte*>(c.tokens[t].data()));
    out.push_back(values.data() + t * kPanelRows);
  }
  product(c.panel.data(), kDepth, rows.data(), n_tokens, out.data());
  return values;
}

TEST(Fp8, ReferenceIsTheProductOfTheDecodedWeights) {
  const Case c = make_case(false);
  const auto got = multiply(panel_product(Isa::kScalar, Type::kFp8), c, 3);
  std::vector<float> weights(kDepth);
  for (size_t row = 0; row < kPanelRows; ++row) {
    quant::decode_row(Type::kFp8, c.native.data() + row * kRowBytes, kDepth, weights.data());
    for (size_t t = 0; t < 3; ++t) {
      double sum = 0, size = 0;
      for (size_t i = 0; i < kDepth; ++i) {
        const double term = static_cast<double>(weights[i]) * static_cast<double>(c.tokens[t][i]);
        sum += term;
        size += std::abs(term);
      }
      EXPECT_NEAR(got[t * kPanelRows + row], sum, 1e-5 * size);
    }
  }
}

TEST(Fp8, EveryInstructionSetGivesTheSameBits) {
  const Case c = make_case(false);
  for (const Isa isa : available_isas()) {
    for (size_t n = 1; n <= c.tokens.size(); ++n) {
      const auto want = multiply(panel_product(Isa::kScalar, Type::kFp8), c, n);
      const auto got = multiply(panel_product(isa, Type::kFp8), c, n);
      EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0)
          << name(isa) << ", " << n << " tokens";
    }
  }
}

TEST(Fp8, NotANumberStaysOne) {
  const Case c = make_case(true);
  const auto want = multiply(panel_product(Isa::kScalar, Type::kFp8), c, 1);
  size_t n_nan = 0;
  for (const Isa isa : available_isas()) {
    const auto got = multiply(panel_product(isa, Type::kFp8), c, 1);
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(std::isnan(got[i]), std::isnan(want[i]));
      n_nan += std::isnan(got[i]) ? 1 : 0;
    }
  }
  EXPECT_GT(n_nan, 0U);
}

}  // namespace
}  // namespace freehold::kernels
