// The local store of models: $FREEHOLD_HOME, or freehold/ in the user's data folder.
//
//   models/NAME/manifest.json   what it is and where it came from; there once all files are
//   models/NAME/FILE…           the files, under the names their makers gave them
//   panels/                     weights as they are multiplied (models/panel_file.h)
//
// Refuses names and file names that could lead out of the store.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freehold::app {

struct StoredFile {
  std::string name;
  uint64_t bytes = 0;
  std::string sha256;
};

struct StoredModel {
  std::string name;
  std::string source;  // as catalogue.h writes it
  std::string pulled;  // ISO 8601, UTC
  std::vector<StoredFile> files;

  uint64_t bytes() const;
};

// What `pull` may call a model: letters, digits and "._-:", not first a sign, at most 96.
base::Status check_model_name(std::string_view name);
// A file name without folders.
base::Status check_file_name(std::string_view name);

class Store {
 public:
  explicit Store(std::filesystem::path root) : root_(std::move(root)) {}
  // Where the environment says. kNotFound when it names neither a store nor a home.
  static base::Result<Store> open();

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path folder(std::string_view name) const;

  // All models that are whole, by name.
  base::Result<std::vector<StoredModel>> list() const;
  // kNotFound when there is none of this name; kBadFormat when its manifest is damaged.
  base::Result<StoredModel> find(std::string_view name) const;
  // What the engine opens: the first GGUF file, or the folder of a Hugging Face package.
  base::Result<std::filesystem::path> path(std::string_view name) const;
  // Makes a model whose files are in place visible.
  base::Status add(const StoredModel& model) const;
  // Deletes a model's folder, whole or not. kNotFound when there is none.
  base::Status remove(std::string_view name) const;

 private:
  std::filesystem::path root_;
};

// MODEL as every command takes it: a path that exists, or a name in the store. kNotFound says what
// would help.
base::Result<std::filesystem::path> resolve_model(std::string_view model);

}  // namespace freehold::app
