// Files made by someone who means ill. Each either parses, and then everything it names lies inside
// the file, or is refused with a message; under 64 MiB of memory, however long the file says it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "gguf/gguf.h"
#include "gguf/hostility.h"
#include "gguf/limits.h"
#include "gguf/shape.h"
#include "gguf/test_file.h"

namespace freehold::gguf {
namespace {

constexpr size_t kMemoryBound = size_t{64} << 20;

volatile unsigned sink;  // so that reads are not optimised away

void touch(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte b : bytes) sum += std::to_integer<unsigned>(b);
  sink = sum;
}

void touch(std::string_view text) { touch(std::as_bytes(std::span(text))); }

// Reads every byte that the directory names.
void touch_everything(const Directory& directory) {
  for (const auto& [key, value] : directory.metadata().all()) {
    if (const auto* text = std::get_if<std::string_view>(&value.data)) touch(*text);
    if (const auto* texts = std::get_if<Value::Strings>(&value.data)) {
      for (const std::string_view text : *texts) touch(text);
    }
  }
  for (const Tensor& tensor : directory.tensors()) {
    touch(tensor.data);
    const auto expected = data_bytes(tensor.type, tensor.shape);
    ASSERT_TRUE(expected);
    EXPECT_EQ(*expected, tensor.data.size());
    EXPECT_EQ(directory.find(tensor.name), &tensor);
  }
}

// Whether it parsed.
bool withstood(std::span<const std::byte> bytes) {
  const auto directory = [&] {
    const Toll toll;
    return Directory::parse(bytes);
  }();
  EXPECT_LT(HeapMeter::peak_bytes(), kMemoryBound);
  if (directory) {
    touch_everything(*directory);
  } else {
    EXPECT_FALSE(directory.error().message.empty());
  }
  return directory.has_value();
}

TEST(Hostile, EveryTruncation) {
  const FileBuilder file = sample_file();
  GuardedBytes guarded(file.bytes());
  EXPECT_TRUE(withstood(guarded.bytes()));
  for (size_t length = file.bytes().size(); length-- > 0;) {
    EXPECT_FALSE(withstood(guarded.shortened(length))) << length;
  }
}

TEST(Hostile, EveryBitOfTheFileFlipped) {
  GuardedBytes guarded(sample_file().bytes());
  const auto bytes = guarded.bytes();
  size_t parsed = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<std::byte>(1u << (bit % 8));
    bytes[bit / 8] ^= mask;
    parsed += withstood(bytes) ? 1 : 0;
    bytes[bit / 8] ^= mask;
  }
  EXPECT_GT(parsed, size_t{134} * 8);  // those in the data, at least, are nobody's business
}

TEST(Hostile, EveryFieldAtEveryBoundary) {
  const FileBuilder file = sample_file();
  GuardedBytes guarded(file.bytes());
  const auto bytes = guarded.bytes();
  for (const FileBuilder::Field& field : file.fields()) {
    uint64_t exact = 0;
    std::memcpy(&exact, bytes.data() + field.at, field.width);
    for (const uint64_t value : boundary_values(exact)) {
      std::memcpy(bytes.data() + field.at, &value, field.width);
      const bool parsed = withstood(bytes);
      EXPECT_TRUE(parsed || value != exact) << field.name;
    }
    std::memcpy(bytes.data() + field.at, &exact, field.width);
  }
}

TEST(Hostile, PairsOfDimensionsThatWrap) {
  const auto boundaries = boundary_values(3);
  std::vector<uint64_t> dims(boundaries.begin(), boundaries.end());
  for (const unsigned shift : {16u, 30u, 48u, 61u, 62u}) dims.push_back(uint64_t{1} << shift);
  dims.push_back(0xaaaaaaaaaaaaaaabu);  // times 3 wraps to 1
  dims.push_back(0x5555555555555556u);  // times 3 wraps to 2
  for (const auto type : {quant::Type::kI8, quant::Type::kF32, quant::Type::kQ8_0}) {
    for (const uint64_t a : dims) {
      for (const uint64_t b : dims) {
        for (const uint64_t c : {uint64_t{1}, uint64_t{0}, uint64_t{3}, uint64_t{1} << 32}) {
          FileBuilder file;
          file.header(3, 1, 0).tensor("w", {a, b, c}, type, 0).align().data(128);
          withstood(GuardedBytes(file.bytes()).bytes());
        }
      }
    }
  }
}

TEST(Hostile, Alignments) {
  const auto parses = [](uint64_t alignment) {
    FileBuilder file;
    file.header(3, 1, 1).key("general.alignment", ValueType::kU64).number("value", alignment);
    file.tensor("w", {1}, quant::Type::kF32, 0).align().data(64);
    return withstood(GuardedBytes(file.bytes()).bytes());
  };
  for (const uint64_t good : {1u, 8u, 32u, 64u}) EXPECT_TRUE(parses(good)) << good;
  for (const uint64_t bad : {uint64_t{0}, uint64_t{3}, uint64_t{1} << 31, uint64_t{1} << 63}) {
    EXPECT_FALSE(parses(bad)) << bad;
  }
}

// Lengths that a long file could really have, so that only limits can refuse them.
TEST(Hostile, ArraysThatFillALongFile) {
  for (const auto element : {ValueType::kU8, ValueType::kBool, ValueType::kString}) {
    constexpr uint64_t kCount = uint64_t{48} << 20;
    FileBuilder file;
    file.header(3, 0, 1).array("k", element, element == ValueType::kString ? kCount / 8 : kCount);
    std::vector<std::byte> bytes = file.copy();
    bytes.resize(bytes.size() + kCount);
    EXPECT_FALSE(withstood(bytes));
  }
}

TEST(Hostile, ManyArraysUnderTheLimitEach) {
  constexpr uint64_t kCount = 1u << 20;
  FileBuilder file;
  file.header(3, 0, 40);
  for (int i = 0; i < 40; ++i) {
    file.array("k" + std::to_string(i), ValueType::kI8, kCount).data(kCount);
  }
  EXPECT_FALSE(withstood(file.bytes()));
}

TEST(Hostile, AsManyKeysAndTensorsAsAllowed) {
  FileBuilder file;
  file.header(3, kMaxTensors, kMaxKeys);
  const std::string long_key(kMaxKeyBytes - 8, 'k');
  for (uint64_t i = 0; i < kMaxKeys; ++i) {
    file.key(long_key + std::to_string(10000000 + i), ValueType::kBool).raw("1");
  }
  const std::string long_name(kMaxTensorNameBytes - 8, 't');
  for (uint64_t i = 0; i < kMaxTensors; ++i) {
    file.tensor(long_name + std::to_string(10000000 + i), {0}, quant::Type::kF32, 0);
  }
  EXPECT_TRUE(withstood(file.align().bytes()));
}

}  // namespace
}  // namespace freehold::gguf
