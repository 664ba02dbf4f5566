// Templates over a lanes type (scalar/lanes.h): arrays whose length is no multiple of sixteen, and
// our own exponential function.
#pragma once

#include <cstddef>
#include <type_traits>

namespace freehold::kernels {

using Sixteen = std::integral_constant<size_t, 16>;

// Calls body(i, count) for i = 0, 16, ... below n; count is Sixteen{} or, at the end, a size_t.
template <typename V, typename Body>
inline void by_sixteen(size_t n, const Body& body) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) body(i, Sixteen{});
  if (i < n) body(i, n - i);
}

// Loads count lanes; the others are `fill`.
template <typename V, typename Count>
inline typename V::F32 load_lanes(const float* p, Count count, float fill) {
  if constexpr (std::is_same_v<Count, Sixteen>) {
    return V::load(p);
  } else {
    float lanes[16];
    for (size_t i = 0; i < 16; ++i) lanes[i] = i < count ? p[i] : fill;
    return V::load(lanes);
  }
}

template <typename V, typename Count>
inline void store_lanes(float* p, typename V::F32 a, Count count) {
  if constexpr (std::is_same_v<Count, Sixteen>) {
    V::store(p, a);
  } else {
    float lanes[16];
    V::store(lanes, a);
    for (size_t i = 0; i < count; ++i) p[i] = lanes[i];
  }
}

// exp(x) = 2^n * exp(r) with n = round(x / ln 2) and r = x - n ln 2, in two steps because ln 2 has
// too many bits for one. exp(r) = 1 + r + r^2 q(r); q is the polynomial of degree 4 whose relative
// error over |r| <= ln(2)/2 is least (about 0.06 units in the last place). n is found by adding
// 1.5 * 2^23, whose unit in the last place is 1, so that n also lies in the low bits of the sum.
template <typename V>
inline typename V::F32 exp(typename V::F32 x) {
  using F32 = typename V::F32;
  constexpr float kLowest = -87.33654F;  // ln of the smallest normal number
  constexpr float kHighest = 88.72283F;  // ln of the largest
  const F32 magic = V::broadcast(12582912.0F);
  const F32 one = V::broadcast(1.0F);

  const F32 clamped = V::min(V::broadcast(kHighest), V::max(V::broadcast(kLowest), x));
  const F32 shifted = V::fma(clamped, V::broadcast(0x1.715476p+0F), magic);
  const F32 n = V::sub(shifted, magic);
  F32 r = V::fma(n, V::broadcast(-0x1.62e4p-1F), clamped);
  r = V::fma(n, V::broadcast(-0x1.7f7d1cp-20F), r);

  F32 q = V::broadcast(0x1.6a2418p-10F);
  q = V::fma(q, r, V::broadcast(0x1.1239f2p-7F));
  q = V::fma(q, r, V::broadcast(0x1.5558f2p-5F));
  q = V::fma(q, r, V::broadcast(0x1.555492p-3F));
  q = V::fma(q, r, V::broadcast(0x1.fffffcp-2F));
  const F32 p = V::add(V::fma(q, V::mul(r, r), r), one);

  F32 result = V::add_to_exponent(p, shifted);
  result = V::select(V::less(x, V::broadcast(kLowest)), V::broadcast(0.0F), result);
  result = V::select(V::less(V::broadcast(kHighest), x), V::broadcast(__builtin_inff()), result);
  return V::select(V::is_nan(x), x, result);
}

template <typename V>
inline typename V::F32 sigmoid(typename V::F32 x) {
  const typename V::F32 one = V::broadcast(1.0F);
  return V::div(one, V::add(one, exp<V>(V::mul(x, V::broadcast(-1.0F)))));
}

}  // namespace freehold::kernels
