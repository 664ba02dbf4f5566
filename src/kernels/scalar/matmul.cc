// The reference products, one weight after another, and the definition of each format's codes,
// scales and minima. Slow; every other implementation must give the same bits.
#include "kernels/scalar/matmul.h"

#include <array>
#include <cmath>
#include <cstring>

#include "kernels/panel.h"
#include "quant/half.h"

namespace freehold::kernels::scalar {
namespace {

using quant::f16_to_f32;
using quant::Type;

constexpr size_t kSub = 32;  // weights a float step

// The 32 weights of one float step: isum = sum over both halves h of sub_scale[h] * code * a.
struct SubBlock {
  std::array<int32_t, kSub> codes{};
  std::array<int32_t, 2> sub_scales{1, 1};
  float scale = 0.0F;
  bool has_minimum = false;
  float minimum = 0.0F;
  // Q2_K: the minimum has integer sub-scales too, so the activation sum is taken with them.
  bool integer_minimum = false;
  std::array<int32_t, 2> minimum_sub_scales{0, 0};
};

template <typename T>
T load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

float half(const uint8_t* bytes) { return f16_to_f32(load<uint16_t>(bytes)); }

int32_t nibble(const uint8_t* bytes, size_t e) {
  return e < 16 ? bytes[e] & 15 : bytes[e - 16] >> 4;
}

constexpr std::array<int8_t, 16> kIQ4 = {-127, -104, -83, -65, -49, -35, -22, -10,
                                         1,    13,   25,  38,  53,  69,  89,  113};
// Twice the E2M1 values, so that they are integers.
constexpr std::array<int8_t, 16> kE2M1 = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

using Reader = SubBlock (*)(const uint8_t* block, size_t s);

SubBlock with_offset(float scale, float offset) {
  SubBlock out;
  out.scale = scale;
  out.has_minimum = true;
  out.minimum = -offset * scale;
  return out;
}

SubBlock read_q4_0(const uint8_t* block, size_t) {
  SubBlock out = with_offset(half(block), 8.0F);
  for (size_t e = 0; e < kSub; ++e) out.codes[e] = nibble(block + 2, e);
  return out;
}

SubBlock read_q4_1(const uint8_t* block, size_t) {
  SubBlock out = with_offset(half(block), 0.0F);
  out.minimum = half(block + 2);
  for (size_t e = 0; e < kSub; ++e) out.codes[e] = nibble(block + 4, e);
  return out;
}

int32_t fifth_bit(const uint8_t* bits, size_t e) {
  return static_cast<int32_t>((load<uint32_t>(bits) >> e & 1U) << 4);
}

SubBlock read_q5_0(const uint8_t* block, size_t) {
  SubBlock out = with_offset(half(block), 16.0F);
  for (size_t e = 0; e < kSub; ++e) out.codes[e] = nibble(block + 6, e) | fifth_bit(block + 2, e);
  return out;
}

SubBlock read_q5_1(const uint8_t* block, size_t) {
  SubBlock out = with_offset(half(block), 0.0F);
  out.minimum = half(block + 2);
  for (size_t e = 0; e < kSub; ++e) out.codes[e] = nibble(block + 8, e) | fifth_bit(block + 4, e);
  return out;
}

SubBlock read_q8_0(const uint8_t* block, size_t) {
  SubBlock out;
  out.scale = half(block);
  for (size_t e = 0; e < kSub; ++e) out.codes[e] = static_cast<int8_t>(block[2 + e]);
  return out;
}

SubBlock read_iq4_nl(const uint8_t* block, size_t) {
  SubBlock out;
  out.scale = half(block);
  for (size_t e = 0; e < kSub; ++e) {
    out.codes[e] = kIQ4[static_cast<size_t>(nibble(block + 2, e))];
  }
  return out;
}

SubBlock read_mxfp4(const uint8_t* block, size_t) {
  // Half the block's power of two, for the codes are doubled.
  const uint32_t e8m0 = block[0];
  SubBlock out =
      with_offset(std::bit_cast<float>(e8m0 < 2 ? 0x00200000U << e8m0 : (e8m0 - 1) << 23), 12.0F);
  for (size_t e = 0; e < kSub; ++e) {
    out.codes[e] = kE2M1[static_cast<size_t>(nibble(block + 1, e))] + 12;
  }
  return out;
}

// Six-bit scale and minimum of sub-block s of Q4_K and Q5_K from their 12 bytes.
std::array<int32_t, 2> k_scale_min(const uint8_t* c, size_t s) {
  if (s < 4) return {c[s] & 63, c[s + 4] & 63};
  return {(c[s + 4] & 15) | (c[s - 4] >> 6) << 4, (c[s + 4] >> 4) | (c[s] >> 6) << 4};
}

SubBlock read_q4_q5_k(const uint8_t* block, size_t s, const uint8_t* high, const uint8_t* codes) {
  const auto [scale, minimum] = k_scale_min(block + 4, s);
  SubBlock out;
  out.scale = half(block) * static_cast<float>(scale);
  out.has_minimum = true;
  out.minimum = -(half(block + 2) * static_cast<float>(minimum));
  for (size_t l = 0; l < kSub; ++l) {
    const int32_t byte = codes[32 * (s / 2) + l];
    out.codes[l] = s % 2 == 0 ? byte & 15 : byte >> 4;
    if (high != nullptr) out.codes[l] |= (high[l] >> s & 1) << 4;
  }
  return out;
}

SubBlock read_q4_k(const uint8_t* block, size_t s) {
  return read_q4_q5_k(block, s, nullptr, block + 16);
}
SubBlock read_q5_k(const uint8_t* block, size_t s) {
  return read_q4_q5_k(block, s, block + 16, block + 48);
}

SubBlock read_q6_k(const uint8_t* block, size_t s) {
  const size_t n = s / 4;
  const size_t k = s % 4;
  SubBlock out;
  out.scale = half(block + 208);
  for (size_t h = 0; h < 2; ++h) {
    out.sub_scales[h] = static_cast<int8_t>(block[192 + 2 * s + h]);
  }
  for (size_t l = 0; l < kSub; ++l) {
    const int32_t low = block[64 * n + 32 * (k % 2) + l] >> (k < 2 ? 0 : 4) & 15;
    const int32_t high = block[128 + 32 * n + l] >> 2 * k & 3;
    out.codes[l] = (low | high << 4) - 32;
  }
  return out;
}

SubBlock read_q3_k(const uint8_t* block, size_t s) {
  const uint8_t* scales = block + 96;
  SubBlock out;
  out.scale = half(block + 108);
  for (size_t h = 0; h < 2; ++h) {
    const size_t k = 2 * s + h;
    const int32_t low = k < 8 ? scales[k] & 15 : scales[k - 8] >> 4;
    const int32_t high = scales[8 + k % 4] >> 2 * (k / 4) & 3;
    out.sub_scales[h] = (low | high << 4) - 32;
  }
  for (size_t l = 0; l < kSub; ++l) {
    const int32_t low = block[32 + 32 * (s / 4) + l] >> 2 * (s % 4) & 3;
    out.codes[l] = (low | (block[l] >> s & 1) << 2) - 4;
  }
  return out;
}

SubBlock read_q2_k(const uint8_t* block, size_t s) {
  SubBlock out;
  out.scale = half(block + 80);
  out.integer_minimum = true;
  out.minimum = -half(block + 82);
  for (size_t h = 0; h < 2; ++h) {
    out.sub_scales[h] = block[2 * s + h] & 15;
    out.minimum_sub_scales[h] = block[2 * s + h] >> 4;
  }
  for (size_t l = 0; l < kSub; ++l) {
    out.codes[l] = block[16 + 32 * (s / 4) + l] >> 2 * (s % 4) & 3;
  }
  return out;
}

SubBlock read_iq4_xs(const uint8_t* block, size_t s) {
  const int32_t low = block[4 + s / 2] >> 4 * (s % 2) & 15;
  const int32_t high = load<uint16_t>(block + 2) >> 2 * s & 3;
  SubBlock out;
  out.scale = half(block) * static_cast<float>((low | high << 4) - 32);
  for (size_t e = 0; e < kSub; ++e) {
    out.codes[e] = kIQ4[static_cast<size_t>(nibble(block + 8 + 16 * s, e))];
  }
  return out;
}

// One float step: adds the 32 weights of `w` times `a` to `acc`.
float step(const SubBlock& w, const ActivationBlock& a, float acc) {
  int32_t isum = 0;
  int32_t minimum_sum = 0;
  for (size_t h = 0; h < 2; ++h) {
    int32_t half_sum = 0;
    for (size_t e = 16 * h; e < 16 * h + 16; ++e) half_sum += w.codes[e] * a.codes[e];
    isum += w.sub_scales[h] * half_sum;
    minimum_sum += w.minimum_sub_scales[h] * a.sums16[h];
  }
  acc = std::fma(static_cast<float>(isum) * a.scale, w.scale, acc);
  if (w.has_minimum) acc = std::fma(a.sum, w.minimum, acc);
  if (w.integer_minimum) {
    acc = std::fma(static_cast<float>(minimum_sum) * a.scale, w.minimum, acc);
  }
  return acc;
}

template <Type kType, Reader kRead>
void product(const std::byte* panel, size_t k, const std::byte* const* rows, size_t n_tokens,
             float* const* out) {
  const PanelFormat& format = *panel_format(kType);
  const size_t subs = format.block_elements / kSub;
  std::array<std::byte, 256> native;
  for (size_t t = 0; t < n_tokens; ++t) std::memset(out[t], 0, kPanelRows * sizeof(float));
  for (size_t block = 0; block < k / format.block_elements; ++block) {
    const std::byte* panel_block = panel + block * format.block_bytes * kPanelRows;
    for (size_t row = 0; row < kPanelRows; ++row) {
      unpack_block(format, panel_block, row, native.data());
      for (size_t s = 0; s < subs; ++s) {
        const SubBlock w = kRead(reinterpret_cast<const uint8_t*>(native.data()), s);
        for (size_t t = 0; t < n_tokens; ++t) {
          const auto* blocks = reinterpret_cast<const ActivationBlock*>(rows[t]);
          out[t][row] = step(w, blocks[block * subs + s], out[t][row]);
        }
      }
    }
  }
}

template <typename Word, float (*kWiden)(Word)>
void float_product(const std::byte* panel, size_t k, const std::byte* const* rows, size_t n_tokens,
                   float* const* out) {
  const Word* weights = reinterpret_cast<const Word*>(panel);
  for (size_t t = 0; t < n_tokens; ++t) {
    const float* x = reinterpret_cast<const float*>(rows[t]);
    for (size_t row = 0; row < kPanelRows; ++row) {
      float acc = 0.0F;
      for (size_t i = 0; i < k; ++i) {
        acc = std::fma(kWiden(weights[i * kPanelRows + row]), x[i], acc);
      }
      out[t][row] = acc;
    }
  }
}

float same(float value) { return value; }
float widen_f16(uint16_t bits) { return f16_to_f32(bits); }
float widen_bf16(uint16_t bits) { return quant::bf16_to_f32(bits); }

}  // namespace

PanelProduct panel_product(Type type) {
  switch (type) {
    case Type::kF32:
      return float_product<float, same>;
    case Type::kF16:
      return float_product<uint16_t, widen_f16>;
    case Type::kBF16:
      return float_product<uint16_t, widen_bf16>;
    case Type::kQ4_0:
      return product<Type::kQ4_0, read_q4_0>;
    case Type::kQ4_1:
      return product<Type::kQ4_1, read_q4_1>;
    case Type::kQ5_0:
      return product<Type::kQ5_0, read_q5_0>;
    case Type::kQ5_1:
      return product<Type::kQ5_1, read_q5_1>;
    case Type::kQ8_0:
      return product<Type::kQ8_0, read_q8_0>;
    case Type::kQ2_K:
      return product<Type::kQ2_K, read_q2_k>;
    case Type::kQ3_K:
      return product<Type::kQ3_K, read_q3_k>;
    case Type::kQ4_K:
      return product<Type::kQ4_K, read_q4_k>;
    case Type::kQ5_K:
      return product<Type::kQ5_K, read_q5_k>;
    case Type::kQ6_K:
      return product<Type::kQ6_K, read_q6_k>;
    case Type::kIQ4_NL:
      return product<Type::kIQ4_NL, read_iq4_nl>;
    case Type::kIQ4_XS:
      return product<Type::kIQ4_XS, read_iq4_xs>;
    case Type::kMXFP4:
      return product<Type::kMXFP4, read_mxfp4>;
    default:
      return nullptr;
  }
}

}  // namespace freehold::kernels::scalar
