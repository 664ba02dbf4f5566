// One GGUF file, which may be a part of a split model: header, metadata, tensors.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"

namespace freehold::gguf {

struct Part {
  Metadata metadata;
  std::vector<Tensor> tensors;  // in the file's order, data inside the given bytes
};

// Errors: kBadFormat, kUnsupported (version, byte order, tensor type), kLimitExceeded; each names
// the field, key or tensor.
base::Result<Part> parse_part(std::span<const std::byte> bytes);

}  // namespace freehold::gguf
