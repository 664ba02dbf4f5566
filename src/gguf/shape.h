// How many bytes a tensor of a type and shape takes.
#pragma once

#include <array>
#include <cstdint>

#include "base/result.h"
#include "quant/type.h"

namespace freehold::gguf {

// Dimensions of zero are legal but do not hide others: the product of those that are not zero has
// to stay below 2^63, so that no product of some of them wraps either. Rows have to be whole
// blocks. Errors: kBadFormat; the message is a predicate ("has rows of ...").
base::Result<uint64_t> data_bytes(quant::Type type, const std::array<uint64_t, 4>& shape);

}  // namespace freehold::gguf
