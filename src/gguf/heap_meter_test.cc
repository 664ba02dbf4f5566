// What reading hostile files costs: the meter of the heap, and a Toll for each.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <string>

#include "gguf/hostility.h"

namespace freehold::gguf {
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
  ::operator delete(::operator new(kTaken, std::nothrow));
  EXPECT_GE(HeapMeter::peak_bytes(), kTaken);
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
