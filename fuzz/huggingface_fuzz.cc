// A config.json and a safetensors file, both of any bytes, as a model: two bytes of the
// configuration's length, the configuration, the file. Refused, or every tensor is whole.
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "gguf/hf_config.h"
#include "gguf/hf_tensors.h"
#include "gguf/json.h"
#include "gguf/safetensors.h"
#include "gguf/shape.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace freehold;
  uint16_t length = 0;
  if (size < sizeof(length)) return 0;
  std::memcpy(&length, data, sizeof(length));
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(sizeof(length));
  if (length > bytes.size()) return 0;
  const auto json = gguf::parse_json({reinterpret_cast<const char*>(bytes.data()), length});
  if (!json) return 0;
  const auto config = gguf::read_hf_config(*json);
  if (!config) return 0;
  const auto files = gguf::Safetensors::parse(bytes.subspan(length));
  if (!files) return 0;
  gguf::Directory directory;
  if (!gguf::add_hf_tensors(*config, *files, directory)) return 0;
  unsigned sum = 0;
  for (const gguf::Tensor& tensor : directory.tensors()) {
    const auto n_bytes = gguf::data_bytes(tensor.type, tensor.shape);
    if (!n_bytes || *n_bytes != tensor.n_bytes()) __builtin_trap();
    std::vector<std::byte> scratch;
    for (const std::byte b : tensor.all(scratch)) sum += std::to_integer<unsigned>(b);
  }
  volatile unsigned sink = sum;
  (void)sink;
  return 0;
}
