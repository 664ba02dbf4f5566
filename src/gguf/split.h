// Models split over several GGUF files: PREFIX-00001-of-00003.gguf and so on, numbered from 1 in
// the name and from 0 in the key `split.no`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"

namespace freehold::gguf {

// Where a part stands and which files belong with it.
struct SplitPlace {
  uint64_t number = 0;                       // of this part, from 0
  std::vector<std::filesystem::path> paths;  // of all parts in order; one when it is not split
};

// Errors: kBadFormat (split keys that contradict the name or one another), kLimitExceeded.
base::Result<SplitPlace> split_place(const std::filesystem::path& path, const Metadata& metadata);

// That the part which lies at `place.paths[number]` says so itself.
base::Status check_part(const Metadata& metadata, const SplitPlace& place, uint64_t number);

// kUnsupported for the name of a piece of a file cut by bytes (model.gguf.part1of2).
base::Status check_not_cut_by_bytes(const std::filesystem::path& path);

}  // namespace freehold::gguf
