// The formats whose 256 weights share d (and dmin) and whose sub-blocks have small integer scales
// (and minimums). Each sub-block is fitted by itself first; then the shared scales and the small
// integers are chosen together: from several sizes of d, integers around each sub-block's ideal and
// least squares for d and dmin take turns until nothing is gained.
#include "quant/encode_k.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "quant/block.h"
#include "quant/fit.h"

namespace freehold::quant {
namespace {

constexpr size_t kBlock = 256;
constexpr int kTurns = 3;

float as_f16(float value) { return f16_to_f32(f32_to_f16(value)); }

// The nearest integer in bottom..top.
int integer_in(float value, int bottom, int top) {
  const float low = static_cast<float>(bottom), high = static_cast<float>(top);
  return static_cast<int>(std::nearbyint(std::min(std::max(value, low), high)));
}

template <size_t N>
std::array<Weighed<N>, kBlock / N> sub_blocks(const float* values, const float* weights) {
  std::array<Weighed<N>, kBlock / N> out;
  for (size_t s = 0; s < out.size(); ++s) out[s] = weigh<N>(values + N * s, weights + N * s);
  return out;
}

// Q2_K, Q4_K, Q5_K: sub-blocks of N weights, integers 0..kTop, scales and minimums 0..kScaleTop;
// a weight is d * scale * q - dmin * min.
template <size_t N, int kTop, int kScaleTop>
class AffineSearch {
 public:
  static constexpr size_t kSubs = kBlock / N;
  struct Choice {
    float d = 0, dmin = 0;
    std::array<uint8_t, kSubs> scale{}, min{};
    float error = kWorst;
  };

  AffineSearch(const float* values, const float* weights) : subs_(sub_blocks<N>(values, weights)) {
    for (size_t s = 0; s < kSubs; ++s) {
      ideal_[s] = fit_affine(subs_[s], kTop, true);
      largest_scale_ = std::max(largest_scale_, ideal_[s].scale);
      largest_min_ = std::max(largest_min_, ideal_[s].min);
    }
  }

  Choice best() const {
    Choice best;
    for (const float share : {1.0F, 0.975F, 0.95F}) {
      const float levels = share * static_cast<float>(kScaleTop);
      float d = largest_scale_ / levels, dmin = largest_min_ / levels;
      for (int turn = 0; turn < kTurns; ++turn) {
        const Choice choice = choose(as_f16(d), as_f16(dmin));
        if (!(choice.error < best.error) && turn > 0) break;
        if (choice.error < best.error) best = choice;
        solve(choice, d, dmin);
      }
    }
    return best;
  }

  // The weights' integers, one a byte. Takes the bias out of d and dmin afterwards.
  std::array<uint8_t, kBlock> integers(Choice& choice) const {
    std::array<uint8_t, kBlock> out;
    Bias bias;
    for (size_t s = 0; s < kSubs; ++s) {
      const float scale = choice.d * static_cast<float>(choice.scale[s]);
      const float min = choice.dmin * static_cast<float>(choice.min[s]);
      const auto q = nearest(subs_[s], scale, min, 0, kTop);
      bias.add(subs_[s], scale, min, sums_of(subs_[s], q));
      for (size_t i = 0; i < N; ++i) {
        out[N * s + i] = static_cast<uint8_t>(q[i / kLanes][i % kLanes]);
      }
    }
    choice.d *= bias.factor();
    choice.dmin *= bias.factor();
    return out;
  }

 private:
  // The best small integers for given d and dmin.
  Choice choose(float d, float dmin) const {
    Choice out{d, dmin, {}, {}, 0};
    for (size_t s = 0; s < kSubs; ++s) {
      float least = kWorst;
      const int middle = d > 0 ? integer_in(ideal_[s].scale / d, 0, kScaleTop) : 0;
      const int first = std::max(middle - 1, 0), last = std::min(middle + 1, kScaleTop);
      for (int scale = first; scale <= last; ++scale) {
        const float step = d * static_cast<float>(scale);
        const float ideal = min_for(subs_[s], step, ideal_[s].min);
        const int below = dmin > 0 ? integer_in(std::floor(ideal / dmin), 0, kScaleTop) : 0;
        for (int min = below; min <= std::min(below + 1, kScaleTop); ++min) {
          const float error = error_of(subs_[s], step, dmin * static_cast<float>(min), 0, kTop);
          if (error < least) {
            least = error;
            out.scale[s] = static_cast<uint8_t>(scale);
            out.min[s] = static_cast<uint8_t>(min);
          }
        }
      }
      out.error += least;
    }
    return out;
  }

  // The min of least error for a given scale, near another.
  static float min_for(const Weighed<N>& sub, float scale, float min) {
    const Sums sums = sums_of(sub, nearest(sub, scale, min, 0, kTop));
    return sub.sum_w > 0 ? (scale * sums.wq - sub.sum_wx) / sub.sum_w : 0;
  }

  // The d and dmin of least error for given small integers.
  void solve(const Choice& choice, float& d, float& dmin) const {
    float uu = 0, uv = 0, vv = 0, xu = 0, xv = 0;
    for (size_t s = 0; s < kSubs; ++s) {
      const float scale = choice.scale[s], min = choice.min[s];
      const Sums sums =
          sums_of(subs_[s], nearest(subs_[s], choice.d * scale, choice.dmin * min, 0, kTop));
      uu += scale * scale * sums.wqq;
      uv += scale * min * sums.wq;
      vv += min * min * subs_[s].sum_w;
      xu += scale * sums.wxq;
      xv += min * subs_[s].sum_wx;
    }
    const float determinant = uu * vv - uv * uv;
    if (determinant > 0) {
      d = (xu * vv - uv * xv) / determinant;
      dmin = (uv * xu - uu * xv) / determinant;
    } else if (uu > 0) {
      d = xu / uu;
    }
    d = std::max(d, 0.0F);
    dmin = std::max(dmin, 0.0F);
  }

  std::array<Weighed<N>, kSubs> subs_;
  std::array<Affine, kSubs> ideal_;
  float largest_scale_ = 0, largest_min_ = 0;
};

// Q3_K, Q6_K: sub-blocks of 16 weights, integers kBottom..-kBottom - 1, signed scales
// kScaleBottom..-kScaleBottom - 1; a weight is d * scale * q.
template <int kBottom, int kScaleBottom>
class SymmetricSearch {
 public:
  static constexpr size_t kSubs = 16;
  struct Choice {
    float d = 0;
    std::array<int8_t, kSubs> scale{};
    float error = kWorst;
  };

  SymmetricSearch(const float* values, const float* weights)
      : subs_(sub_blocks<16>(values, weights)) {
    for (size_t s = 0; s < kSubs; ++s) {
      ideal_[s] = fit_symmetric(subs_[s], kBottom, -kBottom - 1);
      if (std::abs(ideal_[s].scale) > std::abs(largest_)) largest_ = ideal_[s].scale;
    }
  }

  Choice best() const {
    Choice best;
    const float bottom = kScaleBottom;
    for (const float levels : {bottom, 1 - bottom, 0.96F * bottom}) {
      float d = largest_ / levels;
      for (int turn = 0; turn < kTurns; ++turn) {
        const Choice choice = choose(as_f16(d));
        if (!(choice.error < best.error) && turn > 0) break;
        if (choice.error < best.error) best = choice;
        d = solve(choice);
      }
    }
    return best;
  }

  // The weights' integers less kBottom (so at least 0), one a byte. Takes the bias out of d
  // afterwards.
  std::array<uint8_t, kBlock> integers(Choice& choice) const {
    std::array<uint8_t, kBlock> out;
    Bias bias;
    for (size_t s = 0; s < kSubs; ++s) {
      const float scale = choice.d * static_cast<float>(choice.scale[s]);
      const auto q = nearest(subs_[s], scale, 0, kBottom, kTop);
      bias.add(subs_[s], scale, 0, sums_of(subs_[s], q));
      for (size_t i = 0; i < 16; ++i) {
        out[16 * s + i] = static_cast<uint8_t>(q[i / kLanes][i % kLanes] - kBottom);
      }
    }
    choice.d *= bias.factor();
    return out;
  }

 private:
  static constexpr float kTop = -kBottom - 1;

  Choice choose(float d) const {
    Choice out{d, {}, 0};
    for (size_t s = 0; s < kSubs; ++s) {
      float least = kWorst;
      const int middle =
          d != 0 ? integer_in(ideal_[s].scale / d, kScaleBottom, -kScaleBottom - 1) : 0;
      const int first = std::max(middle - 1, kScaleBottom);
      const int last = std::min(middle + 1, -kScaleBottom - 1);
      for (int scale = first; scale <= last; ++scale) {
        const float error = error_of(subs_[s], d * static_cast<float>(scale), 0, kBottom, kTop);
        if (error < least) {
          least = error;
          out.scale[s] = static_cast<int8_t>(scale);
        }
      }
      out.error += least;
    }
    return out;
  }

  float solve(const Choice& choice) const {
    float uu = 0, xu = 0;
    for (size_t s = 0; s < kSubs; ++s) {
      const float scale = choice.scale[s];
      const Sums sums = sums_of(subs_[s], nearest(subs_[s], choice.d * scale, 0, kBottom, kTop));
      uu += scale * scale * sums.wqq;
      xu += scale * sums.wxq;
    }
    return uu > 0 ? xu / uu : 0;
  }

  std::array<Weighed<16>, kSubs> subs_;
  std::array<Symmetric, kSubs> ideal_;
  float largest_ = 0;
};

// Packs the low four bits of each pair of 32s into 32 bytes.
void pack_nibbles(const std::array<uint8_t, kBlock>& q, uint8_t* qs) {
  for (size_t g = 0; g < 4; ++g) {
    for (size_t l = 0; l < 32; ++l) {
      qs[32 * g + l] = static_cast<uint8_t>((q[64 * g + l] & 15) | q[64 * g + 32 + l] << 4);
    }
  }
}

// Packs the low two bits of each four 32s into 32 bytes.
void pack_pairs(const std::array<uint8_t, kBlock>& q, uint8_t* qs) {
  for (size_t n = 0; n < 2; ++n) {
    for (size_t l = 0; l < 32; ++l) {
      const uint8_t* at = q.data() + 128 * n + l;
      qs[32 * n + l] = static_cast<uint8_t>((at[0] & 3) | (at[32] & 3) << 2 | (at[64] & 3) << 4 |
                                            (at[96] & 3) << 6);
    }
  }
}

}  // namespace

void encode_q2_k(const float* values, const float* weights, uint8_t* block) {
  const AffineSearch<16, 3, 15> search(values, weights);
  auto choice = search.best();
  const auto q = search.integers(choice);
  for (size_t k = 0; k < 16; ++k) {
    block[k] = static_cast<uint8_t>(choice.scale[k] | choice.min[k] << 4);
  }
  pack_pairs(q, block + 16);
  store_u16(block + 80, f32_to_f16(choice.d));
  store_u16(block + 82, f32_to_f16(choice.dmin));
}

void encode_q3_k(const float* values, const float* weights, uint8_t* block) {
  const SymmetricSearch<-4, -32> search(values, weights);
  auto choice = search.best();
  const auto q = search.integers(choice);
  std::memset(block, 0, 32);
  for (size_t e = 0; e < kBlock; ++e) {
    block[e % 32] = static_cast<uint8_t>(block[e % 32] | q[e] >> 2 << (e / 32));
  }
  pack_pairs(q, block + 32);
  pack_scales_q3(choice.scale, block + 96);
  store_u16(block + 108, f32_to_f16(choice.d));
}

void encode_q4_k(const float* values, const float* weights, uint8_t* block) {
  const AffineSearch<32, 15, 63> search(values, weights);
  auto choice = search.best();
  const auto q = search.integers(choice);
  store_u16(block, f32_to_f16(choice.d));
  store_u16(block + 2, f32_to_f16(choice.dmin));
  pack_scales({choice.scale, choice.min}, block + 4);
  pack_nibbles(q, block + 16);
}

void encode_q5_k(const float* values, const float* weights, uint8_t* block) {
  const AffineSearch<32, 31, 63> search(values, weights);
  auto choice = search.best();
  const auto q = search.integers(choice);
  store_u16(block, f32_to_f16(choice.d));
  store_u16(block + 2, f32_to_f16(choice.dmin));
  pack_scales({choice.scale, choice.min}, block + 4);
  std::memset(block + 16, 0, 32);
  for (size_t e = 0; e < kBlock; ++e) {
    uint8_t& high = block[16 + e % 32];
    high = static_cast<uint8_t>(high | q[e] >> 4 << (e / 32));
  }
  pack_nibbles(q, block + 48);
}

void encode_q6_k(const float* values, const float* weights, uint8_t* block) {
  const SymmetricSearch<-32, -128> search(values, weights);
  auto choice = search.best();
  const auto q = search.integers(choice);
  for (size_t n = 0; n < 2; ++n) {
    for (size_t l = 0; l < 32; ++l) {
      const uint8_t* at = q.data() + 128 * n + l;
      block[64 * n + l] = static_cast<uint8_t>((at[0] & 15) | at[64] << 4);
      block[64 * n + 32 + l] = static_cast<uint8_t>((at[32] & 15) | at[96] << 4);
      block[128 + 32 * n + l] =
          static_cast<uint8_t>(at[0] >> 4 | at[32] >> 4 << 2 | at[64] >> 4 << 4 | at[96] >> 4 << 6);
    }
  }
  for (size_t k = 0; k < 16; ++k) block[192 + k] = static_cast<uint8_t>(choice.scale[k]);
  store_u16(block + 208, f32_to_f16(choice.d));
}

}  // namespace freehold::quant
