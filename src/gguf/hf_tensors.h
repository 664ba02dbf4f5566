// The tensors of a Hugging Face folder, in GGUF's names and forms.
#pragma once

#include "base/result.h"
#include "gguf/gguf.h"
#include "gguf/hf_config.h"
#include "gguf/safetensors.h"

namespace freehold::gguf {

// Adds every tensor of `files` to `out`, and rope_freqs where the configuration asks for it. What
// can stay where it is mapped does; the rest (vectors, reordered rows, stacked experts, FP8) is
// made row by row when it is read. Errors: kUnsupported and kBadFormat name the tensor.
base::Status add_hf_tensors(const HfConfig& config, const Safetensors& files, Directory& out);

}  // namespace freehold::gguf
