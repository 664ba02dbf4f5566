// A checksum of 256 bits for what this program wrote itself and reads again: tells damage and
// difference at several gigabytes a second. Not against forgers, who could as well write the
// program.
#pragma once

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

  // Calls with the same bytes in other pieces give another digest.
  void add(std::span<const std::byte> bytes) {
    size_ += bytes.size();
    size_t i = 0;
    // Each step is a bijection of its lane, so one changed word always changes it. Eight lanes side
    // by side, so that the processor waits for memory and not for a product.
    std::array<uint64_t, kLanes> lanes = lanes_;
    for (; i + sizeof lanes <= bytes.size(); i += sizeof lanes) {
      std::array<uint64_t, kLanes> words;
      std::memcpy(words.data(), bytes.data() + i, sizeof words);
      for (size_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = std::rotl((lanes[lane] ^ words[lane]) * kFactor, 29) + kStep;
      }
    }
    lanes_ = lanes;
    for (; i < bytes.size(); ++i) {
      uint64_t& lane = lanes_[i % kLanes];
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
      out[i] = mix64(all + (2 * i + 1) * mix64(lanes_[i] + mix64(lanes_[i + out.size()])));
    }
    return out;
  }
  uint64_t value() const { return digest()[0]; }

 private:
  static constexpr size_t kLanes = 8;
  static constexpr uint64_t kFactor = 0x9E3779B97F4A7C15U;  // odd, its bits without a pattern
  static constexpr uint64_t kStep = 0xD1B54A32D192ED03U;    // keeps zeros from staying zeros
  std::array<uint64_t, kLanes> lanes_ = {1, 2, 3, 4, 5, 6, 7, 8};
  uint64_t size_ = 0;
};

}  // namespace freehold::base
