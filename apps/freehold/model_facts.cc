#include "model_facts.h"

#include <algorithm>
#include <charconv>
#include <span>

#include "base/checked.h"

namespace freehold::app {
namespace {

using base::Result;

constexpr uint64_t kMaxLayers = 4096;
constexpr uint64_t kStepTokens = 512;

// Keys under the architecture's prefix.
class Keys {
 public:
  Keys(const gguf::Metadata& metadata, std::string architecture)
      : metadata_(metadata), prefix_(std::move(architecture) + ".") {}

  Result<uint64_t> count(std::string_view key, uint64_t otherwise) const {
    FREEHOLD_ASSIGN(const auto value, metadata_.unsigned_integer(prefix_ + std::string(key)));
    return value.value_or(otherwise);
  }
  // One value a layer.
  Result<std::vector<uint64_t>> per_layer(std::string_view key, uint64_t layers,
                                          uint64_t otherwise) const {
    FREEHOLD_ASSIGN(auto values, metadata_.per_layer(prefix_ + std::string(key), layers));
    return values ? std::move(*values) : std::vector<uint64_t>(layers, otherwise);
  }

 private:
  const gguf::Metadata& metadata_;
  std::string prefix_;
};

// What a token leaves in the cache: a key and a value a KV head, or one latent row where there is
// latent attention.
Result<uint64_t> cache_values(const Keys& keys, const ModelShape& shape,
                              std::span<const uint64_t> kv_heads) {
  const uint64_t head = shape.heads > 0 ? shape.hidden / shape.heads : 0;
  FREEHOLD_ASSIGN(const uint64_t latent, keys.count("attention.kv_lora_rank", 0));
  FREEHOLD_ASSIGN(const uint64_t rotated, keys.count("rope.dimension_count", head));
  FREEHOLD_ASSIGN(const uint64_t key, keys.count("attention.key_length", head));
  FREEHOLD_ASSIGN(const uint64_t value, keys.count("attention.value_length", head));
  uint64_t sum = 0;
  for (const uint64_t n : kv_heads) {
    const auto width = base::checked_add(latent > 0 ? latent : key, latent > 0 ? rotated : value);
    const auto layer = width ? base::checked_mul(*width, latent > 0 ? 1 : n) : std::nullopt;
    const auto next = layer ? base::checked_add(sum, *layer) : std::nullopt;
    if (!next) return base::fail(base::ErrorCode::kBadFormat, "the cache's size overflows");
    sum = *next;
  }
  return sum;
}

Result<ModelShape> read_shape(const gguf::Directory& directory, const std::string& architecture) {
  const Keys keys(directory.metadata(), architecture);
  ModelShape shape;
  FREEHOLD_ASSIGN(const uint64_t blocks, keys.count("block_count", 0));
  FREEHOLD_ASSIGN(const uint64_t predicting, keys.count("nextn_predict_layers", 0));
  if (blocks > kMaxLayers) {
    return base::fail(base::ErrorCode::kBadFormat,
                      "block_count is " + std::to_string(blocks) + ", more than any model has");
  }
  shape.layers = blocks - std::min(blocks, predicting);
  FREEHOLD_ASSIGN(shape.hidden, keys.count("embedding_length", 0));
  FREEHOLD_ASSIGN(const auto heads, keys.per_layer("attention.head_count", blocks, 0));
  shape.heads = heads.empty() ? 0 : *std::max_element(heads.begin(), heads.end());
  FREEHOLD_ASSIGN(auto kv_heads, keys.per_layer("attention.head_count_kv", blocks, shape.heads));
  kv_heads.resize(shape.layers);
  shape.kv_heads = kv_heads.empty() ? 0 : *std::max_element(kv_heads.begin(), kv_heads.end());
  FREEHOLD_ASSIGN(const auto inner, keys.per_layer("feed_forward_length", blocks, 0));
  shape.feed_forward = inner.empty() ? 0 : *std::max_element(inner.begin(), inner.end());
  FREEHOLD_ASSIGN(shape.experts, keys.count("expert_count", 0));
  FREEHOLD_ASSIGN(shape.experts_used, keys.count("expert_used_count", 0));
  FREEHOLD_ASSIGN(shape.context, keys.count("context_length", 0));
  if (const auto* embedding = directory.find("token_embd.weight")) {
    shape.vocabulary = embedding->shape[1];
  }
  for (const gguf::Tensor& tensor : directory.tensors()) {
    if (tensor.n_dims < 2 || !tensor.name.starts_with("blk.")) continue;
    shape.widest = std::max({shape.widest, tensor.shape[0], tensor.shape[1]});
  }
  FREEHOLD_ASSIGN(shape.cache_values_per_token, cache_values(keys, shape, kv_heads));
  return shape;
}

bool is_routed(const gguf::Tensor& tensor, const ModelShape& shape) {
  return shape.experts > 0 && tensor.name.find("_exps.") != std::string::npos;
}

// Of a layer that predicts further tokens, which an answer does not need.
bool only_predicts(const gguf::Tensor& tensor, const ModelShape& shape) {
  constexpr std::string_view kBlock = "blk.";
  if (!tensor.name.starts_with(kBlock)) return false;
  uint64_t layer = 0;
  const char* from = tensor.name.data() + kBlock.size();
  std::from_chars(from, tensor.name.data() + tensor.name.size(), layer);
  return layer >= shape.layers;
}

// The share of a tensor that one token reads: a row of the embedding, the chosen experts.
double share_read(const gguf::Directory& directory, const gguf::Tensor& tensor,
                  const ModelShape& shape) {
  const bool tied = directory.find("output.weight") == nullptr;
  if (tensor.name == "token_embd.weight" && !tied) {
    return 1.0 / static_cast<double>(std::max<uint64_t>(1, tensor.shape[1]));
  }
  if (only_predicts(tensor, shape)) return 0;
  if (!is_routed(tensor, shape)) return 1;
  return static_cast<double>(shape.experts_used) / static_cast<double>(shape.experts);
}

}  // namespace

Result<ModelFacts> model_facts(const gguf::Directory& directory) {
  ModelFacts facts;
  const auto& metadata = directory.metadata();
  FREEHOLD_ASSIGN(const auto architecture, metadata.text("general.architecture"));
  FREEHOLD_ASSIGN(const auto name, metadata.text("general.name"));
  facts.architecture = architecture.value_or("unknown");
  facts.name = name.value_or("");
  FREEHOLD_ASSIGN(facts.shape, read_shape(directory, facts.architecture));
  std::map<std::string, TypeFacts> types;
  double active_bytes = 0;
  double active_expert_bytes = 0;
  double active_parameters = 0;
  double active_block_parameters = 0;
  for (const gguf::Tensor& tensor : directory.tensors()) {
    TypeFacts& type = types[std::string(quant::info(tensor.type).name)];
    type.n_tensors += 1;
    type.parameters += tensor.n_elements();
    type.bytes += tensor.n_bytes();
    const double share = share_read(directory, tensor, facts.shape);
    active_bytes += share * static_cast<double>(tensor.n_bytes());
    if (is_routed(tensor, facts.shape)) {
      active_expert_bytes += share * static_cast<double>(tensor.n_bytes());
    }
    const double parameters = share * static_cast<double>(tensor.n_elements());
    active_parameters += parameters;
    const bool is_matrix = tensor.n_dims > 1 && tensor.name.starts_with("blk.");
    active_block_parameters += is_matrix ? parameters : 0;
  }
  for (auto& [type, sums] : types) {
    sums.type = type;
    facts.parameters += sums.parameters;
    facts.weight_bytes += sums.bytes;
    facts.types.push_back(sums);
  }
  facts.active_bytes = static_cast<uint64_t>(active_bytes);
  facts.active_expert_bytes = static_cast<uint64_t>(active_expert_bytes);
  facts.active_block_parameters = static_cast<uint64_t>(active_block_parameters);
  facts.active_parameters = static_cast<uint64_t>(active_parameters);
  std::sort(facts.types.begin(), facts.types.end(),
            [](const TypeFacts& a, const TypeFacts& b) { return a.bytes > b.bytes; });
  return facts;
}

uint64_t cache_bytes(const ModelShape& shape, CacheWidth width, uint64_t tokens) {
  constexpr uint64_t kBlock = 32;  // positions a cache block
  const uint64_t rounded = (tokens + kBlock - 1) / kBlock * kBlock;
  const auto values = base::checked_mul(shape.cache_values_per_token, rounded);
  if (!values || *values > UINT64_MAX / 4) return UINT64_MAX;
  switch (width) {
    case CacheWidth::kF16:
      return *values * 2;
    case CacheWidth::kF32:
      return *values * 4;
    case CacheWidth::kQ8_0:
      return *values / 32 * 34;
  }
  return UINT64_MAX;
}

uint64_t scratch_bytes(const ModelShape& shape, uint64_t tokens) {
  constexpr uint64_t kSequences = 16;
  const uint64_t a_token = 6 * shape.hidden + 6 * shape.widest;
  return sizeof(float) * (a_token * tokens + 2 * kSequences * shape.vocabulary);
}

uint64_t fitting_context(const ModelFacts& facts, CacheWidth width, uint64_t available_bytes) {
  const uint64_t fixed = facts.weight_bytes + scratch_bytes(facts.shape, kStepTokens);
  if (fixed >= available_bytes) return 0;
  const uint64_t per_block = cache_bytes(facts.shape, width, 32);
  if (per_block == 0) return facts.shape.context;
  return std::min((available_bytes - fixed) / per_block * 32, facts.shape.context);
}

}  // namespace freehold::app
