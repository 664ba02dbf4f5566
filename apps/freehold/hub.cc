#include "hub.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <regex>

#include "download.h"
#include "sha256.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using nlohmann::json;

constexpr uint64_t kMaxListingBytes = 32 << 20;
constexpr size_t kMaxFiles = 10000;

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  std::string text = value != nullptr && *value != '\0' ? value : otherwise;
  while (text.ends_with('/')) text.pop_back();
  return text;
}

// What an address may hold as it is; the rest as %XX.
std::string percent_encoded(std::string_view path) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        std::string_view("/._-~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

Result<RemoteFile> hugging_face_file(const json& entry, const std::string& files) {
  RemoteFile file;
  file.path = entry.at("path").get<std::string>();
  file.bytes = entry.at("size").get<uint64_t>();
  if (entry.contains("lfs")) file.sha256 = entry["lfs"].at("oid").get<std::string>();
  FREEHOLD_ASSIGN(file.url, parse_url(files + percent_encoded(file.path)));
  return file;
}

Result<RemoteFile> model_scope_file(const json& entry, const std::string& files) {
  RemoteFile file;
  file.path = entry.at("Path").get<std::string>();
  file.bytes = entry.at("Size").get<uint64_t>();
  file.sha256 = entry.value("Sha256", "");
  FREEHOLD_ASSIGN(file.url, parse_url(files + percent_encoded(file.path)));
  return file;
}

struct Hub {
  std::string listing;  // address of the list of files
  std::string files;    // address in front of a file's path
};

Hub hub_of(const Source& source) {
  if (source.kind == Source::Kind::kModelScope) {
    const std::string host = environment("MODELSCOPE_ENDPOINT", "https://modelscope.cn");
    return {host + "/api/v1/models/" + source.where + "/repo/files?Revision=master&Recursive=true",
            host + "/models/" + source.where + "/resolve/master/"};
  }
  const std::string host = environment("HF_ENDPOINT", "https://huggingface.co");
  return {host + "/api/models/" + source.where + "/tree/main?recursive=true",
          host + "/" + source.where + "/resolve/main/"};
}

Result<std::vector<RemoteFile>> parse_listing(const Source& source, const std::string& text,
                                              const std::string& prefix) {
  const bool model_scope = source.kind == Source::Kind::kModelScope;
  std::vector<RemoteFile> files;
  try {
    const json listing = json::parse(text);
    for (const json& entry : model_scope ? listing.at("Data").at("Files") : listing) {
      const std::string type = entry.at(model_scope ? "Type" : "type").get<std::string>();
      if (type == "tree" || type == "directory") continue;
      FREEHOLD_ASSIGN(RemoteFile file, model_scope ? model_scope_file(entry, prefix)
                                                   : hugging_face_file(entry, prefix));
      if (!file.sha256.empty() && !is_sha256(file.sha256)) {
        return fail(ErrorCode::kBadFormat, file.path + ": its digest is no SHA-256");
      }
      files.push_back(std::move(file));
      if (files.size() > kMaxFiles) {
        return fail(ErrorCode::kLimitExceeded, "more files than any model has");
      }
    }
  } catch (const json::exception& error) {
    return fail(ErrorCode::kBadFormat, std::string("not a list of files: ") + error.what());
  }
  return files;
}

bool belongs_to_package(std::string_view path) {
  if (path.find('/') != std::string_view::npos) return false;
  for (const std::string_view ending : {".safetensors", ".safetensors.index.json"}) {
    if (path.ends_with(ending)) return true;
  }
  for (const std::string_view name :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
        "tokenizer.model", "special_tokens_map.json", "vocab.json", "merges.txt",
        "added_tokens.json", "chat_template.jinja", "tiktoken.model", "LICENSE"}) {
    if (path == name) return true;
  }
  return false;
}

// For MODEL-00001-of-00004.gguf the beginning and end that its other parts share.
bool is_part_of(const std::string& path, const std::string& named) {
  static const std::regex pattern(R"((.*)-(\d{5})-of-(\d{5})\.gguf)");
  std::smatch one;
  std::smatch other;
  return std::regex_match(path, one, pattern) && std::regex_match(named, other, pattern) &&
         one[1] == other[1] && one[3] == other[3];
}

}  // namespace

Result<std::vector<RemoteFile>> choose_files(const Source& source,
                                             const std::vector<RemoteFile>& files) {
  std::vector<RemoteFile> chosen;
  bool has_weights = false;
  for (const RemoteFile& file : files) {
    const bool wanted = source.file.empty()
                            ? belongs_to_package(file.path)
                            : file.path == source.file || is_part_of(file.path, source.file);
    if (!wanted) continue;
    has_weights =
        has_weights || file.path.ends_with(".gguf") || file.path.ends_with(".safetensors");
    chosen.push_back(file);
  }
  if (!source.file.empty() && chosen.empty()) {
    std::string there;
    for (const RemoteFile& file : files) {
      if (file.path.ends_with(".gguf")) there += (there.empty() ? "; it has " : ", ") + file.path;
    }
    return fail(ErrorCode::kNotFound, source.where + ": no file '" + source.file + "'" + there);
  }
  if (!has_weights) {
    return fail(
        ErrorCode::kNotFound,
        source.where + ": holds no safetensors; name one of its GGUF files: OWNER/REPOSITORY/FILE");
  }
  return chosen;
}

Result<std::vector<RemoteFile>> list_repository(const Source& source, const std::string& bearer) {
  const Hub hub = hub_of(source);
  FREEHOLD_ASSIGN(const Url url, parse_url(hub.listing));
  FREEHOLD_ASSIGN(const std::string text, download_text(url, bearer, kMaxListingBytes));
  auto files = parse_listing(source, text, hub.files);
  if (!files) return base::in_context(url.text(), files.error());
  return choose_files(source, *files);
}

}  // namespace freehold::app
