// The memory of the cache: one mapping made at the start, which never grows, zero-filled, with huge
// pages asked for, spread over the NUMA nodes. Refuses sizes that do not fit; knows nothing of who
// uses a block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "kv/blocks.h"

namespace freehold::kv {

class Arena {
 public:
  // One entry of `layer_block_bytes` for each layer: the bytes of one block there, all KV heads
  // together. Errors: kInvalidArgument (no layer, no block, a size of 0), kLimitExceeded (the
  // product overflows), kOutOfMemory (the system refuses; says how much was asked for).
  static base::Result<Arena> create(std::span<const size_t> layer_block_bytes, uint32_t n_blocks);

  // What create() would map; an overflow gives nothing. For the memory plan.
  static base::Result<uint64_t> bytes_needed(std::span<const size_t> layer_block_bytes,
                                             uint32_t n_blocks);

  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept;
  ~Arena();

  // The bytes of a block in a layer, aligned to 64. A layer's blocks lie one after another in order
  // of id, `block_stride(layer)` bytes apart.
  std::byte* address(size_t layer, BlockId block) const {
    return base_ + layers_[layer].offset + block * layers_[layer].stride;
  }
  size_t block_stride(size_t layer) const { return layers_[layer].stride; }

  uint64_t bytes() const { return bytes_; }
  uint32_t n_blocks() const { return n_blocks_; }
  size_t n_layers() const { return layers_.size(); }

 private:
  struct Layer {
    size_t offset;
    size_t stride;
  };
  struct Layout {
    std::vector<Layer> layers;
    uint64_t bytes = 0;
  };
  Arena() = default;
  static base::Result<Layout> lay_out(std::span<const size_t> layer_block_bytes, uint32_t n_blocks);

  std::byte* base_ = nullptr;
  uint64_t bytes_ = 0;
  uint32_t n_blocks_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace freehold::kv
