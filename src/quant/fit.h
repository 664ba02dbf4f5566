// The searches behind the encoders: how to lay a grid of evenly spaced levels over a few weights so
// that the weighted squared error is small. Deterministic. All inputs are finite.
#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include "quant/lanes.h"

namespace freehold::quant {

// N values, what an error in each costs (at least 0), and sums over them.
template <size_t N>
struct Weighed {
  static constexpr size_t kVectors = N / kLanes;
  using Integers = std::array<F4, kVectors>;

  std::array<F4, kVectors> x;
  std::array<F4, kVectors> w;
  float sum_w, sum_wx, sum_wxx;
  float lowest, highest;
};

template <size_t N>
Weighed<N> weigh(const float* values, const float* weights) {
  Weighed<N> out;
  F4 sum_w = splat(0), sum_wx = sum_w, sum_wxx = sum_w;
  F4 low = load4(values), high = low;
  for (size_t i = 0; i < out.kVectors; ++i) {
    const F4 x = load4(values + kLanes * i), w = load4(weights + kLanes * i);
    out.x[i] = x;
    out.w[i] = w;
    low = smaller(low, x);
    high = larger(high, x);
    sum_w += w;
    sum_wx += w * x;
    sum_wxx += w * x * x;
  }
  out.sum_w = sum4(sum_w);
  out.sum_wx = sum4(sum_wx);
  out.sum_wxx = sum4(sum_wxx);
  out.lowest = smallest(low);
  out.highest = largest(high);
  return out;
}

inline constexpr float kWorst = std::numeric_limits<float>::infinity();

// Levels scale * q - min for q in 0..top.
struct Affine {
  float scale = 0;
  float min = 0;
  float error = kWorst;
};

// Levels scale * q for q in bottom..top.
struct Symmetric {
  float scale = 0;
  float error = kWorst;
};

// The integers of the levels nearest to the values.
template <size_t N>
typename Weighed<N>::Integers nearest(const Weighed<N>& block, float scale, float min, float bottom,
                                      float top) {
  typename Weighed<N>::Integers q;
  const F4 inverse = splat(scale != 0 ? 1 / scale : 0), shift = splat(min);
  for (size_t i = 0; i < q.size(); ++i) {
    const F4 t = (block.x[i] + shift) * inverse;
    q[i] = round4(smaller(larger(t, splat(bottom)), splat(top)));
  }
  return q;
}

// The error when every value takes its nearest level.
template <size_t N>
float error_of(const Weighed<N>& block, float scale, float min, float bottom, float top) {
  const auto q = nearest(block, scale, min, bottom, top);
  F4 sum = splat(0);
  for (size_t i = 0; i < q.size(); ++i) {
    const F4 e = block.x[i] + splat(min) - splat(scale) * q[i];
    sum += block.w[i] * e * e;
  }
  return sum4(sum);
}

// Sums over a block for given integers, of which every least-squares solution is made.
struct Sums {
  float wq, wqq, wxq;
};

template <size_t N>
Sums sums_of(const Weighed<N>& block, const typename Weighed<N>::Integers& q) {
  F4 wq = splat(0), wqq = wq, wxq = wq;
  for (size_t i = 0; i < q.size(); ++i) {
    const F4 a = block.w[i] * q[i];
    wq += a;
    wqq += a * q[i];
    wxq += a * block.x[i];
  }
  return {sum4(wq), sum4(wqq), sum4(wxq)};
}

// Gives every value its nearest level, then solves for the scale and min of least error with these
// integers (min at least 0 where `positive`).
template <size_t N>
Affine improve(const Weighed<N>& block, Affine fit, float top, bool positive) {
  const Sums s = sums_of(block, nearest(block, fit.scale, fit.min, 0, top));
  const float determinant = block.sum_w * s.wqq - s.wq * s.wq;
  if (determinant > 0) {
    fit.scale = (block.sum_w * s.wxq - block.sum_wx * s.wq) / determinant;
    fit.min = (s.wq * s.wxq - s.wqq * block.sum_wx) / determinant;
  }
  if (!(determinant > 0) || (positive && fit.min < 0)) {
    fit.min = 0;
    fit.scale = s.wqq > 0 ? s.wxq / s.wqq : 0;
  }
  fit.error = block.sum_wxx - fit.scale * s.wxq + fit.min * block.sum_wx;
  return fit;
}

template <size_t N>
Symmetric improve(const Weighed<N>& block, Symmetric fit, float bottom, float top) {
  const Sums s = sums_of(block, nearest(block, fit.scale, 0, bottom, top));
  fit.scale = s.wqq > 0 ? s.wxq / s.wqq : 0;
  fit.error = block.sum_wxx - fit.scale * s.wxq;
  return fit;
}

// Searches a scale (above 0) and min: grids laid over the range of the values, clipping it at
// either end or using fewer levels than there are, each improved twice and the best until it gains
// nothing. A scale of 0 means that all values are one level, -min.
template <size_t N>
Affine fit_affine(const Weighed<N>& block, float top, bool positive) {
  const float low = positive && block.lowest > 0 ? 0 : block.lowest;
  if (!(block.highest > low)) return {0, -low, 0};
  Affine best;
  for (const float below : {0.0F, 0.5F}) {
    for (int start = 0; start < 8; ++start) {
      const float above = -2.0F + 3.0F / 7.0F * static_cast<float>(start);
      const float step = (block.highest - low) / (top + below + above);
      Affine fit{step, -(low + below * step), 0};
      if (positive && fit.min < 0) fit.min = 0;
      fit = improve(block, improve(block, fit, top, positive), top, positive);
      if (fit.scale > 0 && fit.error < best.error) best = fit;
    }
  }
  for (int round = 0; round < 4; ++round) {
    const Affine fit = improve(block, best, top, positive);
    if (!(fit.scale > 0 && fit.error < best.error)) break;
    best = fit;
  }
  return best;
}

// The same with levels on both sides of 0; where bottom and top differ in size, the scale may be
// negative. 0 when all values are.
template <size_t N>
Symmetric fit_symmetric(const Weighed<N>& block, float bottom, float top) {
  const float size = std::max(block.highest, -block.lowest);
  if (!(size > 0)) return {0, 0};
  Symmetric best;
  for (const float sign : {1.0F, -1.0F}) {
    for (int start = 0; start < 12; ++start) {
      const float levels = -bottom - 2.0F + 0.25F * static_cast<float>(start);
      Symmetric fit{sign * size / levels, 0};
      fit = improve(block, improve(block, fit, bottom, top), bottom, top);
      if (fit.scale != 0 && fit.error < best.error) best = fit;
    }
    if (bottom == -top) break;
  }
  for (int round = 0; round < 4; ++round) {
    const Symmetric fit = improve(block, best, bottom, top);
    if (!(fit.scale != 0 && fit.error < best.error)) break;
    best = fit;
  }
  return best;
}

// Sums over what was encoded, x, and what it decodes to, y. Least squares leaves an error that y
// does not see but x does: decoded weights are a little smaller than they were, all alike, and a
// model feels that through all its layers where it hardly feels errors that look like noise. The
// factor scales y so that the error is blind to x instead, which costs next to nothing.
struct Bias {
  float xx = 0, xy = 0;

  template <size_t N>
  void add(const Weighed<N>& block, float scale, float min, const Sums& sums) {
    xx += block.sum_wxx;
    xy += scale * sums.wxq - min * block.sum_wx;
  }
  float factor() const {
    const float out = xy > 0 ? xx / xy : 1;
    return out > 0.9F && out < 1.1F ? out : 1;
  }
};

}  // namespace freehold::quant
