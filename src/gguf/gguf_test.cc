// Well-formed files, and what the accessors make of them.
#include "gguf/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gguf/test_file.h"

namespace freehold::gguf {
namespace {

using base::ErrorCode;
using testing::ElementsAre;
using testing::HasSubstr;

Directory parsed(const FileBuilder& file) {
  auto directory = Directory::parse(file.bytes());
  EXPECT_TRUE(directory) << directory.error().message;
  return directory ? std::move(*directory) : Directory();
}

TEST(Gguf, ReadsEveryTypeOfValue) {
  const FileBuilder file = sample_file();
  const Directory directory = parsed(file);
  const Metadata& m = directory.metadata();
  EXPECT_EQ(m.all().size(), kSampleKeys);
  EXPECT_EQ(m.text("general.architecture")->value(), "llama");
  EXPECT_EQ(m.unsigned_integer("t.u8")->value(), 200u);
  EXPECT_EQ(m.integer("t.i8")->value(), -2);
  EXPECT_EQ(m.unsigned_integer("t.u16")->value(), 65000u);
  EXPECT_EQ(m.integer("t.i16")->value(), -300);
  EXPECT_EQ(m.integer("t.i32")->value(), -70000);
  EXPECT_EQ(m.number("t.f32")->value(), 0.5);
  EXPECT_EQ(m.boolean("t.bool")->value(), true);
  EXPECT_EQ(m.unsigned_integer("t.u64")->value(), ~uint64_t{0});
  EXPECT_EQ(m.integer("t.i64")->value(), INT64_MIN);
  EXPECT_EQ(m.number("t.f64")->value(), 1e300);
  EXPECT_THAT(*m.integers("a.bool"), ElementsAre(0, 1, 1));
  EXPECT_THAT(*m.integers("a.i32"), ElementsAre(-1, 5));
  EXPECT_THAT(*m.integers("a.u64"), ElementsAre(1 << 20));
  EXPECT_THAT(*m.floats("a.f32"), ElementsAre(1.5f, -2.0f));
  EXPECT_THAT(*m.floats("a.f64"), ElementsAre(0.25f));
  EXPECT_THAT(*m.strings("a.text"), ElementsAre("one", "", "\xff\xfe"));
}

TEST(Gguf, GivesTensorsTheirBytes) {
  const FileBuilder file = sample_file(2);
  const Directory directory = parsed(file);
  ASSERT_EQ(directory.tensors().size(), kSampleTensors);
  const Tensor* b = directory.find("b.weight");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->type, quant::Type::kQ8_0);
  EXPECT_THAT(b->shape, ElementsAre(32, 2, 1, 1));
  EXPECT_EQ(b->n_dims, 2u);
  EXPECT_EQ(b->n_elements(), 64u);
  EXPECT_EQ(b->data.size(), 68u);
  EXPECT_EQ(b->data.data(), file.bytes().data() + file.bytes().size() - 134 + 32);
  EXPECT_EQ(directory.find("c.weight")->data.size(), 6u);  // no padding after the last
  EXPECT_EQ(directory.total_bytes(), 32u + 68 + 6);
  EXPECT_EQ(directory.find("d.weight"), nullptr);
  EXPECT_TRUE(directory.paths().empty());
}

TEST(Gguf, AVocabularyAloneNeedsNoDataSection) {
  FileBuilder file;
  file.header(3, 0, 1).string_key("general.architecture", "gpt2");
  EXPECT_TRUE(parsed(file).tensors().empty());
}

TEST(Gguf, AllowsGapsAndAnyOrderAndEmptyTensors) {
  FileBuilder file;
  file.header(3, 3, 0);
  file.tensor("late", {2}, quant::Type::kF32, 96).tensor("early", {1}, quant::Type::kI8, 0);
  file.tensor("empty", {0, 5}, quant::Type::kF32, 96).align().data(104);
  const Directory directory = parsed(file);
  EXPECT_EQ(directory.find("late")->data.size(), 8u);
  EXPECT_EQ(directory.find("empty")->data.size(), 0u);
  EXPECT_EQ(directory.find("empty")->n_elements(), 0u);
}

// One file of each wrong kind, and the word its error has to say.
struct Refused {
  FileBuilder file;
  ErrorCode code;
  std::string says;
};

void expect_refused(const Refused& want) {
  const auto directory = Directory::parse(want.file.bytes());
  ASSERT_FALSE(directory) << want.says;
  EXPECT_EQ(directory.error().code, want.code) << directory.error().message;
  EXPECT_THAT(directory.error().message, HasSubstr(want.says));
}

FileBuilder with_tensor(const std::vector<uint64_t>& shape, quant::Type type, uint64_t offset = 0) {
  FileBuilder file;
  file.header(3, 1, 0).tensor("w", shape, type, offset);
  return file.align().data(64);
}

TEST(Gguf, RefusesHeadersByName) {
  FileBuilder other;
  other.raw("GGML").raw(std::string(40, '\0'));
  expect_refused({other, ErrorCode::kBadFormat, "not a GGUF file"});
  expect_refused({FileBuilder().header(1, 0, 0), ErrorCode::kUnsupported, "version 1"});
  expect_refused({FileBuilder().header(4, 0, 0), ErrorCode::kUnsupported, "version 4"});
  expect_refused({FileBuilder().header(3u << 24, 0, 0), ErrorCode::kUnsupported, "big-endian"});
  expect_refused(
      {FileBuilder().header(3, uint64_t{1} << 63, 0), ErrorCode::kLimitExceeded, "tensor_count"});
  expect_refused({FileBuilder().header(3, 0, ~uint64_t{0}), ErrorCode::kLimitExceeded, "kv_count"});
}

TEST(Gguf, RefusesMetadataByKey) {
  FileBuilder twice;
  twice.header(3, 0, 2).string_key("k", "a").string_key("k", "b");
  expect_refused({twice, ErrorCode::kBadFormat, "`k` occurs twice"});
  FileBuilder empty;
  empty.header(3, 0, 1).string_key("", "a");
  expect_refused({empty, ErrorCode::kBadFormat, "key 0 is empty"});
  FileBuilder type;
  type.header(3, 0, 1).text("key", "k").number<uint32_t>("type", 13);
  expect_refused({type, ErrorCode::kBadFormat, "key `k`: value type 13"});
  FileBuilder nested;
  nested.header(3, 0, 1).array("k", ValueType::kArray, 0);
  expect_refused({nested, ErrorCode::kBadFormat, "key `k`: array element type 9"});
  FileBuilder longer;
  longer.header(3, 0, 1).array("k", ValueType::kU16, 3).raw("12345");
  expect_refused({longer, ErrorCode::kBadFormat, "key `k`: array of 3"});
  FileBuilder wide;
  wide.header(3, 0, 1).array("k", ValueType::kU64, 1).number("v", ~uint64_t{0});
  expect_refused({wide, ErrorCode::kUnsupported, "does not fit"});
  FileBuilder control;
  control.header(3, 0, 2).string_key("\x1b[2J", "").string_key("\x1b[2J", "");
  expect_refused({control, ErrorCode::kBadFormat, "`?[2J`"});  // nothing a terminal would obey
}

TEST(Gguf, RefusesTensorsByName) {
  using quant::Type;
  const uint64_t big = uint64_t{1} << 32;
  expect_refused({with_tensor({1, 1, 1, 1, 1}, Type::kF32), ErrorCode::kBadFormat, "5 dimensions"});
  expect_refused({with_tensor({big, big}, Type::kI8), ErrorCode::kBadFormat, "`w` has dimensions"});
  expect_refused({with_tensor({0, big, big}, Type::kI8), ErrorCode::kBadFormat, "wraps"});
  expect_refused({with_tensor({uint64_t{1} << 62}, Type::kF64), ErrorCode::kBadFormat, "size"});
  expect_refused({with_tensor({31}, Type::kQ4_0), ErrorCode::kBadFormat, "rows of 31"});
  expect_refused(
      {with_tensor({1}, static_cast<Type>(4)), ErrorCode::kUnsupported, "`w` has type 4"});
  expect_refused({with_tensor({1}, Type::kF32, 8), ErrorCode::kBadFormat, "alignment"});
  expect_refused({with_tensor({17}, Type::kF32), ErrorCode::kBadFormat, "`w` (68 bytes at"});
  expect_refused({with_tensor({1}, Type::kF32, ~uint64_t{31}), ErrorCode::kBadFormat, "the end"});
  FileBuilder twice;
  twice.header(3, 2, 0).tensor("w", {1}, Type::kI8, 0).tensor("w", {1}, Type::kI8, 32);
  expect_refused({twice.align().data(33), ErrorCode::kBadFormat, "`w` occurs twice"});
  FileBuilder overlap;
  overlap.header(3, 2, 0).tensor("x", {16}, Type::kF32, 0).tensor("y", {1}, Type::kI8, 32);
  expect_refused({overlap.align().data(64), ErrorCode::kBadFormat, "`y` overlaps tensor `x`"});
}

Metadata some_metadata() {
  Metadata m;
  m.set("minus", Value{int64_t{-1}});
  m.set("big", Value{~uint64_t{0}});
  m.set("nan", Value{std::nan("")});
  m.set("half", Value{0.5});
  m.set("flag", Value{true});
  m.set("name", Value{std::string_view("text")});
  m.set("pair", Value{Value::Integers{3, 4}});
  m.set("bad pair", Value{Value::Integers{3, -4}});
  return m;
}

TEST(Metadata, AbsentKeysAreNotErrors) {
  const Metadata m = some_metadata();
  EXPECT_FALSE(m.unsigned_integer("none")->has_value());
  EXPECT_FALSE(m.integer("none")->has_value());
  EXPECT_FALSE(m.number("none")->has_value());
  EXPECT_FALSE(m.boolean("none")->has_value());
  EXPECT_FALSE(m.text("none")->has_value());
  EXPECT_FALSE(m.per_layer("none", 2)->has_value());
  EXPECT_EQ(m.strings("none"), nullptr);
  EXPECT_EQ(m.floats("pair"), nullptr);
}

TEST(Metadata, ConvertsWhereTheValueFits) {
  const Metadata m = some_metadata();
  EXPECT_EQ(m.number("minus")->value(), -1.0);
  EXPECT_EQ(m.per_layer("pair", 2)->value(), (std::vector<uint64_t>{3, 4}));
  EXPECT_EQ(m.per_layer("flag", 2)->value(), (std::vector<uint64_t>{1, 1}));
  EXPECT_EQ(m.per_layer("big", 1)->value(), (std::vector<uint64_t>{~uint64_t{0}}));
}

TEST(Metadata, RefusesWhatDoesNotFitByName) {
  const Metadata m = some_metadata();
  EXPECT_THAT(m.unsigned_integer("minus").error().message, HasSubstr("`minus`"));
  EXPECT_THAT(m.integer("big").error().message, HasSubstr("`big`"));
  EXPECT_THAT(m.number("nan").error().message, HasSubstr("`nan`"));
  EXPECT_THAT(m.unsigned_integer("half").error().message, HasSubstr("`half`"));
  EXPECT_THAT(m.boolean("minus").error().message, HasSubstr("`minus`"));
  EXPECT_THAT(m.text("flag").error().message, HasSubstr("`flag`"));
  EXPECT_THAT(m.per_layer("pair", 3).error().message, HasSubstr("`pair` has 2 elements"));
  EXPECT_THAT(m.per_layer("bad pair", 2).error().message, HasSubstr("`bad pair`"));
  EXPECT_EQ(m.per_layer("name", 2).error().code, ErrorCode::kBadFormat);
}

}  // namespace
}  // namespace freehold::gguf
