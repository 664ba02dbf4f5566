// Encoding of rows: the formats of 32 weights a block and the plain floats are here, those of 256
// in encode_k.cc. Refuses nothing: the caller asks encodable first.
#include "quant/encode.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "quant/block.h"
#include "quant/encode_k.h"
#include "quant/fit.h"

namespace freehold::quant {
namespace {

constexpr size_t kSmall = 32;
using Block32 = Weighed<kSmall>;
using Bytes32 = std::array<uint8_t, kSmall>;

float as_f16(float value) { return f16_to_f32(f32_to_f16(value)); }

// The integers of the nearest levels, `offset` added so that they are not negative.
Bytes32 integers(const Block32& block, float scale, float min, float bottom, float top,
                 float offset) {
  const auto q = nearest(block, scale, min, bottom, top);
  Bytes32 out;
  for (size_t i = 0; i < kSmall; ++i) {
    out[i] = static_cast<uint8_t>(q[i / kLanes][i % kLanes] + offset);
  }
  return out;
}

void pack_nibbles(const Bytes32& q, uint8_t* qs) {
  for (size_t j = 0; j < 16; ++j) qs[j] = static_cast<uint8_t>((q[j] & 15) | q[j + 16] << 4);
}

uint32_t fifth_bits(const Bytes32& q) {
  uint32_t bits = 0;
  for (size_t e = 0; e < kSmall; ++e) bits |= static_cast<uint32_t>(q[e] >> 4) << e;
  return bits;
}

void encode_q4_0(const float* values, const float* weights, uint8_t* block) {
  const Block32 x = weigh<kSmall>(values, weights);
  const float d = as_f16(fit_symmetric(x, -8, 7).scale);
  store_u16(block, f32_to_f16(d));
  pack_nibbles(integers(x, d, 0, -8, 7, 8), block + 2);
}

void encode_q5_0(const float* values, const float* weights, uint8_t* block) {
  const Block32 x = weigh<kSmall>(values, weights);
  const float d = as_f16(fit_symmetric(x, -16, 15).scale);
  const Bytes32 q = integers(x, d, 0, -16, 15, 16);
  store_u16(block, f32_to_f16(d));
  store_u32(block + 2, fifth_bits(q));
  pack_nibbles(q, block + 6);
}

void encode_q4_1(const float* values, const float* weights, uint8_t* block) {
  const Block32 x = weigh<kSmall>(values, weights);
  const Affine fit = fit_affine(x, 15, false);
  const float d = as_f16(fit.scale), m = as_f16(-fit.min);
  store_u16(block, f32_to_f16(d));
  store_u16(block + 2, f32_to_f16(m));
  pack_nibbles(integers(x, d, -m, 0, 15, 0), block + 4);
}

void encode_q5_1(const float* values, const float* weights, uint8_t* block) {
  const Block32 x = weigh<kSmall>(values, weights);
  const Affine fit = fit_affine(x, 31, false);
  const float d = as_f16(fit.scale), m = as_f16(-fit.min);
  const Bytes32 q = integers(x, d, -m, 0, 31, 0);
  store_u16(block, f32_to_f16(d));
  store_u16(block + 2, f32_to_f16(m));
  store_u32(block + 4, fifth_bits(q));
  pack_nibbles(q, block + 8);
}

// Integers stay within -127..127: kernels may negate them.
void encode_q8_0(const float* values, const float* weights, uint8_t* block) {
  const Block32 x = weigh<kSmall>(values, weights);
  const float d = as_f16(fit_symmetric(x, -127, 127).scale);
  const auto q = nearest(x, d, 0, -127, 127);
  store_u16(block, f32_to_f16(d));
  for (size_t e = 0; e < kSmall; ++e) {
    block[2 + e] = static_cast<uint8_t>(static_cast<int8_t>(q[e / kLanes][e % kLanes]));
  }
}

// Tries the power of two that makes the largest value about 6, and its neighbours.
void encode_mxfp4(const float* values, const float* weights, uint8_t* block) {
  float largest = 0;
  for (size_t e = 0; e < kSmall; ++e) largest = std::max(largest, std::abs(values[e]));
  const int middle = largest > 0 ? std::ilogb(largest) - 2 + 127 : 0;
  float least = kWorst;
  for (int exponent = middle - 1; exponent <= middle + 1; ++exponent) {
    const uint8_t byte = static_cast<uint8_t>(std::clamp(exponent, 0, 254));
    const float scale = e8m0_to_f32(byte);
    float error = 0;
    Bytes32 codes;
    for (size_t e = 0; e < kSmall; ++e) {
      codes[e] = f32_to_e2m1(values[e] / scale);
      const float difference = values[e] - kE2M1[codes[e]] * scale;
      error += weights[e] * difference * difference;
    }
    if (error < least) {
      least = error;
      block[0] = byte;
      pack_nibbles(codes, block + 1);
    }
  }
}

using BlockEncoder = void (*)(const float* values, const float* weights, uint8_t* block);

BlockEncoder encoder(Type type) {
  switch (type) {
    case Type::kQ4_0:
      return encode_q4_0;
    case Type::kQ4_1:
      return encode_q4_1;
    case Type::kQ5_0:
      return encode_q5_0;
    case Type::kQ5_1:
      return encode_q5_1;
    case Type::kQ8_0:
      return encode_q8_0;
    case Type::kQ2_K:
      return encode_q2_k;
    case Type::kQ3_K:
      return encode_q3_k;
    case Type::kQ4_K:
      return encode_q4_k;
    case Type::kQ5_K:
      return encode_q5_k;
    case Type::kQ6_K:
      return encode_q6_k;
    case Type::kMXFP4:
      return encode_mxfp4;
    default:
      return nullptr;
  }
}

bool is_plain_float(Type type) {
  return type == Type::kF32 || type == Type::kF16 || type == Type::kBF16;
}

void encode_floats(Type type, const float* values, size_t n_elements, uint8_t* out) {
  if (type == Type::kF32) {
    std::memcpy(out, values, n_elements * sizeof(float));
    return;
  }
  for (size_t e = 0; e < n_elements; ++e) {
    store_u16(out + 2 * e, type == Type::kF16 ? f32_to_f16(values[e]) : f32_to_bf16(values[e]));
  }
}

}  // namespace

bool encodable(Type type) { return is_plain_float(type) || encoder(type) != nullptr; }

void encode_row(Type type, const float* values, const float* importance, size_t n_elements,
                std::byte* out) {
  uint8_t* at = reinterpret_cast<uint8_t*>(out);
  if (is_plain_float(type)) return encode_floats(type, values, n_elements, at);
  std::array<float, 256> even;
  even.fill(1.0F);
  const TypeInfo& layout = info(type);
  const BlockEncoder encode_block = encoder(type);
  for (size_t e = 0; e < n_elements; e += layout.block_elements, at += layout.block_bytes) {
    encode_block(values + e, importance != nullptr ? importance + e : even.data(), at);
  }
}

}  // namespace freehold::quant
