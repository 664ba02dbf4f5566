// Folders of tiny models: what becomes of their tensors and settings, and what is refused by name.
#include "gguf/huggingface.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "gguf/hf_config.h"
#include "gguf/hf_tensors.h"
#include "gguf/safetensors.h"
#include "quant/decode.h"

namespace freehold::gguf {
namespace {

using base::ErrorCode;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

// A model being made: config.json and the bytes of model.safetensors.
class Maker {
 public:
  explicit Maker(json given) : config(std::move(given)) { header_ = json::object(); }

  Maker& raw(const std::string& name, const char* dtype, const std::vector<uint64_t>& shape,
             const std::string& bytes) {
    header_[name] = {{"dtype", dtype},
                     {"shape", shape},
                     {"data_offsets", {data_.size(), data_.size() + bytes.size()}}};
    data_ += bytes;
    return *this;
  }
  // F32 elements that count up from `first`.
  Maker& add(const std::string& name, const std::vector<uint64_t>& shape, float first = 0) {
    size_t n = 1;
    for (const uint64_t dim : shape) n *= dim;
    std::string bytes(n * 4, '\0');
    for (size_t i = 0; i < n; ++i) {
      const float value = first + static_cast<float>(i);
      std::memcpy(bytes.data() + 4 * i, &value, 4);
    }
    return raw(name, "F32", shape, bytes);
  }
  Maker& add_ends() {
    add("model.embed_tokens.weight", {4, 2}).add("model.norm.weight", {2});
    return add("lm_head.weight", {4, 2}, 100);
  }

  std::string file() const {
    const std::string header = header_.dump();
    const uint64_t length = header.size();
    std::string out(8, '\0');
    std::memcpy(out.data(), &length, 8);
    return out + header + data_;
  }
  // The file lives as long as the maker.
  base::Result<Directory> open() {
    file_ = file();
    FREEHOLD_ASSIGN(const Safetensors files, Safetensors::parse(std::as_bytes(std::span(file_))));
    FREEHOLD_ASSIGN(HfConfig read, read_hf_config(config));
    Directory out;
    FREEHOLD_TRY(add_hf_tensors(read, files, out));
    out.metadata() = std::move(read.metadata);
    return out;
  }
  std::string refusal() {
    const auto directory = open();
    return directory ? "opened" : directory.error().message;
  }

  json config;

 private:
  json header_;
  std::string data_;
  std::string file_;
};

json small_config(const char* model_type) {
  return {{"model_type", model_type},
          {"hidden_size", 2},
          {"vocab_size", 4},
          {"num_hidden_layers", 1},
          {"intermediate_size", 2},
          {"rms_norm_eps", 1e-5},
          {"num_attention_heads", 2},
          {"num_key_value_heads", 1},
          {"head_dim", 4},
          {"rope_theta", 10000.0},
          {"max_position_embeddings", 64}};
}

std::vector<float> floats(const Directory& directory, const std::string& name) {
  const Tensor* tensor = directory.find(name);
  if (tensor == nullptr) {
    ADD_FAILURE() << name << " is missing";
    return {};
  }
  std::vector<float> out(tensor->n_elements());
  std::vector<std::byte> scratch;
  quant::decode_row(tensor->type, tensor->all(scratch).data(), out.size(), out.data());
  return out;
}

Directory opened(Maker& maker) {
  auto directory = maker.open();
  EXPECT_TRUE(directory) << directory.error().message;
  return directory ? std::move(*directory) : Directory();
}

const std::string kLayer = "model.layers.0.";

TEST(HuggingFace, LlamaRowsAreInterleaved) {
  Maker maker(small_config("llama"));
  maker.add_ends();
  maker.add(kLayer + "self_attn.q_proj.weight", {8, 2}).add(kLayer + "self_attn.q_proj.bias", {8});
  maker.add(kLayer + "self_attn.k_proj.weight", {4, 2})
      .add(kLayer + "self_attn.v_proj.weight", {4, 2});
  const Directory directory = opened(maker);
  EXPECT_THAT(floats(directory, "blk.0.attn_q.weight"),
              ElementsAre(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
  EXPECT_THAT(floats(directory, "blk.0.attn_q.bias"), ElementsAre(0, 2, 1, 3, 4, 6, 5, 7));
  EXPECT_THAT(floats(directory, "blk.0.attn_k.weight"), ElementsAre(0, 1, 4, 5, 2, 3, 6, 7));
  EXPECT_THAT(floats(directory, "blk.0.attn_v.weight"), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(directory.find("blk.0.attn_q.weight")->shape, ElementsAre(2, 8, 1, 1));
  EXPECT_EQ(floats(directory, "output.weight")[0], 100);
  const Metadata& m = directory.metadata();
  EXPECT_EQ(m.text("general.architecture")->value(), "llama");
  EXPECT_EQ(m.unsigned_integer("llama.block_count")->value(), 1u);
  EXPECT_EQ(m.unsigned_integer("llama.attention.key_length")->value(), 4u);
  EXPECT_EQ(m.number("llama.rope.freq_base")->value(), 10000.0);
}

TEST(HuggingFace, QwenRowsStayWhereTheyAreMapped) {
  Maker maker(small_config("qwen3"));
  maker.add_ends().add(kLayer + "self_attn.q_proj.weight", {8, 2});
  maker.add(kLayer + "self_attn.q_norm.weight", {4});
  const Directory directory = opened(maker);
  EXPECT_EQ(floats(directory, "blk.0.attn_q.weight")[5], 5);
  EXPECT_EQ(floats(directory, "blk.0.attn_q_norm.weight")[3], 3);
}

TEST(HuggingFace, VectorsAndRoutersBecomeF32) {
  json config = small_config("qwen3_moe");
  config.update({{"num_experts", 2}, {"num_experts_per_tok", 1}, {"norm_topk_prob", true}});
  config["moe_intermediate_size"] = 2;
  Maker maker(config);
  maker.add_ends();
  maker.raw(kLayer + "input_layernorm.weight", "BF16", {2}, std::string("\x80\x3f\x00\x40", 4));
  maker.raw(kLayer + "mlp.gate.weight", "F16", {2, 1}, std::string("\x00\x3c\x00\xc0", 4));
  const Directory directory = opened(maker);
  EXPECT_EQ(directory.find("blk.0.attn_norm.weight")->type, quant::Type::kF32);
  EXPECT_THAT(floats(directory, "blk.0.attn_norm.weight"), ElementsAre(1, 2));
  EXPECT_EQ(directory.find("blk.0.ffn_gate_inp.weight")->type, quant::Type::kF32);
  EXPECT_THAT(floats(directory, "blk.0.ffn_gate_inp.weight"), ElementsAre(1, -2));
}

json mixtral_config() {
  json config = small_config("mixtral");
  config.update({{"num_local_experts", 3}, {"num_experts_per_tok", 2}});
  return config;
}

TEST(HuggingFace, ExpertsAreStackedOrLeftWhereTheyLieTogether) {
  Maker maker(mixtral_config());
  maker.add_ends();
  const std::string experts = kLayer + "block_sparse_moe.experts.";
  for (const char* e : {"0", "1", "2"}) maker.add(experts + e + ".w1.weight", {1, 2}, e[0] - '0');
  for (const char* e : {"2", "0", "1"}) maker.add(experts + e + ".w2.weight", {1, 2}, e[0] - '0');
  const Directory directory = opened(maker);
  EXPECT_THAT(floats(directory, "blk.0.ffn_gate_exps.weight"), ElementsAre(0, 1, 1, 2, 2, 3));
  EXPECT_THAT(floats(directory, "blk.0.ffn_down_exps.weight"), ElementsAre(0, 1, 1, 2, 2, 3));
  EXPECT_THAT(directory.find("blk.0.ffn_gate_exps.weight")->shape, ElementsAre(2, 1, 3, 1));
  const auto* view = directory.find("blk.0.ffn_gate_exps.weight")->data.data();
  EXPECT_GT(view, directory.find("token_embd.weight")->data.data());
  EXPECT_LT(view, directory.find("token_embd.weight")->data.data() + maker.file().size());
  EXPECT_TRUE(directory.find("blk.0.ffn_down_exps.weight")->data.empty());
}

TEST(HuggingFace, ExpertsHaveToBeCompleteAndAlike) {
  Maker missing(mixtral_config());
  const std::string experts = kLayer + "block_sparse_moe.experts.";
  missing.add(experts + "0.w1.weight", {1, 2}).add(experts + "2.w1.weight", {1, 2});
  EXPECT_THAT(missing.refusal(), HasSubstr("has 2 experts"));
  Maker beyond(mixtral_config());
  beyond.add(experts + "0.w1.weight", {1, 2}).add(experts + "1.w1.weight", {1, 2});
  beyond.add(experts + "3.w1.weight", {1, 2});
  EXPECT_THAT(beyond.refusal(), HasSubstr("experts.0.w1.weight"));
  Maker unlike(mixtral_config());
  unlike.add(experts + "0.w1.weight", {1, 2}).add(experts + "1.w1.weight", {2, 1});
  unlike.add(experts + "2.w1.weight", {1, 2});
  EXPECT_THAT(unlike.refusal(), HasSubstr("experts.1.w1.weight` has another shape"));
}

json deepseek_config() {
  json config = small_config("deepseek_v3");
  config.update({{"n_routed_experts", 8},
                 {"num_experts_per_tok", 2},
                 {"n_shared_experts", 1},
                 {"moe_intermediate_size", 2},
                 {"kv_lora_rank", 2},
                 {"qk_nope_head_dim", 3},
                 {"qk_rope_head_dim", 2},
                 {"v_head_dim", 1},
                 {"n_group", 4},
                 {"topk_group", 2},
                 {"first_k_dense_replace", 1},
                 {"routed_scaling_factor", 2.5},
                 {"num_nextn_predict_layers", 1}});
  config["rope_scaling"] = {{"type", "yarn"},
                            {"factor", 40},
                            {"mscale", 1.0},
                            {"mscale_all_dim", 1.0},
                            {"original_max_position_embeddings", 4096},
                            {"beta_fast", 32},
                            {"beta_slow", 1}};
  return config;
}

TEST(HuggingFace, LatentKeysAreTransposedAndValuesAreNot) {
  Maker maker(deepseek_config());
  maker.add_ends().add(kLayer + "self_attn.kv_b_proj.weight", {8, 2});  // 2 heads of 3 + 1 rows
  maker.add("model.layers.1.enorm.weight", {2});  // of the layer that predicts
  const Directory directory = opened(maker);
  EXPECT_THAT(floats(directory, "blk.0.attn_k_b.weight"),
              ElementsAre(0, 2, 4, 1, 3, 5, 8, 10, 12, 9, 11, 13));
  EXPECT_THAT(directory.find("blk.0.attn_k_b.weight")->shape, ElementsAre(3, 2, 2, 1));
  EXPECT_THAT(floats(directory, "blk.0.attn_v_b.weight"), ElementsAre(6, 7, 14, 15));
  EXPECT_THAT(directory.find("blk.0.attn_v_b.weight")->shape, ElementsAre(2, 1, 2, 1));
  const Metadata& m = directory.metadata();
  EXPECT_EQ(m.unsigned_integer("deepseek2.attention.key_length")->value(), 4u);
  EXPECT_EQ(m.unsigned_integer("deepseek2.attention.key_length_mla")->value(), 5u);
  EXPECT_EQ(m.unsigned_integer("deepseek2.expert_gating_func")->value(), 2u);
  EXPECT_EQ(m.unsigned_integer("deepseek2.expert_group_used_count")->value(), 2u);
  EXPECT_EQ(m.number("deepseek2.rope.scaling.yarn_log_multiplier")->value(), 0.1);
  EXPECT_EQ(m.boolean("deepseek2.expert_weights_norm")->value(), true);
  EXPECT_EQ(m.unsigned_integer("deepseek2.block_count")->value(), 2u);
  EXPECT_EQ(m.unsigned_integer("deepseek2.nextn_predict_layers")->value(), 1u);
  EXPECT_NE(directory.find("blk.1.nextn.enorm.weight"), nullptr);
}

TEST(HuggingFace, Fp8IsMultipliedOut) {
  json config = deepseek_config();
  config["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {2, 2}}};
  const std::string ones(6, '\x38');
  const std::string scales("\0\0\0\x40\0\0\xc0\x3f", 8);  // 2.0, 1.5
  Maker maker(config);
  maker.add_ends().raw(kLayer + "self_attn.o_proj.weight", "F8_E4M3", {2, 3}, ones);
  EXPECT_THAT(maker.refusal(), HasSubstr("o_proj.weight` is FP8 but has no scales"));
  maker.raw(kLayer + "self_attn.o_proj.weight_scale_inv", "F32", {1, 2}, scales);
  const Directory directory = opened(maker);
  EXPECT_THAT(floats(directory, "blk.0.attn_output.weight"), ElementsAre(2, 2, 1.5, 2, 2, 1.5));
  maker.raw(kLayer + "mlp.up_proj.weight", "F8_E4M3", {2, 3}, ones);
  maker.raw(kLayer + "mlp.up_proj.weight_scale_inv", "F32", {1, 1}, scales.substr(0, 4));
  EXPECT_THAT(maker.refusal(), HasSubstr("up_proj.weight_scale_inv` is not one F32 or BF16"));
  for (const std::vector<uint64_t>& shape :
       {std::vector<uint64_t>{2, 1}, {2}, {1, 1, 2}, {1, 2, 1}}) {
    Maker turned(config);  // as many as there are blocks, but not so arranged
    turned.raw(kLayer + "mlp.up_proj.weight", "F8_E4M3", {2, 3}, ones);
    turned.raw(kLayer + "mlp.up_proj.weight_scale_inv", "F32", shape, scales);
    EXPECT_THAT(turned.refusal(), HasSubstr("up_proj.weight_scale_inv` is not one F32 or BF16"));
  }
}

TEST(HuggingFace, GptOssPairsAreTakenApart) {
  json config = small_config("gpt_oss");
  config.update({{"num_local_experts", 1}, {"num_experts_per_tok", 1}, {"sliding_window", 8}});
  Maker maker(config);
  maker.add_ends();
  const std::string experts = kLayer + "mlp.experts.";
  maker.raw(experts + "gate_up_proj_blocks", "U8", {1, 2, 1, 16},
            std::string(16, '\x21') + std::string(16, '\x43'));
  maker.raw(experts + "gate_up_proj_scales", "U8", {1, 2, 1}, std::string("\x7f\x80", 2));
  maker.add(experts + "gate_up_proj_bias", {1, 4});
  const Directory directory = opened(maker);
  const auto gate = floats(directory, "blk.0.ffn_gate_exps.weight");
  const auto up = floats(directory, "blk.0.ffn_up_exps.weight");
  ASSERT_EQ(gate.size(), 32u);
  EXPECT_EQ(gate[0], 0.5f);  // codes 1 and 2 in turns, scale 1
  EXPECT_EQ(gate[31], 1.0f);
  EXPECT_EQ(up[30], 3.0f);  // codes 3 and 4, scale 2
  EXPECT_EQ(up[1], 4.0f);
  EXPECT_THAT(floats(directory, "blk.0.ffn_gate_exps.bias"), ElementsAre(0, 2));
  EXPECT_THAT(floats(directory, "blk.0.ffn_up_exps.bias"), ElementsAre(1, 3));
  EXPECT_THAT(directory.find("blk.0.ffn_up_exps.bias")->shape, ElementsAre(2, 1, 1, 1));
  EXPECT_EQ(directory.metadata().unsigned_integer("gpt-oss.attention.sliding_window")->value(), 8u);
}

TEST(HuggingFace, Llama4ExpertsAreTurned) {
  json config = small_config("llama4_text");
  config.update({{"num_local_experts", 1},
                 {"num_experts_per_tok", 1},
                 {"intermediate_size_mlp", 4},
                 {"interleave_moe_layer_step", 1}});
  Maker maker(json{{"model_type", "llama4"}, {"text_config", config}});
  maker.add("language_model.model.embed_tokens.weight", {4, 2});
  maker.add("vision_model.patch.weight", {2, 2});
  const std::string experts = "language_model." + kLayer + "feed_forward.experts.";
  maker.add(experts + "gate_up_proj", {1, 3, 4}).add(experts + "down_proj", {1, 2, 3});
  const Directory directory = opened(maker);
  EXPECT_THAT(floats(directory, "blk.0.ffn_gate_exps.weight"), ElementsAre(0, 4, 8, 1, 5, 9));
  EXPECT_THAT(floats(directory, "blk.0.ffn_up_exps.weight"), ElementsAre(2, 6, 10, 3, 7, 11));
  EXPECT_THAT(floats(directory, "blk.0.ffn_down_exps.weight"), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_EQ(directory.metadata().unsigned_integer("llama4.feed_forward_length")->value(), 4u);
  EXPECT_EQ(directory.tensors().size(), 4u);
}

// The divisors of Llama-3.2-1B, as its published GGUF files have them.
TEST(HuggingFace, Llama3RopeBecomesDivisors) {
  json config = small_config("llama");
  config.update({{"head_dim", 64}, {"rope_theta", 500000.0}});
  config["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", 32.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 8192}};
  Maker maker(config);
  const auto divisors = floats(opened(maker.add_ends()), "rope_freqs.weight");
  ASSERT_EQ(divisors.size(), 32u);
  EXPECT_EQ(divisors[14], 1.0f);
  EXPECT_NEAR(divisors[15], 1.65133, 1e-5);
  EXPECT_NEAR(divisors[16], 3.29226, 1e-5);
  EXPECT_NEAR(divisors[17], 9.66673, 1e-5);
  EXPECT_EQ(divisors[18], 32.0f);
}

TEST(HuggingFace, TiedModelsHaveNoHead) {
  Maker tied(small_config("qwen2"));
  tied.config["tie_word_embeddings"] = true;
  EXPECT_EQ(opened(tied.add_ends()).find("output.weight"), nullptr);
  Maker headless(small_config("qwen2"));
  headless.config["tie_word_embeddings"] = false;
  headless.add("model.embed_tokens.weight", {4, 2});
  EXPECT_THAT(headless.refusal(), HasSubstr("`lm_head.weight` is missing"));
}

TEST(HuggingFace, UnknownTensorsAreRefusedByName) {
  for (const char* name : {"model.layers.0.mlp.extra.weight", "model.layers.1.mlp.up_proj.weight",
                           "model.layers.x.mlp.up_proj.weight", "transformer.wte.weight",
                           "model.layers.0.self_attn.q_proj.qweight", "model.layers.0.mlp",
                           "model.layers.0.mlp.experts.x.up_proj.weight"}) {
    Maker maker(small_config("llama"));
    EXPECT_THAT(maker.add(name, {2, 2}).refusal(), HasSubstr(name));
  }
  Maker empty(small_config("llama"));
  EXPECT_THAT(empty.add(kLayer + "mlp.up_proj.weight", {0, 2}).refusal(), HasSubstr("is empty"));
  Maker integers(small_config("llama"));
  integers.raw(kLayer + "mlp.up_proj.weight", "I8", {1, 2}, "ab");
  EXPECT_THAT(integers.refusal(), HasSubstr("has dtype I8"));
}

// One member changed, and the word that its refusal has to say.
TEST(HuggingFace, UnknownSettingsAreRefusedByName) {
  const auto refusal = [](const char* model_type, const char* key, const json& value) {
    json config = small_config(model_type);
    config[key] = value;
    const auto read = read_hf_config(config);
    return read ? std::string("read") : read.error().message;
  };
  EXPECT_THAT(refusal("gemma3", "x", 1), HasSubstr("`gemma3` is not one of those known: llama"));
  EXPECT_THAT(refusal("llama", "hidden_act", "gelu"), HasSubstr("`hidden_act`"));
  EXPECT_THAT(refusal("llama", "hidden_size", nullptr), HasSubstr("`hidden_size` is missing"));
  EXPECT_THAT(refusal("llama", "hidden_size", -1), HasSubstr("`hidden_size`"));
  EXPECT_THAT(refusal("llama", "hidden_size", "2"), HasSubstr("`hidden_size`"));
  EXPECT_THAT(refusal("llama", "num_hidden_layers", 513), HasSubstr("more than 512"));
  EXPECT_THAT(refusal("llama", "num_key_value_heads", 0), HasSubstr("`num_key_value_heads`"));
  EXPECT_THAT(refusal("llama", "vocab_size", uint64_t{1} << 40), HasSubstr("`vocab_size`"));
  EXPECT_THAT(refusal("llama", "partial_rotary_factor", 0.5), HasSubstr("partial_rotary_factor"));
  EXPECT_THAT(refusal("llama", "rope_scaling", 3), HasSubstr("`rope_scaling`"));
  EXPECT_THAT(refusal("llama", "rope_scaling", {{"type", "dynamic"}, {"factor", 2}}),
              HasSubstr("rope type `dynamic`"));
  EXPECT_THAT(refusal("qwen2", "rope_scaling", {{"rope_type", "llama3"}, {"factor", 2}}),
              HasSubstr("rope type `llama3`"));
  EXPECT_THAT(refusal("qwen2", "rope_scaling", {{"rope_type", "yarn"}}), HasSubstr("`factor`"));
  EXPECT_THAT(refusal("qwen2", "use_sliding_window", true), HasSubstr("use_sliding_window"));
  EXPECT_THAT(refusal("qwen3", "layer_types", {"sliding_attention"}), HasSubstr("layer_types"));
  EXPECT_THAT(refusal("smollm3", "no_rope_layers", {0}), HasSubstr("no_rope_layers"));
  EXPECT_THAT(refusal("llama", "quantization_config", {{"quant_method", "gptq"}}),
              HasSubstr("method `gptq`"));
  EXPECT_THAT(refusal("llama", "quantization_config", {{"quant_method", "fp8"}}),
              HasSubstr("method `fp8`"));
  EXPECT_THAT(read_hf_config(json::array()).error().message, HasSubstr("not a JSON object"));
}

TEST(HuggingFace, WindowsOfEveryLayerShortenTheContext) {
  json config = small_config("mistral");
  config["sliding_window"] = 16;
  EXPECT_EQ(read_hf_config(config)->metadata.unsigned_integer("llama.context_length")->value(),
            16u);
}

TEST(HuggingFace, FoldersAndFilesOpenAlike) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("freehold-hf-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  EXPECT_EQ(open_model(folder).error().code, ErrorCode::kNotFound);
  Maker maker(small_config("qwen3"));
  std::ofstream(folder / "config.json") << maker.config;
  std::ofstream(folder / "model.safetensors", std::ios::binary) << maker.add_ends().file();
  const auto directory = open_model(folder);
  ASSERT_TRUE(directory) << directory.error().message;
  EXPECT_EQ(directory->paths(), std::vector{folder / "model.safetensors"});
  EXPECT_EQ(floats(*directory, "token_embd.weight")[7], 7);
  EXPECT_EQ(open_model(folder / "model.safetensors").error().code, ErrorCode::kBadFormat);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace freehold::gguf
