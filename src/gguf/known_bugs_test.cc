// Files like those that broke other readers of GGUF, one test for each published fault, by the name
// under which it became known. All of them are refused here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gguf/gguf.h"
#include "gguf/hostility.h"
#include "gguf/test_file.h"

namespace freehold::gguf {
namespace {

using quant::Type;
using testing::HasSubstr;

constexpr uint64_t kOne = 1;

std::string refusal(const FileBuilder& file) {
  GuardedBytes guarded(file.bytes());
  const Toll toll;
  const auto directory = Directory::parse(guarded.bytes());
  return directory ? "parsed" : directory.error().message;
}

FileBuilder with_tensor(const std::vector<uint64_t>& shape, Type type, uint64_t offset) {
  FileBuilder file;
  file.header(3, 1, 0).tensor("w", shape, type, offset);
  return file.align().data(64);
}

// The running total of padded sizes wraps round to something small.
TEST(KnownBugs, Cve2025_53630_TotalOfSizesWraps) {
  FileBuilder file;
  file.header(3, 3, 0);
  file.tensor("a", {kOne << 61}, Type::kF32, 0).tensor("b", {kOne << 61}, Type::kF32, kOne << 63);
  file.tensor("c", {8}, Type::kF32, 0).align().data(64);
  EXPECT_THAT(refusal(file), HasSubstr("`a`"));
}

// The same by way of the header's own size, so that too little is allocated.
TEST(KnownBugs, Cve2026_27940_DataSectionPlusOffsetWraps) {
  EXPECT_THAT(refusal(with_tensor({8}, Type::kF32, ~uint64_t{0} - 63)), HasSubstr("`w`"));
}

// Elements times bytes an element wraps, and a tensor of exabytes looks like one of megabytes.
TEST(KnownBugs, Cve2026_33298_ElementsTimesBytesWraps) {
  EXPECT_THAT(refusal(with_tensor({kOne << 62}, Type::kF32, 0)), HasSubstr("`w` has a size"));
  EXPECT_THAT(refusal(with_tensor({kOne << 31, kOne << 31}, Type::kF64, 0)), HasSubstr("`w`"));
}

// The product of the dimensions goes negative, and 1-byte types slip through the next check.
TEST(KnownBugs, LlamaCpp27203_ProductGoesNegative) {
  EXPECT_THAT(refusal(with_tensor({kOne << 62, 2}, Type::kI8, 0)), HasSubstr("wraps"));
  EXPECT_THAT(refusal(with_tensor({~uint64_t{0}}, Type::kI8, 0)), HasSubstr("wraps"));
  EXPECT_THAT(refusal(with_tensor({3, 0xaaaaaaaaaaaaaaabu}, Type::kI8, 0)), HasSubstr("wraps"));
}

// Rounding up to the alignment wraps before anybody looks; alignments without bound.
TEST(KnownBugs, LlamaCpp24759_PaddingWraps) {
  for (const uint64_t alignment : {kOne << 31, kOne << 62, kOne << 63}) {
    FileBuilder file;
    file.header(3, 1, 1).key("general.alignment", ValueType::kU64).number("value", alignment);
    file.tensor("w", {8}, Type::kF32, 0).align().data(64);
    EXPECT_THAT(refusal(file), HasSubstr("`general.alignment`"));
  }
}

// Shapes and offsets that the file does not have the bytes for: whoever asks for the tensor reads
// the process's memory.
TEST(KnownBugs, Cve2026_7482_TensorBeyondTheFile) {
  EXPECT_THAT(refusal(with_tensor({17}, Type::kF32, 0)), HasSubstr("past the end"));
  EXPECT_THAT(refusal(with_tensor({16}, Type::kF32, 32)), HasSubstr("past the end"));
  EXPECT_THAT(refusal(with_tensor({1u << 20}, Type::kF32, 0)), HasSubstr("past the end"));
}

// Strings and arrays longer than the file, for which memory is taken before the reading fails.
TEST(KnownBugs, LlamaCpp19856_LengthsBeyondTheFile) {
  FileBuilder text;
  text.header(3, 0, 1).key("k", ValueType::kString).number("length", kOne << 40).raw("abc");
  EXPECT_THAT(refusal(text), HasSubstr("past the end"));
  FileBuilder key;
  key.header(3, 0, 1).number("length", ~uint64_t{0}).raw("abc");
  EXPECT_THAT(refusal(key), HasSubstr("past the end"));
  for (const auto element : {ValueType::kU8, ValueType::kF64, ValueType::kString}) {
    for (const uint64_t count : {kOne << 29, kOne << 40, kOne << 61, ~uint64_t{0}}) {
      FileBuilder array;
      array.header(3, 0, 1).array("k", element, count).raw("abc");
      HeapMeter::reset();
      EXPECT_THAT(refusal(array), HasSubstr("past the end"));
      EXPECT_LT(HeapMeter::peak_bytes(), 4096u);
    }
  }
}

// Type ids below zero, or of types that were taken out of the format.
TEST(KnownBugs, LlamaCpp19856_TypesThatAreNone) {
  for (const uint32_t id : {4u, 5u, 9u, 15u, 31u, 33u, 36u, 38u, 97u, 133u, 0x80000000u, ~0u}) {
    EXPECT_THAT(refusal(with_tensor({256}, static_cast<Type>(id), 0)),
                HasSubstr("`w` has type " + std::to_string(id)));
  }
}

}  // namespace
}  // namespace freehold::gguf
