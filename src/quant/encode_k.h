// Encoders of blocks of 256 weights, one block a call; for encode.cc. `weights` has what a squared
// error in each value costs.
#pragma once

#include <cstdint>

namespace freehold::quant {

void encode_q2_k(const float* values, const float* weights, uint8_t* block);
void encode_q3_k(const float* values, const float* weights, uint8_t* block);
void encode_q4_k(const float* values, const float* weights, uint8_t* block);
void encode_q5_k(const float* values, const float* weights, uint8_t* block);
void encode_q6_k(const float* values, const float* weights, uint8_t* block);

}  // namespace freehold::quant
