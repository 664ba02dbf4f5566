#include "models/parts.h"

#include <array>
#include <cmath>

namespace freehold::models {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

// Normalises, rotates and scales the heads of one row in place.
void position_heads(const Pass& pass, const HeadsRule& rule, size_t row, float* heads,
                    uint32_t n_heads, const float* norm) {
  const kernels::VectorKernels& vectors = pass.machine.vectors();
  const uint32_t dim = rule.config.shape.k_dim;
  for (uint32_t h = 0; h < n_heads; ++h) {
    float* head = heads + h * dim;
    if (norm != nullptr) vectors.rms_norm(head, norm, dim, rule.epsilon, head);
    if (rule.rope != nullptr) {
      const auto rotate =
          rule.pairing == Pairing::kInterleaved ? vectors.rope_norm : vectors.rope_neox;
      rotate(head, rule.rope->cosines(row), rule.rope->sines(row), rule.rope->n_rot());
    }
    if (rule.norm_after_rope) vectors.rms_norm(head, nullptr, dim, rule.epsilon, head);
  }
}

float sharpening(uint32_t position, uint32_t length) {
  if (length == 0) return 1.0F;
  const uint32_t periods = (position + 1) / length;
  return static_cast<float>(1.0 + 0.1 * std::log(1.0 + static_cast<double>(periods)));
}

}  // namespace

Result<HeadsConfig> read_heads_config(Loader& loader, uint32_t hidden) {
  HeadsConfig config;
  ops::HeadsShape& shape = config.shape;
  FREEHOLD_ASSIGN(shape.n_heads, loader.count("attention.head_count"));
  FREEHOLD_ASSIGN(shape.n_kv_heads, loader.count_or("attention.head_count_kv", shape.n_heads));
  if (shape.n_kv_heads == 0 || shape.n_heads % shape.n_kv_heads != 0) {
    return fail(ErrorCode::kBadFormat, "`" + loader.full_key("attention.head_count_kv") +
                                           "` does not divide the number of heads");
  }
  const uint32_t even_share = hidden / shape.n_heads;
  FREEHOLD_ASSIGN(shape.k_dim, loader.count_or("attention.key_length", even_share));
  FREEHOLD_ASSIGN(shape.v_dim, loader.count_or("attention.value_length", even_share));
  FREEHOLD_ASSIGN(config.n_rot, loader.count_or("rope.dimension_count", shape.k_dim));
  constexpr uint32_t kMostDims = 512;
  if (shape.k_dim == 0 || shape.v_dim == 0 || shape.k_dim > kMostDims || shape.v_dim > kMostDims ||
      shape.k_dim % 8 != 0 || shape.v_dim % 8 != 0) {
    return fail(ErrorCode::kUnsupported, "attention heads of " + std::to_string(shape.k_dim) +
                                             " and " + std::to_string(shape.v_dim) +
                                             " elements; they must be multiples of 8 up to 512");
  }
  if (config.n_rot % 2 != 0 || config.n_rot > shape.k_dim) {
    return fail(ErrorCode::kBadFormat, "`" + loader.full_key("rope.dimension_count") + "` is " +
                                           std::to_string(config.n_rot) + ", odd or above " +
                                           std::to_string(shape.k_dim));
  }
  const double even_scale = 1.0 / std::sqrt(static_cast<double>(shape.k_dim));
  FREEHOLD_ASSIGN(const double scale, loader.number_or("attention.scale", even_scale));
  config.scale = static_cast<float>(scale);
  return config;
}

Result<ops::Yarn> read_yarn(Loader& loader) {
  ops::Yarn yarn;
  FREEHOLD_ASSIGN(const uint32_t context, loader.count("context_length"));
  FREEHOLD_ASSIGN(yarn.factor, loader.number_or("rope.scaling.factor", 1.0));
  FREEHOLD_ASSIGN(yarn.original_context,
                  loader.number_or("rope.scaling.original_context_length", context));
  FREEHOLD_ASSIGN(yarn.beta_fast, loader.number_or("rope.scaling.yarn_beta_fast", 32.0));
  FREEHOLD_ASSIGN(yarn.beta_slow, loader.number_or("rope.scaling.yarn_beta_slow", 1.0));
  FREEHOLD_ASSIGN(const double ext, loader.number_or("rope.scaling.yarn_ext_factor", 1.0));
  if (ext != 1.0) {
    return fail(ErrorCode::kUnsupported,
                "`" + loader.full_key("rope.scaling.yarn_ext_factor") + "` other than 1");
  }
  if (!(yarn.original_context > 0.0) || !(yarn.factor > 0.0)) {
    return fail(ErrorCode::kBadFormat, "YaRN needs a positive factor and original context");
  }
  return yarn;
}

Result<ops::RopeTable> read_rope(Loader& loader, uint32_t n_rot, bool yarn_truncates) {
  FREEHOLD_ASSIGN(const double base, loader.number_or("rope.freq_base", 10000.0));
  if (!(base > 1.0)) {
    return fail(ErrorCode::kBadFormat,
                "`" + loader.full_key("rope.freq_base") + "` must be above 1");
  }
  FREEHOLD_ASSIGN(const std::string type, loader.text_or("rope.scaling.type", "none"));
  FREEHOLD_ASSIGN(const double old_factor, loader.number_or("rope.scale_linear", 1.0));
  FREEHOLD_ASSIGN(const double factor, loader.number_or("rope.scaling.factor", old_factor));
  std::vector<double> frequencies = ops::rope_frequencies(n_rot, base);
  double magnitude = 1.0;
  if (type == "linear" || (type == "none" && factor != 1.0)) {
    if (!(factor > 0.0)) return fail(ErrorCode::kBadFormat, "a RoPE factor must be positive");
    for (double& f : frequencies) f /= factor;
  } else if (type == "yarn") {
    FREEHOLD_ASSIGN(ops::Yarn yarn, read_yarn(loader));
    yarn.truncate = yarn_truncates;
    ops::apply_yarn(frequencies, base, yarn);
    FREEHOLD_ASSIGN(const double attention, loader.number_or("rope.scaling.attn_factor", 1.0));
    FREEHOLD_ASSIGN(const double yarn_attention,
                    loader.number_or("rope.scaling.yarn_attn_factor", 1.0));
    magnitude = (factor > 1.0 ? 0.1 * std::log(factor) + 1.0 : 1.0) * attention * yarn_attention;
  } else if (type != "none") {
    return fail(ErrorCode::kUnsupported, "`" + loader.full_key("rope.scaling.type") + "` is `" +
                                             type + "`; known are none, linear and yarn");
  }
  FREEHOLD_ASSIGN(const float* divisors, loader.optional_vector("rope_freqs.weight", n_rot / 2));
  if (divisors != nullptr) {
    for (size_t j = 0; j < frequencies.size(); ++j)
      frequencies[j] /= static_cast<double>(divisors[j]);
  }
  return ops::RopeTable(std::move(frequencies), magnitude);
}

Status bind_heads(Loader& loader, size_t layer, const HeadsConfig& config, uint32_t hidden,
                  HeadsWeights& weights) {
  const ops::HeadsShape& shape = config.shape;
  const size_t n_q = static_cast<size_t>(shape.n_heads) * shape.k_dim;
  const size_t n_k = static_cast<size_t>(shape.n_kv_heads) * shape.k_dim;
  const size_t n_v = static_cast<size_t>(shape.n_kv_heads) * shape.v_dim;
  const auto name = [&](std::string_view tensor) { return layer_tensor(layer, tensor); };
  if (loader.has(name("attn_qkv.weight"))) {
    const size_t all = n_q + n_k + n_v;
    const std::string fused = name("attn_qkv.weight");
    FREEHOLD_TRY(loader.matrix_rows(fused, {0, all}, hidden, n_q, weights.q));
    FREEHOLD_TRY(loader.matrix_rows(fused, {n_q, all}, hidden, n_k, weights.k));
    FREEHOLD_TRY(loader.matrix_rows(fused, {n_q + n_k, all}, hidden, n_v, weights.v));
  } else {
    FREEHOLD_TRY(loader.matrix(name("attn_q.weight"), hidden, n_q, weights.q));
    FREEHOLD_TRY(loader.matrix(name("attn_k.weight"), hidden, n_k, weights.k));
    FREEHOLD_TRY(loader.matrix(name("attn_v.weight"), hidden, n_v, weights.v));
  }
  const size_t n_heads_out = static_cast<size_t>(shape.n_heads) * shape.v_dim;
  FREEHOLD_TRY(loader.matrix(name("attn_output.weight"), n_heads_out, hidden, weights.output));
  FREEHOLD_ASSIGN(weights.q_bias, loader.optional_vector(name("attn_q.bias"), n_q));
  FREEHOLD_ASSIGN(weights.k_bias, loader.optional_vector(name("attn_k.bias"), n_k));
  FREEHOLD_ASSIGN(weights.v_bias, loader.optional_vector(name("attn_v.bias"), n_v));
  FREEHOLD_ASSIGN(weights.output_bias, loader.optional_vector(name("attn_output.bias"), hidden));
  return {};
}

Status require_biases(const HeadsWeights& weights, size_t layer) {
  if (weights.q_bias != nullptr && weights.k_bias != nullptr && weights.v_bias != nullptr)
    return {};
  return fail(ErrorCode::kBadFormat, "`" + layer_tensor(layer, "attn_{q,k,v}.bias") +
                                         "`: this architecture has all three and one is missing");
}

void attend(Pass& pass, const HeadsWeights& weights, const HeadsRule& rule, size_t cache_layer) {
  ops::Machine& machine = pass.machine;
  ops::HeadsShape shape = rule.config.shape;
  shape.cache = pass.cache;

  const std::array<ops::Product, 3> products = {
      {{&weights.q, &pass.q}, {&weights.k, &pass.k}, {&weights.v, &pass.v}}};
  ops::multiply(machine, pass.input, products);
  ops::add_bias(machine, pass.q, weights.q_bias);
  ops::add_bias(machine, pass.k, weights.k_bias);
  ops::add_bias(machine, pass.v, weights.v_bias);

  const ops::LayerCache cache = pass.layer_cache(cache_layer);
  machine.for_each(pass.n(), 4 * pass.q.width(), [&](size_t row, int) {
    const uint32_t position = pass.positions[row];
    position_heads(pass, rule, row, pass.q.row(row), shape.n_heads, weights.q_norm);
    position_heads(pass, rule, row, pass.k.row(row), shape.n_kv_heads, weights.k_norm);
    const float scale = rule.config.scale * sharpening(position, rule.sharpening_length);
    machine.vectors().scale(pass.q.row(row), scale, pass.q.width());
    ops::store_heads(machine, shape, {cache, pass.blocks_of(row), position}, pass.k.row(row),
                     pass.v.row(row));
  });

  const ops::HeadsView view = {.shape = shape,
                               .visibility = rule.visibility,
                               .cache = cache,
                               .slices = pass.slices,
                               .sinks = weights.sinks};
  pass.attention.run(machine, view, pass.q, pass.heads);
  pass.inner.set(machine, pass.heads, !weights.output.takes_floats());
  ops::multiply(machine, pass.inner, weights.output, pass.out);
  ops::add_bias(machine, pass.out, weights.output_bias);
}

Status bind_swiglu(Loader& loader, size_t layer, uint32_t hidden, uint32_t width,
                   SwigluWeights& weights, std::string_view suffix) {
  const auto name = [&](std::string_view part, std::string_view kind) {
    return layer_tensor(layer, part) + std::string(suffix) + std::string(kind);
  };
  FREEHOLD_TRY(loader.matrix(name("ffn_gate", ".weight"), hidden, width, weights.gate));
  FREEHOLD_TRY(loader.matrix(name("ffn_up", ".weight"), hidden, width, weights.up));
  FREEHOLD_TRY(loader.matrix(name("ffn_down", ".weight"), width, hidden, weights.down));
  FREEHOLD_ASSIGN(weights.gate_bias, loader.optional_vector(name("ffn_gate", ".bias"), width));
  FREEHOLD_ASSIGN(weights.up_bias, loader.optional_vector(name("ffn_up", ".bias"), width));
  FREEHOLD_ASSIGN(weights.down_bias, loader.optional_vector(name("ffn_down", ".bias"), hidden));
  return {};
}

void swiglu(Pass& pass, const SwigluWeights& weights) {
  const ops::Gated gated = {.gate = &weights.gate,
                            .up = &weights.up,
                            .gate_bias = weights.gate_bias,
                            .up_bias = weights.up_bias};
  pass.groups.assign_all(pass.input.n());
  ops::multiply_gated(pass.machine, pass.input, pass.groups, gated, !weights.down.takes_floats(),
                      pass.inner);
  ops::multiply_grouped(pass.machine, pass.inner, pass.groups, weights.down, weights.down_bias,
                        pass.out);
}

}  // namespace freehold::models
