// What is read from files: a model's facts and recommended sampling, JSON, token ids.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "gguf/writer.h"
#include "json_file.h"
#include "model_facts.h"
#include "sampling_defaults.h"

namespace freehold::app {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;

class FactsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / "freehold_facts_test";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  static gguf::Metadata metadata() {
    gguf::Metadata out;
    const auto number = [&](const char* key, uint64_t value) { out.set(key, {value}); };
    out.set("general.architecture", {std::string_view("toy")});
    number("toy.block_count", 2);
    number("toy.embedding_length", 64);
    number("toy.attention.head_count", 4);
    number("toy.attention.head_count_kv", 2);
    number("toy.feed_forward_length", 128);
    number("toy.context_length", 4096);
    number("toy.expert_count", 8);
    number("toy.expert_used_count", 2);
    return out;
  }

  fs::path model(const gguf::Metadata& metadata) const {
    const std::vector<gguf::TensorPlan> tensors = {
        {"token_embd.weight", quant::Type::kQ8_0, {64, 100}},
        {"output.weight", quant::Type::kF16, {64, 100}},
        {"blk.0.attn_norm.weight", quant::Type::kF32, {64}},
        {"blk.0.ffn_up_exps.weight", quant::Type::kF32, {64, 128, 8}}};
    const fs::path path = folder_ / "toy.gguf";
    auto writer = gguf::Writer::create(path, metadata, tensors).value();
    EXPECT_TRUE(writer.append(std::vector<std::byte>(100 * 2 * 34)));
    EXPECT_TRUE(writer.append(std::vector<std::byte>(6400 * 2)));
    EXPECT_TRUE(writer.append(std::vector<std::byte>(64 * 4)));
    EXPECT_TRUE(writer.append(std::vector<std::byte>(64 * 128 * 8 * 4)));
    EXPECT_TRUE(writer.finish());
    return path;
  }

  fs::path folder_;
};

TEST_F(FactsTest, AModelsFactsAreItsTensorsAndKeys) {
  const auto directory = gguf::Directory::open(model(metadata())).value();
  const auto facts = model_facts(directory);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->parameters, 6400 + 6400 + 64 + 65536);
  EXPECT_EQ(facts->weight_bytes, 6800 + 12800 + 256 + 262144);
  EXPECT_EQ(facts->types.front().type, "F32");
  // A row of the embedding, the head, the norm, a quarter of the experts.
  EXPECT_EQ(facts->active_bytes, 68 + 12800 + 256 + 65536);
  EXPECT_EQ(facts->active_block_parameters, 16384);
  EXPECT_EQ(facts->shape.vocabulary, 100);
  EXPECT_EQ(facts->shape.cache_values_per_token, 2 * 2 * (16 + 16));
  EXPECT_EQ(cache_bytes(facts->shape, CacheWidth::kF16, 33), 64 * 128 * 2);
  EXPECT_EQ(cache_bytes(facts->shape, CacheWidth::kQ8_0, 32), 32 * 128 / 32 * 34);
}

TEST_F(FactsTest, TheContextThatFitsIsBounded) {
  const auto directory = gguf::Directory::open(model(metadata())).value();
  const ModelFacts facts = model_facts(directory).value();
  EXPECT_EQ(fitting_context(facts, CacheWidth::kF16, 1000), 0);
  EXPECT_EQ(fitting_context(facts, CacheWidth::kF16, uint64_t{1} << 40), 4096);
  const uint64_t fixed = facts.weight_bytes + scratch_bytes(facts.shape, 512);
  EXPECT_EQ(fitting_context(facts, CacheWidth::kF16, fixed + 3 * 32 * 256), 96);
}

TEST_F(FactsTest, LatentAttentionKeepsOneRowALayer) {
  gguf::Metadata keys = metadata();
  keys.set("toy.attention.kv_lora_rank", {uint64_t{512}});
  keys.set("toy.rope.dimension_count", {uint64_t{64}});
  const auto directory = gguf::Directory::open(model(keys)).value();
  EXPECT_EQ(model_facts(directory)->shape.cache_values_per_token, 2 * 576);
}

TEST_F(FactsTest, LayersThatPredictKeepNoCache) {
  gguf::Metadata keys = metadata();
  keys.set("toy.nextn_predict_layers", {uint64_t{1}});
  const auto directory = gguf::Directory::open(model(keys)).value();
  EXPECT_EQ(model_facts(directory)->shape.cache_values_per_token, 2 * (16 + 16));
}

// The engine's formula: six rows of the hidden size and of the widest matrix for each token, the
// logits of sixteen sequences twice.
TEST_F(FactsTest, ScratchIsWhatTheEnginePlans) {
  const auto directory = gguf::Directory::open(model(metadata())).value();
  const ModelFacts facts = model_facts(directory).value();
  EXPECT_EQ(facts.shape.widest, 128);
  EXPECT_EQ(scratch_bytes(facts.shape, 512), 4 * (512 * 6 * (64 + 128) + 2 * 16 * 100));
}

TEST_F(FactsTest, AbsurdKeysAreErrors) {
  gguf::Metadata keys = metadata();
  keys.set("toy.block_count", {uint64_t{1} << 40});
  EXPECT_EQ(model_facts(gguf::Directory::open(model(keys)).value()).error().code,
            ErrorCode::kBadFormat);
  keys = metadata();
  keys.set("toy.attention.key_length", {UINT64_MAX});
  EXPECT_EQ(model_facts(gguf::Directory::open(model(keys)).value()).error().code,
            ErrorCode::kBadFormat);
}

TEST_F(FactsTest, SamplingIsTheMakers) {
  gguf::Metadata keys = metadata();
  EXPECT_EQ(sampling_defaults(model(keys))->origin, "Freehold's own");
  keys.set("general.sampling.temp", {0.5});
  keys.set("general.sampling.top_k", {int64_t{20}});
  const auto defaults = sampling_defaults(model(keys));
  ASSERT_TRUE(defaults) << defaults.error().message;
  EXPECT_FLOAT_EQ(defaults->sampling.temperature, 0.5F);
  EXPECT_EQ(defaults->sampling.top_k, 20);
  EXPECT_EQ(defaults->origin, "the model file's");

  EXPECT_EQ(sampling_defaults(folder_)->origin, "Freehold's own");
  write("generation_config.json", R"({"temperature": 0.6, "top_k": -1, "do_sample": true})");
  EXPECT_FLOAT_EQ(sampling_defaults(folder_)->sampling.temperature, 0.6F);
  EXPECT_EQ(sampling_defaults(folder_)->sampling.top_k, 0);
  write("generation_config.json", R"({"temperature": "hot"})");
  EXPECT_EQ(sampling_defaults(folder_).error().code, ErrorCode::kBadFormat);
}

TEST_F(FactsTest, TokenIdsComeBareOrAsAPrompt) {
  EXPECT_EQ(read_token_ids(write("a.json", "[1, 2]")).value(), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(read_token_ids(write("a.json", R"({"prompt": [3], "x": 1})")).value(),
            std::vector<int32_t>{3});
  for (const char* text : {"", "{}", "[1.5]", "[-1]", "[4294967296]", "[\"a\"]", "[true]",
                           "{\"prompt\": 1}", "[1] x", "7"}) {
    EXPECT_EQ(read_token_ids(write("a.json", text)).error().code, ErrorCode::kBadFormat) << text;
  }
  EXPECT_EQ(read_token_ids(folder_ / "none").error().code, ErrorCode::kNotFound);
}

TEST_F(FactsTest, DeepJsonIsRefused) {
  const auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_TRUE(read_json(write("a.json", nested(500))));
  EXPECT_FALSE(read_json(write("a.json", nested(100000))));
}

}  // namespace
}  // namespace freehold::app
