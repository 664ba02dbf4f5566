// Logits against results that nobody here computed: llama.cpp's of F32 models, the dequantised
// weights' of quantised ones, transformers' of folders as their makers publish them.
#include <algorithm>
#include <cmath>

#include "golden_files.h"

namespace freehold::golden {
namespace {

EngineOptions exact_cache() {
  EngineOptions options;
  options.kv = KvType::kF32;
  return options;
}

class F32Logits : public testing::TestWithParam<std::string> {};

TEST_P(F32Logits, AgreeWithLlamaCpp) {
  const Folder folder;
  const std::string name = "logits/" + GetParam();
  const auto engine = load(folder.unpack(name + ".gguf.gz"), exact_cache());
  ASSERT_NE(engine, nullptr);
  const std::vector<float> expected = floats_of(data(name + ".logits.f32.gz"));
  const std::vector<float> got = logits(*engine, prompt_of(data(name + ".json")), 64);
  const size_t width = engine->info().vocabulary;
  ASSERT_EQ(got.size(), 64 * width);
  ASSERT_EQ(expected.size(), 16 * width);  // every fourth row is kept
  // Logits are of the size of 4. A sum of k products in F32 is off by about sqrt(k) 2^-24 of their
  // size; with k up to 512, three such sums a sublayer, both engines rounding, and the layers'
  // errors adding up: 4 * sqrt(512) * 2^-24 * 3 * 2 * 2, which is 6.5e-5.
  for (size_t i = 0; i < 16; ++i) {
    for (size_t j = 0; j < width; ++j) {
      ASSERT_NEAR(got[(4 * i + 3) * width + j], expected[i * width + j], 6.5e-5)
          << "token " << 4 * i + 3 << ", entry " << j;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, F32Logits,
                         testing::Values("micro-llama", "micro-llama-linear", "micro-llama-tied",
                                         "micro-llama3-rope", "micro-qwen2", "micro-qwen2-yarn",
                                         "micro-qwen3", "micro-qwen3moe", "micro-deepseek3"));

// Sum of p log(p / q) over the entries, natural logarithm, from two rows of logits.
double divergence(const float* p_logits, const float* q_logits, size_t n) {
  const auto log_sum = [n](const float* x) {
    const double top = static_cast<double>(*std::max_element(x, x + n));
    double sum = 0.0;
    for (size_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(x[i]) - top);
    return top + std::log(sum);
  };
  const double p_sum = log_sum(p_logits);
  const double q_sum = log_sum(q_logits);
  double total = 0.0;
  for (size_t i = 0; i < n; ++i) {
    const double p = static_cast<double>(p_logits[i]) - p_sum;
    const double q = static_cast<double>(q_logits[i]) - q_sum;
    total += std::exp(p) * (p - q);
  }
  return total;
}

class QuantisedLogits : public testing::TestWithParam<std::string> {};

// The integer products may cost no more than llama.cpp's do on the same file.
TEST_P(QuantisedLogits, AreAsGoodAsLlamaCpps) {
  const Folder folder;
  const std::string name = "quantised/" + GetParam();
  const auto engine = load(folder.unpack(name + ".gguf.gz"), {});
  ASSERT_NE(engine, nullptr);
  const std::vector<float> expected = floats_of(data(name + ".logits.f32.gz"));
  const std::vector<float> got = logits(*engine, prompt_of(data(name + ".json")), 64);
  ASSERT_EQ(got.size(), expected.size());
  const size_t width = engine->info().vocabulary;
  double sum = 0.0;
  for (size_t at = 0; at < got.size(); at += width) {
    sum += divergence(&expected[at], &got[at], width);
  }
  const auto peer = nlohmann::json::parse(bytes_of(data("quantised/llamacpp_error.json")));
  const double theirs = peer[GetParam()]["kl_mean"];
  const double ours = sum / static_cast<double>(got.size() / width);
  EXPECT_LE(ours, theirs);
  EXPECT_GT(ours, 0.0) << "integer activations can't be exact: the wrong path was taken";
}

INSTANTIATE_TEST_SUITE_P(Types, QuantisedLogits,
                         testing::Values("tiny-llama-Q2_K", "tiny-llama-Q3_K_M", "tiny-llama-Q4_0",
                                         "tiny-llama-Q4_K_M", "tiny-llama-Q5_K_M",
                                         "tiny-llama-Q6_K", "tiny-llama-IQ4_XS",
                                         "tiny-llama-Q8_0"));

class Witness : public testing::TestWithParam<std::string> {};

TEST_P(Witness, TransformersAgrees) {
  const Folder folder;
  const std::string name = "witness/" + GetParam();
  folder.unpack(name + "/config.json");
  folder.unpack(name + "/model.safetensors.gz");
  const auto engine = load(folder.path(), exact_cache());
  ASSERT_NE(engine, nullptr);
  const auto prompt = nlohmann::json::parse(bytes_of(data(name + "/prompt.json")));
  const std::vector<float> expected = floats_of(data(name + "/logits.f32"));
  const std::vector<float> got = logits(*engine, prompt["prompt"].get<std::vector<TokenId>>(), 48);
  ASSERT_EQ(got.size(), expected.size());
  double worst = 0.0;
  for (size_t i = 0; i < got.size(); ++i) {
    worst =
        std::max(worst, std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
  }
  // How far F32 arithmetic itself is from F64 on this model; ours sums in another order than
  // theirs, both are off, and the order of a sum is worth a factor of a few.
  const double rounding = prompt["float64_difference"];
  EXPECT_LE(worst, 16.0 * rounding);
}

INSTANTIATE_TEST_SUITE_P(Families, Witness,
                         testing::Values("llama", "llama-linear", "mistral", "smollm3", "qwen2",
                                         "qwen3", "qwen2_moe", "qwen3_moe", "mixtral",
                                         "deepseek_v2_lite", "deepseek_v2", "deepseek_v3",
                                         "deepseek_v3_fp8", "gpt_oss", "glm4_moe", "llama4",
                                         "llama4_text"),
                         [](const auto& family) {
                           std::string name = family.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(Loading, StopsBeforeTheWeightsWhenAskedTo) {
  const Folder folder;
  const auto model = folder.unpack("logits/micro-llama.gguf.gz");
  std::stop_source stop;
  EngineOptions options = exact_cache();
  options.context_tokens = 64;
  options.stop = stop.get_token();
  EXPECT_TRUE(Engine::load(model, options).has_value());
  options.planned = [&stop](const ModelInfo&) { stop.request_stop(); };
  const auto engine = Engine::load(model, options);
  ASSERT_FALSE(engine.has_value());
  EXPECT_EQ(engine.error().code, base::ErrorCode::kCancelled);
}

}  // namespace
}  // namespace freehold::golden
