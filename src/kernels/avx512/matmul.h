// The entry point of the products for avx512; see kernels/matmul.h.
#pragma once

#include "kernels/matmul.h"

namespace freehold::kernels::avx512 {

PanelProduct panel_product(quant::Type type);

}  // namespace freehold::kernels::avx512
