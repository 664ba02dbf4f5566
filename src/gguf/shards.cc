// The safetensors files of a folder as one. Refuses an index that names files outside the folder,
// tensors that no file has, and files with tensors that the index does not know.
#include <set>

#include "base/file.h"
#include "gguf/json.h"
#include "gguf/limits.h"
#include "gguf/reader.h"
#include "gguf/safetensors.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

constexpr uint64_t kMaxIndexBytes = 64u << 20;

std::unexpected<base::Error> bad_index(const std::string& what) {
  return base::fail(ErrorCode::kBadFormat, "model.safetensors.index.json: " + what);
}

// The files that an index names, in order of name.
Result<std::set<std::string>> file_names(const nlohmann::json& index) {
  const auto map = index.find("weight_map");
  if (!index.is_object() || map == index.end() || !map->is_object()) {
    return bad_index("no object `weight_map`");
  }
  std::set<std::string> names;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) return bad_index("tensor " + shown(tensor) + " has no file name");
    const auto& name = file.get_ref<const std::string&>();
    if (name.find('/') != std::string::npos || !name.ends_with(".safetensors")) {
      return bad_index(shown(name) + " is not a safetensors file of this folder");
    }
    names.insert(name);
  }
  if (names.size() > kMaxParts) return bad_index("more than 1024 files");
  return names;
}

}  // namespace

Status Safetensors::add(std::span<const std::byte> bytes) {
  FREEHOLD_ASSIGN(std::vector<SafeTensor> parsed, parse_safetensors(bytes));
  for (SafeTensor& tensor : parsed) {
    std::string tensor_name = tensor.name;
    if (!tensors_.try_emplace(std::move(tensor_name), std::move(tensor)).second) {
      return base::fail(ErrorCode::kBadFormat, "tensor " + shown(tensor.name) + " is in two files");
    }
  }
  return {};
}

Status Safetensors::add_file(const std::filesystem::path& path) {
  FREEHOLD_ASSIGN(base::MappedFile mapped, base::MappedFile::open(path));
  const auto file = std::make_shared<const base::MappedFile>(std::move(mapped));
  Status added = add(file->bytes());
  if (!added) return base::in_context(path.string(), std::move(added.error()));
  storage_->push_back(file);
  paths_.push_back(path);
  return {};
}

Result<Safetensors> Safetensors::parse(std::span<const std::byte> bytes) {
  Safetensors all;
  FREEHOLD_TRY(all.add(bytes));
  return all;
}

Result<Safetensors> Safetensors::open(const std::filesystem::path& folder) {
  Safetensors all;
  const std::filesystem::path index_path = folder / "model.safetensors.index.json";
  std::error_code ignored;
  if (!std::filesystem::exists(index_path, ignored)) {
    FREEHOLD_TRY(all.add_file(folder / "model.safetensors"));
    return all;
  }
  FREEHOLD_ASSIGN(const std::string text, base::read_file(index_path, kMaxIndexBytes));
  auto index = parse_json(text);
  if (!index) return base::in_context(index_path.string(), std::move(index.error()));
  FREEHOLD_ASSIGN(const std::set<std::string> names, file_names(*index));
  for (const std::string& name : names) FREEHOLD_TRY(all.add_file(folder / name));
  const nlohmann::json& map = (*index)["weight_map"];
  if (map.size() != all.tensors_.size()) {
    return bad_index("places " + std::to_string(map.size()) + " tensors; the files have " +
                     std::to_string(all.tensors_.size()));
  }
  for (const auto& [tensor, file] : map.items()) {
    if (!all.tensors_.contains(tensor)) return bad_index("no file has tensor " + shown(tensor));
  }
  return all;
}

const SafeTensor* Safetensors::find(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

}  // namespace freehold::gguf
