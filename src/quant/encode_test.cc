#include "quant/encode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "quant/decode.h"

namespace freehold::quant {
namespace {

// Twelve uniform numbers less six: about normal, and the same on every machine.
std::vector<float> bell(size_t n) {
  std::vector<float> out(n, -6.0F);
  for (size_t i = 0; i < 12 * n; ++i) {
    const uint64_t bits = base::mix64((i + 1) * 0x9E3779B97F4A7C15U);
    out[i / 12] += static_cast<float>(bits >> 40) * 0x1p-24F;
  }
  return out;
}

std::vector<float> there_and_back(Type type, const std::vector<float>& values,
                                  const std::vector<float>* importance = nullptr) {
  const TypeInfo& layout = info(type);
  std::vector<std::byte> blocks(values.size() / layout.block_elements * layout.block_bytes);
  encode_row(type, values.data(), importance == nullptr ? nullptr : importance->data(),
             values.size(), blocks.data());
  std::vector<float> out(values.size());
  decode_row(type, blocks.data(), out.size(), out.data());
  return out;
}

double mean_squared_error(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double e = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += e * e;
  }
  return sum / static_cast<double>(a.size());
}

constexpr auto kBlocks = std::to_array<Type>({Type::kQ4_0, Type::kQ4_1, Type::kQ5_0, Type::kQ5_1,
                                              Type::kQ8_0, Type::kQ2_K, Type::kQ3_K, Type::kQ4_K,
                                              Type::kQ5_K, Type::kQ6_K, Type::kMXFP4});

// The mean squared error of llama.cpp's quantiser (September 2026, no importance) on the same 8192
// values: a bell, its cube (heavy tails), and a narrow bell around 1.
struct Peer {
  Type type;
  std::array<double, 3> error;
};
constexpr Peer kPeers[] = {
    {Type::kQ4_0, {7.2090e-03, 1.6003e-01, 2.8831e-03}},
    {Type::kQ4_1, {5.9840e-03, 1.6729e-01, 3.7410e-04}},
    {Type::kQ5_0, {1.7911e-03, 4.7649e-02, 7.2703e-04}},
    {Type::kQ5_1, {1.4057e-03, 3.6093e-02, 8.7853e-05}},
    {Type::kQ8_0, {2.8240e-05, 9.8888e-04, 1.1593e-05}},
    {Type::kQ2_K, {8.8705e-02, 1.9698e+00, 1.4000e-02}},
    {Type::kQ3_K, {2.2568e-02, 3.1318e-01, 9.5099e-03}},
    {Type::kQ4_K, {4.9692e-03, 1.0942e-01, 6.9405e-04}},
    {Type::kQ5_K, {1.2798e-03, 3.0766e-02, 1.7142e-04}},
    {Type::kQ6_K, {3.0823e-04, 7.8742e-03, 1.3036e-04}},
    {Type::kMXFP4, {1.3302e-02, 2.6709e-01, 1.2886e-02}},
};

TEST(Encode, LosesLessThanThePeer) {
  const std::vector<float> values = bell(8192);
  std::vector<float> heavy = values, shifted = values;
  for (float& x : heavy) x = x * x * x;
  for (float& x : shifted) x = x * 0.25F + 1.0F;
  for (const Peer& peer : kPeers) {
    SCOPED_TRACE(std::string(info(peer.type).name));
    const std::array<const std::vector<float>*, 3> kinds = {&values, &heavy, &shifted};
    for (size_t k = 0; k < kinds.size(); ++k) {
      const double error = mean_squared_error(*kinds[k], there_and_back(peer.type, *kinds[k]));
      EXPECT_LT(error, peer.error[k]) << "kind " << k;
    }
  }
}

TEST(Encode, ZerosAndConstantsAreKept) {
  for (const Type type : kBlocks) {
    SCOPED_TRACE(std::string(info(type).name));
    for (const float value : {0.0F, 0.25F, -0.25F}) {
      const std::vector<float> values(256, value);
      for (const float x : there_and_back(type, values)) {
        EXPECT_NEAR(x, value, std::abs(value) * 0.004F);
      }
    }
  }
}

// The ends of what F16 scales reach: nothing overflows, and what is too small becomes 0 or stays
// near.
TEST(Encode, ExtremeValues) {
  for (const Type type : kBlocks) {
    SCOPED_TRACE(std::string(info(type).name));
    std::vector<float> values = bell(256);
    for (float& x : values) x *= kLargestEncodable / 8;
    values[7] = -kLargestEncodable;
    values[200] = kLargestEncodable;
    for (const float x : there_and_back(type, values)) EXPECT_LT(std::abs(x), 90000.0F);
    for (float& x : values) x *= 1e-40F;
    for (const float x : there_and_back(type, values)) EXPECT_LT(std::abs(x), 1e-34F);
  }
}

// Least squares would leave decoded weights smaller than they were by the relative error.
TEST(Encode, WeightsDoNotShrink) {
  const std::vector<float> values = bell(8192);
  for (const Type type : kBlocks) {
    if (type == Type::kMXFP4) continue;  // its scales are powers of two
    const auto decoded = there_and_back(type, values);
    double xx = 0, xy = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      xx += std::pow(values[i], 2);
      xy += static_cast<double>(values[i]) * static_cast<double>(decoded[i]);
    }
    const double relative_error = mean_squared_error(values, decoded) * 8192 / xx;
    EXPECT_LT(std::abs(xy / xx - 1), 0.5 * relative_error + 1e-5) << info(type).name;
  }
}

TEST(Encode, ImportanceIsFollowed) {
  const std::vector<float> values = bell(4096);
  std::vector<float> importance(values.size(), 1.0F);
  for (size_t i = 0; i < importance.size(); i += 8) importance[i] = 100.0F;
  for (const Type type : kBlocks) {
    const auto plain = there_and_back(type, values);
    const auto weighed = there_and_back(type, values, &importance);
    double before = 0, after = 0;
    for (size_t i = 0; i < values.size(); i += 8) {
      before += std::pow(values[i] - plain[i], 2);
      after += std::pow(values[i] - weighed[i], 2);
    }
    EXPECT_LT(after, 0.97 * before) << info(type).name;
  }
}

// Values that a type can hold exactly are found again, or nearly so where scales are shared.
TEST(Encode, LevelsAreFoundAgain) {
  const std::vector<float> values = bell(4096);
  for (const Type type : kBlocks) {
    const auto once = there_and_back(type, values);
    const auto twice = there_and_back(type, once);
    EXPECT_LT(mean_squared_error(once, twice), 0.1 * mean_squared_error(values, once))
        << info(type).name;
  }
}

TEST(Encode, PlainFloats) {
  const std::vector<float> values = {1.0F, -2.5F, 0.333333343F, 65504.0F};
  EXPECT_EQ(there_and_back(Type::kF32, values), values);
  EXPECT_EQ(there_and_back(Type::kF16, values)[2], 0.333251953125F);
  EXPECT_EQ(there_and_back(Type::kBF16, values)[2], 0.333984375F);
}

TEST(Encode, WhatIsEncodableIsDecodable) {
  int count = 0;
  for (uint32_t id = 0; id < 64; ++id) {
    const auto entry = type_info(id);
    if (!entry || !encodable(entry->type)) continue;
    ++count;
    EXPECT_TRUE(entry->decodable) << entry->name;
  }
  EXPECT_EQ(count, static_cast<int>(kBlocks.size()) + 3);
}

}  // namespace
}  // namespace freehold::quant
