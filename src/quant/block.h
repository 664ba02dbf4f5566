// What block formats share: loads of unaligned fields, the non-linear 4-bit table and the packing
// of 6-bit scales. Offsets inside blocks are the format's own and appear where a block is read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "quant/half.h"

namespace freehold::quant {

inline uint16_t load_u16(const uint8_t* at) { return static_cast<uint16_t>(at[0] | at[1] << 8); }
inline uint32_t load_u32(const uint8_t* at) {
  return static_cast<uint32_t>(load_u16(at)) | static_cast<uint32_t>(load_u16(at + 2)) << 16;
}
inline float load_f16(const uint8_t* at) { return f16_to_f32(load_u16(at)); }
inline void store_u16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value);
  at[1] = static_cast<uint8_t>(value >> 8);
}
inline void store_u32(uint8_t* at, uint32_t value) {
  store_u16(at, static_cast<uint16_t>(value));
  store_u16(at + 2, static_cast<uint16_t>(value >> 16));
}

// The levels of IQ4_NL and IQ4_XS.
inline constexpr std::array<int8_t, 16> kNonLinear = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                      1,    13,   25,  38,  53,  69,  89,  113};

// The eight 6-bit scales and minimums of a Q4_K or Q5_K block, in 12 bytes: the first four scales,
// then the first four minimums, whose top two bits are the later four's top two bits, then the
// later four's low nibbles.
struct ScalesAndMins {
  std::array<uint8_t, 8> scale;
  std::array<uint8_t, 8> min;
};

inline ScalesAndMins unpack_scales(const uint8_t* c) {
  ScalesAndMins out;
  for (size_t s = 0; s < 4; ++s) {
    out.scale[s] = c[s] & 63U;
    out.min[s] = c[s + 4] & 63U;
    out.scale[s + 4] = static_cast<uint8_t>((c[s + 8] & 15) | c[s] >> 6 << 4);
    out.min[s + 4] = static_cast<uint8_t>(c[s + 8] >> 4 | c[s + 4] >> 6 << 4);
  }
  return out;
}

inline void pack_scales(const ScalesAndMins& in, uint8_t* c) {
  for (size_t s = 0; s < 4; ++s) {
    c[s] = static_cast<uint8_t>(in.scale[s] | in.scale[s + 4] >> 4 << 6);
    c[s + 4] = static_cast<uint8_t>(in.min[s] | in.min[s + 4] >> 4 << 6);
    c[s + 8] = static_cast<uint8_t>((in.scale[s + 4] & 15) | in.min[s + 4] << 4);
  }
}

// The sixteen scales of a Q3_K block, stored in 6 bits with 32 added: low nibbles in 8 bytes, then
// the high bit pairs in 4.
inline std::array<int8_t, 16> unpack_scales_q3(const uint8_t* s) {
  std::array<int8_t, 16> out;
  for (size_t k = 0; k < 16; ++k) {
    const uint32_t low = k < 8 ? s[k] & 15U : s[k - 8] >> 4;
    const uint32_t high = (s[8 + k % 4] >> (2 * (k / 4))) & 3U;
    out[k] = static_cast<int8_t>(static_cast<int>(low | high << 4) - 32);
  }
  return out;
}

inline void pack_scales_q3(const std::array<int8_t, 16>& scales, uint8_t* s) {
  std::memset(s, 0, 12);
  for (size_t k = 0; k < 16; ++k) {
    const int bits = scales[k] + 32;
    s[k % 8] = static_cast<uint8_t>(s[k % 8] | (bits & 15) << (k < 8 ? 0 : 4));
    s[8 + k % 4] = static_cast<uint8_t>(s[8 + k % 4] | bits >> 4 << (2 * (k / 4)));
  }
}

}  // namespace freehold::quant
