// The loaders of all families; registry.cc says which architecture is whose.
#pragma once

#include <memory>

#include "base/result.h"
#include "models/loader.h"
#include "models/model.h"

namespace freehold::models {

using FamilyLoader = base::Result<std::unique_ptr<Model>> (*)(Loader& loader);

base::Result<std::unique_ptr<Model>> load_deepseek2(Loader&);
base::Result<std::unique_ptr<Model>> load_glm4moe(Loader&);
base::Result<std::unique_ptr<Model>> load_gpt_oss(Loader&);
base::Result<std::unique_ptr<Model>> load_llama(Loader&);
base::Result<std::unique_ptr<Model>> load_llama4(Loader&);
base::Result<std::unique_ptr<Model>> load_qwen2(Loader&);
base::Result<std::unique_ptr<Model>> load_qwen2moe(Loader&);
base::Result<std::unique_ptr<Model>> load_qwen3(Loader&);
base::Result<std::unique_ptr<Model>> load_qwen3moe(Loader&);

}  // namespace freehold::models
