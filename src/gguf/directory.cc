// The directory of a model: one file, or the parts of a split one, under one roof.
//
// Files are mapped, not read. A file that is cut short by another program while we hold it gives
// SIGBUS at the next touch of the lost pages, which nobody can turn into an error value here:
// model files have to be replaced (written beside and renamed), never rewritten in place.
#include <utility>

#include "base/file.h"
#include "gguf/gguf.h"
#include "gguf/limits.h"
#include "gguf/part.h"
#include "gguf/reader.h"
#include "gguf/split.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

struct OpenPart {
  std::shared_ptr<const base::MappedFile> file;
  Part part;
};

Result<OpenPart> open_part(const std::filesystem::path& path) {
  FREEHOLD_ASSIGN(base::MappedFile mapped, base::MappedFile::open(path));
  OpenPart open{std::make_shared<const base::MappedFile>(std::move(mapped)), {}};
  auto part = parse_part(open.file->bytes());
  if (!part) return base::in_context(path.string(), std::move(part.error()));
  open.part = std::move(*part);
  return open;
}

// Only the first part's metadata describes the model.
Status add_part(Directory& directory, OpenPart open, const SplitPlace& place, uint64_t number) {
  FREEHOLD_TRY(check_part(open.part.metadata, place, number));
  if (directory.tensors().size() + open.part.tensors.size() > kMaxTensors) {
    return base::fail(ErrorCode::kLimitExceeded,
                      "the parts have more than " + std::to_string(kMaxTensors) + " tensors");
  }
  for (Tensor& tensor : open.part.tensors) FREEHOLD_TRY(directory.add(std::move(tensor)));
  if (number == 0) directory.metadata() = std::move(open.part.metadata);
  directory.keep_alive(std::move(open.file));
  return {};
}

Status check_complete(const Directory& directory) {
  FREEHOLD_ASSIGN(const auto expected,
                  directory.metadata().unsigned_integer("split.tensors.count"));
  if (directory.paths().size() == 1 || !expected || *expected == directory.tensors().size()) {
    return {};
  }
  return base::fail(ErrorCode::kBadFormat, "the parts have " +
                                               std::to_string(directory.tensors().size()) +
                                               " tensors where key `split.tensors.count` says " +
                                               std::to_string(*expected));
}

}  // namespace

Result<Directory> Directory::parse(std::span<const std::byte> bytes) {
  FREEHOLD_ASSIGN(Part part, parse_part(bytes));
  Directory directory;
  directory.metadata_ = std::move(part.metadata);
  for (Tensor& tensor : part.tensors) FREEHOLD_TRY(directory.add(std::move(tensor)));
  return directory;
}

Result<Directory> Directory::open(const std::filesystem::path& path) {
  FREEHOLD_TRY(check_not_cut_by_bytes(path));
  FREEHOLD_ASSIGN(OpenPart given, open_part(path));
  auto place = split_place(path, given.part.metadata);
  if (!place) return base::in_context(path.string(), std::move(place.error()));
  Directory directory;
  for (uint64_t i = 0; i < place->paths.size(); ++i) {
    auto part = i == place->number ? Result<OpenPart>(std::exchange(given, {}))
                                   : open_part(place->paths[i]);
    if (!part) return std::unexpected(std::move(part.error()));
    Status added = add_part(directory, std::move(*part), *place, i);
    if (!added) return base::in_context(place->paths[i].string(), std::move(added.error()));
  }
  directory.paths_ = std::move(place->paths);
  Status complete = check_complete(directory);
  if (!complete) return base::in_context(path.string(), std::move(complete.error()));
  return directory;
}

std::span<const std::byte> Tensor::rows(uint64_t first, uint64_t count,
                                        std::vector<std::byte>& scratch) const {
  const uint64_t each = row_bytes();
  if (!make_rows) return data.subspan(first * each, count * each);
  if (scratch.size() < count * each) scratch.resize(count * each);
  make_rows(first, count, scratch.data());
  return std::span(scratch).first(count * each);
}

const Tensor* Directory::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

uint64_t Directory::total_bytes() const {
  uint64_t total = 0;
  for (const Tensor& tensor : tensors_) total += tensor.n_bytes();
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
