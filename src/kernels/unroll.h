// Loops over arrays of registers, written out by the compiler; and how functions are declared that
// many instruction sets share. Those must be inlined: a copy compiled for one of them could be the
// one that the linker keeps for all.
#pragma once

#include <utility>

namespace freehold::kernels {

#define FREEHOLD_INLINE static inline __attribute__((always_inline))
#define FREEHOLD_INLINE_MEMBER inline __attribute__((always_inline))

// Calls fn with the constants 0 … N-1, so that arrays of registers are indexed by constants.
template <int N, class Fn>
FREEHOLD_INLINE void unroll(Fn&& fn) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (fn(std::integral_constant<int, I>{}), ...);
  }
  (std::make_integer_sequence<int, N>{});
}

#define FREEHOLD_UNROLL(N, i, ...) unroll<N>([&](auto i) __attribute__((always_inline)) __VA_ARGS__)

}  // namespace freehold::kernels
