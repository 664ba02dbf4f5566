// Attention of a tile of queries over the cache blocks of one KV head, as templates over a lanes
// type. Chunk by chunk: scores (tiles of queries by positions), weights, the weighted sum of the
// values (tiles of queries by dimensions), merge; see vector_softmax.h for the arithmetic.
//
// F32 blocks, and F16 ones when few queries share them, are read in place; others are widened once
// for all queries. The bits are the same.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/vector.h"
#include "kernels/vector_softmax.h"
#include "kernels/vector_tile.h"
#include "kernels/vector_widen.h"

namespace freehold::kernels {

// After the ChunkScratch: one widened block, and the scales of its rows.
constexpr size_t widened_block_floats(size_t k_dim, size_t v_dim) {
  const size_t v_padded = Partial::padded(v_dim);
  return (k_dim > v_padded ? k_dim : v_padded) * kBlockPositions + v_padded;
}

// Columns of a TileProduct.
template <typename T>
struct Columns {
  const T* base;
  const T* next;
  size_t vector_stride, column_stride;
};

template <typename V>
class Attend {
 public:
  static void run(CacheType type, const AttentionTile& tile) {
    const ChunkScratch scratch(tile.scratch, tile.n_queries, tile.v_dim);
    const ChunkRange chunks = chunks_seen(tile.first, tile.end, tile.n_queries);
    const Attend attend(type, tile, scratch);
    Softmax<V>::start(tile.n_queries, scratch.running);
    for (uint32_t c = chunks.first; c < chunks.end; ++c) {
      attend.chunk(c * kChunkPositions);
      Softmax<V>::merge_chunk(tile, c * kChunkPositions, scratch.chunk.output, scratch.running);
    }
    Softmax<V>::finish(tile, tile.sinks, scratch.running);
  }

  static void run_chunk(CacheType type, const AttentionTile& tile, uint32_t chunk, float* partial) {
    ChunkScratch scratch(tile.scratch, tile.n_queries, tile.v_dim);
    scratch.chunk = Partial(partial, tile.n_queries, tile.v_dim);
    Attend(type, tile, scratch).chunk(chunk * kChunkPositions);
  }

  static void merge_chunks(const AttentionTile& tile, ChunkRange chunks, const float* partials) {
    Softmax<V>::merge_all(tile, tile.sinks, chunks, partials);
  }

 private:
  Attend(CacheType type, const AttentionTile& tile, const ChunkScratch& scratch)
      : type_(type), tile_(tile), scratch_(scratch) {
    const Span all = union_within(tile, 0, tile.n_queries, 0, UINT32_MAX);
    n_blocks_ = (all.end + kBlockPositions - 1) / kBlockPositions;
  }

  // Fills scratch_.chunk.
  void chunk(uint32_t start) const {
    each_block(start, [&](uint32_t block, Span) { score(start, block); });
    Softmax<V>::weigh_chunk(tile_, scratch_, start);
    each_block(start, [&](uint32_t block, Span seen) { add_values(start, block, seen); });
  }

  // Whether halves are widened as they are read, once for each of so few tiles.
  bool reads_halves() const {
    return type_ == CacheType::kF16 && tile_.n_queries <= 3 * V::kTileRows;
  }

  // Calls visit(b, seen) for the blocks b = 0 to 7 of a chunk of which some query sees something.
  template <typename Visit>
  void each_block(uint32_t start, const Visit& visit) const {
    for (uint32_t b = 0; b < kChunkPositions / kBlockPositions; ++b) {
      const Span seen =
          union_within(tile_, 0, tile_.n_queries, start + b * kBlockPositions, kBlockPositions);
      if (!seen.empty()) visit(b, seen);
    }
  }

  // Calls visit(q, n, seen) for groups of n queries that see something of [start, start + size).
  template <typename Visit>
  void each_group(uint32_t start, uint32_t size, const Visit& visit) const {
    const uint32_t group = rows_per_tile<V>(tile_.n_queries);
    for (uint32_t q = 0; q < tile_.n_queries; q += group) {
      const uint32_t left = tile_.n_queries - q;
      const uint32_t n = left < group ? left : group;
      const Span seen = union_within(tile_, q, n, start, size);
      if (!seen.empty()) visit(q, n, seen);
    }
  }

  void score(uint32_t start, uint32_t b) const {
    const uint32_t index = start / kBlockPositions + b;
    if (type_ == CacheType::kF32) {
      return score_columns(start, b, in_place<float>(tile_.key_blocks, index, kBlockPositions));
    }
    if (reads_halves()) {
      return score_columns(start, b, in_place<uint16_t>(tile_.key_blocks, index, kBlockPositions));
    }
    const float* widened = scratch_.rest;
    Widen<V>::keys(type_, at(tile_.key_blocks, index), tile_.k_dim, scratch_.rest);
    score_columns<float>(start, b, {widened, widened, size_t{16} * tile_.k_dim, 16});
  }

  template <typename T>
  void score_columns(uint32_t start, uint32_t b, Columns<T> keys) const {
    const uint32_t position = b * kBlockPositions;
    each_group(start + position, kBlockPositions, [&](uint32_t q, uint32_t n, Span) {
      const TileProduct<T> product = {.rows = tile_.queries + size_t{q} * tile_.k_dim,
                                      .row_stride = tile_.k_dim,
                                      .columns = keys.base,
                                      .next = keys.next,
                                      .vector_stride = keys.vector_stride,
                                      .column_stride = keys.column_stride,
                                      .depth = tile_.k_dim,
                                      .out = scratch_.scores + q * kChunkPositions + position,
                                      .out_stride = kChunkPositions,
                                      .accumulate = false};
      product_of_rows<V>(product, n, kBlockPositions / 16);
    });
  }

  void add_values(uint32_t start, uint32_t b, Span seen) const {
    const uint32_t index = start / kBlockPositions + b;
    const bool whole_vectors = tile_.v_dim % 16 == 0;
    if (type_ == CacheType::kF32 && whole_vectors) {
      return add_columns(start, b, in_place<float>(tile_.value_blocks, index, tile_.v_dim));
    }
    if (reads_halves() && whole_vectors) {
      return add_columns(start, b, in_place<uint16_t>(tile_.value_blocks, index, tile_.v_dim));
    }
    float* widened = scratch_.rest + scratch_.chunk.v_padded;
    Widen<V>::rows(type_, at(tile_.value_blocks, index), tile_.v_dim, seen,
                   {widened, size_t{16} * kBlockPositions, 16, scratch_.rest});
    add_columns<float>(start, b, {widened, widened, size_t{16} * kBlockPositions, 16});
  }

  template <typename T>
  void add_columns(uint32_t start, uint32_t b, Columns<T> values) const {
    const uint32_t position = b * kBlockPositions;
    each_group(start + position, kBlockPositions, [&](uint32_t q, uint32_t n, Span seen) {
      const Span in_chunk = union_within(tile_, q, n, start, kChunkPositions);
      const TileProduct<T> product = {
          .rows = scratch_.scores + q * kChunkPositions + position + seen.begin,
          .row_stride = kChunkPositions,
          .columns = values.base + seen.begin * values.column_stride,
          .next = values.next + seen.begin * values.column_stride,
          .vector_stride = values.vector_stride,
          .column_stride = values.column_stride,
          .depth = seen.end - seen.begin,
          .out = scratch_.chunk.output + q * scratch_.chunk.v_padded,
          .out_stride = scratch_.chunk.v_padded,
          .accumulate = in_chunk.begin / kBlockPositions != b};
      product_of_rows<V>(product, n, scratch_.chunk.v_padded / 16);
    });
  }

  // A block, and the one after it if there is one.
  typename Widen<V>::Blocks at(const std::byte* const* blocks, uint32_t index) const {
    const std::byte* next = index + 1 < n_blocks_ ? blocks[index + 1] : nullptr;
    return {blocks[index], next != nullptr ? next : blocks[index]};
  }

  template <typename T>
  Columns<T> in_place(const std::byte* const* blocks, uint32_t index, size_t column_stride) const {
    const auto [block, next] = at(blocks, index);
    return {as<T>(block), as<T>(next), 16, column_stride};
  }

  template <typename T>
  static const T* as(const std::byte* p) {
    return static_cast<const T*>(static_cast<const void*>(p));
  }

  CacheType type_;
  const AttentionTile& tile_;
  uint32_t n_blocks_;  // up to the last one seen
  ChunkScratch scratch_;
};

}  // namespace freehold::kernels
