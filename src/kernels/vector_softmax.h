// The part of attention that follows the scores, query by query: softmax over a chunk of positions,
// and merging chunks in order.
//
// A chunk's partial result is m = max of its visible scores, l = sum of p_j = exp(s_j - m) by the
// fixed tree (lane = position mod 16), and o[d] = the fused sum of p_j * value_j[d] in order of
// position. It joins the running (M, L, O), at first (-inf, 0, 0):
//     M' = max(M, m)    L' = fma(l, exp(m - M'), L * exp(M - M')), and O' likewise.
// A chunk of which the query sees nothing is left out. A sink ends it: L += exp(sink - M') after
// the same rescaling. The output is O / L.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/vector.h"
#include "kernels/vector_math.h"
#include "kernels/vector_widen.h"

namespace freehold::kernels {

// Of a range of positions, what lies in [start, start + size), relative to start.
static inline Span span_within(uint32_t first, uint32_t end, uint32_t start, uint32_t size) {
  const uint32_t begin = first > start ? first - start : 0;
  const uint32_t after = end > start ? end - start : 0;
  return {begin, after < size ? after : size};
}

// What a tile's queries see together: a span that covers them all, within [start, start + size).
template <typename Tile>
inline Span union_within(const Tile& tile, uint32_t query, uint32_t n_queries, uint32_t start,
                         uint32_t size) {
  Span all = {size, 0};
  for (uint32_t q = query; q < query + n_queries; ++q) {
    const Span one = span_within(tile.first[q], tile.end[q], start, size);
    if (one.empty()) continue;
    if (one.begin < all.begin) all.begin = one.begin;
    if (one.end > all.end) all.end = one.end;
  }
  return all;
}

// The largest score m and the sum l of the weights.
struct ChunkSums {
  float largest, sum;
};

// The (m, l, o) of n queries: of a chunk, or the running one.
struct Partial {
  size_t v_padded;  // v_dim rounded up to whole vectors
  float* output;    // [n][v_padded]
  float* sums;      // [n][2]: ChunkSums

  static constexpr size_t padded(size_t n) { return (n + 15) / 16 * 16; }
  static constexpr size_t floats(size_t n, size_t v_dim) { return padded(n * (padded(v_dim) + 2)); }

  Partial(float* at, size_t n, size_t v_dim)
      : v_padded(padded(v_dim)), output(at), sums(at + n * v_padded) {}
  ChunkSums load_sums(size_t q) const { return {sums[2 * q], sums[2 * q + 1]}; }
  void store_sums(size_t q, ChunkSums to) const {
    sums[2 * q] = to.largest;
    sums[2 * q + 1] = to.sum;
  }
};

// What both kinds of attention keep for n queries while they walk the chunks.
struct ChunkScratch {
  float* scores;  // [n][kChunkPositions], then the weights
  Partial chunk, running;
  float* rest;  // what comes after

  static constexpr size_t floats(size_t n, size_t v_dim) {
    return n * kChunkPositions + 2 * Partial::floats(n, v_dim);
  }
  ChunkScratch(float* scratch, size_t n, size_t v_dim)
      : scores(scratch),
        chunk(scratch + n * kChunkPositions, n, v_dim),
        running(chunk.output + Partial::floats(n, v_dim), n, v_dim),
        rest(scratch + floats(n, v_dim)) {}
};

template <typename V>
struct Softmax {
  using F32 = typename V::F32;

  // Turns the scores of the chunk at `start` into weights.
  template <typename Tile>
  static void weigh_chunk(const Tile& tile, const ChunkScratch& scratch, uint32_t start) {
    for (uint32_t q = 0; q < tile.n_queries; ++q) {
      const Span visible = span_within(tile.first[q], tile.end[q], start, kChunkPositions);
      scratch.chunk.store_sums(q, weigh(scratch.scores + q * kChunkPositions, visible));
    }
  }

  static void start(uint32_t n_queries, const Partial& running) {
    for (size_t i = 0; i < n_queries * running.v_padded; ++i) running.output[i] = 0.0F;
    for (uint32_t q = 0; q < n_queries; ++q) running.store_sums(q, {kMinusInfinity, 0.0F});
  }

  // Merges the chunk at `start`, a Partial's floats, into the running results of the queries that
  // see it.
  template <typename Tile>
  static void merge_chunk(const Tile& tile, uint32_t start, const float* chunk,
                          const Partial& running) {
    const float* sums = chunk + tile.n_queries * running.v_padded;
    for (uint32_t q = 0; q < tile.n_queries; ++q) {
      if (span_within(tile.first[q], tile.end[q], start, kChunkPositions).empty()) continue;
      const size_t at = q * running.v_padded;
      running.store_sums(q, merge(running.load_sums(q), {sums[2 * q], sums[2 * q + 1]},
                                  running.v_padded, chunk + at, running.output + at));
    }
  }

  // Merges the partial results of `chunks`, which lie one after another, and finishes.
  template <typename Tile>
  static void merge_all(const Tile& tile, const float* sinks, ChunkRange chunks,
                        const float* partials) {
    const Partial running = ChunkScratch(tile.scratch, tile.n_queries, tile.v_dim).running;
    start(tile.n_queries, running);
    for (uint32_t c = chunks.first; c < chunks.end; ++c) {
      merge_chunk(tile, c * kChunkPositions, partials, running);
      partials += Partial::floats(tile.n_queries, tile.v_dim);
    }
    finish(tile, sinks, running);
  }

  // Writes the tile's output, after the sinks (or null) have joined; zeros where a query saw
  // nothing.
  template <typename Tile>
  static void finish(const Tile& tile, const float* sinks, const Partial& running) {
    for (uint32_t q = 0; q < tile.n_queries; ++q) {
      float* out = tile.output + size_t{q} * tile.v_dim;
      if (tile.first[q] >= tile.end[q]) {
        for (size_t d = 0; d < tile.v_dim; ++d) out[d] = 0.0F;
        continue;
      }
      const ChunkSums sums = running.load_sums(q);
      F32 keep = V::broadcast(1.0F);
      F32 sum = V::broadcast(sums.sum);
      if (sinks != nullptr) {
        const float m = sums.largest > sinks[q] ? sums.largest : sinks[q];
        keep = exp<V>(V::broadcast(sums.largest - m));
        sum = V::add(V::mul(sum, keep), exp<V>(V::broadcast(sinks[q] - m)));
      }
      const float* output = running.output + q * running.v_padded;
      by_sixteen<V>(tile.v_dim, [&](size_t d, auto count) {
        store_lanes<V>(out + d, V::div(V::mul(V::load(output + d), keep), sum), count);
      });
    }
  }

 private:
  static constexpr float kMinusInfinity = -__builtin_inff();

  // Turns one query's scores [kChunkPositions] into weights: p_j where visible, 0 elsewhere. An
  // empty span gives zeros only.
  static ChunkSums weigh(float* scores, Span visible) {
    const F32 nothing = V::broadcast(kMinusInfinity);
    F32 largest = nothing;
    for (uint32_t j = visible.begin / 16 * 16; j < visible.end; j += 16) {
      largest = V::max(largest, seen(scores, j, visible, nothing));
    }
    const float m = V::max_lane(largest);
    const F32 shift = V::broadcast(m);
    const F32 zero = V::broadcast(0.0F);
    F32 sums = zero;
    for (uint32_t j = 0; j < kChunkPositions; j += 16) {
      F32 weights = zero;
      if (j + 16 > visible.begin && j < visible.end) {
        weights = exp<V>(V::sub(V::load(scores + j), shift));
        if (j < visible.begin || j + 16 > visible.end) weights = masked(weights, j, visible, zero);
        sums = V::add(sums, weights);
      }
      V::store(scores + j, weights);
    }
    return {m, V::sum(sums)};
  }

  // output, n floats, gains the chunk's; returns the new sums.
  static ChunkSums merge(ChunkSums running, ChunkSums chunk, size_t n, const float* partial,
                         float* output) {
    const float m = running.largest > chunk.largest ? running.largest : chunk.largest;
    const F32 keep = exp<V>(V::broadcast(running.largest - m));
    const F32 join = exp<V>(V::broadcast(chunk.largest - m));
    for (size_t d = 0; d < n; d += 16) {
      // Adding zero makes a -0 a +0: which of them it is may depend on weights of 0 for positions
      // that only other queries see.
      const F32 fresh = V::add(V::load(partial + d), V::broadcast(0.0F));
      V::store(output + d, V::fma(fresh, join, V::mul(V::load(output + d), keep)));
    }
    const F32 kept = V::mul(V::broadcast(running.sum), keep);
    float sum[16];
    V::store(sum, V::fma(V::broadcast(chunk.sum), join, kept));
    return {m, sum[0]};
  }

  static F32 seen(const float* scores, uint32_t j, Span visible, F32 hidden) {
    const F32 all = V::load(scores + j);
    if (j >= visible.begin && j + 16 <= visible.end) return all;
    return masked(all, j, visible, hidden);
  }

  // Replaces what lies outside the span; `all` holds positions j to j + 15.
  static F32 masked(F32 all, uint32_t j, Span visible, F32 hidden) {
    float lanes[16];
    for (uint32_t i = 0; i < 16; ++i) lanes[i] = static_cast<float>(j + i);
    const F32 position = V::load(lanes);
    const F32 begin = V::broadcast(static_cast<float>(visible.begin));
    const F32 end = V::broadcast(static_cast<float>(visible.end));
    return V::select(V::less(position, begin), hidden,
                     V::select(V::less(position, end), all, hidden));
  }
};

}  // namespace freehold::kernels
