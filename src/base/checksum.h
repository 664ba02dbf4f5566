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

  // Calls with the same bytes in other pieces give another digest.
  void add(std::span<const std::byte> bytes) {
    size_ += bytes.size();
    size_t i = 0;
    // Four chains side by side, so that the processor need not wait for one.
    for (; i + 32 <= bytes.size(); i += 32) {
      uint64_t words[4];
      std::memcpy(words, bytes.data() + i, sizeof words);
      for (size_t lane = 0; lane < 4; ++lane) {
        lanes_[lane] = mix64(lanes_[lane] ^ words[lane]) + lane;
      }
    }
    for (; i < bytes.size(); ++i) {
      lanes_[i % 4] = mix64(lanes_[i % 4] ^ std::to_integer<uint64_t>(bytes[i]));
    }
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  void add(uint64_t value) { add(std::as_bytes(std::span(&value, 1))); }

  Digest digest() const {
    Digest out{};
    uint64_t all = size_;
    for (const uint64_t lane : lanes_) all = mix64(all ^ lane);
    for (size_t i = 0; i < out.size(); ++i) out[i] = mix64(all + lanes_[i] * (2 * i + 1));
    return out;
  }
  uint64_t value() const { return digest()[0]; }

 private:
  std::array<uint64_t, 4> lanes_ = {1, 2, 3, 4};
  uint64_t size_ = 0;
};

}  // namespace freehold::base
