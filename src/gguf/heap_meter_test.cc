// Counts what operator new hands out in this program, and checks that it does.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <string>

#include "gguf/hostility.h"

namespace {

size_t held_bytes = 0;
size_t peak_held_bytes = 0;
size_t held_at_reset = 0;

}  // namespace

// Not inlined: the compiler would see malloc meet delete and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  void* p = std::malloc(size == 0 ? 1 : size);
  if (p == nullptr) throw std::bad_alloc();
  held_bytes += ::malloc_usable_size(p);
  peak_held_bytes = std::max(peak_held_bytes, held_bytes);
  return p;
}

[[gnu::noinline]] void operator delete(void* p) noexcept {
  if (p == nullptr) return;
  held_bytes -= ::malloc_usable_size(p);
  std::free(p);
}

[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { operator delete(p); }

namespace freehold::gguf {

void HeapMeter::reset() {
  held_at_reset = held_bytes;
  peak_held_bytes = held_bytes;
}

size_t HeapMeter::peak_bytes() { return peak_held_bytes - held_at_reset; }

namespace {

struct Worst {
  double ms = 0;
  size_t bytes = 0;
};

std::map<std::string, Worst>& worst_by_test() {
  static std::map<std::string, Worst> worst;
  return worst;
}

class Printer : public ::testing::Environment {
 public:
  void TearDown() override {
    if (std::getenv("FREEHOLD_TEST_TIMES") == nullptr) return;
    for (const auto& [test, worst] : worst_by_test()) {
      std::printf("%8.2f ms %8.2f MiB  %s\n", worst.ms,
                  static_cast<double>(worst.bytes) / (1 << 20), test.c_str());
    }
  }
};

[[maybe_unused]] const ::testing::Environment* const printer =
    ::testing::AddGlobalTestEnvironment(new Printer);

TEST(HeapMeter, SeesWhatIsTakenAndGivenBack) {
  HeapMeter::reset();
  constexpr size_t kTaken = 1u << 20;
  ::operator delete(::operator new(kTaken));  // a call, which no compiler may leave out
  EXPECT_GE(HeapMeter::peak_bytes(), kTaken);
  EXPECT_LT(HeapMeter::peak_bytes(), 2 * kTaken);
  HeapMeter::reset();
  EXPECT_EQ(HeapMeter::peak_bytes(), 0u);
}

}  // namespace

Toll::~Toll() {
  const double ms = 1e3 * static_cast<double>(std::clock() - start_) / CLOCKS_PER_SEC;
  const size_t bytes = HeapMeter::peak_bytes();
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  Worst& worst = worst_by_test()[std::string(test->test_suite_name()) + "." + test->name()];
  worst.ms = std::max(worst.ms, ms);
  worst.bytes = std::max(worst.bytes, bytes);
}

}  // namespace freehold::gguf
