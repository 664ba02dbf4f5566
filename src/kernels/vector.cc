// Chooses the table of vector kernels, and says how much scratch attention needs.
#include "kernels/vector.h"

#include "kernels/vector_table.h"

namespace freehold::kernels {

const VectorKernels& vector_kernels(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return avx512_vector_kernels();
    case Isa::kAvx2:
      return avx2_vector_kernels();
    case Isa::kScalar:
      break;
  }
  return scalar_vector_kernels();
}

size_t attention_scratch_floats(size_t n_queries, size_t k_dim, size_t v_dim) {
  return ChunkScratch::floats(n_queries, v_dim) + widened_block_floats(k_dim, v_dim);
}

size_t latent_scratch_floats(size_t n_queries, size_t row_dim, size_t v_dim) {
  return ChunkScratch::floats(n_queries, v_dim) + LatentScratch::floats(n_queries, row_dim);
}

size_t chunk_partial_floats(size_t n_queries, size_t v_dim) {
  return Partial::floats(n_queries, v_dim);
}

ChunkRange chunks_seen(const uint32_t* first, const uint32_t* end, uint32_t n_queries) {
  uint32_t lowest = UINT32_MAX;
  uint32_t highest = 0;
  for (uint32_t q = 0; q < n_queries; ++q) {
    if (first[q] >= end[q]) continue;
    if (first[q] < lowest) lowest = first[q];
    if (end[q] > highest) highest = end[q];
  }
  if (lowest >= highest) return {0, 0};
  return {lowest / kChunkPositions, (highest - 1) / kChunkPositions + 1};
}

}  // namespace freehold::kernels
