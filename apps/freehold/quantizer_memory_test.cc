// Quantising a folder in its makers' form: the memory does not grow with the model, what it reads
// is what the folder says, and a full disk leaves nothing behind.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "freehold/engine.h"
#include "gguf/huggingface.h"
#include "heap_meter.h"
#include "quant/decode.h"
#include "quantizer.h"

namespace freehold::app {
namespace {

constexpr uint64_t kWidth = 256;

// A folder with a mixture of experts in DeepSeek's FP8, everything `kWidth` wide.
class Folder {
 public:
  Folder(uint64_t n_layers, uint64_t n_experts) : header_(nlohmann::json::object()) {
    path_ = std::filesystem::temp_directory_path() /
            ("freehold-fp8-" + std::to_string(::getpid()) + "-" + std::to_string(n_layers));
    std::filesystem::create_directories(path_);
    add_f32("model.embed_tokens.weight", {8, kWidth});
    add_f32("lm_head.weight", {8, kWidth});
    add_f32("model.norm.weight", {kWidth});
    for (uint64_t layer = 0; layer < n_layers; ++layer) {
      const std::string block = "model.layers." + std::to_string(layer) + ".";
      add_f32(block + "input_layernorm.weight", {kWidth});
      add_f32(block + "post_attention_layernorm.weight", {kWidth});
      add_f32(block + "block_sparse_moe.gate.weight", {n_experts, kWidth});
      for (const char* kind : {"q", "k", "v", "o"}) {
        add_fp8(block + "self_attn." + kind + "_proj");
      }
      for (uint64_t expert = 0; expert < n_experts; ++expert) {
        for (const char* kind : {".w1", ".w2", ".w3"}) {
          add_fp8(block + "block_sparse_moe.experts." + std::to_string(expert) + kind);
        }
      }
    }
    write(n_layers, n_experts);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  void add(const std::string& name, const char* dtype, const std::vector<uint64_t>& shape,
           const std::string& bytes) {
    header_[name] = {{"dtype", dtype},
                     {"shape", shape},
                     {"data_offsets", {data_.size(), data_.size() + bytes.size()}}};
    data_ += bytes;
  }
  void add_f32(const std::string& name, const std::vector<uint64_t>& shape) {
    uint64_t n = 1;
    for (const uint64_t dim : shape) n *= dim;
    std::string bytes(4 * n, '\0');
    for (uint64_t i = 0; i < n; ++i) {
      const auto value = static_cast<float>(base::random_uniform(data_.size(), i) - 0.5);
      std::memcpy(bytes.data() + 4 * i, &value, 4);
    }
    add(name, "F32", shape, bytes);
  }
  void add_fp8(const std::string& name) {
    std::string codes(kWidth * kWidth, '\0');
    for (size_t i = 0; i < codes.size(); ++i) {
      const auto code = static_cast<uint8_t>(base::random_bits(data_.size(), i));
      codes[i] = static_cast<char>((code & 0x7F) == 0x7F ? 0 : code);
    }
    const float scales[4] = {4e-4F, 3e-4F, 2e-4F, 5e-4F};
    add(name + ".weight", "F8_E4M3", {kWidth, kWidth}, codes);
    add(name + ".weight_scale_inv", "F32", {2, 2},
        std::string(reinterpret_cast<const char*>(scales), sizeof scales));
  }
  void write(uint64_t n_layers, uint64_t n_experts) const {
    nlohmann::json config = {{"model_type", "mixtral"},
                             {"hidden_size", kWidth},
                             {"vocab_size", 8},
                             {"num_hidden_layers", n_layers},
                             {"intermediate_size", kWidth},
                             {"rms_norm_eps", 1e-5},
                             {"num_attention_heads", 4},
                             {"num_key_value_heads", 4},
                             {"head_dim", 64},
                             {"rope_theta", 10000.0},
                             {"max_position_embeddings", 64},
                             {"num_local_experts", n_experts},
                             {"num_experts_per_tok", 2}};
    config["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {128, 128}}};
    std::ofstream(path_ / "config.json") << config;
    const std::string header = header_.dump();
    const uint64_t length = header.size();
    std::ofstream file(path_ / "model.safetensors", std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), 8);
    file << header << data_;
  }

  std::filesystem::path path_;
  nlohmann::json header_;
  std::string data_;
};

base::Result<QuantizeResult> quantize(const Folder& folder, quant::Mix mix) {
  FREEHOLD_ASSIGN(const gguf::Directory model, gguf::open_model(folder.path()));
  base::ThreadPool pool(2);
  return quantize_model(model, folder.path() / "out.gguf", {mix, false, {}}, pool);
}

// The most that opening and quantising held on the heap beyond what was held before.
size_t peak_of(const Folder& folder) {
  HeapMeter::reset();
  const auto result = quantize(folder, quant::Mix::kF16);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return HeapMeter::peak_bytes();
}

TEST(QuantizerMemory, DoesNotGrowWithTheModel) {
  const Folder small(2, 16), large(8, 16);  // 6 and 25 MB
  const size_t of_small = peak_of(small);
  const size_t of_large = peak_of(large);
  EXPECT_GT(of_small, 100U << 10);
  EXPECT_LT(of_small, 4U << 20);
  EXPECT_LT(of_large, of_small + (2U << 20));  // names and shapes of 900 more tensors
}

TEST(QuantizerMemory, Fp8BecomesCodeTimesScale) {
  const Folder folder(1, 2);
  ASSERT_TRUE(quantize(folder, quant::Mix::kF32).has_value());
  const auto source = gguf::open_model(folder.path());
  const auto out = gguf::open_model(folder.path() / "out.gguf");
  ASSERT_TRUE(source.has_value() && out.has_value());
  EXPECT_EQ(out->metadata().number("llama.attention.layer_norm_rms_epsilon").value(), 1e-5F);
  for (const char* name : {"blk.0.ffn_down_exps.weight", "blk.0.attn_q.weight"}) {
    const gguf::Tensor& from = *source->find(name);
    const gguf::Tensor& to = *out->find(name);
    EXPECT_EQ(from.type, quant::Type::kFp8);
    EXPECT_EQ(to.type, quant::Type::kF32);
    std::vector<std::byte> scratch;
    std::vector<float> wanted(from.n_elements());
    quant::decode_row(from.type, from.all(scratch).data(), wanted.size(), wanted.data());
    EXPECT_EQ(std::memcmp(wanted.data(), to.data.data(), to.data.size()), 0) << name;
    EXPECT_TRUE(std::ranges::any_of(wanted, [](float x) { return x == 448.0F * 3e-4F; }));
  }
}

// FP8 is multiplied as it is; the same weights as floats are summed in another order.
TEST(QuantizerMemory, Fp8ScoresAsItsFloatsDo) {
  const Folder folder(2, 4);
  ASSERT_TRUE(quantize(folder, quant::Mix::kF32).has_value());
  EngineOptions options;
  options.threads = 2;
  options.kv = KvType::kF32;
  const std::vector<TokenId> tokens = {1, 5, 2, 7, 7, 0, 3};
  std::vector<std::vector<float>> rows;
  for (const auto& path : {folder.path(), folder.path() / "out.gguf"}) {
    const auto engine = Engine::load(path, options);
    ASSERT_TRUE(engine.has_value()) << engine.error().message;
    std::vector<float>& all = rows.emplace_back();
    ASSERT_TRUE((*engine)->logits(tokens, 4, [&](std::span<const float> row) {
      all.insert(all.end(), row.begin(), row.end());
    }));
  }
  ASSERT_EQ(rows[0].size(), 8 * tokens.size());
  const auto [least, most] = std::ranges::minmax(rows[1]);
  EXPECT_GT(most - least, 0.1F);
  for (size_t i = 0; i < rows[0].size(); ++i) {
    EXPECT_NEAR(rows[0][i], rows[1][i], 1e-4F * (most - least)) << i;
  }
}

TEST(QuantizerMemory, AFullDiskLeavesNothingBehind) {
  const Folder folder(1, 2);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit little{100 << 10, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
  const auto result = quantize(folder, quant::Mix::kQ8_0);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, base::ErrorCode::kIo);
  EXPECT_NE(result.error().message.find("out.gguf: cannot write"), std::string::npos)
      << result.error().message;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path().string().find("out.gguf"), std::string::npos) << entry.path();
  }
}

}  // namespace
}  // namespace freehold::app
