// Files we write, read again; and split files made with the writer.
#include "gguf/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

namespace freehold::gguf {
namespace {

using base::ErrorCode;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::byte> some_bytes(size_t count, int seed) {
  std::vector<std::byte> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<std::byte>(i * 31 + size_t(seed));
  return out;
}

class Files : public testing::Test {
 protected:
  Files() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~Files() override { std::filesystem::remove_all(folder_); }

  // One tensor a part, named by `tensors`.
  void write_part(const std::string& name, const Metadata& metadata,
                  const std::vector<std::string>& tensors) const {
    std::vector<TensorPlan> plans;
    for (const auto& tensor : tensors) plans.push_back({tensor, quant::Type::kF32, {3}});
    auto writer = Writer::create(folder_ / name, metadata, plans);
    ASSERT_TRUE(writer) << writer.error().message;
    for (size_t i = 0; i < plans.size(); ++i) ASSERT_TRUE(writer->append(some_bytes(12, 1)));
    ASSERT_TRUE(writer->finish());
  }

  static Metadata part_keys(uint64_t number, uint64_t count) {
    Metadata metadata;
    metadata.set("split.no", Value{number});
    metadata.set("split.count", Value{count});
    metadata.set("split.tensors.count", Value{int64_t{3}});
    if (number == 0) metadata.set("general.architecture", Value{std::string_view("llama")});
    return metadata;
  }

  std::string refusal(const std::string& name) const {
    const auto directory = Directory::open(folder_ / name);
    return directory ? "opened" : directory.error().message;
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("freehold-gguf-" + std::to_string(::getpid()));
};

using WriterFiles = Files;

TEST_F(WriterFiles, WhatIsWrittenIsReadBack) {
  Metadata metadata;
  const std::string long_text(5000, 'x');
  metadata.set("general.alignment", Value{uint64_t{64}});
  metadata.set("text", Value{std::string_view(long_text)});
  metadata.set("wide", Value{uint64_t{1} << 40});
  metadata.set("minus", Value{int64_t{-5}});
  metadata.set("wide minus", Value{-(int64_t{1} << 40)});
  metadata.set("third", Value{1.0 / 3});
  metadata.set("infinite", Value{HUGE_VAL});
  metadata.set("flag", Value{true});
  metadata.set("integers", Value{Value::Integers{-1, int64_t{1} << 40}});
  metadata.set("floats", Value{Value::Floats{0.5f}});
  metadata.set("strings", Value{Value::Strings{"a", ""}});
  const std::vector<TensorPlan> plans = {{"a", quant::Type::kF32, {5, 3}},
                                         {"empty", quant::Type::kF32, {0}},
                                         {"b", quant::Type::kQ4_0, {32, 2, 2}}};
  const auto path = folder_ / "model.gguf";
  auto writer = Writer::create(path, metadata, plans);
  ASSERT_TRUE(writer) << writer.error().message;
  const auto a = some_bytes(60, 1);
  const auto b = some_bytes(72, 2);
  ASSERT_TRUE(writer->append(std::span(a).first(7)));
  ASSERT_TRUE(writer->append(std::span(a).subspan(7)));
  ASSERT_TRUE(writer->append(b));
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_TRUE(writer->finish());

  const auto read = Directory::open(path);
  ASSERT_TRUE(read) << read.error().message;
  const Metadata& m = read->metadata();
  EXPECT_EQ(m.all().size(), metadata.all().size());
  EXPECT_EQ(m.text("text")->value(), long_text);
  EXPECT_EQ(m.unsigned_integer("wide")->value(), uint64_t{1} << 40);
  EXPECT_EQ(m.integer("minus")->value(), -5);
  EXPECT_EQ(m.integer("wide minus")->value(), -(int64_t{1} << 40));
  EXPECT_EQ(m.number("third")->value(), 1.0 / 3);
  EXPECT_EQ(std::get<double>(m.find("infinite")->data), HUGE_VAL);
  EXPECT_EQ(m.boolean("flag")->value(), true);
  EXPECT_THAT(*m.integers("integers"), ElementsAre(-1, int64_t{1} << 40));
  EXPECT_THAT(*m.floats("floats"), ElementsAre(0.5f));
  EXPECT_THAT(*m.strings("strings"), ElementsAre("a", ""));
  EXPECT_TRUE(std::ranges::equal(read->find("a")->data, a));
  EXPECT_TRUE(std::ranges::equal(read->find("b")->data, b));
  EXPECT_THAT(read->find("b")->shape, ElementsAre(32, 2, 2, 1));
  EXPECT_THAT(read->paths(), ElementsAre(path));
}

TEST_F(WriterFiles, RefusesWrongPlansAndWrongAmounts) {
  const auto path = folder_ / "model.gguf";
  const auto create = [&](std::vector<TensorPlan> plans) {
    const auto writer = Writer::create(path, Metadata(), plans);
    return writer ? "created" : writer.error().message;
  };
  EXPECT_THAT(create({{"a", quant::Type::kQ4_0, {31}}}), HasSubstr("rows of 31"));
  EXPECT_THAT(create({{"a", quant::Type::kF32, {}}}), HasSubstr("dimensions"));
  EXPECT_THAT(create({{std::string(64, 'n'), quant::Type::kF32, {1}}}), HasSubstr("63 bytes"));
  EXPECT_THAT(create({{"a", quant::Type::kF32, {1}}, {"a", quant::Type::kF32, {1}}}),
              HasSubstr("twice"));
  {
    const std::vector<TensorPlan> plans = {{"a", quant::Type::kF32, {2}}};
    auto writer = Writer::create(path, Metadata(), plans);
    ASSERT_TRUE(writer);
    EXPECT_EQ(writer->append(some_bytes(9, 0)).error().code, ErrorCode::kInvalidArgument);
    ASSERT_TRUE(writer->append(some_bytes(4, 0)));
    EXPECT_EQ(writer->finish().error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));  // nothing is left of an unfinished file
  EXPECT_EQ(Writer::create(folder_ / "no" / "x", Metadata(), {}).error().code, ErrorCode::kIo);
}

using SplitFiles = Files;

TEST_F(SplitFiles, OpenFromAnyPart) {
  write_part("m-00001-of-00003.gguf", part_keys(0, 3), {});
  write_part("m-00002-of-00003.gguf", part_keys(1, 3), {"a", "b"});
  write_part("m-00003-of-00003.gguf", part_keys(2, 3), {"c"});
  for (const char* name : {"m-00001-of-00003.gguf", "m-00003-of-00003.gguf"}) {
    const auto directory = Directory::open(folder_ / name);
    ASSERT_TRUE(directory) << directory.error().message;
    EXPECT_EQ(directory->tensors().size(), 3u);
    EXPECT_EQ(directory->metadata().text("general.architecture")->value(), "llama");
    EXPECT_EQ(directory->paths().size(), 3u);
    EXPECT_EQ(directory->paths()[1], folder_ / "m-00002-of-00003.gguf");
  }
}

TEST_F(SplitFiles, RefuseWhatDoesNotBelongTogether) {
  write_part("m-00001-of-00002.gguf", part_keys(0, 2), {"a"});
  EXPECT_THAT(refusal("m-00001-of-00002.gguf"), HasSubstr("m-00002-of-00002.gguf"));  // missing
  write_part("m-00002-of-00002.gguf", part_keys(0, 2), {"b", "c"});
  EXPECT_THAT(refusal("m-00001-of-00002.gguf"), HasSubstr("`split.no`"));
  EXPECT_THAT(refusal("m-00002-of-00002.gguf"), HasSubstr("named like"));
  write_part("m-00002-of-00002.gguf", part_keys(1, 2), {"a", "c"});
  EXPECT_THAT(refusal("m-00001-of-00002.gguf"), HasSubstr("`a` occurs twice"));
  write_part("m-00002-of-00002.gguf", part_keys(1, 2), {"b"});
  EXPECT_THAT(refusal("m-00001-of-00002.gguf"), HasSubstr("have 2 tensors"));
  write_part("renamed.gguf", part_keys(1, 2), {"b"});
  EXPECT_THAT(refusal("renamed.gguf"), HasSubstr("named like"));
  write_part("m-00001-of-99999.gguf", part_keys(0, 99999), {});
  EXPECT_THAT(refusal("m-00001-of-99999.gguf"), HasSubstr("limit"));
  write_part("m-00009-of-00002.gguf", part_keys(8, 2), {});
  EXPECT_THAT(refusal("m-00009-of-00002.gguf"), HasSubstr("`split.no`"));
}

TEST_F(SplitFiles, RefusePiecesCutByBytes) {
  std::ofstream(folder_ / "m.gguf.part1of2") << "GGUF";
  EXPECT_THAT(refusal("m.gguf.part1of2"), HasSubstr("with cat"));
  EXPECT_THAT(refusal("m.gguf"), HasSubstr("m.gguf"));
}

}  // namespace
}  // namespace freehold::gguf
