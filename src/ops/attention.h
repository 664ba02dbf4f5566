// Attention over the cache: which query rows look at which positions, shared out over threads.
// The arithmetic is the kernels' (vector.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "kernels/kv_layout.h"
#include "ops/buffer.h"
#include "ops/machine.h"

namespace freehold::ops {

// One layer of the cache: a block's bytes are at base + id * stride.
struct LayerCache {
  std::byte* base = nullptr;
  size_t stride = 0;
  std::byte* block(uint32_t id) const { return base + id * stride; }
};

// Consecutive positions of one sequence in a step: rows [first_row, first_row + n_rows) of every
// activation buffer are positions first_position, first_position + 1, …
struct Slice {
  size_t first_row = 0;
  size_t n_rows = 0;
  uint32_t first_position = 0;
  std::span<const uint32_t> blocks;  // block ids in order of position
  uint32_t first_visible = 0;        // no position before this one is seen
};

// Grouped-query attention. A layer's cache block holds, for each KV head in turn, its key block and
// its value block.
struct HeadsShape {
  uint32_t n_heads = 0;
  uint32_t n_kv_heads = 0;
  uint32_t k_dim = 0;
  uint32_t v_dim = 0;
  kernels::CacheType cache = kernels::CacheType::kF16;

  size_t key_bytes() const { return kernels::key_block_bytes(cache, k_dim); }
  size_t head_bytes() const { return key_bytes() + kernels::value_block_bytes(cache, v_dim); }
  size_t block_bytes() const { return n_kv_heads * head_bytes(); }
};

// Which positions a query at position p sees: those from first(p) to p.
struct Visibility {
  static constexpr uint32_t kAll = std::numeric_limits<uint32_t>::max();
  uint32_t window = kAll;  // the last `window` positions, itself included
  uint32_t chunk = kAll;   // positions since the last multiple of `chunk`
  uint32_t first(uint32_t p) const {
    const uint32_t by_window = p >= window ? p - window + 1 : 0;
    const uint32_t by_chunk = chunk == kAll ? 0 : p / chunk * chunk;
    return by_window > by_chunk ? by_window : by_chunk;
  }
};

// Where a position's keys and values lie: the cache of a layer, the block ids of its sequence.
struct CachePlace {
  const LayerCache& cache;
  std::span<const uint32_t> blocks;
  uint32_t position;
};

// Writes a row's keys [n_kv_heads][k_dim] and values [n_kv_heads][v_dim] into the cache.
void store_heads(const Machine& machine, const HeadsShape& shape, const CachePlace& place,
                 const float* keys, const float* values);

// What a layer's queries look at, and how.
struct HeadsView {
  const HeadsShape& shape;
  const Visibility& visibility;
  const LayerCache& cache;
  std::span<const Slice> slices;  // whose own keys and values are stored already
  const float* sinks = nullptr;   // [n_heads], or null
};

// queries: rows of [n_heads][k_dim], the scale applied. out: rows of [n_heads][v_dim].
class HeadsAttention {
 public:
  void run(Machine& machine, const HeadsView& view, const Rows& queries, Rows& out);

 private:
  struct Task {
    uint32_t slice;
    uint32_t first_row;  // within the slice
    uint32_t n_rows;
    uint32_t kv_head;
  };
  struct Scratch {
    std::vector<const std::byte*> keys, values;
    std::vector<float> queries, output, sinks, work;
    std::vector<uint32_t> first, end;
  };
  std::vector<Task> tasks_;
  std::vector<Scratch> scratch_;  // one a thread
};

// Multi-head latent attention: all heads look at the same rows of row_dim numbers, whose first
// v_dim are the values.
struct LatentShape {
  uint32_t n_heads = 0;
  uint32_t row_dim = 0;
  uint32_t v_dim = 0;
  kernels::CacheType cache = kernels::CacheType::kF16;
};

// queries: rows of [n_heads][row_dim], the scale applied. out: rows of [n_heads][v_dim].
class LatentAttention {
 public:
  void run(Machine& machine, const LatentShape& shape, const LayerCache& cache,
           std::span<const Slice> slices, const Rows& queries, Rows& out);

 private:
  struct Task {
    uint32_t slice;
    uint32_t row;  // within the slice
    uint32_t first_head;
    uint32_t n_heads;
  };
  struct Scratch {
    std::vector<const std::byte*> blocks;
    std::vector<uint32_t> first, end;
    std::vector<float> work;
  };
  std::vector<Task> tasks_;
  std::vector<Scratch> scratch_;  // one a thread
};

}  // namespace freehold::ops
