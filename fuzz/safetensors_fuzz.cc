// Any bytes as a safetensors file: refused, or the tensors cover just the bytes after the header.
#include <cstdint>
#include <span>

#include "gguf/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace freehold;
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto tensors = gguf::parse_safetensors(bytes);
  if (!tensors) return 0;
  const std::byte* end = bytes.data() + size;
  for (auto tensor = tensors->rbegin(); tensor != tensors->rend(); ++tensor) {
    if (tensor->data.data() + tensor->data.size() != end) __builtin_trap();
    end = tensor->data.data();
    uint64_t n_elements = 1;
    for (const uint64_t dim : tensor->shape) n_elements *= dim;
    if (n_elements != tensor->n_elements()) __builtin_trap();
  }
  return 0;
}
