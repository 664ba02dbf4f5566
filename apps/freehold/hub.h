// What a repository on Hugging Face or ModelScope holds, as the hub states it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalogue.h"
#include "url.h"

namespace freehold::app {

struct RemoteFile {
  std::string path;  // in the repository
  uint64_t bytes = 0;
  std::string sha256;  // empty where the hub states none (small files)
  Url url;
};

// The files to fetch for `source`, which is a repository: the one named (with the other parts of a
// split one), or the whole package (safetensors, configuration, tokenizer, templates). The hosts
// can be replaced by HF_ENDPOINT and MODELSCOPE_ENDPOINT. Errors: kNotFound, kIo, kBadFormat.
base::Result<std::vector<RemoteFile>> list_repository(const Source& source,
                                                      const std::string& bearer);

// Which of `files` make up `source`; split out for its tests.
base::Result<std::vector<RemoteFile>> choose_files(const Source& source,
                                                   const std::vector<RemoteFile>& files);

}  // namespace freehold::app
