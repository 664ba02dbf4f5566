#include "kernels/avx512/matmul.h"

#include "kernels/avx512/int_lanes.h"
#include "kernels/matmul_tile.h"

namespace freehold::kernels::avx512 {

PanelProduct panel_product(quant::Type type) { return tiled_panel_product<IntLanes>(type); }

}  // namespace freehold::kernels::avx512
