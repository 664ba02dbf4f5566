#include "kernels/matmul.h"

#include "kernels/avx2/matmul.h"
#include "kernels/avx512/matmul.h"
#include "kernels/scalar/matmul.h"

namespace freehold::kernels {

PanelProduct panel_product(Isa isa, quant::Type type) {
  switch (isa) {
    case Isa::kScalar:
      return scalar::panel_product(type);
    case Isa::kAvx2:
      return avx2::panel_product(type);
    case Isa::kAvx512:
      return avx512::panel_product(type);
  }
  return nullptr;
}

}  // namespace freehold::kernels
