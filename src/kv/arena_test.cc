#include "kv/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

namespace freehold::kv {
namespace {

using base::ErrorCode;

TEST(Arena, BlocksAreZeroAlignedAndApart) {
  const std::vector<size_t> sizes = {100, 4096, 64};
  auto arena = Arena::create(sizes, 7);
  ASSERT_TRUE(arena.has_value()) << arena.error().message;
  EXPECT_EQ(arena->n_layers(), 3U);
  EXPECT_EQ(arena->n_blocks(), 7U);
  EXPECT_EQ(arena->bytes(), *Arena::bytes_needed(sizes, 7));
  // Each block filled with its own mark; if any two overlapped a mark would be lost.
  unsigned char mark = 0;
  for (size_t layer = 0; layer < 3; ++layer) {
    for (BlockId block = 0; block < 7; ++block) {
      std::byte* bytes = arena->address(layer, block);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes) % 64, 0U);
      EXPECT_TRUE(
          std::all_of(bytes, bytes + sizes[layer], [](std::byte b) { return b == std::byte{0}; }));
      std::memset(bytes, ++mark, sizes[layer]);
    }
  }
  mark = 0;
  for (size_t layer = 0; layer < 3; ++layer) {
    for (BlockId block = 0; block < 7; ++block) {
      const std::byte expected{++mark};
      const std::byte* bytes = arena->address(layer, block);
      EXPECT_TRUE(
          std::all_of(bytes, bytes + sizes[layer], [&](std::byte b) { return b == expected; }));
      if (block > 0) {
        EXPECT_EQ(static_cast<size_t>(bytes - arena->address(layer, block - 1)),
                  arena->block_stride(layer));
      }
    }
  }
}

TEST(Arena, MovesWithItsMemory) {
  const std::array<size_t, 1> sizes = {64};
  auto first = Arena::create(sizes, 2);
  ASSERT_TRUE(first.has_value());
  std::byte* const address = first->address(0, 1);
  Arena second = std::move(*first);
  EXPECT_EQ(second.address(0, 1), address);
  *address = std::byte{5};
  auto third = Arena::create(sizes, 4);
  ASSERT_TRUE(third.has_value());
  second = std::move(*third);
  EXPECT_EQ(second.n_blocks(), 4U);
  EXPECT_EQ(*second.address(0, 1), std::byte{0});
}

TEST(Arena, RefusesWhatMakesNoSenseOrDoesNotFit) {
  const std::array<size_t, 1> one = {64};
  const std::array<size_t, 2> with_zero = {64, 0};
  constexpr size_t kHuge = std::numeric_limits<size_t>::max();
  const std::array<size_t, 1> huge = {kHuge};
  const std::array<size_t, 1> large = {size_t{1} << 40};
  const std::array<size_t, 2> two_large = {size_t{1} << 62, size_t{1} << 62};
  EXPECT_EQ(Arena::create({}, 5).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Arena::create(one, 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Arena::create(with_zero, 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Arena::create(huge, 1).error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(Arena::create(large, 1U << 31).error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(Arena::create(two_large, 2).error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(Arena::create(large, 1U << 10).error().code, ErrorCode::kOutOfMemory);
}

}  // namespace
}  // namespace freehold::kv
