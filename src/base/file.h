// Read-only files: mapped whole, or read whole under a limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/result.h"

namespace freehold::base {

// A file mapped read-only and shared. Move-only; the bytes live as long as the object.
class MappedFile {
 public:
  // Errors: kNotFound, kIo (not a regular file, unreadable, mapping refused). An empty file gives
  // an empty span.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// The whole file as text. Errors: kNotFound, kIo, kLimitExceeded when it is longer than
// `limit_bytes`.
Result<std::string> read_file(const std::filesystem::path& path, uint64_t limit_bytes);

// Writes a file so that a reader sees either the old content or the new, never a part: temporary
// file beside it, fsync, rename. Errors: kIo.
Status write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace freehold::base
