#include "models/prediction.h"

#include <algorithm>

#include "models/model.h"
#include "quant/decode.h"

namespace freehold::models {
namespace {

using base::ErrorCode;
using base::fail;

constexpr std::string_view kJoin = "nextn.eh_proj.weight";

base::Status bind_embedding(Loader& loader, std::string_view name, uint32_t hidden,
                            uint32_t vocabulary, PredictionWeights& weights) {
  const gguf::Tensor* found = loader.directory().find(name);
  if (found == nullptr) return {};
  if (found->shape[0] != hidden || found->shape[1] != vocabulary ||
      found->n_elements() != uint64_t{hidden} * vocabulary) {
    return fail(ErrorCode::kBadFormat, "tensor `" + found->name +
                                           "` does not have the shape {embedding_length, "
                                           "vocabulary}");
  }
  if (!quant::info(found->type).decodable) {
    return fail(ErrorCode::kUnsupported, "tensor `" + found->name + "` of type " +
                                             std::string(quant::info(found->type).name));
  }
  weights.embedding = found;
  return {};
}

// Whether two tensors are the same matrix, byte by byte.
bool are_equal(const gguf::Tensor* a, const gguf::Tensor* b) {
  return a != nullptr && b != nullptr && !a->data.empty() && a->type == b->type &&
         a->shape == b->shape && std::ranges::equal(a->data, b->data);
}

}  // namespace

bool has_prediction(const Loader& loader, size_t layer) {
  return loader.has(layer_tensor(layer, kJoin));
}

base::Status bind_prediction_ends(Loader& loader, size_t layer, uint32_t hidden,
                                  uint32_t vocabulary, PredictionWeights& weights) {
  const auto name = [&](std::string_view tensor) { return layer_tensor(layer, tensor); };
  FREEHOLD_ASSIGN(weights.token_norm, loader.vector(name("nextn.enorm.weight"), hidden));
  FREEHOLD_ASSIGN(weights.hidden_norm, loader.vector(name("nextn.hnorm.weight"), hidden));
  FREEHOLD_TRY(loader.matrix(name(kJoin), size_t{2} * hidden, hidden, weights.join));
  FREEHOLD_TRY(
      bind_embedding(loader, name("nextn.embed_tokens.weight"), hidden, vocabulary, weights));
  const std::string norm = name("nextn.shared_head_norm.weight");
  if (loader.has(norm)) {
    FREEHOLD_ASSIGN(weights.head_norm, loader.vector(norm, hidden));
  }
  const std::string head = name("nextn.shared_head_head.weight");
  const gguf::Directory& directory = loader.directory();
  if (!loader.has(head) || are_equal(directory.find(head), directory.find("output.weight"))) {
    return {};
  }
  return loader.matrix(head, hidden, vocabulary, weights.head);
}

void decode_embedding(const gguf::Tensor& embedding, int32_t token, float* out) {
  std::vector<std::byte> scratch;
  const auto row = embedding.rows(static_cast<uint64_t>(token), 1, scratch);
  quant::decode_row(embedding.type, row.data(), embedding.shape[0], out);
}

void join_inputs(Pass& pass, const PredictionWeights& weights, const ops::Rows& hidden,
                 float epsilon) {
  ops::Machine& machine = pass.machine;
  const size_t width = hidden.width();
  ops::Rows& joined = pass.input.begin(pass.n(), 2 * width, !weights.join.takes_floats());
  machine.for_each(pass.n(), 4 * width, [&](size_t i, int) {
    float* row = joined.row(i);
    decode_embedding(*weights.embedding, pass.tokens[i], row);
    machine.vectors().rms_norm(row, weights.token_norm, width, epsilon, row);
    machine.vectors().rms_norm(hidden.row(i), weights.hidden_norm, width, epsilon, row + width);
    pass.input.finish_row(machine, i);
  });
  ops::multiply(machine, pass.input, weights.join, pass.x);
}

}  // namespace freehold::models
