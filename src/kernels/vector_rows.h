// Norms, activations, softmax and rotations of one row, as templates over a lanes type; vector.h
// says what each computes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/vector.h"
#include "kernels/vector_math.h"

namespace freehold::kernels {

template <typename V>
struct Rows {
  using F32 = typename V::F32;

  static void rms_norm(const float* x, const float* weight, size_t n, float epsilon, float* out) {
    F32 squares = V::broadcast(0.0F);
    by_sixteen<V>(n, [&](size_t i, auto count) {
      const F32 a = load_lanes<V>(x + i, count, 0.0F);
      squares = V::fma(a, a, squares);
    });
    const float mean = V::sum(squares) / static_cast<float>(n);
    const F32 scale = V::broadcast(1.0F / __builtin_sqrtf(mean + epsilon));
    by_sixteen<V>(n, [&](size_t i, auto count) {
      F32 a = V::mul(load_lanes<V>(x + i, count, 0.0F), scale);
      if (weight != nullptr) a = V::mul(a, load_lanes<V>(weight + i, count, 0.0F));
      store_lanes<V>(out + i, a, count);
    });
  }

  static void add(float* a, const float* b, size_t n) {
    update(a, n, [&](F32 x, size_t i, auto count) {
      return V::add(x, load_lanes<V>(b + i, count, 0.0F));
    });
  }
  static void mul(float* a, const float* b, size_t n) {
    update(a, n, [&](F32 x, size_t i, auto count) {
      return V::mul(x, load_lanes<V>(b + i, count, 0.0F));
    });
  }
  static void scale(float* a, float s, size_t n) {
    const F32 factor = V::broadcast(s);
    update(a, n, [&](F32 x, size_t, auto) { return V::mul(x, factor); });
  }
  static void scale_add(float* a, float s, const float* b, size_t n) {
    const F32 factor = V::broadcast(s);
    update(a, n, [&](F32 x, size_t i, auto count) {
      return V::fma(factor, load_lanes<V>(b + i, count, 0.0F), x);
    });
  }

  static void exp_row(float* x, size_t n) {
    update(x, n, [](F32 a, size_t, auto) { return exp<V>(a); });
  }
  static void sigmoid_row(float* x, size_t n) {
    update(x, n, [](F32 a, size_t, auto) { return sigmoid<V>(a); });
  }

  static void softmax(float* x, size_t n) {
    const F32 largest = V::broadcast(max(x, n));
    F32 sums = V::broadcast(0.0F);
    by_sixteen<V>(n, [&](size_t i, auto count) {
      const F32 e = exp<V>(V::sub(load_lanes<V>(x + i, count, kMinusInfinity), largest));
      sums = V::add(sums, e);
      store_lanes<V>(x + i, e, count);
    });
    const F32 total = V::broadcast(V::sum(sums));
    update(x, n, [&](F32 a, size_t, auto) { return V::div(a, total); });
  }

  static float log_sum_exp(const float* x, size_t n) {
    const float largest = max(x, n);
    F32 sums = V::broadcast(0.0F);
    by_sixteen<V>(n, [&](size_t i, auto count) {
      const F32 a = load_lanes<V>(x + i, count, kMinusInfinity);
      sums = V::add(sums, exp<V>(V::sub(a, V::broadcast(largest))));
    });
    return static_cast<float>(largest + log(static_cast<double>(V::sum(sums))));
  }

  static void silu_mul(const float* gate, const float* up, size_t n, float* out) {
    gated(gate, up, n, out, [](F32 g, F32 u) { return V::mul(V::mul(g, sigmoid<V>(g)), u); });
  }

  static void silu_mul_clamped(const float* gate, const float* up, size_t n, float limit,
                               float* out) {
    gated(gate, up, n, out, [limit](F32 g, F32 u) {
      g = V::min(V::broadcast(limit), g);
      return V::mul(V::mul(g, sigmoid<V>(g)), clamp(u, limit));
    });
  }

  static void swiglu_oai(const float* gate, const float* up, size_t n, SwigluOai how, float* out) {
    gated(gate, up, n, out, [how](F32 g, F32 u) {
      g = V::min(V::broadcast(how.limit), g);
      const F32 activated = V::mul(g, sigmoid<V>(V::mul(g, V::broadcast(how.alpha))));
      return V::mul(activated, V::add(clamp(u, how.limit), V::broadcast(1.0F)));
    });
  }

  // a' = fma(a, cos, -(c * sin)), c' = fma(a, sin, c * cos); here the pair is (a, c) side by side.
  static void rope_norm(float* head, const float* cosines, const float* sines, size_t n_rot) {
    const F32 minus = V::broadcast(-1.0F);
    size_t j = 0;
    for (; j + 16 <= n_rot / 2; j += 16) {
      const F32 cosine = V::load(cosines + j);
      const F32 sine = V::load(sines + j);
      const F32 minus_sine = V::mul(sine, minus);
      rotate_pairs(head + 2 * j, V::interleave_low(cosine, sine),
                   V::interleave_low(minus_sine, cosine));
      rotate_pairs(head + 2 * j + 16, V::interleave_high(cosine, sine),
                   V::interleave_high(minus_sine, cosine));
    }
    for (; j < n_rot / 2; ++j) {
      const float a = head[2 * j];
      const float c = head[2 * j + 1];
      head[2 * j] = __builtin_fmaf(a, cosines[j], -(c * sines[j]));
      head[2 * j + 1] = __builtin_fmaf(a, sines[j], c * cosines[j]);
    }
  }

  static void rope_neox(float* head, const float* cosines, const float* sines, size_t n_rot) {
    float* second = head + n_rot / 2;
    by_sixteen<V>(n_rot / 2, [&](size_t j, auto count) {
      const F32 cosine = load_lanes<V>(cosines + j, count, 0.0F);
      const F32 sine = load_lanes<V>(sines + j, count, 0.0F);
      const F32 a = load_lanes<V>(head + j, count, 0.0F);
      const F32 c = load_lanes<V>(second + j, count, 0.0F);
      const F32 minus_sine = V::mul(sine, V::broadcast(-1.0F));
      store_lanes<V>(head + j, V::fma(a, cosine, V::mul(c, minus_sine)), count);
      store_lanes<V>(second + j, V::fma(a, sine, V::mul(c, cosine)), count);
    });
  }

 private:
  static constexpr float kMinusInfinity = -__builtin_inff();

  template <typename Function>
  static void update(float* a, size_t n, const Function& function) {
    by_sixteen<V>(n, [&](size_t i, auto count) {
      store_lanes<V>(a + i, function(load_lanes<V>(a + i, count, 0.0F), i, count), count);
    });
  }

  template <typename Function>
  static void gated(const float* gate, const float* up, size_t n, float* out,
                    const Function& function) {
    by_sixteen<V>(n, [&](size_t i, auto count) {
      const F32 g = load_lanes<V>(gate + i, count, 0.0F);
      const F32 u = load_lanes<V>(up + i, count, 0.0F);
      store_lanes<V>(out + i, function(g, u), count);
    });
  }

  // To [-limit, limit]; a NaN stays.
  static F32 clamp(F32 a, float limit) {
    return V::min(V::broadcast(limit), V::max(V::broadcast(-limit), a));
  }

  static void rotate_pairs(float* pairs, F32 cosine_sine, F32 minus_sine_cosine) {
    const F32 x = V::load(pairs);
    const F32 second = V::mul(V::odd_twice(x), minus_sine_cosine);
    V::store(pairs, V::fma(V::even_twice(x), cosine_sine, second));
  }

  static float max(const float* x, size_t n) {
    F32 largest = V::broadcast(kMinusInfinity);
    by_sixteen<V>(n, [&](size_t i, auto count) {
      largest = V::max(largest, load_lanes<V>(x + i, count, kMinusInfinity));
    });
    return V::max_lane(largest);
  }

  // The natural logarithm of x >= 1 (or NaN), to about 1e-10. x = 2^e f with f near 1, and
  // log f = 2 artanh(s) with s = (f - 1) / (f + 1), |s| < 0.172.
  static double log(double x) {
    if (!(x < __builtin_inf())) return x;
    constexpr uint64_t kFraction = (uint64_t{1} << 52) - 1;
    const uint64_t bits = __builtin_bit_cast(uint64_t, x);
    double exponent = static_cast<double>(static_cast<int64_t>(bits >> 52) - 1023);
    double f = __builtin_bit_cast(double, (bits & kFraction) | uint64_t{1023} << 52);
    if (f > 1.4142135623730951) {
      f *= 0.5;
      exponent += 1.0;
    }
    const double s = (f - 1.0) / (f + 1.0);
    const double s2 = s * s;
    double series = 1.0 / 13;
    for (const double divisor : {11.0, 9.0, 7.0, 5.0, 3.0, 1.0})
      series = series * s2 + 1.0 / divisor;
    return exponent * 0.6931471805599453 + 2.0 * s * series;
  }
};

}  // namespace freehold::kernels
