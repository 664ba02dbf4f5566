#include "models/weight_memory.h"

#include <sys/mman.h>

#include <string>
#include <utility>

#include "base/topology.h"

namespace freehold::models {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// Address space of `bytes` that begins at a multiple of WeightMemory::kAlignment, not yet usable.
std::byte* reserve(uint64_t bytes) {
  constexpr uint64_t kAlignment = WeightMemory::kAlignment;
  const uint64_t all = bytes + kAlignment;
  void* found = ::mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (found == MAP_FAILED) return nullptr;
  auto* first = static_cast<std::byte*>(found);
  const uint64_t skip = (kAlignment - reinterpret_cast<uintptr_t>(first) % kAlignment) % kAlignment;
  if (skip > 0) ::munmap(first, skip);
  if (kAlignment > skip) ::munmap(first + skip + bytes, kAlignment - skip);
  return first + skip;
}

constexpr uint64_t kPage = 4096;

uint64_t whole_pages(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

Result<std::byte*> place(uint64_t bytes, int protection, int flags, int file, uint64_t offset) {
  const uint64_t whole = whole_pages(bytes);
  std::byte* where = reserve(whole);
  void* data = where == nullptr ? MAP_FAILED
                                : ::mmap(where, whole, protection, flags | MAP_FIXED, file,
                                         static_cast<off_t>(offset));
  if (data == MAP_FAILED) {
    if (where != nullptr) ::munmap(where, whole);
    return fail(ErrorCode::kOutOfMemory,
                "the system refused " + std::to_string(bytes) + " bytes for the weights");
  }
  // Large pages spare the processor most of its address look-ups: a fifth of the reading rate,
  // measured. A hint, nothing depends on it.
  ::madvise(data, whole, MADV_HUGEPAGE);
  return where;
}

}  // namespace

Result<WeightMemory> WeightMemory::create(uint64_t bytes, std::optional<int> numa_node) {
  WeightMemory memory;
  if (bytes == 0) return memory;
  FREEHOLD_ASSIGN(memory.data_,
                  place(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memory.bytes_ = bytes;
  // Where that is refused, pages come from the node of who first writes them, mostly the same one.
  if (numa_node) base::bind_memory(memory.data_, whole_pages(bytes), *numa_node);
  return memory;
}

Result<WeightMemory> WeightMemory::map(int file, uint64_t offset, uint64_t bytes) {
  WeightMemory memory;
  FREEHOLD_ASSIGN(memory.data_, place(bytes, PROT_READ, MAP_SHARED, file, offset));
  memory.bytes_ = bytes;
  return memory;
}

WeightMemory::WeightMemory(WeightMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

WeightMemory& WeightMemory::operator=(WeightMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

WeightMemory::~WeightMemory() {
  if (data_ != nullptr) ::munmap(data_, whole_pages(bytes_));
}

}  // namespace freehold::models
