// Multi-head latent attention, as templates over a lanes type: every head reads the same rows,
// which are keys and, in their first v_dim elements, values. Scores are tiles of positions by
// queries, so that a row need not be transposed; the queries are, once. Otherwise as
// vector_attend.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/vector.h"
#include "kernels/vector_softmax.h"
#include "kernels/vector_tile.h"
#include "kernels/vector_widen.h"

namespace freehold::kernels {

// After the ChunkScratch.
struct LatentScratch {
  float* queries;  // [n_queries/16][row_dim][16]
  float* scores;   // [kBlockPositions][n_queries rounded up to 16]
  float* scales;   // [row_dim rounded up to 16]
  float* block;    // [kBlockPositions][row_dim rounded up to 16]

  static constexpr size_t floats(size_t n_queries, size_t row_dim) {
    const size_t row = Partial::padded(row_dim);
    return Partial::padded(n_queries) * (row_dim + kBlockPositions) + row * (1 + kBlockPositions);
  }
  LatentScratch(float* scratch, size_t n_queries, size_t row_dim) : queries(scratch) {
    scores = queries + Partial::padded(n_queries) * row_dim;
    scales = scores + Partial::padded(n_queries) * kBlockPositions;
    block = scales + Partial::padded(row_dim);
  }
};

template <typename V>
class AttendLatent {
 public:
  static void run(CacheType type, const LatentTile& tile) {
    const ChunkScratch scratch(tile.scratch, tile.n_queries, tile.v_dim);
    const ChunkRange chunks = chunks_seen(tile.first, tile.end, tile.n_queries);
    const AttendLatent attend(type, tile, scratch);
    Softmax<V>::start(tile.n_queries, scratch.running);
    for (uint32_t c = chunks.first; c < chunks.end; ++c) {
      attend.chunk(c * kChunkPositions);
      Softmax<V>::merge_chunk(tile, c * kChunkPositions, scratch.chunk.output, scratch.running);
    }
    Softmax<V>::finish(tile, nullptr, scratch.running);
  }

  static void run_chunk(CacheType type, const LatentTile& tile, uint32_t chunk, float* partial) {
    ChunkScratch scratch(tile.scratch, tile.n_queries, tile.v_dim);
    scratch.chunk = Partial(partial, tile.n_queries, tile.v_dim);
    AttendLatent(type, tile, scratch).chunk(chunk * kChunkPositions);
  }

  static void merge_chunks(const LatentTile& tile, ChunkRange chunks, const float* partials) {
    Softmax<V>::merge_all(tile, nullptr, chunks, partials);
  }

 private:
  // Rows of one block as floats.
  struct RowView {
    const float* base;
    size_t stride;
  };

  AttendLatent(CacheType type, const LatentTile& tile, const ChunkScratch& scratch)
      : type_(type),
        tile_(tile),
        padded_(Partial::padded(tile.n_queries)),
        scratch_(scratch),
        latent_(scratch.rest, tile.n_queries, tile.row_dim) {
    const Span all = union_within(tile, 0, tile.n_queries, 0, UINT32_MAX);
    n_blocks_ = (all.end + kBlockPositions - 1) / kBlockPositions;
    transpose_queries();
  }

  void transpose_queries() const {
    for (size_t q = 0; q < padded_; ++q) {
      float* lane = latent_.queries + q / 16 * 16 * tile_.row_dim + q % 16;
      const float* row = tile_.queries + q * tile_.row_dim;
      for (size_t d = 0; d < tile_.row_dim; ++d) {
        lane[d * 16] = q < tile_.n_queries ? row[d] : 0.0F;
      }
    }
  }

  // Fills scratch_.chunk.
  void chunk(uint32_t start) const {
    for (uint32_t at = 0; at < kChunkPositions; at += kBlockPositions) {
      const Span seen = union_within(tile_, 0, tile_.n_queries, start + at, kBlockPositions);
      if (!seen.empty()) score(at, seen, rows(start + at, seen));
    }
    Softmax<V>::weigh_chunk(tile_, scratch_, start);
    for (uint32_t at = 0; at < kChunkPositions; at += kBlockPositions) {
      const Span seen = union_within(tile_, 0, tile_.n_queries, start + at, kBlockPositions);
      if (!seen.empty()) add_values(start, at, rows(start + at, seen));
    }
  }

  RowView rows(uint32_t position, Span seen) const {
    const uint32_t index = position / kBlockPositions;
    const std::byte* block = tile_.blocks[index];
    const std::byte* next = index + 1 < n_blocks_ ? tile_.blocks[index + 1] : nullptr;
    if (type_ == CacheType::kF32 && tile_.v_dim % 16 == 0) {
      return {static_cast<const float*>(static_cast<const void*>(block)), tile_.row_dim};
    }
    const size_t stride = Partial::padded(tile_.row_dim);
    Widen<V>::rows(type_, {block, next != nullptr ? next : block}, tile_.row_dim, seen,
                   {latent_.block, 16, stride, latent_.scales});
    return {latent_.block, stride};
  }

  void score(uint32_t at, Span seen, RowView rows) const {
    TileProduct<float> product = {.rows = nullptr,
                                  .row_stride = rows.stride,
                                  .columns = latent_.queries,
                                  .next = latent_.queries,
                                  .vector_stride = size_t{16} * tile_.row_dim,
                                  .column_stride = 16,
                                  .depth = tile_.row_dim,
                                  .out = nullptr,
                                  .out_stride = padded_,
                                  .accumulate = false};
    const uint32_t group = rows_per_tile<V>(seen.end - seen.begin);
    for (uint32_t j = seen.begin; j < seen.end; j += group) {
      const uint32_t left = seen.end - j;
      product.rows = rows.base + j * rows.stride;
      product.out = latent_.scores + j * padded_;
      product_of_rows<V>(product, left < group ? left : group, padded_ / 16);
    }
    for (uint32_t q = 0; q < tile_.n_queries; ++q) {
      float* scores = scratch_.scores + q * kChunkPositions + at;
      for (uint32_t j = seen.begin; j < seen.end; ++j) scores[j] = latent_.scores[j * padded_ + q];
    }
  }

  void add_values(uint32_t start, uint32_t at, RowView rows) const {
    const uint32_t group = rows_per_tile<V>(tile_.n_queries);
    for (uint32_t q = 0; q < tile_.n_queries; q += group) {
      const uint32_t left = tile_.n_queries - q;
      const uint32_t n = left < group ? left : group;
      const Span seen = union_within(tile_, q, n, start + at, kBlockPositions);
      if (seen.empty()) continue;
      const Span in_chunk = union_within(tile_, q, n, start, kChunkPositions);
      const TileProduct<float> product = {
          .rows = scratch_.scores + q * kChunkPositions + at + seen.begin,
          .row_stride = kChunkPositions,
          .columns = rows.base + seen.begin * rows.stride,
          .next = rows.base + seen.begin * rows.stride,
          .vector_stride = 16,
          .column_stride = rows.stride,
          .depth = seen.end - seen.begin,
          .out = scratch_.chunk.output + q * scratch_.chunk.v_padded,
          .out_stride = scratch_.chunk.v_padded,
          .accumulate = in_chunk.begin / kBlockPositions != at / kBlockPositions};
      product_of_rows<V>(product, n, scratch_.chunk.v_padded / 16);
    }
  }

  CacheType type_;
  const LatentTile& tile_;
  uint32_t n_blocks_;  // up to the last one seen
  size_t padded_;      // n_queries in whole vectors
  ChunkScratch scratch_;
  LatentScratch latent_;
};

}  // namespace freehold::kernels
