// The table of vector kernels for a lanes type.
#pragma once

#include "kernels/vector.h"
#include "kernels/vector_attend.h"
#include "kernels/vector_convert.h"
#include "kernels/vector_latent.h"
#include "kernels/vector_rows.h"

namespace freehold::kernels {

template <typename V>
inline constexpr VectorKernels kVectorKernels = {
    .rms_norm = Rows<V>::rms_norm,
    .add = Rows<V>::add,
    .mul = Rows<V>::mul,
    .scale = Rows<V>::scale,
    .scale_add = Rows<V>::scale_add,
    .exp = Rows<V>::exp_row,
    .sigmoid = Rows<V>::sigmoid_row,
    .softmax = Rows<V>::softmax,
    .log_sum_exp = Rows<V>::log_sum_exp,
    .silu_mul = Rows<V>::silu_mul,
    .silu_mul_clamped = Rows<V>::silu_mul_clamped,
    .swiglu_oai = Rows<V>::swiglu_oai,
    .rope_norm = Rows<V>::rope_norm,
    .rope_neox = Rows<V>::rope_neox,
    .quantise_row = Convert<V>::quantise_row,
    .f32_to_f16 = Convert<V>::f32_to_f16,
    .f16_to_f32 = Convert<V>::f16_to_f32,
    .bf16_to_f32 = Convert<V>::bf16_to_f32,
    .store_key = Convert<V>::store_key,
    .store_value = Convert<V>::store_value,
    .attend = Attend<V>::run,
    .attend_latent = AttendLatent<V>::run,
    .attend_chunk = Attend<V>::run_chunk,
    .merge_chunks = Attend<V>::merge_chunks,
    .attend_latent_chunk = AttendLatent<V>::run_chunk,
    .merge_latent_chunks = AttendLatent<V>::merge_chunks,
};

const VectorKernels& scalar_vector_kernels();
const VectorKernels& avx2_vector_kernels();
const VectorKernels& avx512_vector_kernels();

}  // namespace freehold::kernels
