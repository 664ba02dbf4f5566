// The prefix cache on disk, between two lives of an engine: one file for a model and cache type, in
// a folder of the operator's. Every block has a checksum; what does not check is left out, with all
// that follows it. Refuses nothing loudly: a cache that cannot be read is an empty one.
//
// The file, little-endian: a header (magic, digest, bytes of a block, number of records, checksum),
// then records, parents first and the lately used before others: checksum of the rest, number of
// the parent record + 1 (0: none), bytes of the tenant's name, the name padded to 8, 32 token ids,
// and the block's bytes layer by layer.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/checksum.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "kv/arena.h"
#include "kv/block_cache.h"

namespace freehold::engine {

// Of a model's files and all else that decides the bits of a block.
using PrefixDigest = base::Checksum::Digest;

// Reads every byte of the files, unless `folder` remembers their state (models/panel_file.h).
// Errors: those of the files.
base::Result<PrefixDigest> prefix_digest(const std::filesystem::path& folder,
                                         std::span<const std::filesystem::path> files,
                                         std::span<const size_t> layer_block_bytes,
                                         base::ThreadPool& pool);

class PrefixStore {
 public:
  // `layer_block_bytes` as the arena has them.
  PrefixStore(std::filesystem::path folder, const PrefixDigest& digest,
              std::vector<size_t> layer_block_bytes);

  // Fills an empty cache; returns how many blocks came back. 0 where there is no file, or
  // another's.
  uint32_t read(kv::BlockCache& cache, kv::Arena& arena) const;

  // Writes the idle blocks, as far as they fit into kMostBytes, in place of what was there. Errors:
  // kIo.
  base::Status write(const kv::BlockCache& cache, const kv::Arena& arena) const;

  const std::filesystem::path& file() const { return file_; }

  static constexpr uint64_t kMostBytes = uint64_t{4} << 30U;

 private:
  std::array<uint64_t, 8> make_header(uint64_t n_records) const;

  std::filesystem::path folder_;
  std::filesystem::path file_;
  PrefixDigest digest_;
  std::vector<size_t> layer_bytes_;
  uint64_t block_bytes_ = 0;
};

}  // namespace freehold::engine
