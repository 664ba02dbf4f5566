// What a model file may ask of us before we refuse it. Together they bound the memory that any
// file can make the parser allocate to well under 64 MiB, whatever the file's length; each is a
// few times what published models need (vocabularies of some 260,000 tokens and 520,000 merges,
// 2,000 tensors, 100 keys).
#pragma once

#include <cstdint>

namespace freehold::gguf {

inline constexpr uint64_t kMaxKeys = 8192;
inline constexpr uint64_t kMaxKeyBytes = 1024;
inline constexpr uint64_t kMaxTensors = 32768;          // over all parts of a split file
inline constexpr uint64_t kMaxTensorNameBytes = 63;     // the format's own limit
inline constexpr uint32_t kMaxDims = 4;                 // the format's own limit
inline constexpr uint64_t kMaxArrayCount = 1u << 30;    // the format's own limit
inline constexpr uint64_t kMaxStringBytes = 1u << 30;   // the format's own limit
inline constexpr uint64_t kMaxArrayMemory = 32u << 20;  // bytes of all decoded arrays of a file
inline constexpr uint64_t kMaxAlignment = 1u << 20;     // files use 32; a page at the very most
inline constexpr uint64_t kMaxParts = 1024;             // of a split file

constexpr bool is_alignment(uint64_t value) {
  return value != 0 && (value & (value - 1)) == 0 && value <= kMaxAlignment;
}

}  // namespace freehold::gguf
