// The entry point of the probe for avx512; see kernels/probe.h.
#pragma once

#include "kernels/probe.h"

namespace freehold::kernels::avx512 {

uint64_t int8_probe(uint64_t rounds, int32_t* sink);

}  // namespace freehold::kernels::avx512
