// Owns the format of the file (see prefix_store.h).
#include "engine/prefix_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "base/file.h"
#include "models/panel_file.h"

namespace freehold::engine {
namespace {

using base::Checksum;
using base::ErrorCode;
using base::fail;

constexpr uint64_t kMagic = 0x3178666572706866;  // "fhprefx1"
constexpr uint64_t kMaxTenant = 4096;
using Header = std::array<uint64_t, 8>;  // magic, digest, bytes of a block, records, checksum
constexpr size_t kHeaderBytes = sizeof(Header);
constexpr size_t kTokenBytes = kv::kBlockTokens * sizeof(TokenId);

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

uint64_t word_at(std::span<const std::byte> bytes, size_t at) {
  uint64_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

size_t padded(size_t bytes) { return (bytes + 7) / 8 * 8; }

// A record in the mapped file.
struct Record {
  uint64_t parent = 0;
  std::string_view tenant;
  std::vector<TokenId> tokens;
  std::span<const std::byte> content;
  bool good = false;
  size_t bytes = 0;
};

// Nothing where the rest of the file can't be a record.
std::optional<Record> parse_record(std::span<const std::byte> rest, uint64_t block_bytes) {
  constexpr size_t kFixed = 3 * sizeof(uint64_t);
  if (rest.size() < kFixed) return {};
  Record record;
  const uint64_t sum = word_at(rest, 0);
  record.parent = word_at(rest, 8);
  const uint64_t tenant_bytes = word_at(rest, 16);
  if (tenant_bytes > kMaxTenant) return {};
  const size_t tokens_at = kFixed + padded(tenant_bytes);
  record.bytes = tokens_at + kTokenBytes + block_bytes;
  if (rest.size() < record.bytes) return {};
  record.tenant = {reinterpret_cast<const char*>(rest.data()) + kFixed, tenant_bytes};
  record.tokens.resize(kv::kBlockTokens);
  std::memcpy(record.tokens.data(), rest.data() + tokens_at, kTokenBytes);
  record.content = rest.subspan(tokens_at + kTokenBytes, block_bytes);
  Checksum check;
  check.add(rest.subspan(8, record.bytes - 8));
  record.good = check.value() == sum;
  return record;
}

// A file being written beside the one that it will replace; gone if that never comes.
class Draft {
 public:
  explicit Draft(std::filesystem::path target) : target_(std::move(target)), path_(target_) {
    path_ += ".new";
    const int handle = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (handle >= 0) file_ = fdopen(handle, "wb");
    check(file_ != nullptr);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() {
    if (file_ != nullptr) std::fclose(file_);
    if (!done_) ::unlink(path_.c_str());
  }
  void put(std::span<const std::byte> bytes) {
    if (ok()) check(std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size());
  }
  bool finish() {
    if (ok()) check(std::fflush(file_) == 0 && fsync(fileno(file_)) == 0);
    if (ok()) check(std::rename(path_.c_str(), target_.c_str()) == 0);
    done_ = ok();
    return done_;
  }
  // What the system said of the first thing that failed.
  std::string reason() const { return std::system_category().message(error_); }

 private:
  bool ok() const { return error_ == 0; }
  void check(bool done) {
    if (!done) error_ = errno;
  }

  std::filesystem::path target_;
  std::filesystem::path path_;
  std::FILE* file_ = nullptr;
  int error_ = 0;
  bool done_ = false;
};

}  // namespace

base::Result<PrefixDigest> prefix_digest(const std::filesystem::path& folder,
                                         std::span<const std::filesystem::path> files,
                                         std::span<const size_t> layer_block_bytes,
                                         base::ThreadPool& pool) {
  FREEHOLD_ASSIGN(const Checksum::Digest content, models::source_digest(folder, files, pool));
  Checksum sum;
  sum.add(std::as_bytes(std::span(content)));
  sum.add(std::as_bytes(layer_block_bytes));
  return sum.digest();
}

PrefixStore::PrefixStore(std::filesystem::path folder, const PrefixDigest& digest,
                         std::vector<size_t> layer_block_bytes)
    : folder_(std::move(folder)), digest_(digest), layer_bytes_(std::move(layer_block_bytes)) {
  char name[40];
  std::snprintf(name, sizeof name, "%016lx%016lx.prefix", digest[0], digest[1]);
  file_ = folder_ / name;
  for (const size_t bytes : layer_bytes_) block_bytes_ += bytes;
}

std::array<uint64_t, 8> PrefixStore::make_header(uint64_t n_records) const {
  Header header = {kMagic,     digest_[0],   digest_[1], digest_[2],
                   digest_[3], block_bytes_, n_records,  0};
  Checksum sum;
  sum.add(std::as_bytes(std::span(header).first(header.size() - 1)));
  header.back() = sum.value();
  return header;
}

uint32_t PrefixStore::read(kv::BlockCache& cache, kv::Arena& arena) const {
  const auto mapped = base::MappedFile::open(file_);
  if (!mapped || mapped->bytes().size() < kHeaderBytes) return 0;
  const auto bytes = mapped->bytes();
  Header header{};
  std::memcpy(header.data(), bytes.data(), kHeaderBytes);
  const uint64_t n_records = header[6];
  if (header != make_header(n_records)) return 0;

  std::vector<Record> good;
  std::map<uint64_t, size_t> place;  // record number to index in `good`
  std::vector<kv::BlockCache::Kept> kept;
  auto rest = bytes.subspan(kHeaderBytes);
  for (uint64_t i = 0; i < n_records && good.size() < cache.counts().total; ++i) {
    auto record = parse_record(rest, block_bytes_);
    if (!record) break;
    rest = rest.subspan(record->bytes);
    const auto parent = place.find(record->parent - 1);
    if (!record->good || (record->parent != 0 && parent == place.end())) continue;
    place.emplace(i, good.size());
    kept.push_back(
        {.tenant = record->tenant,
         .parent = record->parent == 0 ? kv::kNoBlock : static_cast<uint32_t>(parent->second),
         .tokens = {},
         .block = kv::kNoBlock});
    good.push_back(std::move(*record));
  }
  for (size_t i = 0; i < good.size(); ++i) kept[i].tokens = good[i].tokens;
  const std::vector<kv::BlockId> blocks = cache.restore(kept);
  uint32_t n_back = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i] == kv::kNoBlock) continue;
    auto content = good[i].content;
    for (size_t layer = 0; layer < layer_bytes_.size(); ++layer) {
      std::memcpy(arena.address(layer, blocks[i]), content.data(), layer_bytes_[layer]);
      content = content.subspan(layer_bytes_[layer]);
    }
    ++n_back;
  }
  return n_back;
}

base::Status PrefixStore::write(const kv::BlockCache& cache, const kv::Arena& arena) const {
  std::vector<kv::BlockCache::Kept> kept = cache.kept();
  std::erase_if(kept, [](const auto& block) { return block.tenant.size() > kMaxTenant; });
  kept.resize(std::min<uint64_t>(kept.size(), kMostBytes / (block_bytes_ + kTokenBytes)));
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  Draft draft(file_);
  draft.put(bytes_of(make_header(kept.size())));
  std::map<kv::BlockId, uint64_t> number;  // record number + 1
  for (const auto& one : kept) {
    const auto parent = number.find(one.parent);
    const uint64_t head[] = {parent == number.end() ? 0 : parent->second, one.tenant.size()};
    std::string tenant(one.tenant);
    tenant.resize(padded(tenant.size()), '\0');
    std::vector<std::span<const std::byte>> parts = {std::as_bytes(std::span(head)),
                                                     std::as_bytes(std::span(tenant)),
                                                     std::as_bytes(one.tokens)};
    for (size_t layer = 0; layer < layer_bytes_.size(); ++layer) {
      parts.emplace_back(arena.address(layer, one.block), layer_bytes_[layer]);
    }
    std::vector<std::byte> record;
    for (const auto part : parts) record.insert(record.end(), part.begin(), part.end());
    Checksum sum;
    sum.add(record);
    draft.put(bytes_of(sum.value()));
    draft.put(record);
    number.emplace(one.block, number.size() + 1);
  }
  if (draft.finish()) return {};
  return fail(ErrorCode::kIo,
              "the prefix cache can't be written to " + file_.string() + ": " + draft.reason());
}

}  // namespace freehold::engine
