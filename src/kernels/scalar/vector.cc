// The vector kernels for scalar.
#include "kernels/scalar/lanes.h"
#include "kernels/vector_table.h"

namespace freehold::kernels {

const VectorKernels& scalar_vector_kernels() { return kVectorKernels<ScalarLanes>; }

}  // namespace freehold::kernels
