// The rotary settings of config.json, which have had three spellings.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "gguf/config_reader.h"
#include "gguf/hf_config.h"

namespace freehold::gguf {

struct HfRope {
  double base = 0;
  std::optional<Llama3Rope> llama3;
  std::vector<std::pair<std::string_view, Value>> keys;  // without the architecture's prefix
};

// Reads rope_theta and rope_scaling, or rope_parameters, which holds both. `default_base` stands in
// for an absent rope_theta where it is not 0. Errors: kUnsupported names the rope type or setting.
base::Result<HfRope> read_hf_rope(const ConfigReader& config, HfFamily family, double default_base);

}  // namespace freehold::gguf
