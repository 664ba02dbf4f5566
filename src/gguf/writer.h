// Writes GGUF files, version 3. Tensors are declared first and streamed afterwards in the same
// order, so that memory does not grow with the model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"

namespace freehold::gguf {

// What the header says of a tensor before its bytes come.
struct TensorPlan {
  std::string name;
  quant::Type type = quant::Type::kF32;
  std::vector<uint64_t> shape;  // 1 to 4 dimensions, contiguous first
};

// Use: create, any number of append, finish. The file appears under its name only when finish
// succeeds; a writer dropped before that removes what it wrote.
class Writer {
 public:
  // Writes the header. Unsigned integers are written as u32 where they fit and u64 elsewhere,
  // signed ones as i32 or i64, numbers as f32 where that keeps the value and f64 elsewhere, arrays
  // of integers as i32 or i64. `general.alignment`, where given, is followed. Errors:
  // kInvalidArgument (duplicate or overlong name, shape that does not suit the type), kIo.
  static base::Result<Writer> create(const std::filesystem::path& path, const Metadata& metadata,
                                     std::span<const TensorPlan> tensors);

  // Where this process writes until finish, for who ends it by a signal.
  static std::filesystem::path temporary_path(const std::filesystem::path& path);

  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;
  ~Writer();

  // The next bytes of the tensors, in the order they were declared; any number of pieces a tensor,
  // none reaching over its end. Errors: kInvalidArgument (more than was declared), kIo.
  base::Status append(std::span<const std::byte> bytes);
  // kInvalidArgument when bytes are missing, kIo.
  base::Status finish();

 private:
  class File;
  explicit Writer(std::unique_ptr<File> file);
  base::Status pad_complete_tensors();

  std::unique_ptr<File> file_;
  std::vector<uint64_t> sizes_;  // bytes of each tensor
  uint64_t alignment_ = 32;
  size_t current_ = 0;    // tensor being written
  uint64_t written_ = 0;  // bytes of it
};

}  // namespace freehold::gguf
