// The prefix cache on disk: what was written comes back, what was damaged does not, and nobody
// reads another model's.
#include "engine/prefix_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

namespace freehold::engine {
namespace {

const std::vector<size_t> kLayers = {96, 200};
constexpr PrefixDigest kDigest = {1, 2, 3, 4};
constexpr uint32_t kBlocks = 16;

struct Half {
  kv::BlockCache cache{{.n_blocks = kBlocks}};
  kv::Arena arena = std::move(*kv::Arena::create(kLayers, kBlocks));

  // Computes all of `ids`: every byte of a block says whose block it is. Returns the tokens that
  // were there, having looked at their bytes.
  uint32_t pass(const std::string& tenant, const std::vector<TokenId>& ids) {
    kv::BlockTable table = cache.open(tenant);
    const uint32_t n_cached = cache.attach(table, ids);
    EXPECT_TRUE(cache.reserve(table, static_cast<uint32_t>(ids.size())));
    for (size_t i = 0; i < table.blocks.size(); ++i) {
      for (size_t layer = 0; layer < kLayers.size(); ++layer) {
        const auto id = static_cast<size_t>(ids[i * kv::kBlockTokens]);
        const auto mark = static_cast<int>((id + static_cast<size_t>(tenant[0]) + 7 * layer) % 256);
        std::byte* bytes = arena.address(layer, table.blocks[i]);
        for (size_t j = 0; j < kLayers[layer] && i < n_cached / kv::kBlockTokens; ++j) {
          EXPECT_EQ(std::to_integer<int>(bytes[j]), mark);
        }
        std::memset(bytes, mark, kLayers[layer]);
      }
    }
    cache.commit(table, ids);
    cache.close(table);
    return n_cached;
  }
};

std::vector<TokenId> ids(size_t n, TokenId first) {
  std::vector<TokenId> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = first + static_cast<TokenId>(i);
  return out;
}

class PrefixStoreTest : public testing::Test {
 protected:
  PrefixStoreTest() {
    folder_ = std::filesystem::temp_directory_path() /
              ("freehold-prefix-" + std::to_string(getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    Half half;
    half.pass("a", ids(100, 5));
    half.pass("b", ids(70, 1000));
    const PrefixStore store(folder_, kDigest, kLayers);
    EXPECT_TRUE(store.write(half.cache, half.arena).has_value());
    file_ = store.file();
  }
  ~PrefixStoreTest() override { std::filesystem::remove_all(folder_); }

  uint32_t read(Half& half, const PrefixDigest& digest = kDigest) const {
    const uint32_t n = PrefixStore(folder_, digest, kLayers).read(half.cache, half.arena);
    EXPECT_TRUE(half.cache.check({}).has_value());
    return n;
  }

  std::filesystem::path folder_;
  std::filesystem::path file_;
};

TEST_F(PrefixStoreTest, ComesBackForItsTenants) {
  Half half;
  EXPECT_EQ(read(half), 5U);
  EXPECT_EQ(half.pass("b", ids(100, 5)), 0U);
  EXPECT_EQ(half.pass("a", ids(100, 5)), 96U);
  EXPECT_EQ(half.pass("b", ids(70, 1000)), 64U);
}

TEST_F(PrefixStoreTest, AnotherModelReadsNothing) {
  Half half;
  EXPECT_EQ(read(half, {1, 2, 3, 5}), 0U);
  EXPECT_EQ(read(half, {2, 2, 3, 4}), 0U);
  const std::vector<size_t> other = {96, 208};
  EXPECT_EQ(PrefixStore(folder_, kDigest, other).read(half.cache, half.arena), 0U);
}

// Whatever byte is wrong: no crash, and only blocks that are what they were.
TEST_F(PrefixStoreTest, DamageLosesBlocksAndNothingElse) {
  std::ifstream in(file_, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  const auto with = [&](const std::string& bytes) {
    std::ofstream(file_, std::ios::binary)
        .write(bytes.data(), static_cast<ptrdiff_t>(bytes.size()));
    Half half;
    const uint32_t n = read(half);
    half.pass("a", ids(100, 5));  // looks at the bytes of what came back
    half.pass("b", ids(70, 1000));
    return n;
  };
  ASSERT_EQ(with(good), 5U);
  for (size_t at = 0; at < good.size(); at += 3) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    ASSERT_LT(with(bad), 5U) << "byte " << at;
  }
  for (size_t size = 0; size < good.size(); size += 41) {
    ASSERT_LT(with(good.substr(0, size)), 5U) << size;
  }
}

TEST_F(PrefixStoreTest, DigestIsOfEveryByte) {
  const std::filesystem::path file = folder_ / "weights";
  base::ThreadPool pool(1);
  int n_folders = 0;  // each with nothing remembered
  const auto digest_with = [&](size_t at) {
    std::string bytes(1000, 'x');
    bytes[at] = 'y';
    std::ofstream(file, std::ios::binary).write(bytes.data(), 1000);
    const std::filesystem::path files[] = {file};
    const auto memory = folder_ / std::to_string(n_folders++);
    std::filesystem::create_directory(memory);
    return *prefix_digest(memory, files, kLayers, pool);
  };
  EXPECT_EQ(digest_with(3), digest_with(3));
  EXPECT_NE(digest_with(3), digest_with(4));
  EXPECT_NE(digest_with(998), digest_with(999));
  const std::filesystem::path none[] = {folder_ / "nothing"};
  EXPECT_FALSE(prefix_digest(folder_, none, kLayers, pool).has_value());
}

TEST_F(PrefixStoreTest, AnUnchangedModelIsNotReadAgain) {
  base::ThreadPool pool(1);
  std::vector<PrefixDigest> digests;
  for (const char* name : {"a", "b"}) {
    const std::filesystem::path files[] = {folder_ / name};
    const auto memory = folder_ / (std::string(name) + ".memory");
    std::filesystem::create_directory(memory);
    std::ofstream(files[0]) << name;
    digests.push_back(*prefix_digest(memory, files, kLayers, pool));
  }
  ASSERT_NE(digests[0], digests[1]);
  // With what is remembered of `a` in the place of what is remembered of `b`, `b` is taken for it.
  const auto remembered = [&](const char* name) {
    return std::filesystem::directory_iterator(folder_ / name)->path();
  };
  std::filesystem::copy_file(remembered("a.memory"), remembered("b.memory"),
                             std::filesystem::copy_options::overwrite_existing);
  const std::filesystem::path files[] = {folder_ / "b"};
  EXPECT_EQ(*prefix_digest(folder_ / "b.memory", files, kLayers, pool), digests[0]);
}

}  // namespace
}  // namespace freehold::engine
