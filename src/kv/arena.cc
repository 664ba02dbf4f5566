#include "kv/arena.h"

#include <sys/mman.h>

#include <optional>
#include <string>
#include <utility>

#include "base/checked.h"
#include "base/topology.h"

namespace freehold::kv {

namespace {

using base::ErrorCode;

constexpr uint64_t kBlockAlignment = 64;          // a cache line, and any vector register
constexpr uint64_t kLayerAlignment = 2ULL << 20;  // a huge page: layers do not share one

}  // namespace

base::Result<Arena::Layout> Arena::lay_out(std::span<const size_t> layer_block_bytes,
                                           uint32_t n_blocks) {
  if (layer_block_bytes.empty() || n_blocks == 0) {
    return base::fail(ErrorCode::kInvalidArgument,
                      "a cache of " + std::to_string(n_blocks) + " blocks in " +
                          std::to_string(layer_block_bytes.size()) + " layers holds nothing");
  }
  Layout out;
  for (const size_t block_bytes : layer_block_bytes) {
    if (block_bytes == 0) {
      return base::fail(ErrorCode::kInvalidArgument, "a layer's cache block has 0 bytes");
    }
    const auto stride = base::checked_align_up(block_bytes, kBlockAlignment);
    const auto size = stride ? base::checked_mul<uint64_t>(*stride, n_blocks) : std::nullopt;
    const auto aligned = size ? base::checked_align_up(*size, kLayerAlignment) : std::nullopt;
    const auto end = aligned ? base::checked_add<uint64_t>(out.bytes, *aligned) : std::nullopt;
    if (!end) {
      return base::fail(ErrorCode::kLimitExceeded, "a cache of " + std::to_string(n_blocks) +
                                                       " blocks of " + std::to_string(block_bytes) +
                                                       " bytes a layer overflows 64 bits");
    }
    out.layers.push_back({.offset = out.bytes, .stride = *stride});
    out.bytes = *end;
  }
  return out;
}

base::Result<uint64_t> Arena::bytes_needed(std::span<const size_t> layer_block_bytes,
                                           uint32_t n_blocks) {
  FREEHOLD_ASSIGN(const Layout layout, lay_out(layer_block_bytes, n_blocks));
  return layout.bytes;
}

base::Result<Arena> Arena::create(std::span<const size_t> layer_block_bytes, uint32_t n_blocks) {
  FREEHOLD_ASSIGN(Layout layout, lay_out(layer_block_bytes, n_blocks));
  void* memory =
      mmap(nullptr, layout.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return base::fail(ErrorCode::kOutOfMemory, "the system refuses " +
                                                   std::to_string(layout.bytes) +
                                                   " bytes for the cache; use a shorter context");
  }
  // Wishes; without them things are only slower. Any thread may read any block.
  madvise(memory, layout.bytes, MADV_HUGEPAGE);
  base::interleave_memory(memory, layout.bytes);
  Arena arena;
  arena.base_ = static_cast<std::byte*>(memory);
  arena.bytes_ = layout.bytes;
  arena.n_blocks_ = n_blocks;
  arena.layers_ = std::move(layout.layers);
  return arena;
}

Arena::Arena(Arena&& other) noexcept { *this = std::move(other); }

Arena& Arena::operator=(Arena&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(bytes_, other.bytes_);
  std::swap(n_blocks_, other.n_blocks_);
  std::swap(layers_, other.layers_);
  return *this;
}

Arena::~Arena() {
  if (base_ != nullptr) munmap(base_, bytes_);
}

}  // namespace freehold::kv
