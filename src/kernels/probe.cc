#include "kernels/probe.h"

#include "kernels/avx2/probe.h"
#include "kernels/avx512/probe.h"
#include "kernels/scalar/probe.h"

namespace freehold::kernels {

Int8Probe int8_probe(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return scalar::int8_probe;
    case Isa::kAvx2:
      return avx2::int8_probe;
    case Isa::kAvx512:
      return avx512::int8_probe;
  }
  return nullptr;
}

}  // namespace freehold::kernels
