// A fast hash of short strings, for tables in memory only: not stable across versions, and not a
// defence against chosen keys (tables here are filled from a model file, under its limits).
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace freehold::tokenizer {

inline uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t hash_bytes(std::string_view bytes) {
  constexpr uint64_t kA = 0x9E3779B97F4A7C15ULL;
  constexpr uint64_t kB = 0xD6E8FEB86659FD93ULL;
  const char* data = bytes.data();
  size_t left = bytes.size();
  uint64_t state = kA ^ left;
  while (left >= 8) {
    uint64_t word = 0;
    std::memcpy(&word, data, 8);
    state = mix(state ^ word, kB);
    data += 8;
    left -= 8;
  }
  uint64_t tail = 0;
  if (left >= 4) {
    uint32_t low = 0;
    uint32_t high = 0;
    std::memcpy(&low, data, 4);
    std::memcpy(&high, data + left - 4, 4);
    tail = (static_cast<uint64_t>(high) << 32) | low;
  } else if (left > 0) {
    const auto byte = [&](size_t i) {
      return static_cast<uint64_t>(static_cast<uint8_t>(data[i]));
    };
    tail = byte(0) | (byte(left / 2) << 8) | (byte(left - 1) << 16);
  }
  return mix(state ^ tail, kA);
}

}  // namespace freehold::tokenizer
