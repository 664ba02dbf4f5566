#include "models/model.h"

#include <algorithm>

#include "quant/decode.h"

namespace freehold::models {

void Pass::clear() {
  tokens.clear();
  positions.clear();
  slices.clear();
  slice_of_.clear();
}

void Pass::add(std::span<const int32_t> ids, uint32_t first_position,
               std::span<const uint32_t> blocks, uint32_t first_visible) {
  slices.push_back({tokens.size(), ids.size(), first_position, blocks, first_visible});
  for (uint32_t i = 0; i < ids.size(); ++i) {
    tokens.push_back(ids[i]);
    positions.push_back(first_position + i);
    slice_of_.push_back(slices.size() - 1);
  }
}

base::Status Model::bind_ends(Loader& loader) {
  config_.architecture = loader.architecture();
  FREEHOLD_ASSIGN(const auto name, loader.directory().metadata().text("general.name"));
  config_.name = std::string(name.value_or(""));
  FREEHOLD_ASSIGN(config_.hidden, loader.count("embedding_length"));
  FREEHOLD_ASSIGN(config_.n_layers, loader.count("block_count"));
  FREEHOLD_ASSIGN(config_.context, loader.count("context_length"));
  FREEHOLD_ASSIGN(const double epsilon, loader.number("attention.layer_norm_rms_epsilon"));
  config_.epsilon = static_cast<float>(epsilon);
  constexpr uint32_t kMostLayers = 512;
  if (config_.n_layers > kMostLayers) {
    return base::fail(base::ErrorCode::kLimitExceeded,
                      "`" + loader.full_key("block_count") + "` is " +
                          std::to_string(config_.n_layers) + ", more than " +
                          std::to_string(kMostLayers));
  }

  const gguf::Tensor* embedding = loader.directory().find("token_embd.weight");
  if (embedding == nullptr) {
    return base::fail(base::ErrorCode::kBadFormat, "tensor `token_embd.weight` is missing");
  }
  const uint64_t vocabulary = embedding->shape[1];
  if (embedding->shape[0] != config_.hidden || vocabulary == 0 || vocabulary > (1U << 24) ||
      embedding->n_elements() != vocabulary * config_.hidden) {
    return base::fail(base::ErrorCode::kBadFormat,
                      "tensor `token_embd.weight` does not have the shape {embedding_length, "
                      "vocabulary}");
  }
  if (!quant::info(embedding->type).decodable) {
    return base::fail(
        base::ErrorCode::kUnsupported,
        "tensor `token_embd.weight` of type " + std::string(quant::info(embedding->type).name));
  }
  embedding_ = embedding;
  config_.vocabulary = static_cast<uint32_t>(vocabulary);
  loader.ignore(embedding->name);  // rows are decoded from where they lie

  FREEHOLD_ASSIGN(output_norm_, loader.vector("output_norm.weight", config_.hidden));
  const std::string_view head =
      loader.has("output.weight") ? std::string_view("output.weight") : embedding->name;
  return loader.matrix(head, config_.hidden, vocabulary, head_);
}

base::Status Model::bind_prediction(Loader& loader, uint32_t n_extra) {
  if (n_extra >= config_.n_layers) {
    return base::fail(base::ErrorCode::kBadFormat,
                      "`" + loader.full_key("nextn_predict_layers") + "` leaves no layers");
  }
  config_.n_layers -= n_extra;
  for (const gguf::Tensor& tensor : loader.directory().tensors()) {
    for (uint32_t i = 0; i < n_extra; ++i) {
      if (tensor.name.starts_with(layer_tensor(config_.n_layers + i, ""))) {
        loader.ignore(tensor.name);
      }
    }
  }
  if (!loader.options().with_prediction || !has_prediction(loader, config_.n_layers)) return {};
  prediction_.emplace();
  prediction_->embedding = embedding_;
  prediction_->head_norm = output_norm_;
  return bind_prediction_ends(loader, config_.n_layers, config_.hidden, config_.vocabulary,
                              *prediction_);
}

base::Status Model::finish(Loader& loader) {
  widest_ = loader.widest();
  weight_bytes_ = loader.weight_bytes();
  if (loader.options().planned) FREEHOLD_TRY(loader.options().planned(*this));
  FREEHOLD_TRY(loader.pack());
  memory_ = loader.take_memory();
  vectors_ = loader.take_vectors();
  return {};
}

uint64_t Model::scratch_bytes(uint32_t step_tokens, uint32_t max_sequences) const {
  // The residual stream, a sublayer's input and output, quantised copies; gate, up, their product
  // and the heads; logits with the sampler's copy.
  const uint64_t a_token = 6 * uint64_t{config_.hidden} + 6 * uint64_t{widest_};
  const uint64_t logits = 2 * uint64_t{max_sequences} * config_.vocabulary;
  return sizeof(float) * (a_token * step_tokens + logits);
}

void Model::forward(Pass& pass) {
  pass.x.resize(pass.n(), config_.hidden);
  pass.machine.for_each(pass.n(), config_.hidden, [&](size_t i, int) {
    decode_embedding(*embedding_, pass.tokens[i], pass.x.row(i));
  });
  prepare(pass);
  for (size_t i = 0; i < config_.n_layers; ++i) run_layer(pass, i, i);
}

void Model::head_rows(Pass& pass, std::span<const size_t> rows, const float* norm,
                      const ops::Matrix& head, ops::Rows& out) {
  head_rows_.resize(rows.size(), config_.hidden);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(pass.x.row(rows[i]), config_.hidden, head_rows_.row(i));
  }
  head_input_.set_normalised(pass.machine, head_rows_, norm, config_.epsilon, !head.takes_floats());
  ops::multiply(pass.machine, head_input_, head, out);
}

void Model::logits(Pass& pass, std::span<const size_t> rows, ops::Rows& out) {
  head_rows(pass, rows, output_norm_, head_, out);
}

void Model::final_norm(const Pass& pass, size_t row, float* out) const {
  pass.machine.vectors().rms_norm(pass.x.row(row), output_norm_, config_.hidden, config_.epsilon,
                                  out);
}

void Model::predict(Pass& pass, const ops::Rows& hidden) {
  join_inputs(pass, *prediction_, hidden, config_.epsilon);
  prepare(pass);
  run_layer(pass, config_.n_layers, 0);
}

void Model::predicted(const Pass& pass, size_t row, float* out) const {
  pass.machine.vectors().rms_norm(pass.x.row(row), prediction_->head_norm, config_.hidden,
                                  config_.epsilon, out);
}

void Model::predicted_logits(Pass& pass, std::span<const size_t> rows, ops::Rows& out) {
  const ops::Matrix& head = prediction_->head.empty() ? head_ : prediction_->head;
  head_rows(pass, rows, prediction_->head_norm, head, out);
}

}  // namespace freehold::models
