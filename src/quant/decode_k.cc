// The formats of 256 weights a block. The order of float operations is part of the format: a
// sub-block's scale times d first, then the integer.
#include "quant/decode_k.h"

#include <array>
#include <cstddef>

#include "quant/block.h"

namespace freehold::quant {

// 84 bytes: 16 x (4-bit scale, 4-bit minimum) @0, 2-bit weights @16, d @80, dmin @82.
void decode_q2_k(const uint8_t* block, float* out) {
  const float d = load_f16(block + 80);
  const float dmin = load_f16(block + 82);
  for (size_t k = 0; k < 16; ++k) {
    const float scale = d * static_cast<float>(block[k] & 15U);
    const float min = dmin * static_cast<float>(block[k] >> 4);
    const uint8_t* qs = block + 16 + 32 * (k / 8) + 16 * (k % 2);
    const size_t shift = 2 * (k / 2 % 4);
    for (size_t l = 0; l < 16; ++l) {
      out[16 * k + l] = scale * static_cast<float>((qs[l] >> shift) & 3U) - min;
    }
  }
}

// 110 bytes: third bits @0 (clear means minus 4), 2-bit weights @32, scales @96, d @108.
void decode_q3_k(const uint8_t* block, float* out) {
  const float d = load_f16(block + 108);
  const std::array<int8_t, 16> scales = unpack_scales_q3(block + 96);
  for (size_t k = 0; k < 16; ++k) {
    const float scale = d * static_cast<float>(scales[k]);
    const uint8_t* high = block + 16 * (k % 2);
    const uint8_t* low = block + 32 + 32 * (k / 8) + 16 * (k % 2);
    const size_t shift = 2 * (k / 2 % 4);
    for (size_t l = 0; l < 16; ++l) {
      const int q = static_cast<int>((low[l] >> shift) & 3U) - (high[l] >> (k / 2) & 1U ? 0 : 4);
      out[16 * k + l] = scale * static_cast<float>(q);
    }
  }
}

// 144 bytes: d @0, dmin @2, scales and minimums @4, 4-bit weights @16.
void decode_q4_k(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const float dmin = load_f16(block + 2);
  const ScalesAndMins sub = unpack_scales(block + 4);
  for (size_t s = 0; s < 8; ++s) {
    const float scale = d * static_cast<float>(sub.scale[s]);
    const float min = dmin * static_cast<float>(sub.min[s]);
    const uint8_t* qs = block + 16 + 32 * (s / 2);
    for (size_t l = 0; l < 32; ++l) {
      const uint32_t q = (qs[l] >> (4 * (s % 2))) & 15U;
      out[32 * s + l] = scale * static_cast<float>(q) - min;
    }
  }
}

// 176 bytes: as Q4_K with the weights' fifth bits @16 and their low four @48.
void decode_q5_k(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const float dmin = load_f16(block + 2);
  const ScalesAndMins sub = unpack_scales(block + 4);
  for (size_t s = 0; s < 8; ++s) {
    const float scale = d * static_cast<float>(sub.scale[s]);
    const float min = dmin * static_cast<float>(sub.min[s]);
    const uint8_t* qs = block + 48 + 32 * (s / 2);
    for (size_t l = 0; l < 32; ++l) {
      const uint32_t low = (qs[l] >> (4 * (s % 2))) & 15U;
      const uint32_t high = (block[16 + l] >> s) & 1U;
      out[32 * s + l] = scale * static_cast<float>(low | high << 4) - min;
    }
  }
}

// 210 bytes: low four bits @0, high two @128, 16 signed 8-bit scales @192, d @208; 32 subtracted.
void decode_q6_k(const uint8_t* block, float* out) {
  const float d = load_f16(block + 208);
  for (size_t k = 0; k < 16; ++k) {
    const float scale = d * static_cast<float>(static_cast<int8_t>(block[192 + k]));
    const size_t quarter = k / 2 % 4;
    const uint8_t* low = block + 64 * (k / 8) + 32 * (quarter % 2) + 16 * (k % 2);
    const uint8_t* high = block + 128 + 32 * (k / 8) + 16 * (k % 2);
    for (size_t l = 0; l < 16; ++l) {
      const uint32_t q = ((low[l] >> (4 * (quarter / 2))) & 15U) | ((high[l] >> (2 * quarter)) & 3U)
                                                                       << 4;
      out[16 * k + l] = scale * static_cast<float>(static_cast<int>(q) - 32);
    }
  }
}

// 136 bytes: d @0, high bit pairs of the scales @2, their low nibbles @4, table indices @8.
void decode_iq4_xs(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const uint32_t high = load_u16(block + 2);
  for (size_t b = 0; b < 8; ++b) {
    const uint32_t low = (block[4 + b / 2] >> (4 * (b % 2))) & 15U;
    const uint32_t scale_bits = low | ((high >> (2 * b)) & 3U) << 4;
    const float scale = d * static_cast<float>(static_cast<int>(scale_bits) - 32);
    const uint8_t* qs = block + 8 + 16 * b;
    for (size_t j = 0; j < 16; ++j) {
      out[32 * b + j] = scale * static_cast<float>(kNonLinear[qs[j] & 15U]);
      out[32 * b + j + 16] = scale * static_cast<float>(kNonLinear[qs[j] >> 4]);
    }
  }
}

// 54 bytes: five base-3 digits a byte, as fractions of 256, @0 (32 bytes, then 16), four a byte
// @48 (4 bytes), d @52; 1 subtracted. Digit n of the bytes of a run makes consecutive weights.
void decode_tq1_0(const uint8_t* block, float* out) {
  struct Run {
    size_t at, bytes, digits;
  };
  const float d = load_f16(block + 52);
  for (const Run& run : {Run{0, 32, 5}, Run{32, 16, 5}, Run{48, 4, 4}}) {
    uint32_t power = 1;
    for (size_t n = 0; n < run.digits; ++n, power *= 3) {
      for (size_t j = 0; j < run.bytes; ++j) {
        const uint32_t shifted = block[run.at + j] * power & 255U;
        *out++ = static_cast<float>(static_cast<int>(shifted * 3 >> 8) - 1) * d;
      }
    }
  }
}

// 66 bytes: 2-bit weights @0, d @64; 1 subtracted.
void decode_tq2_0(const uint8_t* block, float* out) {
  const float d = load_f16(block + 64);
  for (size_t e = 0; e < 256; ++e) {
    const uint32_t q = (block[32 * (e / 128) + e % 32] >> (2 * (e / 32 % 4))) & 3U;
    out[e] = static_cast<float>(static_cast<int>(q) - 1) * d;
  }
}

}  // namespace freehold::quant
