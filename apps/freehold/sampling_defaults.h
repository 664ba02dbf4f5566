// How a model's makers say it should be sampled.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "freehold/engine.h"

namespace freehold::app {

struct SamplingDefaults {
  Sampling sampling;
  std::string origin;  // "general.sampling of the file", "generation_config.json", "Freehold"
};

// From a GGUF file's general.sampling.* keys or a folder's generation_config.json; settings they
// leave out, and files without any, get ours. Errors: kBadFormat, naming the key.
base::Result<SamplingDefaults> sampling_defaults(const std::filesystem::path& model);

// "temperature 0.7, top-p 0.95, seed 42".
std::string describe(const Sampling& sampling);

}  // namespace freehold::app
