#include "store.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "catalogue.h"

namespace freehold::app {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using nlohmann::json;

constexpr uint64_t kMaxManifestBytes = 4 << 20;

bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Result<StoredModel> parse_manifest(const std::string& text) {
  const json manifest = json::parse(text, nullptr, false);
  StoredModel model;
  try {
    model.name = manifest.at("name").get<std::string>();
    model.source = manifest.at("source").get<std::string>();
    model.pulled = manifest.at("pulled").get<std::string>();
    for (const json& file : manifest.at("files")) {
      model.files.push_back({file.at("name").get<std::string>(), file.at("bytes").get<uint64_t>(),
                             file.at("sha256").get<std::string>()});
    }
  } catch (const json::exception& error) {
    return fail(ErrorCode::kBadFormat, std::string("not a manifest: ") + error.what());
  }
  if (model.files.empty()) return fail(ErrorCode::kBadFormat, "the manifest names no file");
  FREEHOLD_TRY(check_model_name(model.name));
  for (const StoredFile& file : model.files) FREEHOLD_TRY(check_file_name(file.name));
  return model;
}

Status system_failure(const fs::path& path, const std::error_code& error) {
  return fail(ErrorCode::kIo, path.string() + ": " + error.message());
}

}  // namespace

uint64_t StoredModel::bytes() const {
  uint64_t sum = 0;
  for (const StoredFile& file : files) sum += file.bytes;
  return sum;
}

Status check_model_name(std::string_view name) {
  const bool fits = !name.empty() && name.size() <= 96 && is_plain(name[0]) &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return is_plain(c) || std::string_view("._-:").find(c) != std::string::npos;
                    });
  if (fits) return {};
  return fail(ErrorCode::kInvalidArgument,
              "'" + std::string(name) +
                  "' cannot name a model: use letters, digits, '.', '_', '-' and ':', at most 96");
}

Status check_file_name(std::string_view name) {
  const bool fits = !name.empty() && name.size() <= 255 && name[0] != '.' &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) { return c >= ' ' && c != '/' && c != '\x7f'; });
  if (fits) return {};
  return fail(ErrorCode::kBadFormat, "'" + std::string(name) + "' is no plain file name");
}

Result<Store> Store::open() {
  const auto variable = [](const char* name) -> std::string_view {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (const auto home = variable("FREEHOLD_HOME"); !home.empty()) return Store(fs::path(home));
  if (const auto data = variable("XDG_DATA_HOME"); !data.empty()) {
    return Store(fs::path(data) / "freehold");
  }
  if (const auto home = variable("HOME"); !home.empty()) {
    return Store(fs::path(home) / ".local/share/freehold");
  }
  return fail(ErrorCode::kNotFound, "no place for the store: set FREEHOLD_HOME or HOME");
}

fs::path Store::folder(std::string_view name) const { return root_ / "models" / name; }

Result<std::vector<StoredModel>> Store::list() const {
  std::vector<StoredModel> models;
  std::error_code error;
  for (fs::directory_iterator at(root_ / "models", error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!check_model_name(name) || !fs::exists(at->path() / "manifest.json")) continue;
    FREEHOLD_ASSIGN(StoredModel model, find(name));
    models.push_back(std::move(model));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return std::unexpected(system_failure(root_ / "models", error).error());
  }
  std::sort(models.begin(), models.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return models;
}

Result<StoredModel> Store::find(std::string_view name) const {
  FREEHOLD_TRY(check_model_name(name));
  const fs::path path = folder(name) / "manifest.json";
  auto text = base::read_file(path, kMaxManifestBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kNotFound, "no model named '" + std::string(name) + "' in " +
                                          root_.string() + "; `freehold list` shows those there");
  }
  if (!text) return std::unexpected(text.error());
  auto model = parse_manifest(*text);
  if (!model) return base::in_context(path.string(), model.error());
  return model;
}

Result<fs::path> Store::path(std::string_view name) const {
  FREEHOLD_ASSIGN(const StoredModel model, find(name));
  std::vector<std::string> parts;
  for (const StoredFile& file : model.files) {
    if (file.name.ends_with(".gguf")) parts.push_back(file.name);
  }
  if (parts.empty()) return folder(name);
  return folder(name) / *std::min_element(parts.begin(), parts.end());
}

Status Store::add(const StoredModel& model) const {
  json files = json::array();
  for (const StoredFile& file : model.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  const json manifest = {
      {"name", model.name}, {"source", model.source}, {"pulled", model.pulled}, {"files", files}};
  const std::string text = manifest.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  return base::write_file_atomically(folder(model.name) / "manifest.json",
                                     std::as_bytes(std::span(text)));
}

Status Store::remove(std::string_view name) const {
  FREEHOLD_TRY(check_model_name(name));
  std::error_code error;
  // The manifest first: a folder half deleted is no model.
  fs::remove(folder(name) / "manifest.json", error);
  const auto n_removed = fs::remove_all(folder(name), error);
  if (error) return system_failure(folder(name), error);
  if (n_removed > 0) return {};
  return fail(ErrorCode::kNotFound, "no model named '" + std::string(name) + "' in " +
                                        root_.string() + "; `freehold list` shows those there");
}

Result<fs::path> resolve_model(std::string_view model) {
  std::error_code error;
  if (fs::exists(fs::path(model), error)) return fs::path(model);
  if (model.find('/') != std::string_view::npos || model.ends_with(".gguf")) {
    return fail(ErrorCode::kNotFound, std::string(model) + ": no such file or folder");
  }
  FREEHOLD_ASSIGN(const Store store, Store::open());
  auto path = store.path(model);
  if (!path && path.error().code == ErrorCode::kNotFound && find_in_catalogue(model) != nullptr) {
    return fail(ErrorCode::kNotFound, "'" + std::string(model) +
                                          "' is not in the local store; `freehold pull " +
                                          std::string(model) + "` gets it");
  }
  return path;
}

}  // namespace freehold::app
