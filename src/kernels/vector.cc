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

}  // namespace freehold::kernels
