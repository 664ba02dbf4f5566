// exp and log with the same bits on every machine: the C library picks its own by processor.
// Accurate to about 1e-15, which is far more than a draw needs.
#pragma once

namespace freehold::sampling {

// e to the x, for x <= 0; exactly 0 below -700.
double fixed_exp(double x);

// The natural logarithm of a finite x > 0, for x that is not subnormal.
double fixed_log(double x);

}  // namespace freehold::sampling
