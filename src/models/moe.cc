#include "models/moe.h"

#include <algorithm>
#include <string>

namespace freehold::models {
namespace {

// The routed experts' share: pass.out = sum over a token's experts, best first.
void run_experts(Pass& pass, const MoeConfig& config, const MoeWeights& weights) {
  ops::Machine& machine = pass.machine;
  const size_t n = pass.input.n();
  const size_t k = config.router.n_used;
  const ops::Gated gated = {.gate = &weights.gate,
                            .up = &weights.up,
                            .gate_bias = weights.gate_bias,
                            .up_bias = weights.up_bias,
                            .activation = config.activation};
  const bool quantise = !weights.down.takes_floats();
  if (config.weigh_input) {
    const size_t width = pass.input.width();
    ops::Rows& rows = pass.weighed.begin(n, width, true);
    machine.for_each(n, width, [&](size_t i, int) {
      std::copy_n(pass.input.floats(i), width, rows.row(i));
      machine.vectors().scale(rows.row(i), pass.expert_weights[i], width);
      pass.weighed.finish_row(machine, i);
    });
  }
  const ops::Input& input = config.weigh_input ? pass.weighed : pass.input;
  ops::multiply_gated(machine, input, pass.groups, gated, quantise, pass.inner);
  ops::multiply_grouped(machine, pass.inner, pass.groups, weights.down, weights.down_bias,
                        pass.expert_out);
  pass.out.resize(n, pass.expert_out.width());
  machine.for_each(n, k * pass.out.width(), [&](size_t i, int) {
    std::fill_n(pass.out.row(i), pass.out.width(), 0.0F);
    for (size_t j = 0; j < k; ++j) {
      const float weight = config.weigh_input ? 1.0F : pass.expert_weights[i * k + j];
      machine.vectors().scale_add(pass.out.row(i), weight,
                                  pass.expert_out.row(pass.groups.place(i * k + j)),
                                  pass.out.width());
    }
  });
}

void count_tokens(Pass& pass, const MoeConfig& config, size_t index) {
  if (pass.expert_tokens.size() <= index) pass.expert_tokens.resize(index + 1);
  std::vector<uint64_t>& counts = pass.expert_tokens[index];
  counts.resize(config.router.n_experts);
  for (const ops::Groups::Group& group : pass.groups.groups()) counts[group.expert] += group.count;
}

void add_shared(Pass& pass, const MoeWeights& weights) {
  ops::Machine& machine = pass.machine;
  std::swap(pass.out, pass.routed_out);
  swiglu(pass, weights.shared);
  if (!weights.shared_gate.empty()) {
    ops::multiply(machine, pass.input, weights.shared_gate, pass.router_logits);
    machine.for_each(pass.out.n(), pass.out.width(), [&](size_t i, int) {
      machine.vectors().sigmoid(pass.router_logits.row(i), 1);
      machine.vectors().scale(pass.out.row(i), pass.router_logits.row(i)[0], pass.out.width());
    });
  }
  ops::add_rows(machine, pass.out, pass.routed_out);
}

// pass.out = the mixture of pass.input.
void mix(Pass& pass, const MoeConfig& config, const MoeWeights& weights, size_t index) {
  ops::Machine& machine = pass.machine;
  const size_t n = pass.input.n();
  const size_t k = config.router.n_used;
  ops::multiply(machine, pass.input, weights.router, pass.router_logits);
  ops::add_bias(machine, pass.router_logits, weights.router_bias);
  pass.experts.resize(n * k);
  pass.expert_weights.resize(n * k);
  machine.for_each(n, 8 * config.router.n_experts, [&](size_t i, int) {
    route(machine, config.router, {pass.router_logits.row(i), config.router.n_experts},
          weights.selection_bias, std::span(pass.experts).subspan(i * k, k),
          std::span(pass.expert_weights).subspan(i * k, k));
  });
  pass.groups.assign(pass.experts, k, config.router.n_experts);
  count_tokens(pass, config, index);
  run_experts(pass, config, weights);
  if (config.shared_width != 0) add_shared(pass, weights);
}

}  // namespace

base::Status bind_moe(Loader& loader, size_t layer, const MoeConfig& config, uint32_t hidden,
                      MoeWeights& weights) {
  const size_t n = config.router.n_experts;
  const size_t width = config.width;
  const auto name = [&](std::string_view tensor) { return layer_tensor(layer, tensor); };
  FREEHOLD_TRY(loader.matrix(name("ffn_gate_inp.weight"), hidden, n, weights.router));
  FREEHOLD_ASSIGN(weights.router_bias, loader.optional_vector(name("ffn_gate_inp.bias"), n));
  FREEHOLD_ASSIGN(weights.selection_bias, loader.optional_vector(name("exp_probs_b.bias"), n));
  if (loader.has(name("ffn_gate_up_exps.weight"))) {
    const std::string fused = name("ffn_gate_up_exps.weight");
    FREEHOLD_TRY(loader.expert_rows(fused, {0, 2 * width}, hidden, width, weights.gate, n));
    FREEHOLD_TRY(loader.expert_rows(fused, {width, 2 * width}, hidden, width, weights.up, n));
  } else {
    FREEHOLD_TRY(loader.matrix(name("ffn_gate_exps.weight"), hidden, width, weights.gate, n));
    FREEHOLD_TRY(loader.matrix(name("ffn_up_exps.weight"), hidden, width, weights.up, n));
  }
  FREEHOLD_TRY(loader.matrix(name("ffn_down_exps.weight"), width, hidden, weights.down, n));
  FREEHOLD_ASSIGN(weights.gate_bias, loader.optional_vector(name("ffn_gate_exps.bias"), n * width));
  FREEHOLD_ASSIGN(weights.up_bias, loader.optional_vector(name("ffn_up_exps.bias"), n * width));
  FREEHOLD_ASSIGN(weights.down_bias,
                  loader.optional_vector(name("ffn_down_exps.bias"), n * hidden));
  if (config.shared_width != 0) {
    FREEHOLD_TRY(bind_swiglu(loader, layer, hidden, config.shared_width, weights.shared, "_shexp"));
  }
  if (loader.has(name("ffn_gate_inp_shexp.weight"))) {
    FREEHOLD_TRY(loader.matrix(name("ffn_gate_inp_shexp.weight"), hidden, 1, weights.shared_gate));
  }
  return {};
}

void feed_forward(Pass& pass, const FeedForward& layer, const MoeConfig& config, float epsilon,
                  size_t index) {
  pass.input.set_normalised(pass.machine, pass.x, layer.norm, epsilon, true);
  if (layer.has_experts) {
    mix(pass, config, layer.experts, index);
  } else {
    swiglu(pass, layer.dense);
  }
  ops::add_rows(pass.machine, pass.x, pass.out);
}

}  // namespace freehold::models
