// A checksum of 256 bits for what this program wrote itself and reads again: tells damage and
// difference at several gigabytes a second. Not against forgers, who could as well write the
// program.
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/random.h"

namespace freehold::base {

class Checksum {
 public:
  using Digest = std::array<uint64_t, 4>;
  // Sixteen side by side, so that the processor waits for memory and not for a product.
  using Lanes = std::array<uint64_t, 16>;

  // Calls with the same bytes in other pieces give another digest.
  void add(std::span<const std::byte> bytes) {
    size_ += bytes.size();
    const size_t whole = bytes.size() / sizeof(Lanes) * sizeof(Lanes);
    take_words(lanes_, bytes.first(whole));
    for (size_t i = whole; i < bytes.size(); ++i) {
      uint64_t& lane = lanes_[i % lanes_.size()];
      lane = mix64(lane ^ std::to_integer<uint64_t>(bytes[i]));
    }
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  void add(uint64_t value) { add(std::as_bytes(std::span(&value, 1))); }

  Digest digest() const {
    Digest out{};
    uint64_t all = size_;
    for (const uint64_t lane : lanes_) all = mix64(all ^ lane);
    for (size_t i = 0; i < out.size(); ++i) {
      uint64_t own = all;
      for (size_t lane = i; lane < lanes_.size(); lane += out.size()) {
        own = mix64(own + lanes_[lane]);
      }
      out[i] = own;
    }
    return out;
  }
  uint64_t value() const { return digest()[0]; }

  // A word into its lane, and the halves of their sum into each other: low * factor, plus high,
  // exchanged. A bijection for any word, so one changed word always changes its lane.
  static constexpr uint64_t step(uint64_t lane, uint64_t word) {
    const uint64_t sum = lane + word;
    return std::rotl((sum & kLow) * kFactor + (sum & ~kLow), 32);
  }
  // `bytes` a multiple of sizeof(Lanes): word after word into lane after lane.
  static void take_words(Lanes& lanes, std::span<const std::byte> bytes) {
#ifdef __SSE2__
    constexpr size_t kVectors = sizeof(Lanes) / sizeof(__m128i);
    const __m128i factor = _mm_set1_epi64x(kFactor);
    const __m128i high = _mm_set1_epi64x(static_cast<int64_t>(~kLow));
    __m128i sums[kVectors];
    std::memcpy(sums, lanes.data(), sizeof sums);
    for (size_t i = 0; i < bytes.size(); i += sizeof sums) {
      const auto* words = reinterpret_cast<const __m128i*>(bytes.data() + i);
      for (size_t j = 0; j < kVectors; ++j) {
        const __m128i sum = _mm_add_epi64(sums[j], _mm_loadu_si128(words + j));
        const __m128i mixed = _mm_add_epi64(_mm_mul_epu32(sum, factor), _mm_and_si128(sum, high));
        sums[j] = _mm_shuffle_epi32(mixed, 0xb1);
      }
    }
    std::memcpy(lanes.data(), sums, sizeof sums);
#else
    for (size_t i = 0; i < bytes.size(); i += sizeof(Lanes)) {
      Lanes words;
      std::memcpy(words.data(), bytes.data() + i, sizeof words);
      for (size_t j = 0; j < lanes.size(); ++j) lanes[j] = step(lanes[j], words[j]);
    }
#endif
  }

 private:
  static constexpr uint64_t kLow = 0xffffffffU;
  static constexpr uint32_t kFactor = 0x9E3779B1U;  // odd, its bits without a pattern
  Lanes lanes_ = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  uint64_t size_ = 0;
};

}  // namespace freehold::base
