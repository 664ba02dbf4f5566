// What this machine can do at most, measured: bytes read from memory and int8 operations a second.
// Every speed is shown beside these.
#pragma once

#include "base/result.h"
#include "kernels/isa.h"

namespace freehold::app {

struct MachineLimits {
  double read_gbps = 0;  // 10^9 bytes a second, all threads together
  double int8_tops = 0;  // 10^12 operations a second, all threads together
};

// Takes about a second. The best of several tries, for a limit is what is reached undisturbed.
// Errors: kOutOfMemory.
base::Result<MachineLimits> measure_machine(kernels::Isa isa, int threads);

}  // namespace freehold::app
