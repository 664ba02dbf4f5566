// A model's panels on disk: prepared once, mapped at every later start, shared by all processes
// that run the model. Lives in a folder of ours and never beside the model. Whatever is wrong with
// such a file, or with making it, costs time and nothing else: it is not used, or not made.
//
//   DIGEST-LAYOUT.panels   the weights as kernels/panel.h lays them out, in Loader's order
//   STATE.source           digest of files in a state (place, size, times), so that their content
//                          need not be read again
//
// A panel file, little-endian: magic and version; digest of the model's files; layout; bytes; a
// checksum for each 16 MiB of panels; a checksum of all that; the panels from the next multiple
// of 2 MiB on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "base/function_ref.h"
#include "base/thread_pool.h"
#include "models/weight_memory.h"

namespace freehold::models {

// Of the content of `sources`, which are read whole where their state in `folder` is not known.
// Errors: those of the files.
base::Result<base::Checksum::Digest> source_digest(const std::filesystem::path& folder,
                                                   std::span<const std::filesystem::path> sources,
                                                   base::ThreadPool& pool);

class PanelFile {
 public:
  // Of the model in `sources`, whose panels have this layout and size. Reads the sources whole
  // where their digest is not known yet. Errors: those of the files, kIo for the folder.
  static base::Result<PanelFile> locate(const std::filesystem::path& folder,
                                        std::span<const std::filesystem::path> sources,
                                        uint64_t layout, uint64_t bytes, base::ThreadPool& pool);

  const std::filesystem::path& path() const { return path_; }

  // The panels, every byte checked; nothing where there is no such file or it is damaged.
  std::optional<WeightMemory> map(base::ThreadPool& pool) const;
  // Gives bytes [at, at + scratch.size()) of the panels: in scratch, or where they lie. From any
  // thread.
  using Panels =
      base::FunctionRef<std::span<const std::byte>(uint64_t at, std::span<std::byte> scratch)>;
  // Makes the file, and deletes others that nobody used for a long time. Errors: kIo (no room: some
  // is always left free).
  base::Status write(Panels panels, base::ThreadPool& pool) const;

  // Deletes what is kept of a model.
  static void forget(const std::filesystem::path& folder,
                     std::span<const std::filesystem::path> sources);

 private:
  PanelFile() = default;
  std::vector<std::byte> header(std::span<const uint64_t> checksums) const;

  std::filesystem::path path_;
  base::Checksum::Digest digest_{};
  uint64_t layout_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace freehold::models
