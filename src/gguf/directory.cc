// The directory of a model: one file, or the parts of a split one, under one roof.
//
// Files are mapped, not read. A file that is cut short by another program while we hold it gives
// SIGBUS at the next touch of the lost pages, which nobody can turn into an error value here:
// model files have to be replaced (written beside and renamed), never rewritten in place.
#include <algorithm>

#include "base/checked.h"
#include "base/file.h"
#include "gguf/gguf.h"
#include "gguf/limits.h"
#include "gguf/part.h"
#include "gguf/reader.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;
using base::Status;

Result<Directory> Directory::parse(std::span<const std::byte> bytes) {
  FREEHOLD_ASSIGN(Part part, parse_part(bytes));
  Directory directory;
  directory.metadata_ = std::move(part.metadata);
  for (Tensor& tensor : part.tensors) FREEHOLD_TRY(directory.add(std::move(tensor)));
  return directory;
}

Result<Directory> Directory::open(const std::filesystem::path& path) {
  FREEHOLD_ASSIGN(base::MappedFile mapped, base::MappedFile::open(path));
  const auto file = std::make_shared<const base::MappedFile>(std::move(mapped));
  auto directory = parse(file->bytes());
  if (!directory) return base::in_context(path.string(), std::move(directory.error()));
  directory->keep_alive(file);
  directory->paths_.push_back(path);
  return directory;
}

const Tensor* Directory::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

uint64_t Directory::total_bytes() const {
  uint64_t total = 0;
  for (const Tensor& tensor : tensors_) total += tensor.data.size();
  return total;
}

Status Directory::add(Tensor tensor) {
  const auto [it, is_new] = index_.try_emplace(tensor.name, tensors_.size());
  if (!is_new) {
    return base::fail(ErrorCode::kBadFormat, "tensor " + shown(tensor.name) + " occurs twice");
  }
  tensors_.push_back(std::move(tensor));
  return {};
}

void Directory::keep_alive(std::shared_ptr<const void> storage) {
  storage_.push_back(std::move(storage));
}

}  // namespace freehold::gguf
