// Opens Hugging Face folders. Refuses folders without safetensors (pickled weights are programs).
#include "gguf/huggingface.h"

#include "base/file.h"
#include "gguf/hf_config.h"
#include "gguf/hf_tensors.h"
#include "gguf/json.h"
#include "gguf/safetensors.h"

namespace freehold::gguf {

using base::Result;
using base::Status;

namespace {

constexpr uint64_t kMaxConfigBytes = 1u << 20;

Result<HfConfig> read_config(const std::filesystem::path& folder) {
  FREEHOLD_ASSIGN(const std::string text, base::read_file(folder / "config.json", kMaxConfigBytes));
  FREEHOLD_ASSIGN(const nlohmann::json config, parse_json(text));
  return read_hf_config(config);
}

}  // namespace

Result<Directory> open_huggingface(const std::filesystem::path& folder) {
  auto config = read_config(folder);
  if (!config) return base::in_context(folder.string(), std::move(config.error()));
  FREEHOLD_ASSIGN(const Safetensors files, Safetensors::open(folder));
  Directory directory;
  directory.keep_alive(files.storage());
  directory.set_paths(files.paths());
  directory.metadata() = std::move(config->metadata);
  Status added = add_hf_tensors(*config, files, directory);
  if (!added) return base::in_context(folder.string(), std::move(added.error()));
  return directory;
}

Result<Directory> open_model(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? open_huggingface(path)
                                                      : Directory::open(path);
}

}  // namespace freehold::gguf
