// A checksum of 256 bits for what this program wrote itself and reads again: tells damage and
// difference at several gigabytes a second. Not against forgers, who could as well write the
// program.
#pragma once

#include <array>
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
  // Sixteen side by side, so that the processor waits for memory and not for sums.
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

  // A word, or several side by side, into their lanes. A bijection of the lane for any word and of
  // the word for any lane, so one changed word always changes its lane.
  template <class Words>
  static Words step(Words lane, Words word) {
    Words sum = lane + word;
    sum += sum << 21;
    return sum ^ (sum >> 32);
  }
  // `bytes` a multiple of sizeof(Lanes): word after word into lane after lane.
  static void take_words(Lanes& lanes, std::span<const std::byte> bytes) {
    using Pair [[gnu::vector_size(16)]] = uint64_t;
    constexpr size_t kPairs = sizeof(Lanes) / sizeof(Pair);
    Pair sums[kPairs];
    std::memcpy(sums, lanes.data(), sizeof sums);
    for (size_t i = 0; i < bytes.size(); i += sizeof sums) {
      for (size_t j = 0; j < kPairs; ++j) {
        Pair words;
        std::memcpy(&words, bytes.data() + i + j * sizeof words, sizeof words);
        sums[j] = step(sums[j], words);
      }
    }
    std::memcpy(lanes.data(), sums, sizeof sums);
  }

 private:
  Lanes lanes_ = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  uint64_t size_ = 0;
};

}  // namespace freehold::base
