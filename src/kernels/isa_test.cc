#include "kernels/isa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace freehold::kernels {
namespace {

using base::ErrorCode;
using testing::HasSubstr;

TEST(Isa, ScalarAlwaysRuns) {
  const auto available = available_isas();
  ASSERT_FALSE(available.empty());
  EXPECT_EQ(available.front(), Isa::kScalar);
  EXPECT_TRUE(std::is_sorted(available.begin(), available.end()));
}

TEST(Isa, EmptyNameIsTheBest) {
  const auto best = select_isa("");
  ASSERT_TRUE(best.has_value());
  EXPECT_EQ(*best, available_isas().back());
}

TEST(Isa, NamedOnesAreFoundOrRefusedWithWhatIsMissing) {
  const auto available = available_isas();
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    const auto selected = select_isa(name(isa));
    if (std::ranges::count(available, isa) > 0) {
      ASSERT_TRUE(selected.has_value());
      EXPECT_EQ(*selected, isa);
    } else {
      ASSERT_FALSE(selected.has_value());
      EXPECT_EQ(selected.error().code, ErrorCode::kUnsupported);
      EXPECT_THAT(selected.error().message, HasSubstr("lacks: avx"));
    }
  }
}

TEST(Isa, UnknownNameListsTheKnown) {
  const auto selected = select_isa("avx1024");
  ASSERT_FALSE(selected.has_value());
  EXPECT_EQ(selected.error().code, ErrorCode::kInvalidArgument);
  for (const char* known : {"avx1024", "scalar", "avx2", "avx512"}) {
    EXPECT_THAT(selected.error().message, HasSubstr(known));
  }
}

}  // namespace
}  // namespace freehold::kernels
