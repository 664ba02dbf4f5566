// Multi-token prediction (arXiv 2412.19437 §2.2): what a layer that guesses the token after the
// next has beside a layer of its family. It serves speculation only, so nothing here can change
// what a model says.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "gguf/gguf.h"
#include "models/loader.h"
#include "ops/buffer.h"
#include "ops/matrix.h"

namespace freehold::models {

class Pass;

// The tensors blk.<layer>.nextn.*.
struct PredictionWeights {
  const float* token_norm = nullptr;        // [hidden]
  const float* hidden_norm = nullptr;       // [hidden]
  ops::Matrix join;                         // {2 * hidden, hidden}: token first, then hidden
  const gguf::Tensor* embedding = nullptr;  // {hidden, vocabulary}
  const float* head_norm = nullptr;         // [hidden]
  ops::Matrix head;                         // {hidden, vocabulary}; empty: the model's own
};

// Whether the file has the block; some only announce it.
bool has_prediction(const Loader& loader, size_t layer);

// Binds the tensors above. Embedding, head norm and head stay as they are where the block has none
// of its own; a head that is the model's once more is not kept twice. Errors: the loader's.
base::Status bind_prediction_ends(Loader& loader, size_t layer, uint32_t hidden,
                                  uint32_t vocabulary, PredictionWeights& weights);

// A token's row of an embedding {hidden, vocabulary} as floats.
void decode_embedding(const gguf::Tensor& embedding, int32_t token, float* out);

// pass.x = join [RMS(embedding of pass.tokens[i]); RMS(hidden row i)].
void join_inputs(Pass& pass, const PredictionWeights& weights, const ops::Rows& hidden,
                 float epsilon);

}  // namespace freehold::models
