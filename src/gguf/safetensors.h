// safetensors files: 8 bytes of header length, a JSON header, the tensors' bytes. As published with
// the format: names, dtypes and shapes in the header, ranges that cover the rest without holes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freehold::gguf {

enum class Dtype : uint8_t {
  kBool,
  kU8,
  kI8,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kI64,
  kU64,
  kF64,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
};

std::string_view name(Dtype dtype);  // as files spell it: "F8_E4M3"
uint64_t bytes_each(Dtype dtype);

struct SafeTensor {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<uint64_t> shape;      // outermost first, as in the file; empty for a scalar
  std::span<const std::byte> data;  // exactly the tensor's bytes, perhaps unaligned

  uint64_t n_elements() const { return data.size() / bytes_each(dtype); }
};

// The tensors of one file, in the order of their bytes. Errors: kBadFormat and kUnsupported
// (dtype), naming the tensor; kLimitExceeded (header over 8 MiB, more than 65536 tensors).
base::Result<std::vector<SafeTensor>> parse_safetensors(std::span<const std::byte> bytes);

// All the tensors of a folder: model.safetensors, or the files that model.safetensors.index.json
// names; owns the mappings behind them.
class Safetensors {
 public:
  // Errors: those of a file; kNotFound; kBadFormat when the index and the files disagree.
  static base::Result<Safetensors> open(const std::filesystem::path& folder);
  // One file's bytes in memory, which must outlive the object.
  static base::Result<Safetensors> parse(std::span<const std::byte> bytes);

  const std::map<std::string, SafeTensor, std::less<>>& tensors() const { return tensors_; }
  const SafeTensor* find(std::string_view name) const;  // null when absent
  const std::vector<std::filesystem::path>& paths() const { return paths_; }
  // Keeps the mapped files alive without this object.
  std::shared_ptr<const void> storage() const { return storage_; }

 private:
  base::Status add(std::span<const std::byte> bytes);
  base::Status add_file(const std::filesystem::path& path);

  std::map<std::string, SafeTensor, std::less<>> tensors_;
  std::vector<std::filesystem::path> paths_;
  std::shared_ptr<std::vector<std::shared_ptr<const void>>> storage_ =
      std::make_shared<std::vector<std::shared_ptr<const void>>>();
};

}  // namespace freehold::gguf
