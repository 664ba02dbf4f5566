// Which architecture is whose: a family is one file and its lines here.
#include <array>
#include <utility>

#include "models/families.h"
#include "models/model.h"

namespace freehold::models {
namespace {

struct Entry {
  std::string_view architecture;
  FamilyLoader load;
};

constexpr std::array kFamilies = {
    Entry{"deepseek2", load_deepseek2}, Entry{"glm4moe", load_glm4moe},
    Entry{"gpt-oss", load_gpt_oss},     Entry{"llama", load_llama},
    Entry{"llama4", load_llama4},       Entry{"qwen2", load_qwen2},
    Entry{"qwen2moe", load_qwen2moe},   Entry{"qwen3", load_qwen3},
    Entry{"qwen3moe", load_qwen3moe},   Entry{"smollm3", load_llama},
};

}  // namespace

base::Result<std::unique_ptr<Model>> load_model(const gguf::Directory& directory,
                                                ops::Machine& machine, LoadOptions options) {
  Loader loader(directory, machine, std::move(options));
  for (const Entry& entry : kFamilies) {
    if (entry.architecture == loader.architecture()) return entry.load(loader);
  }
  std::string known;
  for (const Entry& entry : kFamilies) known += " " + std::string(entry.architecture);
  return base::fail(base::ErrorCode::kUnsupported, "architecture `" + loader.architecture() +
                                                       "` is not one of those known:" + known);
}

}  // namespace freehold::models
