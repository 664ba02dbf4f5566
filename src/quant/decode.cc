// Scalar decoding of every block format that needs no codebook. Refuses nothing: the caller asks
// TypeInfo::decodable first.
#include "quant/decode.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "quant/block.h"
#include "quant/decode_k.h"

namespace freehold::quant {
namespace {

void decode_f32(const uint8_t* block, float* out) { std::memcpy(out, block, sizeof(float)); }
void decode_f16(const uint8_t* block, float* out) { *out = load_f16(block); }
void decode_bf16(const uint8_t* block, float* out) { *out = bf16_to_f32(load_u16(block)); }

// The 4-bit fields of a block of 32: low nibbles are the first half, high nibbles the second.
uint32_t nibble(const uint8_t* qs, size_t e) { return e < 16 ? qs[e] & 15U : qs[e - 16] >> 4; }

// 18 bytes: d @0, nibbles @2; 8 subtracted.
void decode_q4_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (size_t e = 0; e < 32; ++e) {
    out[e] = static_cast<float>(static_cast<int>(nibble(block + 2, e)) - 8) * d;
  }
}

// 20 bytes: d @0, m @2, nibbles @4.
void decode_q4_1(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const float m = load_f16(block + 2);
  for (size_t e = 0; e < 32; ++e) out[e] = static_cast<float>(nibble(block + 4, e)) * d + m;
}

// 22 bytes: d @0, fifth bits @2, nibbles @6; 16 subtracted.
void decode_q5_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const uint32_t high = load_u32(block + 2);
  for (size_t e = 0; e < 32; ++e) {
    const uint32_t q = nibble(block + 6, e) | ((high >> e) & 1U) << 4;
    out[e] = static_cast<float>(static_cast<int>(q) - 16) * d;
  }
}

// 24 bytes: d @0, m @2, fifth bits @4, nibbles @8.
void decode_q5_1(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const float m = load_f16(block + 2);
  const uint32_t high = load_u32(block + 4);
  for (size_t e = 0; e < 32; ++e) {
    const uint32_t q = nibble(block + 8, e) | ((high >> e) & 1U) << 4;
    out[e] = static_cast<float>(q) * d + m;
  }
}

// 34 bytes: d @0, signed bytes @2.
void decode_q8_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (size_t e = 0; e < 32; ++e) {
    out[e] = static_cast<float>(static_cast<int8_t>(block[2 + e])) * d;
  }
}

// 18 bytes: d @0, table indices @2.
void decode_iq4_nl(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (size_t e = 0; e < 32; ++e) {
    out[e] = d * static_cast<float>(kNonLinear[nibble(block + 2, e)]);
  }
}

// 17 bytes: an E8M0 scale @0, E2M1 codes @1.
void decode_mxfp4(const uint8_t* block, float* out) {
  const float d = e8m0_to_f32(block[0]);
  for (size_t e = 0; e < 32; ++e) out[e] = kE2M1[nibble(block + 1, e)] * d;
}

// 36 bytes: four UE4M3 scales, one for 16 weights, @0, E2M1 codes @4 (low nibbles are the first
// eight of a sixteen). The tensor's own scale is not part of the block.
void decode_nvfp4(const uint8_t* block, float* out) {
  for (size_t s = 0; s < 4; ++s) {
    const float d = ue4m3_to_f32(block[s]);
    for (size_t j = 0; j < 8; ++j) {
      const uint8_t codes = block[4 + 8 * s + j];
      out[16 * s + j] = kE2M1[codes & 15U] * d;
      out[16 * s + j + 8] = kE2M1[codes >> 4] * d;
    }
  }
}

// 132 bytes: an F32 scale @0, E4M3FN codes @4.
void decode_fp8(const uint8_t* block, float* out) {
  const float d = std::bit_cast<float>(load_u32(block));
  for (size_t e = 0; e < 128; ++e) out[e] = e4m3fn_to_f32(block[4 + e]) * d;
}

using BlockDecoder = void (*)(const uint8_t* block, float* out);

BlockDecoder decoder(Type type) {
  switch (type) {
    case Type::kF32:
      return decode_f32;
    case Type::kF16:
      return decode_f16;
    case Type::kBF16:
      return decode_bf16;
    case Type::kQ4_0:
      return decode_q4_0;
    case Type::kQ4_1:
      return decode_q4_1;
    case Type::kQ5_0:
      return decode_q5_0;
    case Type::kQ5_1:
      return decode_q5_1;
    case Type::kQ8_0:
      return decode_q8_0;
    case Type::kQ2_K:
      return decode_q2_k;
    case Type::kQ3_K:
      return decode_q3_k;
    case Type::kQ4_K:
      return decode_q4_k;
    case Type::kQ5_K:
      return decode_q5_k;
    case Type::kQ6_K:
      return decode_q6_k;
    case Type::kIQ4_NL:
      return decode_iq4_nl;
    case Type::kIQ4_XS:
      return decode_iq4_xs;
    case Type::kTQ1_0:
      return decode_tq1_0;
    case Type::kTQ2_0:
      return decode_tq2_0;
    case Type::kMXFP4:
      return decode_mxfp4;
    case Type::kNVFP4:
      return decode_nvfp4;
    case Type::kFp8:
      return decode_fp8;
    default:
      return nullptr;
  }
}

}  // namespace

void decode_row(Type type, const std::byte* blocks, size_t n_elements, float* out) {
  const TypeInfo& layout = info(type);
  const BlockDecoder decode_block = decoder(type);
  const uint8_t* at = reinterpret_cast<const uint8_t*>(blocks);
  for (size_t e = 0; e < n_elements; e += layout.block_elements, at += layout.block_bytes) {
    decode_block(at, out + e);
  }
}

}  // namespace freehold::quant
