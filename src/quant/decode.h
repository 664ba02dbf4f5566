// Blocks to floats, the plain way: the definition of what each format means, bit for bit. Kernels
// are tested against it.
#pragma once

#include <cstddef>

#include "quant/type.h"

namespace freehold::quant {

// Decodes `n_elements` weights, whole blocks packed back to back, into `out`. The caller has
// checked that info(type).decodable, that n_elements is a multiple of info(type).block_elements
// and that `blocks` holds as many. Blocks may be unaligned. Any bytes decode to something, perhaps
// to NaN or infinity.
void decode_row(Type type, const std::byte* blocks, size_t n_elements, float* out);

}  // namespace freehold::quant
