// The kernels on vectors and cache blocks: norms, activations, positions, softmax, int8
// activations, the key/value cache and attention over it. Matrix products are in matmul.h.
//
// Every instruction set gives the same bits for the same input. Sums over n elements: lane i of
// sixteen adds elements i, i + 16, i + 32, ... in order, then the lanes are added (0+8, 1+9, ...),
// (0+4, ...), (0+2, 1+3), (0+1). Multiply-adds are fused where written `fma`. A NaN stays a NaN,
// but its payload is not part of the promise.
//
// Nothing here checks its arguments: shapes are validated where a model is loaded. Pointers need no
// alignment (64 bytes are fastest) and arrays do not overlap unless it is said.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/isa.h"
#include "kernels/kv_layout.h"

namespace freehold::kernels {

// The gated activation of gpt-oss: u in [-limit, limit], g <= limit, g * sigmoid(alpha * g) *
// (u+1).
struct SwigluOai {
  float alpha = 1.702F;
  float limit = 7.0F;
};

// Query rows that look at the same KV head: the heads of its group, for one or many tokens.
// A query's result depends on nothing but its own row and range and the cache: absolute chunks of
// kChunkPositions positions, merged in order; see vector_attend.h for the arithmetic.
struct AttentionTile {
  const float* queries;   // [n_queries][k_dim], the scale already applied
  float* output;          // [n_queries][v_dim]
  const uint32_t* first;  // [n_queries]: the query sees positions first to end - 1;
  const uint32_t* end;    // seeing none gives zeros
  const float* sinks;     // [n_queries]: a logit that joins the denominator only; or null
  uint32_t n_queries;
  uint32_t k_dim, v_dim;
  // Indexed by position / 32. Only blocks that some query sees are touched; positions there that a
  // query does not see must still hold numbers that are not infinite or NaN.
  const std::byte* const* key_blocks;
  const std::byte* const* value_blocks;
  float* scratch;  // attention_scratch_floats(n_queries, k_dim, v_dim)
};

// Multi-head latent attention: keys are the rows of one block, values the first v_dim elements of
// the same rows.
struct LatentTile {
  const float* queries;  // [n_queries][row_dim], the scale already applied
  float* output;         // [n_queries][v_dim]
  const uint32_t* first;
  const uint32_t* end;
  uint32_t n_queries;
  uint32_t row_dim, v_dim;         // v_dim <= row_dim
  const std::byte* const* blocks;  // as in AttentionTile
  float* scratch;                  // latent_scratch_floats(n_queries, row_dim, v_dim)
};

size_t attention_scratch_floats(size_t n_queries, size_t k_dim, size_t v_dim);
size_t latent_scratch_floats(size_t n_queries, size_t row_dim, size_t v_dim);

// The chunks [first, end) of which a tile's queries see something.
struct ChunkRange {
  uint32_t first, end;
};
ChunkRange chunks_seen(const uint32_t* first, const uint32_t* end, uint32_t n_queries);

// What attend_chunk leaves behind for merge_chunks.
size_t chunk_partial_floats(size_t n_queries, size_t v_dim);

struct VectorKernels {
  // out = (x / sqrt(mean(x^2) + epsilon)) * weight; weight may be null, out may be x.
  void (*rms_norm)(const float* x, const float* weight, size_t n, float epsilon, float* out);

  void (*add)(float* a, const float* b, size_t n);                 // a += b
  void (*mul)(float* a, const float* b, size_t n);                 // a *= b
  void (*scale)(float* a, float s, size_t n);                      // a *= s
  void (*scale_add)(float* a, float s, const float* b, size_t n);  // a = fma(s, b, a)

  // Within 2 units in the last place; 0 below -87.33654, infinite above 88.72283.
  void (*exp)(float* x, size_t n);
  void (*sigmoid)(float* x, size_t n);  // 1 / (1 + exp(-x))
  void (*softmax)(float* x, size_t n);
  // log(sum(exp(x))); n > 0.
  float (*log_sum_exp)(const float* x, size_t n);

  // out = gate * sigmoid(gate) * up; out may be gate or up. The clamped one first takes gate to at
  // most limit and up to [-limit, limit].
  void (*silu_mul)(const float* gate, const float* up, size_t n, float* out);
  void (*silu_mul_clamped)(const float* gate, const float* up, size_t n, float limit, float* out);
  void (*swiglu_oai)(const float* gate, const float* up, size_t n, SwigluOai how, float* out);

  // Rotates pairs of one head vector in place: (2j, 2j + 1) for rope_norm, (j, j + n_rot/2) for
  // rope_neox. cosines and sines: [n_rot/2] for the position. n_rot is even.
  void (*rope_norm)(float* head, const float* cosines, const float* sines, size_t n_rot);
  void (*rope_neox)(float* head, const float* cosines, const float* sines, size_t n_rot);

  // x[k] to ActivationBlock[k/32] (matmul.h). A block whose largest
  // magnitude is below 1e-30 becomes zeros; one that is not all finite gets code 0, scale NaN.
  void (*quantise_row)(const float* x, size_t k, std::byte* row);

  void (*f32_to_f16)(const float* x, size_t n, uint16_t* out);  // to nearest even
  void (*f16_to_f32)(const uint16_t* x, size_t n, float* out);
  void (*bf16_to_f32)(const uint16_t* x, size_t n, float* out);

  // One position's key or value x[dim] into place `slot` of a block; a latent row goes in like a
  // value. F16 saturates at
  // +-65504. Q8_0 scales are half(max |x| / 127) of each 32; a group that is not all finite gets a
  // NaN scale.
  void (*store_key)(CacheType type, const float* x, size_t dim, std::byte* block, size_t slot);
  void (*store_value)(CacheType type, const float* x, size_t dim, std::byte* block, size_t slot);

  void (*attend)(CacheType type, const AttentionTile& tile);
  void (*attend_latent)(CacheType type, const LatentTile& tile);

  // The same in two steps, to the same bits, so that threads can share a tile: each chunk that
  // chunks_seen gives, in any order, with the thread's own scratch in the tile and a place of its
  // own for `partial`, chunk_partial_floats(n_queries, v_dim); then the merge, which takes the
  // partials of those chunks one after another and writes the tile's output.
  void (*attend_chunk)(CacheType type, const AttentionTile& tile, uint32_t chunk, float* partial);
  void (*merge_chunks)(const AttentionTile& tile, ChunkRange chunks, const float* partials);
  void (*attend_latent_chunk)(CacheType type, const LatentTile& tile, uint32_t chunk,
                              float* partial);
  void (*merge_latent_chunks)(const LatentTile& tile, ChunkRange chunks, const float* partials);
};

const VectorKernels& vector_kernels(Isa isa);

}  // namespace freehold::kernels
