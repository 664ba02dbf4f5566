// Turns a model into a GGUF file of another type, tensor by tensor, a few rows at a time: memory
// does not grow with the model. Refuses weights that are not finite, that do not fit the type asked
// for, and (unless told) that are quantised already.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "gguf/gguf.h"
#include "quant/mix.h"

namespace freehold::app {

struct QuantizeJob {
  quant::Mix mix = quant::Mix::kQ4_K_M;
  // Take weights that are quantised already. Otherwise MXFP4 is kept as it is, for some models are
  // published in it, and all else is refused.
  bool requantize = false;
  // Told the bytes of source done, often.
  std::function<void(uint64_t done_bytes)> progress;
};

struct QuantizeResult {
  uint64_t n_weights = 0;
  uint64_t source_bytes = 0;
  uint64_t bytes = 0;  // of the tensors written
};

// The type each tensor of `model` gets. Errors: kBadFormat (metadata of the wrong type).
base::Result<std::vector<quant::Type>> plan_types(const gguf::Directory& model, quant::Mix mix);

// Writes `model` to `out`. The bytes do not depend on the number of threads. Errors: those of the
// writer; kUnsupported (a tensor that cannot be converted, naming it and the remedy); kBadFormat (a
// weight that is not a number, naming its tensor).
base::Result<QuantizeResult> quantize_model(const gguf::Directory& model,
                                            const std::filesystem::path& out,
                                            const QuantizeJob& job, base::ThreadPool& pool);

}  // namespace freehold::app
