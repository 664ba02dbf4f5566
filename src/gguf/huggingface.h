// Models as they are published: a folder with config.json and safetensors files.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"
#include "gguf/gguf.h"

namespace freehold::gguf {

// As much as this machine has memory.
inline constexpr uint64_t kPhysicalMemory = 0;

// A directory with the metadata and the tensors that a GGUF file of the same model would have
// (without its tokenizer). What has to be rearranged on the way takes memory, `max_owned_bytes` at
// most. Errors: kNotFound, kIo; kUnsupported names the model_type, setting or tensor; kBadFormat;
// kOutOfMemory.
base::Result<Directory> open_huggingface(const std::filesystem::path& folder,
                                         uint64_t max_owned_bytes = kPhysicalMemory);

// A GGUF file (any part of a split one), or a Hugging Face folder.
base::Result<Directory> open_model(const std::filesystem::path& path);

}  // namespace freehold::gguf
