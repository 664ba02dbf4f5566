// Models as they are published: a folder with config.json and safetensors files.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "gguf/gguf.h"

namespace freehold::gguf {

// A directory with the metadata and the tensors that a GGUF file of the same model would have
// (without its tokenizer; FP8 stays FP8). What has to be rearranged is made when it is read.
// Errors: kNotFound, kIo; kUnsupported names the model_type, setting or tensor; kBadFormat.
base::Result<Directory> open_huggingface(const std::filesystem::path& folder);

// A GGUF file (any part of a split one), or a Hugging Face folder.
base::Result<Directory> open_model(const std::filesystem::path& path);

}  // namespace freehold::gguf
