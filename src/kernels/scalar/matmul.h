// The entry point of the reference products; see kernels/matmul.h.
#pragma once

#include "kernels/matmul.h"

namespace freehold::kernels::scalar {

PanelProduct panel_product(quant::Type type);

}  // namespace freehold::kernels::scalar
