// GGUF files, one or many parts, as a validated directory of tensors and typed metadata.
// Everything here has been checked against the file's length before anyone sees it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "quant/type.h"

namespace freehold::gguf {

// A metadata value. Integers of every width are kept as int64_t or uint64_t, floats as double,
// arrays homogeneous.
struct Value {
  using Integers = std::vector<int64_t>;
  using Floats = std::vector<float>;
  using Strings = std::vector<std::string_view>;  // into the mapped file
  std::variant<bool, int64_t, uint64_t, double, std::string_view, Integers, Floats, Strings> data;
};

class Metadata {
 public:
  const Value* find(std::string_view key) const;  // null when absent
  const std::map<std::string, Value, std::less<>>& all() const { return values_; }

  // Each gives nothing when the key is absent and kBadFormat, naming the key, when it has another
  // type or does not fit.
  base::Result<std::optional<uint64_t>> unsigned_integer(std::string_view key) const;
  base::Result<std::optional<int64_t>> integer(std::string_view key) const;
  base::Result<std::optional<double>> number(std::string_view key) const;
  base::Result<std::optional<bool>> boolean(std::string_view key) const;
  base::Result<std::optional<std::string_view>> text(std::string_view key) const;
  // A scalar or an array of `count` of them (per-layer keys may be either): always `count` values.
  base::Result<std::optional<std::vector<uint64_t>>> per_layer(std::string_view key,
                                                               size_t count) const;
  const Value::Strings* strings(std::string_view key) const;  // null unless it is such an array
  const Value::Floats* floats(std::string_view key) const;
  const Value::Integers* integers(std::string_view key) const;

  void set(std::string key, Value value);  // for makers of directories (Hugging Face folders)

 private:
  std::map<std::string, Value, std::less<>> values_;
};

// Writes rows [first, first + count) of a tensor to `out`, in its type. Any thread, at any time.
using RowMaker = std::function<void(uint64_t first, uint64_t count, std::byte* out)>;

struct Tensor {
  std::string name;
  quant::Type type = quant::Type::kF32;
  // Dimension 0 is contiguous; missing dimensions are 1.
  std::array<uint64_t, 4> shape{1, 1, 1, 1};
  uint32_t n_dims = 1;
  std::span<const std::byte> data;  // exactly the tensor's bytes, perhaps unaligned
  RowMaker make_rows = nullptr;     // given where the bytes do not lie together: then no data

  uint64_t n_rows() const { return shape[1] * shape[2] * shape[3]; }
  uint64_t n_elements() const { return shape[0] * n_rows(); }
  uint64_t row_bytes() const {
    const quant::TypeInfo& info = quant::info(type);
    return shape[0] / info.block_elements * info.block_bytes;
  }
  uint64_t n_bytes() const { return n_rows() * row_bytes(); }
  // Rows [first, first + count), all within n_rows(): where they lie, or made in `scratch`.
  std::span<const std::byte> rows(uint64_t first, uint64_t count,
                                  std::vector<std::byte>& scratch) const;
  // All of them.
  std::span<const std::byte> all(std::vector<std::byte>& scratch) const {
    return rows(0, n_rows(), scratch);
  }
};

// A model's tensors and metadata, wherever they came from; owns the mappings behind them.
class Directory {
 public:
  // Opens a GGUF file; of a split one, any part. Errors: kNotFound, kIo, kBadFormat (naming the
  // field), kUnsupported (version, byte order, tensor type), kLimitExceeded.
  static base::Result<Directory> open(const std::filesystem::path& path);
  // The same from bytes in memory, which must outlive the directory. One part only.
  static base::Result<Directory> parse(std::span<const std::byte> bytes);

  const Metadata& metadata() const { return metadata_; }
  Metadata& metadata() { return metadata_; }
  const std::vector<Tensor>& tensors() const { return tensors_; }
  const Tensor* find(std::string_view name) const;  // null when absent
  uint64_t total_bytes() const;                     // of all tensors
  // The files behind it, in order; empty when parsed from memory.
  const std::vector<std::filesystem::path>& paths() const { return paths_; }

  // For makers of directories. kBadFormat on a duplicate name.
  base::Status add(Tensor tensor);
  void keep_alive(std::shared_ptr<const void> storage);
  void set_paths(std::vector<std::filesystem::path> paths) { paths_ = std::move(paths); }

 private:
  Metadata metadata_;
  std::vector<Tensor> tensors_;
  std::map<std::string, size_t, std::less<>> index_;
  std::vector<std::shared_ptr<const void>> storage_;
  std::vector<std::filesystem::path> paths_;
};

}  // namespace freehold::gguf
