// Memory for a model's weights in the form that is multiplied: made, or mapped from a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/result.h"

namespace freehold::models {

class WeightMemory {
 public:
  // Zeroed; with a node, from that node's memory (base::bind_memory). Errors: kOutOfMemory.
  static base::Result<WeightMemory> create(uint64_t bytes, std::optional<int> numa_node = {});
  // Bytes of an open file from `offset`, a multiple of kAlignment, on; read-only and shared with
  // every other process that maps them. Errors: kOutOfMemory.
  static base::Result<WeightMemory> map(int file, uint64_t offset, uint64_t bytes);
  // Where a file's weights must lie for the system to map them in its large pages.
  static constexpr uint64_t kAlignment = uint64_t{2} << 20U;

  WeightMemory() = default;
  WeightMemory(WeightMemory&& other) noexcept;
  WeightMemory& operator=(WeightMemory&& other) noexcept;
  ~WeightMemory();
  const std::byte* data() const { return data_; }
  std::byte* writable() { return data_; }  // of created memory only
  uint64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace freehold::models
