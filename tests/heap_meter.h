// What operator new has handed out in a whole test program. Linking heap_meter.cc replaces it.
#pragma once

#include <cstddef>

namespace freehold {

struct HeapMeter {
  static void reset();
  static size_t peak_bytes();  // the most at once since `reset`, above what was held then
};

}  // namespace freehold
