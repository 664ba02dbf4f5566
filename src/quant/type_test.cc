#include "quant/type.h"

#include <gtest/gtest.h>

namespace freehold::quant {
namespace {

TEST(Type, NamesAndIdsAgree) {
  int found = 0;
  for (uint32_t id = 0; id < 64; ++id) {
    const auto entry = type_info(id);
    if (!entry) continue;
    ++found;
    EXPECT_EQ(static_cast<uint32_t>(entry->type), id);
    EXPECT_EQ(type_from_name(entry->name), entry->type);
    EXPECT_EQ(info(entry->type).block_bytes, entry->block_bytes);
  }
  EXPECT_EQ(found, 31);
}

TEST(Type, RemovedAndForeignIdsAreUnknown) {
  EXPECT_FALSE(type_info(static_cast<uint32_t>(Type::kFp8)));
  EXPECT_FALSE(type_from_name("FP8"));
  for (uint32_t id : {4U, 5U, 31U, 32U, 33U, 36U, 37U, 38U, 43U, 137U, 0xFFFFFFFFU}) {
    EXPECT_FALSE(type_info(id)) << id;
  }
  EXPECT_FALSE(type_from_name("Q4_k"));
  EXPECT_FALSE(type_from_name(""));
}

// Sizes of a row of 4096 weights, as the golden files have them.
TEST(Type, BitsPerWeight) {
  const auto bytes = [](Type t) { return 4096 / info(t).block_elements * info(t).block_bytes; };
  EXPECT_EQ(bytes(Type::kQ4_K), 2304U);
  EXPECT_EQ(bytes(Type::kQ6_K), 3360U);
  EXPECT_EQ(bytes(Type::kMXFP4), 2176U);
  EXPECT_EQ(bytes(Type::kTQ1_0), 864U);
  EXPECT_EQ(bytes(Type::kIQ1_M), 896U);
  EXPECT_EQ(bytes(Type::kIQ3_S), 1760U);
}

}  // namespace
}  // namespace freehold::quant
