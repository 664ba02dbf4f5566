// The instruction sets that kernels are written for, and which of them this processor runs.
// All of them give the same bits; the choice is only about speed.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"

namespace freehold::kernels {

enum class Isa {
  kScalar,  // any x86-64
  kAvx2,    // AVX2, FMA, F16C
  kAvx512,  // AVX-512 F, BW, VL, DQ and VNNI
};

// "scalar", "avx2", "avx512".
std::string_view name(Isa isa);

// The named instruction set; "" is the best that this processor and its operating system run.
// Errors: kInvalidArgument (no such name), kUnsupported (names the missing features).
base::Result<Isa> select_isa(std::string_view name);

// What this process can run, slowest first; never empty.
std::vector<Isa> available_isas();

}  // namespace freehold::kernels
