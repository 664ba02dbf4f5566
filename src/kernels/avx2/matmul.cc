#include "kernels/avx2/matmul.h"

#include "kernels/avx2/int_lanes.h"
#include "kernels/matmul_product.h"

namespace freehold::kernels::avx2 {

PanelProduct panel_product(quant::Type type) { return product_of<IntLanes>(type); }

}  // namespace freehold::kernels::avx2
