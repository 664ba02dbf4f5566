// Opens Hugging Face folders. Refuses folders without safetensors (pickled weights are programs).
#include "gguf/huggingface.h"

#include <unistd.h>

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

uint64_t physical_memory() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

Result<HfConfig> read_config(const std::filesystem::path& folder) {
  FREEHOLD_ASSIGN(const std::string text, base::read_file(folder / "config.json", kMaxConfigBytes));
  FREEHOLD_ASSIGN(const nlohmann::json config, parse_json(text));
  return read_hf_config(config);
}

}  // namespace

Result<Directory> open_huggingface(const std::filesystem::path& folder, uint64_t max_owned_bytes) {
  auto config = read_config(folder);
  if (!config) return base::in_context(folder.string(), std::move(config.error()));
  FREEHOLD_ASSIGN(const Safetensors files, Safetensors::open(folder));
  Directory directory;
  directory.keep_alive(files.storage());
  directory.set_paths(files.paths());
  directory.metadata() = std::move(config->metadata);
  if (max_owned_bytes == kPhysicalMemory) max_owned_bytes = physical_memory();
  Status added = add_hf_tensors(*config, files, max_owned_bytes, directory);
  if (!added) return base::in_context(folder.string(), std::move(added.error()));
  return directory;
}

Result<Directory> open_model(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? open_huggingface(path)
                                                      : Directory::open(path);
}

}  // namespace freehold::gguf
