// Floats to blocks: searches the scales that lose least. The bytes depend on the values and the
// weights given and on nothing else.
#pragma once

#include <cstddef>

#include "quant/type.h"

namespace freehold::quant {

// The types that encode_row makes: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K,
// Q5_K, Q6_K, MXFP4.
bool encodable(Type type);

// The largest absolute value that a block of any type can hold (all scales are F16).
inline constexpr float kLargestEncodable = 65504.0F;

// Encodes `n_elements` values, a multiple of info(type).block_elements, into as many blocks at
// `out`. `importance`, where not null, has for each value what a squared error in it costs, at
// least 0; null means that all cost the same. The caller has checked encodable(type) and, but for
// F32 and BF16, that every value's absolute is at most kLargestEncodable.
void encode_row(Type type, const float* values, const float* importance, size_t n_elements,
                std::byte* out);

}  // namespace freehold::quant
