// The one inner loop of attention: a small matrix product in registers,
//     out[r][c] = (out[r][c] or 0) + sum over k of rows[r][k] * columns[k][c],
// a fused multiply-add for each k in order. The result does not depend on the tile's shape.
#pragma once

#include <cstddef>
#include <cstdint>

namespace freehold::kernels {

// T is float or uint16_t (binary16, widened as it is read). Columns come in vectors of sixteen;
// element k of vector n lies at columns + n * vector_stride + k * column_stride.
template <typename T>
struct TileProduct {
  const float* rows;
  size_t row_stride;
  const T* columns;
  const T* next;  // columns of the same shape that will be wanted soon, to be fetched; or columns
  size_t vector_stride, column_stride;
  size_t depth;
  float* out;  // vector n of row r: out + r * out_stride + n * 16
  size_t out_stride;
  bool accumulate;
};

template <typename V>
inline typename V::F32 load_column(const float* p) {
  return V::load(p);
}
template <typename V>
inline typename V::F32 load_column(const uint16_t* p) {
  return V::load_f16(p);
}

template <typename T>
inline constexpr size_t kVectorsPerLine = 64 / (16 * sizeof(T));

// R rows by N vectors, from vector `first` on.
template <typename V, size_t R, size_t N, typename T>
inline void tile_product(const TileProduct<T>& p, size_t first) {
  using F32 = typename V::F32;
  F32 sums[R][N];
#pragma GCC unroll 16
  for (size_t r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (size_t n = 0; n < N; ++n) {
      sums[r][n] =
          p.accumulate ? V::load(p.out + r * p.out_stride + (first + n) * 16) : V::broadcast(0.0F);
    }
  }
  const T* columns = p.columns + first * p.vector_stride;
  const T* next = p.next + first * p.vector_stride;
  const size_t vector_stride = p.vector_stride;
  const size_t column_stride = p.column_stride;
  const size_t row_stride = p.row_stride;
  const float* rows = p.rows;
  const float* const rows_end = rows + p.depth;
  for (; rows != rows_end; ++rows, columns += column_stride, next += column_stride) {
    F32 column[N];
#pragma GCC unroll 16
    for (size_t n = 0; n < N; ++n) {
      column[n] = load_column<V>(columns + n * vector_stride);
      if (n % kVectorsPerLine<T> == 0) __builtin_prefetch(next + n * vector_stride);
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < R; ++r) {
      const F32 row = V::broadcast(rows[r * row_stride]);
#pragma GCC unroll 16
      for (size_t n = 0; n < N; ++n) sums[r][n] = V::fma(row, column[n], sums[r][n]);
    }
  }
#pragma GCC unroll 16
  for (size_t r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (size_t n = 0; n < N; ++n) {
      V::store(p.out + r * p.out_stride + (first + n) * 16, sums[r][n]);
    }
  }
}

// How many of `total` rows a tile should take: as many as fit, but no tile much smaller than
// others.
template <typename V>
constexpr uint32_t rows_per_tile(uint32_t total) {
  constexpr auto kMost = static_cast<uint32_t>(V::kTileRows);
  const uint32_t n_tiles = (total + kMost - 1) / kMost;
  return n_tiles == 0 ? 1 : (total + n_tiles - 1) / n_tiles;
}

// n_rows from 1 to R rows, all n_vectors.
template <typename V, size_t R = V::kTileRows, typename T>
inline void product_of_rows(const TileProduct<T>& p, size_t n_rows, size_t n_vectors) {
  if constexpr (R > 1) {
    if (n_rows != R) return product_of_rows<V, R - 1>(p, n_rows, n_vectors);
  }
  constexpr size_t kVectors = V::tile_vectors(R);
  size_t n = 0;
  for (; n + kVectors <= n_vectors; n += kVectors) tile_product<V, R, kVectors>(p, n);
  if constexpr (kVectors > 2) {
    for (; n + 2 <= n_vectors; n += 2) tile_product<V, R, 2>(p, n);
  }
  for (; n < n_vectors; ++n) tile_product<V, R, 1>(p, n);
}

}  // namespace freehold::kernels
