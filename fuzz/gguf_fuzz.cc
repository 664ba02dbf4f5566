// Any bytes as a GGUF file: refused, or every tensor and string it names lies inside them.
#include <cstdint>
#include <span>
#include <string_view>

#include "gguf/gguf.h"
#include "gguf/shape.h"

namespace {

volatile unsigned sink;

void touch(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte b : bytes) sum += std::to_integer<unsigned>(b);
  sink = sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace freehold;
  const auto directory = gguf::Directory::parse(std::as_bytes(std::span(data, size)));
  if (!directory) return 0;
  for (const auto& [key, value] : directory->metadata().all()) {
    if (const auto* text = std::get_if<std::string_view>(&value.data)) {
      touch(std::as_bytes(std::span(*text)));
    }
    if (const auto* texts = std::get_if<gguf::Value::Strings>(&value.data)) {
      for (const std::string_view text : *texts) touch(std::as_bytes(std::span(text)));
    }
  }
  for (const gguf::Tensor& tensor : directory->tensors()) {
    const auto n_bytes = gguf::data_bytes(tensor.type, tensor.shape);
    if (!n_bytes || *n_bytes != tensor.data.size()) __builtin_trap();
    touch(tensor.data);
  }
  return 0;
}
