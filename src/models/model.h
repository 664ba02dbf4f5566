// What the engine knows of a model: its size, its cache, one step of it, and one of the layer that
// predicts further tokens. A family implements a layer; docs/models.md describes each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"
#include "kernels/kv_layout.h"
#include "kv/arena.h"
#include "models/loader.h"
#include "models/prediction.h"
#include "ops/attention.h"
#include "ops/buffer.h"
#include "ops/experts.h"
#include "ops/machine.h"
#include "ops/matrix.h"

namespace freehold::models {

// One step: tokens of one or many sequences, and the buffers that a forward pass works in. Kept by
// the engine from step to step.
class Pass {
 public:
  Pass(ops::Machine& with, const kv::Arena& arena, kernels::CacheType type)
      : machine(with), cache(type), arena_(arena) {}

  // Starts a step over. Slices are appended with add(); the block ids must stay valid until the
  // step is done.
  void clear();
  // Positions before `first_visible` are seen by none of these tokens.
  void add(std::span<const int32_t> tokens, uint32_t first_position,
           std::span<const uint32_t> blocks, uint32_t first_visible = 0);

  size_t n() const { return tokens.size(); }
  ops::LayerCache layer_cache(size_t layer) const {
    return {arena_.address(layer, 0), arena_.block_stride(layer)};
  }
  // The block ids of the sequence that a row belongs to.
  std::span<const uint32_t> blocks_of(size_t row) const { return slices[slice_of_[row]].blocks; }

  ops::Machine& machine;
  const kernels::CacheType cache;
  std::vector<int32_t> tokens;
  std::vector<uint32_t> positions;
  std::vector<ops::Slice> slices;

  ops::Rows x;       // the residual stream, [n()][hidden]
  ops::Input input;  // a sublayer's normalised input
  ops::Input inner;  // what goes into its last matrix
  ops::Rows q, k, v, heads, out;
  ops::Groups groups;  // rows by expert
  ops::Rows router_logits, expert_out, routed_out;
  ops::Input weighed;
  std::vector<uint32_t> experts;      // [n()][experts a token]
  std::vector<float> expert_weights;  // likewise
  // How many tokens each expert of each layer has served since the pass was made; empty for layers
  // without experts.
  std::vector<std::vector<uint64_t>> expert_tokens;
  ops::HeadsAttention attention;

 private:
  const kv::Arena& arena_;
  std::vector<size_t> slice_of_;
};

class Model {
 public:
  virtual ~Model() = default;

  struct Config {
    std::string architecture;
    std::string name;
    uint32_t vocabulary = 0;  // width of the logits
    uint32_t hidden = 0;
    uint32_t n_layers = 0;
    uint32_t context = 0;  // positions that the model was made for
    float epsilon = 0.0F;
  };
  const Config& config() const { return config_; }
  uint64_t weight_bytes() const { return weight_bytes_; }
  // An upper estimate of the buffers of a step.
  uint64_t scratch_bytes(uint32_t step_tokens, uint32_t max_sequences) const;

  // Bytes of one cache block in each layer. Errors: kUnsupported (this cache type doesn't fit the
  // model's head size).
  virtual base::Result<std::vector<size_t>> cache_block_bytes(kernels::CacheType type) const = 0;

  // Runs pass.tokens through all layers; pass.x becomes the last layer's output, before the final
  // norm.
  void forward(Pass& pass);

  // Rows of pass.x (by index) to rows of logits [vocabulary].
  void logits(Pass& pass, std::span<const size_t> rows, ops::Rows& out);
  // The final norm of one row of pass.x, [hidden].
  void final_norm(const Pass& pass, size_t row, float* out) const;

  // Whether there is a layer that predicts the token after the next (arXiv 2412.19437 §2.2).
  bool predicts() const { return prediction_.has_value(); }
  // One step of that layer, whose cache is the only layer of the pass's arena, of the first
  // layer's cache_block_bytes. Row i of `hidden` [hidden] is what final_norm(), or predicted() of
  // an earlier step, gave for the position before pass.tokens[i].
  void predict(Pass& pass, const ops::Rows& hidden);
  // The layer's normalised output of one row, [hidden].
  void predicted(const Pass& pass, size_t row, float* out) const;
  // Rows of the step to logits of the token after pass.tokens[row].
  void predicted_logits(Pass& pass, std::span<const size_t> rows, ops::Rows& out);

 protected:
  // What a step needs before its layers: angles of the positions.
  virtual void prepare(const Pass& pass) = 0;
  // pass.x through layer `index`, whose keys and values are in `cache_layer` of the pass's cache.
  virtual void run_layer(Pass& pass, size_t index, size_t cache_layer) = 0;

  // Reads the common settings, binds embedding, final norm and head.
  base::Status bind_ends(Loader& loader);
  // Packs everything bound and takes it over. Last in loading.
  base::Status finish(Loader& loader);
  // Takes the last n_extra blocks, which predict further tokens, out of config_.n_layers; where
  // the first of them is there and wanted, binds what it has beside a layer of the family.
  base::Status bind_prediction(Loader& loader, uint32_t n_extra);
  // Layers that a family binds: those of the model, then the one that predicts.
  size_t n_bound_layers() const { return config_.n_layers + (predicts() ? 1U : 0U); }

  Config config_;

 private:
  void head_rows(Pass& pass, std::span<const size_t> rows, const float* norm,
                 const ops::Matrix& head, ops::Rows& out);

  size_t widest_ = 0;  // the longest row of activations inside a layer
  const gguf::Tensor* embedding_ = nullptr;
  const float* output_norm_ = nullptr;
  ops::Matrix head_;
  std::optional<PredictionWeights> prediction_;
  ops::Rows head_rows_;
  ops::Input head_input_;
  std::vector<WeightMemory> memory_;
  uint64_t weight_bytes_ = 0;
  std::vector<std::unique_ptr<float[]>> vectors_;
};

// Loads the model whose architecture the directory names; the directory must outlive it.
// Errors: kUnsupported for an architecture or a setting we don't do, by name; those of the tensors
// and of options.planned.
base::Result<std::unique_ptr<Model>> load_model(const gguf::Directory& directory,
                                                ops::Machine& machine, LoadOptions options = {});

}  // namespace freehold::models
