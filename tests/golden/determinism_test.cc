// The contract on numbers: the same bits whatever the threads, the batch, the chunks, the cache's
// pages, a reused prefix, the company in a batch, or the instruction set.
#include <algorithm>
#include <cstring>

#include "collector.h"
#include "gguf/gguf.h"
#include "golden_files.h"
#include "kernels/isa.h"
#include "kv/arena.h"
#include "models/model.h"
#include "ops/machine.h"

namespace freehold::golden {
namespace {

// A prompt longer than an attention chunk of 256 positions would be better still; the models are
// made for short ones, but positions beyond them are as good for comparing bits.
std::vector<TokenId> long_prompt(const std::string& name) {
  const std::vector<TokenId> prompt = prompt_of(data(name + ".json"));
  std::vector<TokenId> tokens;
  for (int i = 0; i < 5; ++i) tokens.insert(tokens.end(), prompt.begin(), prompt.end());
  tokens.resize(300);
  return tokens;
}

// A model with a cache of its own, driven step by step.
class Bench {
 public:
  Bench(const std::filesystem::path& path, kernels::Isa isa, int threads, kernels::CacheType type)
      : machine_(isa, threads), directory_(gguf::Directory::open(path)) {
    auto model = models::load_model(*directory_, machine_, {});
    EXPECT_TRUE(model.has_value());
    model_ = std::move(*model);
    const auto bytes = model_->cache_block_bytes(type);
    arena_.emplace(std::move(*kv::Arena::create(*bytes, 64)));
    pass_.emplace(machine_, *arena_, type);
  }

  struct Piece {
    std::span<const TokenId> tokens;
    uint32_t first_position;
    std::span<const uint32_t> blocks;
  };
  // The logits of the last `n_rows` rows of the first piece.
  std::vector<float> step(const std::vector<Piece>& pieces, size_t n_rows) {
    pass_->clear();
    for (const Piece& piece : pieces) pass_->add(piece.tokens, piece.first_position, piece.blocks);
    model_->forward(*pass_);
    std::vector<size_t> rows;
    for (size_t i = 0; i < n_rows; ++i) rows.push_back(pieces[0].tokens.size() - n_rows + i);
    model_->logits(*pass_, rows, rows_);
    std::vector<float> out;
    for (size_t i = 0; i < n_rows; ++i) {
      out.insert(out.end(), rows_.row(i), rows_.row(i) + model_->config().vocabulary);
    }
    return out;
  }

 private:
  ops::Machine machine_;
  base::Result<gguf::Directory> directory_;
  std::unique_ptr<models::Model> model_;
  std::optional<kv::Arena> arena_;
  std::optional<models::Pass> pass_;
  ops::Rows rows_;
};

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<uint32_t> straight_blocks() {
  std::vector<uint32_t> blocks(16);
  for (uint32_t i = 0; i < 16; ++i) blocks[i] = i;
  return blocks;
}

class Determinism : public testing::TestWithParam<std::string> {
 protected:
  Determinism()
      : model_(folder_.unpack(GetParam() + ".gguf.gz")), tokens_(long_prompt(GetParam())) {}

  // Logits of every position, `batch` tokens a step.
  std::vector<float> all(kernels::Isa isa, int threads, size_t batch,
                         std::span<const uint32_t> blocks) {
    Bench bench(model_, isa, threads, kernels::CacheType::kF16);
    std::vector<float> out;
    for (size_t at = 0; at < tokens_.size(); at += batch) {
      const size_t n = std::min(batch, tokens_.size() - at);
      const std::span<const TokenId> part(tokens_.data() + at, n);
      const auto rows = bench.step({{part, static_cast<uint32_t>(at), blocks}}, n);
      out.insert(out.end(), rows.begin(), rows.end());
    }
    return out;
  }

  Folder folder_;
  std::filesystem::path model_;
  std::vector<TokenId> tokens_;
};

TEST_P(Determinism, ThreadsAndBatches) {
  const auto blocks = straight_blocks();
  const kernels::Isa best = kernels::available_isas().back();
  const std::vector<float> expected = all(best, 1, 512, blocks);
  for (const int threads : {1, 2, 3, 4}) {
    for (const size_t batch : {7U, 64U, 512U}) {
      EXPECT_TRUE(same(all(best, threads, batch, blocks), expected))
          << threads << " threads, steps of " << batch;
    }
  }
  EXPECT_TRUE(same(all(best, 2, 1, blocks), expected)) << "one token a step";
}

TEST_P(Determinism, InstructionSets) {
  const auto blocks = straight_blocks();
  tokens_.resize(70);  // the scalar kernels take their time
  const std::vector<float> expected = all(kernels::Isa::kScalar, 2, 64, blocks);
  for (const kernels::Isa isa : kernels::available_isas()) {
    EXPECT_TRUE(same(all(isa, 2, 64, blocks), expected)) << kernels::name(isa);
  }
}

TEST_P(Determinism, PagesAndCompany) {
  const kernels::Isa best = kernels::available_isas().back();
  const std::vector<float> expected = all(best, 2, 512, straight_blocks());
  std::vector<uint32_t> scattered(16);
  for (uint32_t i = 0; i < 16; ++i) scattered[i] = (i * 7 + 3) % 16;
  EXPECT_TRUE(same(all(best, 2, 512, scattered), expected)) << "scattered blocks";

  // The last token beside another sequence's prompt, after a prefix computed in uneven chunks.
  Bench bench(model_, best, 2, kernels::CacheType::kF16);
  std::vector<uint32_t> others(16);
  for (uint32_t i = 0; i < 16; ++i) others[i] = 16 + i;
  const std::span<const TokenId> tokens(tokens_);
  bench.step({{tokens.first(13), 0, scattered}, {tokens.first(40), 0, others}}, 1);
  bench.step({{tokens.subspan(13, 286), 13, scattered}, {tokens.subspan(40, 1), 40, others}}, 1);
  const auto last = bench.step(
      {{tokens.subspan(299, 1), 299, scattered}, {tokens.subspan(41, 100), 41, others}}, 1);
  const size_t width = last.size();
  EXPECT_TRUE(same(last, {expected.end() - static_cast<std::ptrdiff_t>(width), expected.end()}));
}

INSTANTIATE_TEST_SUITE_P(Models, Determinism,
                         testing::Values("logits/micro-qwen3", "logits/micro-qwen3moe",
                                         "logits/micro-deepseek3", "quantised/tiny-llama-Q4_K_M",
                                         "quantised/tiny-llama-Q8_0", "quantised/tiny-llama-Q2_K"),
                         [](const auto& model) {
                           std::string name = model.param.substr(model.param.find('/') + 1);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(EngineDeterminism, AnswersAloneTogetherAndAfterACachedPrefix) {
  const Folder folder;
  const auto model = folder.unpack("quantised/tiny-llama-Q4_K_M.gguf.gz");
  const std::vector<TokenId> prompt = prompt_of(data("quantised/tiny-llama-Q4_K_M.json"));
  std::vector<std::vector<TokenId>> alone;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    EngineOptions one;
    one.max_sequences = 1;
    one.threads = 1;
    const auto engine = load(model, one);
    ASSERT_NE(engine, nullptr);
    Collector collector;
    collector.start(*engine, {prompt.begin(), prompt.begin() + 34 + static_cast<long>(seed)}, 0.8F,
                    seed);
    alone.push_back(collector.wait());
    EXPECT_EQ(alone.back().size(), 24U);
  }
  EngineOptions many;
  many.step_tokens = 48;  // prompts are cut, and ride with others' answers
  const auto engine = load(model, many);
  ASSERT_NE(engine, nullptr);
  for (int round = 0; round < 2; ++round) {
    std::vector<Collector> collectors(6);
    for (uint64_t seed = 0; seed < 6; ++seed) {
      collectors[seed].start(
          *engine, {prompt.begin(), prompt.begin() + 34 + static_cast<long>(seed)}, 0.8F, seed);
    }
    for (size_t i = 0; i < 6; ++i) EXPECT_EQ(collectors[i].wait(), alone[i]) << round << ", " << i;
    // In the first round they come together: one computes the common block, the others take it
    // over.
    const auto shares = [](const Collector& c) { return c.usage().cached_tokens > 0; };
    EXPECT_GE(std::ranges::count_if(collectors, shares), round == 0 ? 5 : 6);
    if (round == 1) {
      for (const Collector& c : collectors) EXPECT_EQ(c.usage().cached_tokens, 32U);
    }
  }
}

TEST(EngineDeterminism, SpeculationChangesNothing) {
  const Folder folder;
  const auto model = folder.unpack("logits/micro-qwen3.gguf.gz");
  std::vector<TokenId> prompt = prompt_of(data("logits/micro-qwen3.json"));
  prompt.resize(20);
  // Text that repeats itself gives guesses, true ones and false ones.
  const std::vector<TokenId> once = prompt;
  for (int i = 0; i < 3; ++i) prompt.insert(prompt.end(), once.begin(), once.end());
  uint32_t drafted = 0;
  for (const float temperature : {0.0F, 0.2F, 0.7F}) {
    std::vector<TokenId> expected;
    for (const uint32_t depth : {0U, 1U, 4U, 16U, EngineOptions::kAutomaticDepth}) {
      EngineOptions options;
      options.speculation_depth = depth;
      const auto engine = load(model, options);
      ASSERT_NE(engine, nullptr);
      Collector collector;
      collector.start(*engine, prompt, temperature, 5);
      const std::vector<TokenId> got = collector.wait();
      if (depth == 0) expected = got;
      EXPECT_EQ(got, expected) << "depth " << depth << ", temperature " << temperature;
      drafted += collector.usage().drafted_tokens;
      EXPECT_LE(collector.usage().accepted_tokens, collector.usage().drafted_tokens);
    }
  }
  EXPECT_GT(drafted, 0U);
}

}  // namespace
}  // namespace freehold::golden
