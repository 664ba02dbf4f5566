// `deepseek2`: DeepSeek V2, V2-Lite, V3, R1, V3.1, Kimi-K2, Moonlight, GLM-4.7-Flash. Multi-head
// latent attention (arXiv 2405.04434 §2.1): keys and values of all heads are one latent row of
// kv_rank numbers and one rotated key of n_rot, which is all that the cache holds. Queries are
// taken into the latent space (the absorbed form) for prompts and answers alike, so both have the
// same bits. Then, after leading dense layers, experts by softmax (V2) or sigmoid with a selection
// bias and groups (V3), and a shared network. Reads both generations of files: with attn_k_b and
// attn_v_b, and with attn_kv_b alone.
#include <algorithm>
#include <cmath>

#include "models/families.h"
#include "models/moe.h"
#include "models/parts.h"
#include "ops/experts.h"

namespace freehold::models {
namespace {

struct LatentConfig {
  uint32_t n_heads = 0;
  uint32_t q_rank = 0;  // 0: queries come from one matrix
  uint32_t kv_rank = 0;
  uint32_t n_rot = 0;
  uint32_t n_plain = 0;  // elements of a head's key that are not rotated
  uint32_t v_dim = 0;
  float scale = 0.0F;
  uint32_t row() const { return kv_rank + n_rot; }
};

struct LatentWeights {
  ops::Matrix q;    // {hidden, n_heads * (n_plain + n_rot)}, where q_rank is 0
  ops::Matrix q_a;  // {hidden, q_rank}
  const float* q_a_norm = nullptr;
  ops::Matrix q_b;   // {q_rank, n_heads * (n_plain + n_rot)}
  ops::Matrix kv_a;  // {hidden, kv_rank + n_rot}
  const float* kv_a_norm = nullptr;
  ops::Matrix k_b;     // {n_plain, kv_rank, n_heads}: a head's query into latent space
  ops::Matrix v_b;     // {kv_rank, v_dim, n_heads}: a latent value into the head's
  ops::Matrix output;  // {n_heads * v_dim, hidden}
};

class DeepSeek2 : public Model {
 public:
  base::Status load(Loader& loader);
  base::Result<std::vector<size_t>> cache_block_bytes(kernels::CacheType type) const override;

 protected:
  void prepare(const Pass& pass) override { rope_.prepare(pass.positions); }
  void run_layer(Pass& pass, size_t index, size_t cache_layer) override;

 private:
  struct Layer {
    const float* attention_norm = nullptr;
    LatentWeights attention;
    FeedForward ffn;
  };

  base::Status read_settings(Loader& loader);
  base::Status read_experts(Loader& loader);
  base::Status bind_latent(Loader& loader, size_t layer, LatentWeights& weights) const;
  base::Status bind_legacy_kv_b(Loader& loader, size_t layer, LatentWeights& weights) const;
  void project_queries(Pass& pass, const LatentWeights& weights);
  void absorb_queries(Pass& pass, const LatentWeights& weights);
  void attend_latent(Pass& pass, const LatentWeights& weights, size_t cache_layer);

  LatentConfig latent_;
  MoeConfig moe_;
  std::vector<Layer> layers_;
  ops::RopeTable rope_{{}, 1.0};
  // Of a step.
  ops::Rows latent_queries_, latent_row_, latent_out_;
  ops::Groups heads_;  // (token, head) by head
  std::vector<uint32_t> head_of_;
  ops::LatentAttention attention_;
};

base::Status DeepSeek2::read_settings(Loader& loader) {
  FREEHOLD_TRY(bind_ends(loader));
  FREEHOLD_ASSIGN(const uint32_t n_extra, loader.count_or("nextn_predict_layers", 0));
  FREEHOLD_TRY(bind_prediction(loader, n_extra));
  FREEHOLD_ASSIGN(latent_.n_heads, loader.count("attention.head_count"));
  FREEHOLD_ASSIGN(latent_.q_rank, loader.count_or("attention.q_lora_rank", 0));
  FREEHOLD_ASSIGN(latent_.kv_rank, loader.count("attention.kv_lora_rank"));
  FREEHOLD_ASSIGN(latent_.n_rot, loader.count("rope.dimension_count"));
  // Older files have the true head sizes in the plain keys, newer ones in those ending in _mla.
  FREEHOLD_ASSIGN(const uint32_t key, loader.count("attention.key_length"));
  FREEHOLD_ASSIGN(const uint32_t value, loader.count("attention.value_length"));
  FREEHOLD_ASSIGN(const uint32_t key_length, loader.count_or("attention.key_length_mla", key));
  FREEHOLD_ASSIGN(latent_.v_dim, loader.count_or("attention.value_length_mla", value));
  constexpr uint32_t kMostRow = 576;
  if (key_length <= latent_.n_rot || latent_.row() > kMostRow || latent_.row() % 8 != 0 ||
      latent_.n_rot % 2 != 0) {
    return base::fail(base::ErrorCode::kUnsupported,
                      "latent attention with rows of " + std::to_string(latent_.row()) +
                          " and keys of " + std::to_string(key_length) + " elements");
  }
  latent_.n_plain = key_length - latent_.n_rot;

  // YaRN as DeepSeek sets it: frequencies as usual, magnitude 1, and the softmax scale times
  // (1 + 0.1 * mscale_all_dim * ln(factor))^2; the file's key holds 0.1 * mscale_all_dim.
  FREEHOLD_ASSIGN(const double base, loader.number_or("rope.freq_base", 10000.0));
  FREEHOLD_ASSIGN(const std::string type, loader.text_or("rope.scaling.type", "none"));
  std::vector<double> frequencies = ops::rope_frequencies(latent_.n_rot, base);
  double gain = 1.0;
  if (type == "yarn") {
    FREEHOLD_ASSIGN(const ops::Yarn yarn, read_yarn(loader));
    ops::apply_yarn(frequencies, base, yarn);
    // Files without it are V2's or V3's, told apart by V3's 256 experts.
    FREEHOLD_ASSIGN(const uint32_t n_experts, loader.count_or("expert_count", 0));
    const double usual = n_experts >= 256 ? 0.1 : 0.0707;
    FREEHOLD_ASSIGN(const double multiplier,
                    loader.number_or("rope.scaling.yarn_log_multiplier", usual));
    if (yarn.factor > 1.0) gain = 1.0 + multiplier * std::log(yarn.factor);
  } else if (type != "none") {
    return base::fail(base::ErrorCode::kUnsupported,
                      "`" + loader.full_key("rope.scaling.type") + "` is `" + type + "`");
  }
  rope_ = ops::RopeTable(std::move(frequencies), 1.0);
  latent_.scale = static_cast<float>(gain * gain / std::sqrt(static_cast<double>(key_length)));
  return {};
}

base::Status DeepSeek2::read_experts(Loader& loader) {
  using Gating = RouterConfig::Gating;
  const bool has_bias = loader.has(layer_tensor(config_.n_layers - 1, "exp_probs_b.bias"));
  FREEHOLD_ASSIGN(moe_.router,
                  read_router(loader, has_bias ? Gating::kSigmoid : Gating::kSoftmax, has_bias));
  RouterConfig& router = moe_.router;
  // V2's makers take a group's best score, V3's the sum of its best two (with the bias).
  router.group_score =
      has_bias ? RouterConfig::GroupScore::kBestTwo : RouterConfig::GroupScore::kBest;
  FREEHOLD_ASSIGN(const uint32_t n_groups, loader.count_or("expert_group_count", 0));
  if (n_groups == 0) {
    // Early files leave the groups out: V3 has 8, of which 4 are used, V2 8 and 3.
    if (router.n_experts == 256) router.n_groups = 8, router.n_groups_used = 4;
    if (router.n_experts == 160) router.n_groups = 8, router.n_groups_used = 3;
  }
  FREEHOLD_ASSIGN(moe_.width, loader.count("expert_feed_forward_length"));
  FREEHOLD_ASSIGN(const uint32_t n_shared, loader.count_or("expert_shared_count", 0));
  moe_.shared_width = n_shared * moe_.width;
  return {};
}

base::Status DeepSeek2::bind_legacy_kv_b(Loader& loader, size_t layer,
                                         LatentWeights& weights) const {
  // {kv_rank, n_heads * (n_plain + v_dim)}: a head's keys, then its values. The keys are wanted
  // transposed, which quantised rows can't be, so they are decoded.
  const std::string name = layer_tensor(layer, "attn_kv_b.weight");
  const size_t rows = latent_.n_plain + latent_.v_dim;
  FREEHOLD_ASSIGN(std::vector<float> all,
                  loader.decoded(name, latent_.kv_rank, latent_.n_heads * rows));
  std::vector<float> keys(static_cast<size_t>(latent_.n_heads) * latent_.kv_rank * latent_.n_plain);
  for (size_t h = 0; h < latent_.n_heads; ++h) {
    for (size_t i = 0; i < latent_.n_plain; ++i) {
      for (size_t c = 0; c < latent_.kv_rank; ++c) {
        keys[(h * latent_.kv_rank + c) * latent_.n_plain + i] =
            all[(h * rows + i) * latent_.kv_rank + c];
      }
    }
  }
  FREEHOLD_TRY(loader.matrix_of(std::move(keys), latent_.n_plain, latent_.kv_rank, weights.k_b,
                                latent_.n_heads));
  return loader.grouped_rows(name, {latent_.n_plain, rows}, latent_.kv_rank, latent_.v_dim,
                             weights.v_b, latent_.n_heads);
}

base::Status DeepSeek2::bind_latent(Loader& loader, size_t layer, LatentWeights& weights) const {
  const auto name = [&](std::string_view tensor) { return layer_tensor(layer, tensor); };
  const size_t q_out = static_cast<size_t>(latent_.n_heads) * (latent_.n_plain + latent_.n_rot);
  if (latent_.q_rank == 0) {
    FREEHOLD_TRY(loader.matrix(name("attn_q.weight"), config_.hidden, q_out, weights.q));
  } else {
    FREEHOLD_TRY(
        loader.matrix(name("attn_q_a.weight"), config_.hidden, latent_.q_rank, weights.q_a));
    FREEHOLD_ASSIGN(weights.q_a_norm, loader.vector(name("attn_q_a_norm.weight"), latent_.q_rank));
    FREEHOLD_TRY(loader.matrix(name("attn_q_b.weight"), latent_.q_rank, q_out, weights.q_b));
  }
  FREEHOLD_TRY(
      loader.matrix(name("attn_kv_a_mqa.weight"), config_.hidden, latent_.row(), weights.kv_a));
  FREEHOLD_ASSIGN(weights.kv_a_norm, loader.vector(name("attn_kv_a_norm.weight"), latent_.kv_rank));
  if (loader.has(name("attn_k_b.weight"))) {
    FREEHOLD_TRY(loader.matrix(name("attn_k_b.weight"), latent_.n_plain, latent_.kv_rank,
                               weights.k_b, latent_.n_heads));
    FREEHOLD_TRY(loader.matrix(name("attn_v_b.weight"), latent_.kv_rank, latent_.v_dim, weights.v_b,
                               latent_.n_heads));
    loader.ignore(name("attn_kv_b.weight"));  // the same again, where a file has both
  } else {
    FREEHOLD_TRY(bind_legacy_kv_b(loader, layer, weights));
  }
  return loader.matrix(name("attn_output.weight"),
                       static_cast<size_t>(latent_.n_heads) * latent_.v_dim, config_.hidden,
                       weights.output);
}

base::Status DeepSeek2::load(Loader& loader) {
  FREEHOLD_TRY(read_settings(loader));
  FREEHOLD_ASSIGN(const uint32_t n_dense, loader.count_or("leading_dense_block_count", 0));
  FREEHOLD_ASSIGN(const uint32_t width, loader.count("feed_forward_length"));
  if (n_dense < config_.n_layers) FREEHOLD_TRY(read_experts(loader));
  layers_.resize(n_bound_layers());
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    FREEHOLD_ASSIGN(layer.attention_norm,
                    loader.vector(layer_tensor(i, "attn_norm.weight"), config_.hidden));
    FREEHOLD_TRY(bind_latent(loader, i, layer.attention));
    FREEHOLD_ASSIGN(layer.ffn.norm,
                    loader.vector(layer_tensor(i, "ffn_norm.weight"), config_.hidden));
    FeedForward& ffn = layer.ffn;
    ffn.has_experts = i >= n_dense;
    FREEHOLD_TRY(ffn.has_experts ? bind_moe(loader, i, moe_, config_.hidden, ffn.experts)
                                 : bind_swiglu(loader, i, config_.hidden, width, ffn.dense));
  }
  return finish(loader);
}

base::Result<std::vector<size_t>> DeepSeek2::cache_block_bytes(kernels::CacheType type) const {
  if (!kernels::cache_dim_fits(type, latent_.row())) {
    return base::fail(base::ErrorCode::kUnsupported,
                      "a q8_0 cache needs latent rows of a multiple of 32 elements; choose f16");
  }
  return std::vector<size_t>(config_.n_layers, kernels::latent_block_bytes(type, latent_.row()));
}

// pass.q = [n_heads][n_plain | n_rot] of every token.
void DeepSeek2::project_queries(Pass& pass, const LatentWeights& weights) {
  if (latent_.q_rank == 0) {
    ops::multiply(pass.machine, pass.input, weights.q, pass.q);
    return;
  }
  ops::multiply(pass.machine, pass.input, weights.q_a, pass.k);
  pass.inner.set_normalised(pass.machine, pass.k, weights.q_a_norm, config_.epsilon,
                            !weights.q_b.takes_floats());
  ops::multiply(pass.machine, pass.inner, weights.q_b, pass.q);
}

// latent_queries_ = [kv_rank | n_rot] of every (token, head), rotated and scaled.
void DeepSeek2::absorb_queries(Pass& pass, const LatentWeights& weights) {
  ops::Machine& machine = pass.machine;
  const size_t n_heads = latent_.n_heads;
  const size_t head = latent_.n_plain + latent_.n_rot;
  head_of_.resize(pass.n() * n_heads);
  for (size_t i = 0; i < head_of_.size(); ++i) head_of_[i] = static_cast<uint32_t>(i % n_heads);
  heads_.assign(head_of_, 1, n_heads);  // row = token * n_heads + head

  ops::Rows& plain =
      pass.inner.begin(head_of_.size(), latent_.n_plain, !weights.k_b.takes_floats());
  machine.for_each(head_of_.size(), latent_.n_plain, [&](size_t place, int) {
    const size_t row = heads_.row(place);
    const float* query = pass.q.row(row / n_heads) + row % n_heads * head;
    std::copy_n(query, latent_.n_plain, plain.row(place));
    pass.inner.finish_row(machine, place);
  });
  ops::multiply_grouped(machine, pass.inner, heads_, weights.k_b, nullptr, pass.expert_out);

  latent_queries_.resize(pass.n(), n_heads * latent_.row());
  machine.for_each(head_of_.size(), latent_.row(), [&](size_t row, int) {
    const size_t token = row / n_heads;
    float* out = latent_queries_.row(token) + row % n_heads * latent_.row();
    std::copy_n(pass.expert_out.row(heads_.place(row)), latent_.kv_rank, out);
    float* rotated = out + latent_.kv_rank;
    std::copy_n(pass.q.row(token) + row % n_heads * head + latent_.n_plain, latent_.n_rot, rotated);
    machine.vectors().rope_norm(rotated, rope_.cosines(token), rope_.sines(token), latent_.n_rot);
    machine.vectors().scale(out, latent_.scale, latent_.row());
  });
}

void DeepSeek2::attend_latent(Pass& pass, const LatentWeights& weights, size_t cache_layer) {
  ops::Machine& machine = pass.machine;
  project_queries(pass, weights);
  ops::multiply(machine, pass.input, weights.kv_a, latent_row_);
  const ops::LayerCache cache = pass.layer_cache(cache_layer);
  machine.for_each(pass.n(), latent_.row(), [&](size_t i, int) {
    float* row = latent_row_.row(i);
    machine.vectors().rms_norm(row, weights.kv_a_norm, latent_.kv_rank, config_.epsilon, row);
    machine.vectors().rope_norm(row + latent_.kv_rank, rope_.cosines(i), rope_.sines(i),
                                latent_.n_rot);
    const uint32_t position = pass.positions[i];
    std::byte* block = cache.block(pass.blocks_of(i)[position / kernels::kBlockPositions]);
    machine.vectors().store_value(pass.cache, row, latent_.row(), block,
                                  position % kernels::kBlockPositions);
  });
  absorb_queries(pass, weights);
  const ops::LatentShape shape = {latent_.n_heads, latent_.row(), latent_.kv_rank, pass.cache};
  attention_.run(machine, shape, cache, pass.slices, latent_queries_, latent_out_);

  // Back out of the latent space, head by head.
  const size_t n_heads = latent_.n_heads;
  ops::Rows& latent =
      pass.inner.begin(head_of_.size(), latent_.kv_rank, !weights.v_b.takes_floats());
  machine.for_each(head_of_.size(), latent_.kv_rank, [&](size_t place, int) {
    const size_t row = heads_.row(place);
    std::copy_n(latent_out_.row(row / n_heads) + row % n_heads * latent_.kv_rank, latent_.kv_rank,
                latent.row(place));
    pass.inner.finish_row(machine, place);
  });
  ops::multiply_grouped(machine, pass.inner, heads_, weights.v_b, nullptr, pass.expert_out);
  pass.heads.resize(pass.n(), n_heads * latent_.v_dim);
  machine.for_each(head_of_.size(), latent_.v_dim, [&](size_t row, int) {
    std::copy_n(pass.expert_out.row(heads_.place(row)), latent_.v_dim,
                pass.heads.row(row / n_heads) + row % n_heads * latent_.v_dim);
  });
  pass.inner.set(machine, pass.heads, !weights.output.takes_floats());
  ops::multiply(machine, pass.inner, weights.output, pass.out);
}

void DeepSeek2::run_layer(Pass& pass, size_t index, size_t cache_layer) {
  const Layer& layer = layers_[index];
  pass.input.set_normalised(pass.machine, pass.x, layer.attention_norm, config_.epsilon, true);
  attend_latent(pass, layer.attention, cache_layer);
  ops::add_rows(pass.machine, pass.x, pass.out);
  feed_forward(pass, layer.ffn, moe_, config_.epsilon, index);
}

}  // namespace

base::Result<std::unique_ptr<Model>> load_deepseek2(Loader& loader) {
  auto model = std::make_unique<DeepSeek2>();
  FREEHOLD_TRY(model->load(loader));
  return model;
}

}  // namespace freehold::models
