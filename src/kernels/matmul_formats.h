// How each format's codes, scales and minima are read from a panel into vector registers. `L` is an
// instruction set's lanes (avx2/int_lanes.h, avx512/int_lanes.h): L::kRows rows a register, four
// codes a row. The meaning is that of scalar/matmul.cc; the layout that of panel.cc.
//
// Parameters: `block` a panel's block, `s` the sub-block of 32 weights in it, `g` the group of four
// weights in that, `row` the register's first row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/panel.h"
#include "kernels/unroll.h"

namespace freehold::kernels {

// Byte offset of item `i` of a field of `width` bytes that starts `start` native bytes into the
// block's fields.
constexpr size_t panel_item(size_t start, size_t width, size_t i, size_t row) {
  return start * kPanelRows + (i * kPanelRows + row) * width;
}

enum class Minimum { kNone, kFloat, kInteger };

// What a format does unless it says otherwise.
struct FormatDefaults {
  static constexpr bool kSigned = false;  // codes are int8 and not small unsigned numbers
  static constexpr int kMaxCode = 127;
  static constexpr bool kPlainCodes = false;  // a block is one of 32, its codes int8 from kCodes on
  static constexpr bool kHalfScales = false;  // an integer sub-scale for each 16 weights
  static constexpr int kOffset = 0;           // subtracted from the codes under the sub-scales
  // After how many sub-blocks bits are found at the same place of a word again. Loops write out so
  // many, for shifts by a constant.
  static constexpr size_t kPeriod = 1;
  static constexpr Minimum kMinimum = Minimum::kNone;
};

template <class L>
FREEHOLD_INLINE typename L::Int low_or_high_nibble(const uint8_t* words, size_t g, size_t row) {
  const auto word = L::load(words + panel_item(0, 4, g % 4, row));
  return L::and_bytes(g < 4 ? word : L::shift_right(word, 4), 15);
}

// Bit 4g+i of each row's 32 becomes 16 in byte i.
template <class L>
FREEHOLD_INLINE typename L::Int fifth_bits(const uint8_t* words, size_t g, size_t row) {
  return L::spread_bits(L::load(words + panel_item(0, 4, 0, row)), static_cast<int>(4 * g), 16);
}

template <bool kHasMinimum, bool kFifthBit, int kOffsetValue>
struct Simple32 : FormatDefaults {
  static constexpr size_t kElements = 32;
  static constexpr size_t kHigh = kHasMinimum ? 4 : 2;
  static constexpr size_t kCodes = kHigh + (kFifthBit ? 4 : 0);
  static constexpr size_t kBytes = kCodes + 16;
  static constexpr int kMaxCode = kFifthBit ? 31 : 15;
  static constexpr Minimum kMinimum = Minimum::kFloat;

  template <class L>
  FREEHOLD_INLINE typename L::Int codes(const uint8_t* block, size_t, size_t g, size_t row) {
    auto code = low_or_high_nibble<L>(block + panel_item(kCodes, 4, 0, 0), g, row);
    if constexpr (kFifthBit) {
      code = L::or_(code, fifth_bits<L>(block + panel_item(kHigh, 4, 0, 0), g, row));
    }
    return code;
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float scale(const uint8_t* block, size_t, size_t row) {
    return L::halves(block + panel_item(0, 2, 0, row));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float minimum(const uint8_t* block, size_t, size_t row) {
    if constexpr (kHasMinimum) return L::halves(block + panel_item(2, 2, 0, row));
    return L::mul(scale<L>(block, 0, row), L::splat(static_cast<float>(-kOffsetValue)));
  }
};

using FormatQ4_0 = Simple32<false, false, 8>;
using FormatQ4_1 = Simple32<true, false, 0>;
using FormatQ5_0 = Simple32<false, true, 16>;
using FormatQ5_1 = Simple32<true, true, 0>;

struct FormatQ8_0 : FormatDefaults {
  static constexpr size_t kElements = 32;
  static constexpr size_t kCodes = 2;
  static constexpr size_t kBytes = 34;
  static constexpr bool kSigned = true;
  static constexpr bool kPlainCodes = true;
  template <class L>
  FREEHOLD_INLINE typename L::Int codes(const uint8_t* block, size_t, size_t g, size_t row) {
    return L::load(block + panel_item(kCodes, 4, g, row));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float scale(const uint8_t* block, size_t, size_t row) {
    return L::halves(block + panel_item(0, 2, 0, row));
  }
};

alignas(16) inline constexpr int8_t kTableIQ4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                     1,    13,   25,  38,  53,  69,  89,  113};
// Doubled E2M1 plus 12.
alignas(16) inline constexpr int8_t kTableMXFP4[16] = {12, 13, 14, 15, 16, 18, 20, 24,
                                                       12, 11, 10, 9,  8,  6,  4,  0};

struct FormatIQ4_NL : FormatDefaults {
  static constexpr size_t kElements = 32;
  static constexpr size_t kBytes = 18;
  static constexpr bool kSigned = true;
  template <class L>
  FREEHOLD_INLINE typename L::Int codes(const uint8_t* block, size_t, size_t g, size_t row) {
    return L::lookup(kTableIQ4, low_or_high_nibble<L>(block + panel_item(2, 4, 0, 0), g, row));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float scale(const uint8_t* block, size_t, size_t row) {
    return L::halves(block + panel_item(0, 2, 0, row));
  }
};

struct FormatMXFP4 : FormatDefaults {
  static constexpr size_t kElements = 32;
  static constexpr size_t kBytes = 17;
  static constexpr int kMaxCode = 24;
  static constexpr Minimum kMinimum = Minimum::kFloat;
  template <class L>
  FREEHOLD_INLINE typename L::Int codes(const uint8_t* block, size_t, size_t g, size_t row) {
    return L::lookup(kTableMXFP4, low_or_high_nibble<L>(block, g, row));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float scale(const uint8_t* block, size_t, size_t row) {
    return L::half_powers_of_two(block + panel_item(16, 1, 0, row));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float minimum(const uint8_t* block, size_t, size_t row) {
    return L::mul(scale<L>(block, 0, row), L::splat(-12.0F));
  }
};

// Q4_K and Q5_K: halves d and dmin, three words of six-bit scales and minima, codes.
template <bool kFifthBit>
struct FormatQ45_K : FormatDefaults {
  static constexpr size_t kElements = 256;
  static constexpr size_t kCodes = kFifthBit ? 48 : 16;
  static constexpr size_t kBytes = kCodes + 128;
  static constexpr size_t kPeriod = 2;
  static constexpr int kMaxCode = kFifthBit ? 31 : 15;
  static constexpr Minimum kMinimum = Minimum::kFloat;

  template <class L>
  FREEHOLD_INLINE typename L::Int codes(const uint8_t* block, size_t s, size_t g, size_t row) {
    const uint8_t* words = block + panel_item(kCodes, 4, 8 * (s / 2), 0);
    const auto word = L::load(words + panel_item(0, 4, g, row));
    auto code = L::and_bytes(L::shift_right(word, static_cast<int>(4 * (s % 2))), 15);
    if constexpr (kFifthBit) {
      const auto high = L::load(block + panel_item(16, 4, g, row));
      const auto bit = L::and_bytes(L::shift_right(high, static_cast<int>(s)), 1);
      code = L::or_(code, L::shift_left(bit, 4));
    }
    return code;
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float scale(const uint8_t* block, size_t s, size_t row) {
    return L::mul(L::halves(block + panel_item(0, 2, 0, row)), six_bits<L>(block, s, row, 0, 0));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float minimum(const uint8_t* block, size_t s, size_t row) {
    return L::negate(
        L::mul(L::halves(block + panel_item(2, 2, 0, row)), six_bits<L>(block, s, row, 1, 4)));
  }

 private:
  // The scale (word 0, low nibble of word 2) or the minimum (word 1, high nibble of word 2).
  template <class L>
  FREEHOLD_INLINE typename L::Float six_bits(const uint8_t* block, size_t s, size_t row,
                                             size_t word, int nibble) {
    const auto first = L::load(block + panel_item(4, 4, word, row));
    const int byte = static_cast<int>(8 * (s % 4));
    if (s < 4) return L::to_float(L::and_words(L::shift_words_right(first, byte), 63));
    const auto last = L::load(block + panel_item(4, 4, 2, row));
    return L::to_float(L::or_(L::and_words(L::shift_words_right(last, byte + nibble), 15),
                              L::and_words(L::shift_words_right(first, byte + 2), 48)));
  }
};

using FormatQ4_K = FormatQ45_K<false>;
using FormatQ5_K = FormatQ45_K<true>;

struct FormatQ6_K : FormatDefaults {
  static constexpr size_t kElements = 256;
  static constexpr size_t kBytes = 210;
  static constexpr size_t kPeriod = 4;
  static constexpr int kMaxCode = 63;
  static constexpr bool kHalfScales = true;
  static constexpr int kOffset = 32;
  template <class L>
  FREEHOLD_INLINE typename L::Int codes(const uint8_t* block, size_t s, size_t g, size_t row) {
    const size_t n = s / 4;
    const size_t k = s % 4;
    const uint8_t* lows = block + panel_item(18, 4, 16 * n + 8 * (k % 2), 0);
    const uint8_t* highs = block + panel_item(146, 4, 8 * n, 0);
    const auto low = L::load(lows + panel_item(0, 4, g, row));
    const auto high = L::load(highs + panel_item(0, 4, g, row));
    const int up = 4 - 2 * static_cast<int>(k);  // from where the two bits are to bits 4 and 5
    const auto two = up > 0 ? L::shift_left(high, up) : L::shift_right(high, -up);
    return L::or_(L::and_bytes(k < 2 ? low : L::shift_right(low, 4), 15), L::and_bytes(two, 48));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float scale(const uint8_t* block, size_t, size_t row) {
    return L::halves(block + panel_item(0, 2, 0, row));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Int sub_scale(const uint8_t* block, size_t s, size_t h, size_t row) {
    const size_t k = 2 * s + h;
    return L::signed_byte(L::load(block + panel_item(2, 4, k / 4, row)), static_cast<int>(k % 4));
  }
};

struct FormatQ3_K : FormatDefaults {
  static constexpr size_t kElements = 256;
  static constexpr size_t kBytes = 110;
  static constexpr size_t kPeriod = 4;
  static constexpr int kMaxCode = 7;
  static constexpr bool kHalfScales = true;
  static constexpr int kOffset = 4;
  template <class L>
  FREEHOLD_INLINE typename L::Int codes(const uint8_t* block, size_t s, size_t g, size_t row) {
    const uint8_t* lows = block + panel_item(46, 4, 8 * (s / 4), 0);
    const auto low = L::load(lows + panel_item(0, 4, g, row));
    const auto high = L::load(block + panel_item(14, 4, g, row));
    const auto bit = L::and_bytes(L::shift_right(high, static_cast<int>(s)), 1);
    return L::or_(L::and_bytes(L::shift_right(low, static_cast<int>(2 * (s % 4))), 3),
                  L::shift_left(bit, 2));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float scale(const uint8_t* block, size_t, size_t row) {
    return L::halves(block + panel_item(0, 2, 0, row));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Int sub_scale(const uint8_t* block, size_t s, size_t h, size_t row) {
    const size_t k = 2 * s + h;
    const int byte = static_cast<int>(8 * (k % 4));
    const auto low = L::load(block + panel_item(2, 4, k % 8 / 4, row));
    const auto high = L::load(block + panel_item(2, 4, 2, row));
    const auto four = L::and_words(L::shift_words_right(low, byte + (k < 8 ? 0 : 4)), 15);
    const int two_bits = byte + static_cast<int>(2 * (k / 4));
    const auto two = L::and_words(L::shift_words_right(high, two_bits), 3);
    return L::add(L::or_(four, L::shift_words_left(two, 4)), L::splat_int(-32));
  }
};

struct FormatQ2_K : FormatDefaults {
  static constexpr size_t kElements = 256;
  static constexpr size_t kBytes = 84;
  static constexpr size_t kPeriod = 4;
  static constexpr int kMaxCode = 3;
  static constexpr bool kHalfScales = true;
  static constexpr Minimum kMinimum = Minimum::kInteger;
  template <class L>
  FREEHOLD_INLINE typename L::Int codes(const uint8_t* block, size_t s, size_t g, size_t row) {
    const uint8_t* words = block + panel_item(20, 4, 8 * (s / 4), 0);
    const auto word = L::load(words + panel_item(0, 4, g, row));
    return L::and_bytes(L::shift_right(word, static_cast<int>(2 * (s % 4))), 3);
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float scale(const uint8_t* block, size_t, size_t row) {
    return L::halves(block + panel_item(0, 2, 0, row));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float minimum(const uint8_t* block, size_t, size_t row) {
    return L::negate(L::halves(block + panel_item(2, 2, 0, row)));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Int sub_scale(const uint8_t* block, size_t s, size_t h, size_t row) {
    return L::and_words(scale_byte<L>(block, s, h, row), 15);
  }
  template <class L>
  FREEHOLD_INLINE typename L::Int sub_minimum(const uint8_t* block, size_t s, size_t h,
                                              size_t row) {
    return L::and_words(L::shift_words_right(scale_byte<L>(block, s, h, row), 4), 15);
  }

 private:
  template <class L>
  FREEHOLD_INLINE typename L::Int scale_byte(const uint8_t* block, size_t s, size_t h, size_t row) {
    const size_t k = 2 * s + h;
    const auto word = L::load(block + panel_item(4, 4, k / 4, row));
    return L::shift_words_right(word, static_cast<int>(8 * (k % 4)));
  }
};

struct FormatIQ4_XS : FormatDefaults {
  static constexpr size_t kElements = 256;
  static constexpr size_t kBytes = 136;
  static constexpr bool kSigned = true;
  template <class L>
  FREEHOLD_INLINE typename L::Int codes(const uint8_t* block, size_t s, size_t g, size_t row) {
    const uint8_t* words = block + panel_item(8, 4, 4 * s, 0);
    return L::lookup(kTableIQ4, low_or_high_nibble<L>(words, g, row));
  }
  template <class L>
  FREEHOLD_INLINE typename L::Float scale(const uint8_t* block, size_t s, size_t row) {
    const auto low = L::load(block + panel_item(4, 4, 0, row));
    const auto high = L::load_u16(block + panel_item(2, 2, 0, row));
    const auto four = L::and_words(L::shift_words_right(low, static_cast<int>(4 * s)), 15);
    const auto two = L::and_words(L::shift_words_right(high, static_cast<int>(2 * s)), 3);
    const auto six = L::or_(four, L::shift_words_left(two, 4));
    return L::mul(L::halves(block + panel_item(0, 2, 0, row)),
                  L::to_float(L::add(six, L::splat_int(-32))));
  }
};

}  // namespace freehold::kernels
