// Multi-token prediction: the layer's logits against those of transformers, and what it may never
// do, which is to change an answer.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "collector.h"
#include "gguf/huggingface.h"
#include "golden_files.h"
#include "kernels/isa.h"
#include "kv/arena.h"
#include "models/model.h"
#include "ops/machine.h"

namespace freehold::golden {
namespace {

// Unpacks one of tests/data/prediction as a Hugging Face folder.
std::filesystem::path unpack(const Folder& folder, const std::string& name) {
  folder.unpack("prediction/" + name + "/config.json");
  folder.unpack("prediction/" + name + "/model.safetensors.gz");
  return folder.path();
}

// A model and its prediction layer, each with a cache of its own.
class Pair {
 public:
  explicit Pair(const std::filesystem::path& path)
      : machine_(kernels::available_isas().back(), 2), directory_(gguf::open_model(path)) {
    EXPECT_TRUE(directory_.has_value());
    models::LoadOptions how;
    how.with_prediction = true;
    auto model = models::load_model(*directory_, machine_, how);
    EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message);
    model_ = std::move(*model);
    EXPECT_TRUE(model_->predicts());
    const auto bytes = *model_->cache_block_bytes(kernels::CacheType::kF32);
    main_cache_.emplace(std::move(*kv::Arena::create(bytes, 2)));
    cache_.emplace(std::move(*kv::Arena::create(std::span(bytes).first(1), 2)));
    main_.emplace(machine_, *main_cache_, kernels::CacheType::kF32);
    layer_.emplace(machine_, *cache_, kernels::CacheType::kF32);
  }

  // The model's hidden state after each token.
  ops::Rows hidden(std::span<const TokenId> tokens) {
    main_->clear();
    main_->add(tokens, 0, blocks_);
    model_->forward(*main_);
    ops::Rows rows;
    rows.resize(tokens.size(), model_->config().hidden);
    for (size_t i = 0; i < tokens.size(); ++i) model_->final_norm(*main_, i, rows.row(i));
    return rows;
  }

  // Logits after tokens at `position` and later, whose hidden states before are rows of `hidden`
  // from first_row on; `out` becomes the last one's hidden state.
  std::vector<float> predict(std::span<const TokenId> tokens, uint32_t position,
                             const ops::Rows& hidden, size_t first_row, ops::Rows& out) {
    const size_t width = hidden.width();
    ops::Rows rows;
    rows.resize(tokens.size(), width);
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::copy_n(hidden.row(first_row + i), width, rows.row(i));
    }
    layer_->clear();
    layer_->add(tokens, position, blocks_, /*first_visible=*/1);
    model_->predict(*layer_, rows);
    std::vector<size_t> all(tokens.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = i;
    ops::Rows logits;
    model_->predicted_logits(*layer_, all, logits);
    out.resize(1, width);
    model_->predicted(*layer_, tokens.size() - 1, out.row(0));
    std::vector<float> values;
    for (size_t i = 0; i < all.size(); ++i) {
      values.insert(values.end(), logits.row(i), logits.row(i) + model_->config().vocabulary);
    }
    return values;
  }

 private:
  const std::vector<uint32_t> blocks_ = {1, 0};
  ops::Machine machine_;
  base::Result<gguf::Directory> directory_;
  std::unique_ptr<models::Model> model_;
  std::optional<kv::Arena> main_cache_, cache_;
  std::optional<models::Pass> main_, layer_;
};

class Prediction : public testing::TestWithParam<std::string> {};

TEST_P(Prediction, TransformersAgrees) {
  const Folder folder;
  Pair model(unpack(folder, GetParam()));
  const std::string name = "prediction/" + GetParam();
  const auto prompt = nlohmann::json::parse(bytes_of(data(name + "/prompt.json")));
  const auto tokens = prompt["prompt"].get<std::vector<TokenId>>();
  const std::vector<float> expected = floats_of(data(name + "/predicted.f32"));
  const size_t width = prompt["vocabulary"];

  const ops::Rows hidden = model.hidden(tokens);
  ops::Rows last;
  const std::span<const TokenId> after(tokens.data() + 1, tokens.size() - 1);
  std::vector<float> got = model.predict(after, 1, hidden, 0, last);
  const auto row = got.end() - static_cast<std::ptrdiff_t>(width);
  const auto guess = static_cast<TokenId>(std::max_element(row, got.end()) - row);
  const auto position = static_cast<uint32_t>(tokens.size());
  ops::Rows unused;
  const auto further = model.predict({&guess, 1}, position, last, 0, unused);
  got.insert(got.end(), further.begin(), further.end());

  ASSERT_EQ(got.size(), expected.size());
  double worst = 0.0;
  for (size_t i = 0; i < got.size(); ++i) {
    worst =
        std::max(worst, std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
  }
  const double rounding = prompt["float64_difference"];
  EXPECT_LE(worst, 16.0 * rounding);

  // In pieces, with a guess between them that is overwritten.
  const auto first = model.predict(after.first(20), 1, hidden, 0, last);
  model.predict({&guess, 1}, 21, last, 0, unused);
  auto pieces = model.predict(after.subspan(20), 21, hidden, 20, last);
  pieces.insert(pieces.begin(), first.begin(), first.end());
  EXPECT_EQ(std::memcmp(pieces.data(), got.data(), pieces.size() * sizeof(float)), 0);
}

std::string name_of(const testing::TestParamInfo<std::string>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Families, Prediction, testing::Values("deepseek_v3", "glm4_moe", "truth"),
                         name_of);

class Speculation : public testing::TestWithParam<std::string> {
 protected:
  Speculation() : path_(unpack(folder_, GetParam())) {
    prompt_ =
        nlohmann::json::parse(bytes_of(data("prediction/" + GetParam() + "/prompt.json")))["prompt"]
            .get<std::vector<TokenId>>();
  }
  std::vector<TokenId> prompt(size_t n) const {
    std::vector<TokenId> tokens;
    while (tokens.size() < n) tokens.insert(tokens.end(), prompt_.begin(), prompt_.end());
    tokens.resize(n);
    return tokens;
  }
  std::unique_ptr<Engine> engine(uint32_t depth) const {
    EngineOptions options;
    options.speculation_depth = depth;
    options.context_tokens = 1200;
    options.max_sequences = 4;
    options.step_tokens = 100;  // prompts are cut, and ride with others' answers
    auto loaded = Engine::load(path_, options);
    EXPECT_TRUE(loaded.has_value()) << (loaded ? "" : loaded.error().message);
    return std::move(*loaded);
  }

  Folder folder_;
  std::filesystem::path path_;
  std::vector<TokenId> prompt_;
};

constexpr std::array kDepths = {0U, 1U, 2U, 4U, EngineOptions::kAutomaticDepth};

TEST_P(Speculation, ChangesNothingAloneOrInCompany) {
  // The last one's text is longer than the window that the layer sees.
  const std::array<size_t, 4> lengths = {1, 33, 90, 700};
  for (const float temperature : {0.0F, 0.7F}) {
    std::vector<std::vector<TokenId>> expected;
    for (const uint32_t depth : kDepths) {
      const auto model = engine(depth);
      EXPECT_EQ(model->info().predicts, depth != 0);
      for (size_t i = 0; i < lengths.size(); ++i) {
        Collector alone;
        alone.start(*model, prompt(lengths[i]), temperature, i);
        const auto got = alone.wait();
        if (depth == 0) expected.push_back(got);
        EXPECT_EQ(got, expected[i]) << "depth " << depth << ", prompt of " << lengths[i];
      }
      std::vector<Collector> all(lengths.size());
      for (size_t i = 0; i < lengths.size(); ++i) {
        all[i].start(*model, prompt(lengths[i]), temperature, i);
      }
      for (size_t i = 0; i < lengths.size(); ++i) {
        EXPECT_EQ(all[i].wait(), expected[i]) << "depth " << depth << ", in company, " << i;
        if (depth == 1) {
          EXPECT_GT(all[i].usage().drafted_tokens, 0U);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Speculation, testing::Values("deepseek_v3", "glm4_moe"), name_of);

class Truth : public Speculation {};

TEST_P(Truth, IsAcceptedAndCounted) {
  for (const float temperature : {0.0F, 0.7F}) {
    for (const uint32_t depth : {1U, 4U}) {
      const auto model = engine(depth);
      Collector collector;
      collector.start(*model, prompt(700), temperature, 3);
      const std::vector<TokenId> got = collector.wait();
      const Usage& usage = collector.usage();
      EXPECT_EQ(got.size(), usage.completion_tokens);
      // The prompt's own step makes one; then each makes its guesses and one more.
      const auto n = static_cast<uint32_t>(got.size());
      EXPECT_EQ(usage.passes, 1 + (n - 1 + depth) / (depth + 1));
      EXPECT_EQ(usage.accepted_tokens, usage.drafted_tokens);
      EXPECT_EQ(usage.accepted_tokens + usage.passes, n);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Truth, testing::Values("truth"), name_of);

}  // namespace
}  // namespace freehold::golden
