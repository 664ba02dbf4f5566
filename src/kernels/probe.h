// How fast this processor can multiply and add int8, with nothing else in the way: the limit that
// `freehold bench` shows beside what a model reaches.
#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace freehold::kernels {

// Does `rounds` rounds on one thread from registers and the first cache, and returns the
// operations done (a multiplication and an addition are two). `sink` receives a value that depends
// on all of them, so that no compiler drops the work.
using Int8Probe = uint64_t (*)(uint64_t rounds, int32_t* sink);

Int8Probe int8_probe(Isa isa);

}  // namespace freehold::kernels
