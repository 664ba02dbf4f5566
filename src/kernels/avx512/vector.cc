// The vector kernels for avx512.
#include "kernels/avx512/lanes.h"
#include "kernels/vector_table.h"

namespace freehold::kernels {

const VectorKernels& avx512_vector_kernels() { return kVectorKernels<Avx512Lanes>; }

}  // namespace freehold::kernels
