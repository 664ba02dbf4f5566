#include "ops/attention.h"

#include <algorithm>

namespace freehold::ops {
namespace {

// Query rows in a kernel's tile: enough to read keys and values from a near cache many times.
constexpr uint32_t kTileQueries = 48;

// Heads that share one pass over a latent cache.
constexpr uint32_t kLatentHeads = 16;

}  // namespace

void store_heads(const Machine& machine, const HeadsShape& shape, const CachePlace& place,
                 const float* keys, const float* values) {
  const kernels::VectorKernels& vectors = machine.vectors();
  std::byte* block = place.cache.block(place.blocks[place.position / kernels::kBlockPositions]);
  const size_t slot = place.position % kernels::kBlockPositions;
  for (uint32_t head = 0; head < shape.n_kv_heads; ++head) {
    std::byte* key_block = block + head * shape.head_bytes();
    vectors.store_key(shape.cache, keys + head * shape.k_dim, shape.k_dim, key_block, slot);
    vectors.store_value(shape.cache, values + head * shape.v_dim, shape.v_dim,
                        key_block + shape.key_bytes(), slot);
  }
}

void HeadsAttention::run(Machine& machine, const HeadsView& view, const Rows& queries, Rows& out) {
  const HeadsShape& shape = view.shape;
  const std::span<const Slice> slices = view.slices;
  out.resize(queries.n(), shape.n_heads * shape.v_dim);
  scratch_.resize(static_cast<size_t>(machine.threads()));
  const uint32_t group = shape.n_heads / shape.n_kv_heads;
  const uint32_t rows_a_tile = std::max(1U, kTileQueries / group);
  tasks_.clear();
  for (uint32_t s = 0; s < slices.size(); ++s) {
    const auto n_rows = static_cast<uint32_t>(slices[s].n_rows);
    for (uint32_t row = 0; row < n_rows; row += rows_a_tile) {
      for (uint32_t head = 0; head < shape.n_kv_heads; ++head) {
        tasks_.push_back({s, row, std::min(rows_a_tile, n_rows - row), head});
      }
    }
  }
  machine.pool().run(tasks_.size(), [&](size_t i, int thread) {
    const Task& task = tasks_[i];
    const Slice& slice = slices[task.slice];
    Scratch& scratch = scratch_[static_cast<size_t>(thread)];
    const uint32_t n_queries = task.n_rows * group;
    const uint32_t position = slice.first_position + task.first_row;

    scratch.queries.resize(n_queries * shape.k_dim);
    scratch.output.resize(n_queries * shape.v_dim);
    scratch.first.resize(n_queries);
    scratch.end.resize(n_queries);
    scratch.sinks.resize(n_queries);
    for (uint32_t q = 0; q < n_queries; ++q) {
      const uint32_t row = q / group;
      const uint32_t head = task.kv_head * group + q % group;
      const float* query = queries.row(slice.first_row + task.first_row + row);
      std::copy_n(query + head * shape.k_dim, shape.k_dim, &scratch.queries[q * shape.k_dim]);
      scratch.first[q] = std::max(slice.first_visible, view.visibility.first(position + row));
      scratch.end[q] = position + row + 1;
      if (view.sinks != nullptr) scratch.sinks[q] = view.sinks[head];
    }

    const uint32_t last = position + task.n_rows - 1;
    const size_t n_blocks = last / kernels::kBlockPositions + 1;
    scratch.keys.resize(n_blocks);
    scratch.values.resize(n_blocks);
    for (size_t b = 0; b < n_blocks; ++b) {
      scratch.keys[b] = view.cache.block(slice.blocks[b]) + task.kv_head * shape.head_bytes();
      scratch.values[b] = scratch.keys[b] + shape.key_bytes();
    }

    scratch.work.resize(kernels::attention_scratch_floats(n_queries, shape.k_dim, shape.v_dim));
    const kernels::AttentionTile tile = {
        .queries = scratch.queries.data(),
        .output = scratch.output.data(),
        .first = scratch.first.data(),
        .end = scratch.end.data(),
        .sinks = view.sinks == nullptr ? nullptr : scratch.sinks.data(),
        .n_queries = n_queries,
        .k_dim = shape.k_dim,
        .v_dim = shape.v_dim,
        .key_blocks = scratch.keys.data(),
        .value_blocks = scratch.values.data(),
        .scratch = scratch.work.data(),
    };
    machine.vectors().attend(shape.cache, tile);

    for (uint32_t q = 0; q < n_queries; ++q) {
      const uint32_t head = task.kv_head * group + q % group;
      float* row = out.row(slice.first_row + task.first_row + q / group);
      std::copy_n(&scratch.output[q * shape.v_dim], shape.v_dim, row + head * shape.v_dim);
    }
  });
}

void LatentAttention::run(Machine& machine, const LatentShape& shape, const LayerCache& cache,
                          std::span<const Slice> slices, const Rows& queries, Rows& out) {
  out.resize(queries.n(), static_cast<size_t>(shape.n_heads) * shape.v_dim);
  scratch_.resize(static_cast<size_t>(machine.threads()));
  tasks_.clear();
  for (uint32_t s = 0; s < slices.size(); ++s) {
    for (uint32_t row = 0; row < slices[s].n_rows; ++row) {
      for (uint32_t head = 0; head < shape.n_heads; head += kLatentHeads) {
        tasks_.push_back({s, row, head, std::min(kLatentHeads, shape.n_heads - head)});
      }
    }
  }
  machine.pool().run(tasks_.size(), [&](size_t i, int thread) {
    const Task& task = tasks_[i];
    const Slice& slice = slices[task.slice];
    Scratch& scratch = scratch_[static_cast<size_t>(thread)];
    const uint32_t position = slice.first_position + task.row;
    scratch.first.assign(task.n_heads, slice.first_visible);
    scratch.end.assign(task.n_heads, position + 1);
    scratch.blocks.resize(position / kernels::kBlockPositions + 1);
    for (size_t b = 0; b < scratch.blocks.size(); ++b) {
      scratch.blocks[b] = cache.block(slice.blocks[b]);
    }
    scratch.work.resize(kernels::latent_scratch_floats(task.n_heads, shape.row_dim, shape.v_dim));
    const size_t row = slice.first_row + task.row;
    const kernels::LatentTile tile = {
        .queries = queries.row(row) + task.first_head * shape.row_dim,
        .output = out.row(row) + task.first_head * shape.v_dim,
        .first = scratch.first.data(),
        .end = scratch.end.data(),
        .n_queries = task.n_heads,
        .row_dim = shape.row_dim,
        .v_dim = shape.v_dim,
        .blocks = scratch.blocks.data(),
        .scratch = scratch.work.data(),
    };
    machine.vectors().attend_latent(shape.cache, tile);
  });
}

}  // namespace freehold::ops
