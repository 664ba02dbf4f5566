// Owns the format of panel files (see panel_file.h).
#include "models/panel_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "base/file.h"

namespace freehold::models {
namespace {

namespace fs = std::filesystem;
using base::Checksum;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr uint64_t kMagic = 0x316c656e61706866;  // "fhpanel1"
constexpr uint64_t kChunk = uint64_t{16} << 20U;
constexpr uint64_t kLeftFree = uint64_t{1} << 30U;
constexpr auto kUnusedFor = std::chrono::hours(24 * 60);

// A file descriptor that closes itself.
class File {
 public:
  File(const fs::path& path, int flags) : handle_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (handle_ >= 0) ::close(handle_);
  }
  bool is_open() const { return handle_ >= 0; }
  int handle() const { return handle_; }

  bool read(uint64_t at, std::span<std::byte> into) const {
    const ssize_t n = ::pread(handle_, into.data(), into.size(), static_cast<off_t>(at));
    return n >= 0 && static_cast<size_t>(n) == into.size();
  }
  bool write(uint64_t at, std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(handle_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (n <= 0) return false;
      at += static_cast<uint64_t>(n);
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return true;
  }

 private:
  int handle_;
};

std::string hex(uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::vector<uint64_t> checksums_of(uint64_t bytes, PanelFile::Panels content,
                                   base::ThreadPool& pool) {
  std::vector<uint64_t> sums((bytes + kChunk - 1) / kChunk);
  // Only touched where the content does not lie in one piece.
  const auto threads = static_cast<uint64_t>(pool.threads());
  const auto scratch = std::make_unique_for_overwrite<std::byte[]>(threads * kChunk);
  pool.run(sums.size(), [&](size_t i, int thread) {
    std::byte* own = scratch.get() + static_cast<uint64_t>(thread) * kChunk;
    const uint64_t at = i * kChunk;
    Checksum sum;
    sum.add(content(at, {own, std::min(kChunk, bytes - at)}));
    sums[i] = sum.value();
  });
  return sums;
}

std::vector<uint64_t> checksums_of(std::span<const std::byte> bytes, base::ThreadPool& pool) {
  const auto content = [&](uint64_t at, std::span<std::byte> scratch) {
    return bytes.subspan(at, scratch.size());
  };
  return checksums_of(bytes.size(), content, pool);
}

// What changes when a file is replaced or written to, short of its content.
Result<uint64_t> state_of(std::span<const fs::path> sources) {
  Checksum sum;
  for (const fs::path& source : sources) {
    struct stat state {};
    if (::stat(source.c_str(), &state) != 0) {
      return fail(ErrorCode::kNotFound, source.string() + " is gone");
    }
    sum.add(state.st_dev);
    sum.add(state.st_ino);
    sum.add(static_cast<uint64_t>(state.st_size));
    for (const timespec& time : {state.st_mtim, state.st_ctim}) {
      sum.add(static_cast<uint64_t>(time.tv_sec));
      sum.add(static_cast<uint64_t>(time.tv_nsec));
    }
  }
  return sum.value();
}

struct Known {
  Checksum::Digest digest;
  uint64_t check;

  uint64_t expected() const {
    Checksum sum;
    sum.add(std::as_bytes(std::span(digest)));
    return sum.value();
  }
};

std::optional<Checksum::Digest> known_digest(const fs::path& file) {
  const File in(file, O_RDONLY);
  Known known{};
  if (!in.is_open() || !in.read(0, std::as_writable_bytes(std::span(&known, 1)))) return {};
  if (known.check != known.expected()) return {};
  return known.digest;
}

// The time of a file's last use is kept as its time of change.
void delete_unused(const fs::path& folder) {
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  std::vector<fs::path> old;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    const auto used = fs::last_write_time(at->path(), gone);
    if (!gone && at->path().extension() != ".source" && now - used > kUnusedFor) {
      old.push_back(at->path());
    }
  }
  for (const fs::path& path : old) fs::remove(path, error);
}

uint64_t aligned(uint64_t bytes) {
  constexpr uint64_t kAlignment = WeightMemory::kAlignment;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

Result<Checksum::Digest> source_digest(const fs::path& folder, std::span<const fs::path> sources,
                                       base::ThreadPool& pool) {
  FREEHOLD_ASSIGN(const uint64_t state, state_of(sources));
  const fs::path file = folder / (hex(state) + ".source");
  if (const auto known = known_digest(file)) return *known;
  Checksum sum;
  for (const fs::path& source : sources) {
    FREEHOLD_ASSIGN(const base::MappedFile mapped, base::MappedFile::open(source));
    const std::vector<uint64_t> sums = checksums_of(mapped.bytes(), pool);
    sum.add(std::as_bytes(std::span(sums)));
    sum.add(mapped.bytes().size());
  }
  Known known{sum.digest(), 0};
  known.check = known.expected();
  // Not remembered, it is read again.
  (void)base::write_file_atomically(file, std::as_bytes(std::span(&known, 1)));
  return known.digest;
}

Result<PanelFile> PanelFile::locate(const fs::path& folder, std::span<const fs::path> sources,
                                    uint64_t layout, uint64_t bytes, base::ThreadPool& pool) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, folder.string() + ": " + error.message());
  PanelFile file;
  FREEHOLD_ASSIGN(file.digest_, source_digest(folder, sources, pool));
  file.layout_ = layout;
  file.bytes_ = bytes;
  file.path_ =
      folder / (hex(file.digest_[0]) + hex(file.digest_[1]) + "-" + hex(layout) + ".panels");
  return file;
}

std::vector<std::byte> PanelFile::header(std::span<const uint64_t> checksums) const {
  std::vector<uint64_t> words = {kMagic};
  words.insert(words.end(), digest_.begin(), digest_.end());
  words.insert(words.end(), {layout_, bytes_});
  words.insert(words.end(), checksums.begin(), checksums.end());
  Checksum sum;
  sum.add(std::as_bytes(std::span(words)));
  words.push_back(sum.value());
  const auto bytes = std::as_bytes(std::span(words));
  return {bytes.begin(), bytes.end()};
}

std::optional<WeightMemory> PanelFile::map(base::ThreadPool& pool) const {
  const File file(path_, O_RDONLY);
  struct stat state {};
  if (!file.is_open() || ::fstat(file.handle(), &state) != 0) return {};
  const size_t n_chunks = (bytes_ + kChunk - 1) / kChunk;
  std::vector<std::byte> found(header(std::vector<uint64_t>(n_chunks)).size());
  const uint64_t offset = aligned(found.size());
  if (static_cast<uint64_t>(state.st_size) != offset + bytes_) return {};
  auto memory = WeightMemory::map(file.handle(), offset, bytes_);
  if (!memory || !file.read(0, found)) return {};
  if (found != header(checksums_of({memory->data(), bytes_}, pool))) return {};
  ::futimens(file.handle(), nullptr);
  return std::move(*memory);
}

Status PanelFile::write(Panels panels, base::ThreadPool& pool) const {
  const fs::path folder = path_.parent_path();
  delete_unused(folder);
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error || space.available < bytes_ + kLeftFree) {
    return fail(ErrorCode::kIo, folder.string() + ": not enough room to keep the panels");
  }
  const std::vector<std::byte> head = header(checksums_of(bytes_, panels, pool));
  const uint64_t offset = aligned(head.size());
  const fs::path draft = path_.string() + ".new" + std::to_string(::getpid());
  bool whole = false;
  {
    const File file(draft, O_RDWR | O_CREAT | O_TRUNC);
    whole = file.is_open() && file.write(0, head);
    // In order and in large pieces: so the system keeps them in large pages.
    const auto scratch = std::make_unique_for_overwrite<std::byte[]>(kChunk);
    for (uint64_t at = 0; whole && at < bytes_; at += kChunk) {
      whole = file.write(offset + at, panels(at, {scratch.get(), std::min(kChunk, bytes_ - at)}));
    }
  }
  if (whole) fs::rename(draft, path_, error);
  if (whole && !error) return {};
  fs::remove(draft, error);
  return fail(ErrorCode::kIo, path_.string() + ": can't be written");
}

void PanelFile::forget(const fs::path& folder, std::span<const fs::path> sources) {
  const auto state = state_of(sources);
  if (!state) return;
  const fs::path known = folder / (hex(*state) + ".source");
  const auto digest = known_digest(known);
  std::error_code error;
  fs::remove(known, error);
  if (!digest) return;
  const std::string prefix = hex((*digest)[0]) + hex((*digest)[1]);
  std::vector<fs::path> own;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->path().filename().string().starts_with(prefix)) own.push_back(at->path());
  }
  for (const fs::path& path : own) fs::remove(path, error);
}

}  // namespace freehold::models
