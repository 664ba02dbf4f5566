// The vector kernels for avx2.
#include "kernels/avx2/lanes.h"
#include "kernels/vector_table.h"

namespace freehold::kernels {

const VectorKernels& avx2_vector_kernels() { return kVectorKernels<Avx2Lanes>; }

}  // namespace freehold::kernels
