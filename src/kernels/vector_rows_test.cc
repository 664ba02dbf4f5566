// Every instruction set against the scalar kernels to the bit, and those against double precision.
#include <functional>
#include <map>
#include <string>

#include "kernels/vector_test_data.h"

namespace freehold::kernels {
namespace {

using testing::awkward_floats;
using testing::random_bits;
using testing::random_floats;
using testing::same_bits;
using testing::ulps;
using Floats = std::vector<float>;

// A kernel as a function of two rows of the same length.
using RowKernel = std::function<Floats(const VectorKernels&, Floats, const Floats&)>;

Floats rotated(void (*rope)(float*, const float*, const float*, size_t), Floats x,
               const Floats& angles) {
  const size_t n_rot = x.size() / 2 * 2;
  rope(x.data(), angles.data(), angles.data() + n_rot / 2, n_rot);
  return x;
}

const std::map<std::string, RowKernel>& row_kernels() {
  static const std::map<std::string, RowKernel> kKernels = {
      {"rms_norm",
       [](const VectorKernels& k, Floats a, const Floats& b) {
         k.rms_norm(a.data(), b.data(), a.size(), 1e-5F, a.data());
         return a;
       }},
      {"rms_norm without weight",
       [](const VectorKernels& k, const Floats& a, const Floats&) {
         Floats out(a.size());
         k.rms_norm(a.data(), nullptr, a.size(), 1e-6F, out.data());
         return out;
       }},
      {"add",
       [](const VectorKernels& k, Floats a, const Floats& b) {
         k.add(a.data(), b.data(), a.size());
         return a;
       }},
      {"mul",
       [](const VectorKernels& k, Floats a, const Floats& b) {
         k.mul(a.data(), b.data(), a.size());
         return a;
       }},
      {"scale",
       [](const VectorKernels& k, Floats a, const Floats& b) {
         k.scale(a.data(), b[0], a.size());
         return a;
       }},
      {"scale_add",
       [](const VectorKernels& k, Floats a, const Floats& b) {
         k.scale_add(a.data(), b[0], b.data(), a.size());
         return a;
       }},
      {"exp",
       [](const VectorKernels& k, Floats a, const Floats&) {
         k.exp(a.data(), a.size());
         return a;
       }},
      {"sigmoid",
       [](const VectorKernels& k, Floats a, const Floats&) {
         k.sigmoid(a.data(), a.size());
         return a;
       }},
      {"softmax",
       [](const VectorKernels& k, Floats a, const Floats&) {
         k.softmax(a.data(), a.size());
         return a;
       }},
      {"log_sum_exp", [](const VectorKernels& k, const Floats& a,
                         const Floats&) { return Floats{k.log_sum_exp(a.data(), a.size())}; }},
      {"silu_mul",
       [](const VectorKernels& k, Floats a, const Floats& b) {
         k.silu_mul(a.data(), b.data(), a.size(), a.data());
         return a;
       }},
      {"silu_mul_clamped",
       [](const VectorKernels& k, Floats a, const Floats& b) {
         k.silu_mul_clamped(a.data(), b.data(), a.size(), 1.5F, a.data());
         return a;
       }},
      {"swiglu_oai",
       [](const VectorKernels& k, Floats a, const Floats& b) {
         k.swiglu_oai(a.data(), b.data(), a.size(), {.alpha = 1.702F, .limit = 2.0F}, a.data());
         return a;
       }},
      {"rope_norm", [](const VectorKernels& k, const Floats& a,
                       const Floats& b) { return rotated(k.rope_norm, a, b); }},
      {"rope_neox", [](const VectorKernels& k, const Floats& a,
                       const Floats& b) { return rotated(k.rope_neox, a, b); }},
  };
  return kKernels;
}

TEST(VectorRows, EveryInstructionSetGivesTheSameBits) {
  const VectorKernels& scalar = vector_kernels(Isa::kScalar);
  for (const Isa isa : available_isas()) {
    for (const auto& [kernel, run] : row_kernels()) {
      for (const size_t n :
           std::initializer_list<size_t>{1, 2, 7, 15, 16, 17, 31, 32, 33, 64, 100, 130, 577}) {
        const auto seed = static_cast<uint32_t>(n);
        const Floats a = random_floats(n, seed, 3.0F);
        const Floats b = random_floats(n, seed + 1);
        EXPECT_TRUE(same_bits(run(scalar, a, b), run(vector_kernels(isa), a, b)))
            << kernel << " of " << n << " on " << name(isa);
        const Floats wild = random_bits(n, seed + 2);
        EXPECT_TRUE(same_bits(run(scalar, wild, b), run(vector_kernels(isa), wild, b)))
            << kernel << " of " << n << " wild numbers on " << name(isa);
      }
      const Floats awkward = awkward_floats();
      const Floats b = random_floats(awkward.size(), 5);
      EXPECT_TRUE(same_bits(run(scalar, awkward, b), run(vector_kernels(isa), awkward, b)))
          << kernel << " of awkward numbers on " << name(isa);
    }
  }
}

// The contract itself: another order of adding would give other bits.
TEST(VectorRows, SumsFollowTheTree) {
  const Floats x = random_floats(100, 3);
  float lanes[16] = {};
  for (size_t i = 0; i < x.size(); ++i) lanes[i % 16] = std::fma(x[i], x[i], lanes[i % 16]);
  for (const size_t half : std::initializer_list<size_t>{8, 4, 2, 1}) {
    for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  const float scale = 1.0F / std::sqrt(lanes[0] / 100.0F + 1e-5F);
  Floats expected(x);
  for (float& value : expected) value *= scale;
  for (const Isa isa : available_isas()) {
    Floats out(x.size());
    vector_kernels(isa).rms_norm(x.data(), nullptr, x.size(), 1e-5F, out.data());
    EXPECT_TRUE(same_bits(expected, out)) << name(isa);
  }
}

TEST(VectorRows, ExpIsWithinTwoUnitsInTheLastPlace) {
  Floats x;
  for (float value = -87.3F; value < 88.7F; value += 0.000917F) x.push_back(value);
  for (float value = 1e-9F; value < 1.0F; value *= 1.01F) x.insert(x.end(), {value, -value});
  Floats y(x);
  vector_kernels(Isa::kScalar).exp(y.data(), y.size());
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, ulps(y[i], std::exp(static_cast<double>(x[i]))));
  }
  EXPECT_LT(worst, 1.5);
  EXPECT_GT(worst, 0.0);
}

TEST(VectorRows, ExpAtItsEnds) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Floats x = {-kInfinity, -1e30F, -88.0F, 0.0F, 88.8F, 1e30F, kInfinity, 88.7228F, -87.3365F};
  vector_kernels(Isa::kScalar).exp(x.data(), x.size());
  EXPECT_EQ(x[0], 0.0F);
  EXPECT_EQ(x[1], 0.0F);
  EXPECT_EQ(x[2], 0.0F);
  EXPECT_EQ(x[3], 1.0F);
  EXPECT_EQ(x[4], kInfinity);
  EXPECT_EQ(x[5], kInfinity);
  EXPECT_EQ(x[6], kInfinity);
  EXPECT_LT(ulps(x[7], std::exp(static_cast<double>(88.7228F))), 1.5);
  EXPECT_LT(ulps(x[8], std::exp(static_cast<double>(-87.3365F))), 1.5);

  // Payload bits in the low part must not turn a NaN into a number.
  float nan = std::bit_cast<float>(0x7fc00001U);
  vector_kernels(Isa::kScalar).exp(&nan, 1);
  EXPECT_TRUE(std::isnan(nan));
}

TEST(VectorRows, NormAgainstDouble) {
  const Floats x = random_floats(1000, 11, 5.0F);
  const Floats w = random_floats(1000, 12);
  Floats out(x.size());
  vector_kernels(Isa::kScalar).rms_norm(x.data(), w.data(), x.size(), 1e-6F, out.data());
  double squares = 0;
  for (const double value : x) squares += value * value;
  const double scale = 1.0 / std::sqrt(squares / 1000.0 + 1e-6);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_LT(ulps(out[i], x[i] * scale * w[i]), 8) << i;
}

TEST(VectorRows, SoftmaxAndLogSumExpAgainstDouble) {
  for (const size_t n : std::initializer_list<size_t>{1, 5, 16, 333}) {
    const Floats x = random_floats(n, 21, 4.0F);
    Floats out(x);
    vector_kernels(Isa::kScalar).softmax(out.data(), n);
    double total = 0;
    for (const double value : x) total += std::exp(value);
    for (size_t i = 0; i < n; ++i) {
      const double exact = std::exp(static_cast<double>(x[i])) / total;
      EXPECT_NEAR(out[i], exact, exact * 2e-6) << i;
    }
    EXPECT_NEAR(vector_kernels(Isa::kScalar).log_sum_exp(x.data(), n), std::log(total), 2e-6);
  }
}

TEST(VectorRows, ActivationsAgainstDouble) {
  const Floats g = random_floats(200, 31, 4.0F);
  const Floats u = random_floats(200, 32, 4.0F);
  const VectorKernels& k = vector_kernels(Isa::kScalar);
  Floats silu(200);
  Floats clamped(200);
  Floats oai(200);
  k.silu_mul(g.data(), u.data(), 200, silu.data());
  k.silu_mul_clamped(g.data(), u.data(), 200, 3.0F, clamped.data());
  k.swiglu_oai(g.data(), u.data(), 200, SwigluOai{}, oai.data());
  const auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  for (size_t i = 0; i < 200; ++i) {
    const double gate = g[i];
    const double up = u[i];
    EXPECT_LT(ulps(silu[i], gate * sigmoid(gate) * up), 8);
    const double low = std::min(gate, 3.0);
    EXPECT_LT(ulps(clamped[i], low * sigmoid(low) * std::clamp(up, -3.0, 3.0)), 8);
    const double at_most = std::min(gate, 7.0);
    const double exact = at_most * sigmoid(1.702 * at_most) * (std::clamp(up, -7.0, 7.0) + 1.0);
    EXPECT_NEAR(oai[i], exact, 4e-6 * (1.0 + std::abs(exact)));
  }
}

TEST(VectorRows, RotationsAgainstDouble) {
  constexpr size_t kRot = 70;
  Floats angles(kRot);
  for (size_t j = 0; j < kRot / 2; ++j) {
    angles[j] = std::cos(0.37F * static_cast<float>(j));
    angles[kRot / 2 + j] = std::sin(0.37F * static_cast<float>(j));
  }
  const Floats x = random_floats(kRot + 10, 41);
  Floats norm(x);
  Floats neox(x);
  const float* sines = angles.data() + kRot / 2;
  vector_kernels(Isa::kScalar).rope_norm(norm.data(), angles.data(), sines, kRot);
  vector_kernels(Isa::kScalar).rope_neox(neox.data(), angles.data(), sines, kRot);
  const auto expect_rotated = [&](const Floats& out, size_t j, size_t first, size_t second) {
    const double cosine = angles[j];
    const double sine = sines[j];
    EXPECT_NEAR(out[first], x[first] * cosine - x[second] * sine, 1e-6) << j;
    EXPECT_NEAR(out[second], x[first] * sine + x[second] * cosine, 1e-6) << j;
  };
  for (size_t j = 0; j < kRot / 2; ++j) {
    expect_rotated(norm, j, 2 * j, 2 * j + 1);
    expect_rotated(neox, j, j, j + kRot / 2);
  }
  for (size_t i = kRot; i < x.size(); ++i) {  // beyond n_rot nothing moves
    EXPECT_EQ(norm[i], x[i]);
    EXPECT_EQ(neox[i], x[i]);
  }
}

}  // namespace
}  // namespace freehold::kernels
