#include "kernels/avx512/probe.h"

#include "kernels/avx512/intrinsics.h"

namespace freehold::kernels::avx512 {

// Eight independent sums hide the latency of the one instruction.
uint64_t int8_probe(uint64_t rounds, int32_t* sink) {
  constexpr int kSums = 8;
  alignas(64) int8_t data[8 * 64];
  for (int i = 0; i < 8 * 64; ++i) data[i] = static_cast<int8_t>(i % 7);
  __m512i weights[kSums];
  __m512i sums[kSums];
  for (int i = 0; i < kSums; ++i) {
    weights[i] = _mm512_set1_epi32(0x01020304 * (i + 1));
    sums[i] = _mm512_setzero_si512();
  }
  for (uint64_t round = 0; round < rounds; ++round) {
    const __m512i x = _mm512_load_si512(data + round % 8 * 64);
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], x, weights[i]);
  }
  for (int i = 1; i < kSums; ++i) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
  alignas(64) int32_t lanes[16];
  _mm512_store_si512(lanes, sums[0]);
  *sink = lanes[0] ^ lanes[15];
  return rounds * kSums * 64 * 2;
}

}  // namespace freehold::kernels::avx512
