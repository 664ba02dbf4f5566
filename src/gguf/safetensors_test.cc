// safetensors files: well formed, wrong by name, and hostile.
#include "gguf/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "gguf/hostility.h"
#include "gguf/json.h"

namespace freehold::gguf {
namespace {

using base::ErrorCode;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr size_t kMemoryBound = size_t{64} << 20;

std::vector<std::byte> make_file(const std::string& header, size_t n_data) {
  const uint64_t length = header.size();
  std::vector<std::byte> out(8 + header.size() + n_data);
  std::memcpy(out.data(), &length, 8);
  std::memcpy(out.data() + 8, header.data(), header.size());
  for (size_t i = 0; i < n_data; ++i) out[8 + length + i] = static_cast<std::byte>(i);
  return out;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

std::string sample_header() {
  return "{\"__metadata__\":{\"format\":\"pt\"}," + entry("b", "F32", "[2,3]", "[4,28]") + "," +
         entry("a", "BF16", "[2]", "[0,4]") + "," + entry("scalar", "F8_E4M3", "[]", "[28,29]") +
         "," + entry("none", "I64", "[0,5]", "[29,29]") + "}   ";
}

TEST(Safetensors, GivesTensorsInTheOrderOfTheirBytes) {
  const auto file = make_file(sample_header(), 29);
  const auto tensors = parse_safetensors(file);
  ASSERT_TRUE(tensors) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 4u);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[0].dtype, Dtype::kBF16);
  EXPECT_EQ((*tensors)[0].data.data(), file.data() + file.size() - 29);
  EXPECT_EQ((*tensors)[1].name, "b");
  EXPECT_THAT((*tensors)[1].shape, ElementsAre(2, 3));
  EXPECT_EQ((*tensors)[1].n_elements(), 6u);
  EXPECT_EQ((*tensors)[2].shape.size(), 0u);
  EXPECT_EQ((*tensors)[2].data.size(), 1u);
  EXPECT_EQ((*tensors)[3].data.size(), 0u);
}

void expect_refused(const std::string& header, size_t n_data, const std::string& says) {
  const auto tensors = parse_safetensors(make_file(header, n_data));
  ASSERT_FALSE(tensors) << header;
  EXPECT_THAT(tensors.error().message, HasSubstr(says)) << header;
}

TEST(Safetensors, RefusesByName) {
  expect_refused("", 0, "no JSON header");
  expect_refused("[1]", 0, "no JSON header");
  expect_refused("{", 0, "not JSON");
  expect_refused("{}x", 0, "not JSON");
  expect_refused("{}", 1, "bytes after the last");
  expect_refused("{" + entry("a", "Q4", "[1]", "[0,1]") + "}", 1, "`a` has dtype `Q4`");
  expect_refused("{" + entry("a", "U8", "[2]", "[0,1]") + "}", 1, "`a` has 1 bytes");
  expect_refused("{" + entry("a", "U8", "[1]", "[1,0]") + "}", 1, "outside the file");
  expect_refused("{" + entry("a", "U8", "[2]", "[0,2]") + "}", 1, "outside the file");
  expect_refused("{" + entry("a", "U8", "[1]", "[1,2]") + "}", 2, "leaves a hole");
  expect_refused("{" + entry("a", "U8", "[1]", "[0]") + "}", 1, "lacks");
  expect_refused("{" + entry("a", "U8", "[1]", "[0,1,1]") + "}", 1, "more than two");
  expect_refused("{" + entry("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") + "}", 1, "more than 8");
  expect_refused("{" + entry("a", "U8", "[-1]", "[0,1]") + "}", 1, "a negative number");
  expect_refused("{" + entry("a", "U8", "[1.0]", "[0,1]") + "}", 1, "a fraction");
  expect_refused("{" + entry("a", "U8", "[99999999999999999999]", "[0,1]") + "}", 1, "fraction");
  expect_refused("{" + entry("a", "U8", "[[1]]", "[0,1]") + "}", 1, "an array");
  expect_refused("{" + entry("a", "U8", "{\"x\":1}", "[0,1]") + "}", 1, "an object");
  expect_refused("{" + entry("a", "U8", "null", "[0,1]") + "}", 1, "null");
  expect_refused("{" + entry("a", "U8", "true", "[0,1]") + "}", 1, "a truth value");
  expect_refused("{" + entry("", "U8", "[1]", "[0,1]") + "}", 1, "with nothing");
  expect_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"extra\":1}}", 1, "member `extra`");
  expect_refused("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 1, "member `dtype`");
  expect_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"shape\":[]}}", 1, "member `shape`");
  expect_refused("{\"a\":3}", 0, "a number");
  expect_refused("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice");
  const std::string a = entry("a", "U8", "[1]", "[0,1]");
  expect_refused("{" + a + "," + entry("a", "U8", "[1]", "[1,2]") + "}", 2, "`a` occurs twice");
  expect_refused("{" + a + "," + entry("b", "U8", "[1]", "[0,1]") + "}", 1, "`b` overlaps");
  expect_refused("{" + entry("a", "I64", "[0,4294967296,4294967296]", "[0,0]") + "}", 0, "`a`");
}

bool withstood(std::span<const std::byte> bytes) {
  const auto tensors = [&] {
    const Toll toll;
    return parse_safetensors(bytes);
  }();
  EXPECT_LT(HeapMeter::peak_bytes(), kMemoryBound);
  if (!tensors) {
    EXPECT_FALSE(tensors.error().message.empty());
    return false;
  }
  size_t total = 0;
  for (const SafeTensor& tensor : *tensors) {
    for (const std::byte b : tensor.data) total += std::to_integer<size_t>(b) | 1u;
  }
  EXPECT_LE(total, bytes.size() * 255);
  return true;
}

TEST(Safetensors, WithstandsEveryTruncation) {
  GuardedBytes guarded(make_file(sample_header(), 29));
  ASSERT_TRUE(withstood(guarded.bytes()));
  for (size_t length = guarded.bytes().size(); length-- > 0;) {
    EXPECT_FALSE(withstood(guarded.shortened(length))) << length;
  }
}

TEST(Safetensors, WithstandsEveryBitFlipped) {
  GuardedBytes guarded(make_file(sample_header(), 29));
  const auto bytes = guarded.bytes();
  size_t refused = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<std::byte>(1u << (bit % 8));
    bytes[bit / 8] ^= mask;
    refused += withstood(bytes) ? 0 : 1;
    bytes[bit / 8] ^= mask;
  }
  EXPECT_GT(refused, bytes.size());
}

TEST(Safetensors, WithstandsNumbersAtBoundaries) {
  for (const uint64_t a : boundary_values(4)) {
    for (const uint64_t b : boundary_values(4)) {
      const std::string pair = "[" + std::to_string(a) + "," + std::to_string(b) + "]";
      for (const char* dtype : {"U8", "I64"}) {
        const std::string shaped = "{" + entry("a", dtype, pair, "[0,32]") + "}";
        withstood(GuardedBytes(make_file(shaped, 32)).bytes());
        const std::string placed = "{" + entry("a", dtype, "[4]", pair) + "}";
        withstood(GuardedBytes(make_file(placed, 32)).bytes());
      }
    }
    auto file = make_file("{}", 0);
    std::memcpy(file.data(), &a, 8);  // the header's length
    withstood(GuardedBytes(file).bytes());
  }
}

TEST(Safetensors, WithstandsHeadersThatAreMerelyLong) {
  std::string deep = "{\"a\":";
  deep.append(1u << 20, '[');
  EXPECT_FALSE(withstood(make_file(deep, 0)));
  std::string many = "{";
  for (int i = 0; i < 65537; ++i) {
    many += entry(std::to_string(i), "U8", "[0]", "[0,0]") + ",";
  }
  many.back() = '}';
  EXPECT_FALSE(withstood(make_file(many, 0)));
  EXPECT_FALSE(withstood(make_file(std::string(17u << 20, '{'), 0)));
  std::string text = "{\"__metadata__\":{\"x\":\"" + std::string(7u << 20, 'x') + "\"}}";
  EXPECT_TRUE(withstood(make_file(text, 0)));
  text.insert(text.size() / 2, 2u << 20, 'x');
  EXPECT_FALSE(withstood(make_file(text, 0)));
}

TEST(Json, RefusesDuplicatesDepthAndSize) {
  EXPECT_EQ((*parse_json("{\"a\":[1,-2,0.5,true,null,\"x\"]}"))["a"].size(), 6u);
  EXPECT_THAT(parse_json("{\"a\":1,\"a\":1}").error().message, HasSubstr("`a` occurs twice"));
  EXPECT_EQ(parse_json(std::string(33, '[')).error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(parse_json("").error().code, ErrorCode::kBadFormat);
  EXPECT_EQ(parse_json("[1e999]").error().code, ErrorCode::kBadFormat);
  EXPECT_EQ(parse_json("[\"\xff\"]").error().code, ErrorCode::kBadFormat);
  std::string many = "[0";
  for (int i = 0; i < 700000; ++i) many += ",0";
  EXPECT_EQ(parse_json(many + "]").error().code, ErrorCode::kLimitExceeded);
}

class Shards : public testing::Test {
 protected:
  Shards() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~Shards() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, std::span<const std::byte> bytes) const {
    std::ofstream(folder_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void write_shard(const std::string& name, const std::string& tensor) const {
    write(name, make_file("{" + entry(tensor, "U8", "[3]", "[0,3]") + "}", 3));
  }
  void write_index(const std::string& map) const {
    const std::string text = "{\"metadata\":{\"total_size\":6},\"weight_map\":" + map + "}";
    write("model.safetensors.index.json", std::as_bytes(std::span(text)));
  }
  std::string refusal() const {
    const auto all = Safetensors::open(folder_);
    return all ? "opened" : all.error().message;
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("freehold-shards-" + std::to_string(::getpid()));
};

TEST_F(Shards, OneFileOrMany) {
  EXPECT_EQ(Safetensors::open(folder_).error().code, ErrorCode::kNotFound);
  write_shard("model.safetensors", "only");
  EXPECT_NE(Safetensors::open(folder_)->find("only"), nullptr);
  write_shard("m1.safetensors", "a");
  write_shard("m2.safetensors", "b");
  write_index(R"({"a":"m1.safetensors","b":"m2.safetensors"})");
  const auto all = Safetensors::open(folder_);
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->tensors().size(), 2u);
  EXPECT_EQ(all->paths().size(), 2u);
  EXPECT_EQ(all->find("b")->data.size(), 3u);
  EXPECT_EQ(all->find("only"), nullptr);
}

TEST_F(Shards, RefuseAnIndexThatDoesNotFit) {
  write_shard("m1.safetensors", "a");
  write_shard("m2.safetensors", "a");
  write_index(R"({"a":"m1.safetensors","b":"m2.safetensors"})");
  EXPECT_THAT(refusal(), HasSubstr("`a` is in two files"));
  write_index(R"({"b":"m1.safetensors"})");
  EXPECT_THAT(refusal(), HasSubstr("no file has tensor `b`"));
  write_index(R"({"a":"m1.safetensors","b":"m1.safetensors"})");
  EXPECT_THAT(refusal(), HasSubstr("places 2 tensors"));
  write_index(R"({"a":"../m1.safetensors"})");
  EXPECT_THAT(refusal(), HasSubstr("not a safetensors file of this folder"));
  write_index(R"({"a":3})");
  EXPECT_THAT(refusal(), HasSubstr("no file name"));
  write_index("[]");
  EXPECT_THAT(refusal(), HasSubstr("weight_map"));
  write_index(R"({"a":"m3.safetensors"})");
  EXPECT_THAT(refusal(), HasSubstr("m3.safetensors"));
}

}  // namespace
}  // namespace freehold::gguf
