// Encoding of rows: the formats of 32 weights a block and the plain floats are here, those of 256
// in encode_k.cc. Refuses nothing: the caller asks encodable first.
#include "quant/encode.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>

#include "quant/block.h"
#include "quant/encode_k.h"
#include "quant/fit.h"

namespace freehold::quant {
namespace {

constexpr size_t kSmall = 32;
using Block32 = Weighed<kSmall>;
using Bytes32 = std::array<uint8_t, kSmall>;

// The nearest finite F16.
uint16_t finite_f16(float value) {
  return f32_to_f16(std::clamp(value, -kLargestEncodable, kLargestEncodable));
}
float as_f16(float value) { return f16_to_f32(finite_f16(value)); }

// A block's scale and min as stored, and its integers with `offset` added, so that they are not
// negative.
struct Encoded {
  uint16_t d, min;
  Bytes32 q;
};

Encoded encode_levels(const Block32& block, Affine fit, float bottom, float top, float offset) {
  const float scale = as_f16(fit.scale), min = as_f16(fit.min);
  const auto q = nearest(block, scale, min, bottom, top);
  Bias bias;
  bias.add(block, scale, min, sums_of(block, q));
  Encoded out{finite_f16(scale * bias.factor()), finite_f16(-min * bias.factor()), {}};
  for (size_t i = 0; i < kSmall; ++i) {
    out.q[i] = static_cast<uint8_t>(q[i / kLanes][i % kLanes] + offset);
  }
  return out;
}

Encoded encode_symmetric(const float* values, const float* weights, float bottom, float top) {
  const Block32 block = weigh<kSmall>(values, weights);
  return encode_levels(block, {fit_symmetric(block, bottom, top).scale, 0}, bottom, top, -bottom);
}

Encoded encode_affine(const float* values, const float* weights, float top) {
  const Block32 block = weigh<kSmall>(values, weights);
  return encode_levels(block, fit_affine(block, top, false), 0, top, 0);
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
  const Encoded x = encode_symmetric(values, weights, -8, 7);
  store_u16(block, x.d);
  pack_nibbles(x.q, block + 2);
}

void encode_q5_0(const float* values, const float* weights, uint8_t* block) {
  const Encoded x = encode_symmetric(values, weights, -16, 15);
  store_u16(block, x.d);
  store_u32(block + 2, fifth_bits(x.q));
  pack_nibbles(x.q, block + 6);
}

void encode_q4_1(const float* values, const float* weights, uint8_t* block) {
  const Encoded x = encode_affine(values, weights, 15);
  store_u16(block, x.d);
  store_u16(block + 2, x.min);
  pack_nibbles(x.q, block + 4);
}

void encode_q5_1(const float* values, const float* weights, uint8_t* block) {
  const Encoded x = encode_affine(values, weights, 31);
  store_u16(block, x.d);
  store_u16(block + 2, x.min);
  store_u32(block + 4, fifth_bits(x.q));
  pack_nibbles(x.q, block + 8);
}

// Integers stay within -127..127: kernels may negate them.
void encode_q8_0(const float* values, const float* weights, uint8_t* block) {
  const Encoded x = encode_symmetric(values, weights, -127, 127);
  store_u16(block, x.d);
  for (size_t e = 0; e < kSmall; ++e) block[2 + e] = static_cast<uint8_t>(x.q[e] - 127);
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

// What a squared error in each value of a block costs: more in the large ones, which do more in a
// model than their squares tell. A value's size and the root mean square, in the block's largest.
void weigh_block(const float* values, const float* importance, std::span<float> weights) {
  float largest = 0;
  for (size_t e = 0; e < weights.size(); ++e) largest = std::max(largest, std::abs(values[e]));
  const float unit = largest > 1e-30F ? 1 / largest : 0;
  float squares = 0;
  for (size_t e = 0; e < weights.size(); ++e) {
    weights[e] = std::abs(values[e]) * unit;
    squares += weights[e] * weights[e];
  }
  const float mean = unit > 0 ? std::sqrt(squares / static_cast<float>(weights.size())) : 1;
  for (size_t e = 0; e < weights.size(); ++e) {
    weights[e] = (weights[e] + mean) * (importance != nullptr ? importance[e] : 1);
  }
}

}  // namespace

bool encodable(Type type) { return is_plain_float(type) || encoder(type) != nullptr; }

void encode_row(Type type, const float* values, const float* importance, size_t n_elements,
                std::byte* out) {
  uint8_t* at = reinterpret_cast<uint8_t*>(out);
  if (is_plain_float(type)) return encode_floats(type, values, n_elements, at);
  const TypeInfo& layout = info(type);
  const BlockEncoder encode_block = encoder(type);
  std::array<float, 256> weights;
  for (size_t e = 0; e < n_elements; e += layout.block_elements, at += layout.block_bytes) {
    weigh_block(values + e, importance != nullptr ? importance + e : nullptr,
                std::span(weights).first(layout.block_elements));
    encode_block(values + e, weights.data(), at);
  }
}

}  // namespace freehold::quant
