// Checked sizes of tensors.
#include "gguf/shape.h"

#include <algorithm>
#include <string>

#include "base/checked.h"

namespace freehold::gguf {

using base::ErrorCode;

base::Result<uint64_t> data_bytes(quant::Type type, const std::array<uint64_t, 4>& shape) {
  int64_t product = 1;
  bool empty = false;
  for (const uint64_t dim : shape) {
    const auto signed_dim = base::checked_cast<int64_t>(dim);
    const auto next =
        signed_dim ? base::checked_mul(product, std::max<int64_t>(*signed_dim, 1)) : std::nullopt;
    if (!next) return base::fail(ErrorCode::kBadFormat, "has dimensions whose product wraps");
    product = *next;
    empty = empty || dim == 0;
  }
  const quant::TypeInfo& info = quant::info(type);
  if (shape[0] % info.block_elements != 0) {
    return base::fail(ErrorCode::kBadFormat,
                      "has rows of " + std::to_string(shape[0]) + ", not a multiple of the " +
                          std::to_string(info.block_elements) + " of " + std::string(info.name));
  }
  if (empty) return 0;
  const auto bytes = base::checked_mul<uint64_t>(
      static_cast<uint64_t>(product) / info.block_elements, info.block_bytes);
  if (!bytes) return base::fail(ErrorCode::kBadFormat, "has a size that does not fit in 64 bits");
  return *bytes;
}

}  // namespace freehold::gguf
