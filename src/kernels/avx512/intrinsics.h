// The one door to the AVX-512 intrinsics: the processor's own, or, in a build with
// FREEHOLD_EMULATE_AVX512, SIMDe's functions of the same names on top of AVX2, so that the kernels'
// bits can be tested where the processor lacks AVX-512.
#pragma once

#if defined(FREEHOLD_EMULATE_AVX512)
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#else
#include <immintrin.h>
#endif
