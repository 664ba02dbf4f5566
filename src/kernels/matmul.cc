#include "kernels/matmul.h"

#include "kernels/avx2/matmul.h"
#include "kernels/avx512/matmul.h"
#include "kernels/fp8.h"
#include "kernels/scalar/matmul.h"

namespace freehold::kernels {

PanelProduct panel_product(Isa isa, quant::Type type) {
  const bool is_fp8 = type == quant::Type::kFp8;
  switch (isa) {
    case Isa::kScalar:
      return is_fp8 ? scalar::fp8_panel_product() : scalar::panel_product(type);
    case Isa::kAvx2:
      return is_fp8 ? avx2::fp8_panel_product() : avx2::panel_product(type);
    case Isa::kAvx512:
      return is_fp8 ? avx512::fp8_panel_product() : avx512::panel_product(type);
  }
  return nullptr;
}

}  // namespace freehold::kernels
