// Attention: against double precision, the same on every instruction set, and the same whatever
// else rides in the tile.
#include <cstring>

#include "kernels/vector_test_data.h"
#include "quant/half.h"

namespace freehold::kernels {
namespace {

using testing::random_floats;
using testing::same_bits;
using Floats = std::vector<float>;
using Bytes = std::vector<std::byte>;

struct Range {
  uint32_t first, end;
};

// A head's cache, and the values it holds as they will be read back.
struct Cache {
  CacheType type;
  size_t k_dim, v_dim;
  std::vector<Bytes> keys, values;
  std::vector<Floats> key_rows, value_rows;  // by position

  size_t n_positions() const { return key_rows.size(); }
};

template <typename T>
T load(const Bytes& bytes, size_t offset, size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + offset + index * sizeof(T), sizeof(T));
  return value;
}

// Element d of a slot; `transposed` as in key blocks.
float element(const Bytes& block, CacheType type, size_t dim, size_t slot, size_t d,
              bool transposed) {
  const size_t index = transposed ? d * 32 + slot : slot * dim + d;
  if (type == CacheType::kF32) return load<float>(block, 0, index);
  if (type == CacheType::kF16) return quant::f16_to_f32(load<uint16_t>(block, 0, index));
  const size_t scale = transposed ? d / 32 * 32 + slot : slot * (dim / 32) + d / 32;
  return static_cast<float>(load<int8_t>(block, 0, index)) *
         quant::f16_to_f32(load<uint16_t>(block, dim * 32, scale));
}

Floats read_back(const Bytes& block, CacheType type, size_t dim, size_t slot, bool transposed) {
  Floats row(dim);
  for (size_t d = 0; d < dim; ++d) row[d] = element(block, type, dim, slot, d, transposed);
  return row;
}

Cache make_cache(CacheType type, size_t k_dim, size_t v_dim, size_t n_positions) {
  Cache cache{type, k_dim, v_dim, {}, {}, {}, {}};
  const VectorKernels& k = vector_kernels(Isa::kScalar);
  for (size_t position = 0; position < n_positions; ++position) {
    const size_t slot = position % kBlockPositions;
    if (slot == 0) {
      cache.keys.emplace_back(key_block_bytes(type, k_dim));
      cache.values.emplace_back(value_block_bytes(type, v_dim));
    }
    const auto seed = static_cast<uint32_t>(position);
    const Floats key = random_floats(k_dim, seed * 2);
    const Floats value = random_floats(v_dim, seed * 2 + 1);
    k.store_key(type, key.data(), k_dim, cache.keys.back().data(), slot);
    k.store_value(type, value.data(), v_dim, cache.values.back().data(), slot);
    cache.key_rows.push_back(read_back(cache.keys.back(), type, k_dim, slot, true));
    cache.value_rows.push_back(read_back(cache.values.back(), type, v_dim, slot, false));
  }
  return cache;
}

// Rows of latent blocks: key_rows are the whole rows, value_rows their first v_dim elements.
Cache make_latent(CacheType type, size_t row_dim, size_t v_dim, size_t n_positions) {
  Cache cache{type, row_dim, v_dim, {}, {}, {}, {}};
  for (size_t position = 0; position < n_positions; ++position) {
    const size_t slot = position % kBlockPositions;
    if (slot == 0) cache.keys.emplace_back(latent_block_bytes(type, row_dim));
    const Floats row = random_floats(row_dim, static_cast<uint32_t>(position));
    vector_kernels(Isa::kScalar)
        .store_value(type, row.data(), row_dim, cache.keys.back().data(), slot);
    cache.key_rows.push_back(read_back(cache.keys.back(), type, row_dim, slot, false));
    const Floats& stored = cache.key_rows.back();
    cache.value_rows.emplace_back(stored.begin(), stored.begin() + static_cast<ptrdiff_t>(v_dim));
  }
  return cache;
}

struct Queries {
  Floats rows;  // [n][k_dim]
  std::vector<Range> ranges;
  Floats sinks;  // empty: none
};

Queries make_queries(size_t k_dim, std::vector<Range> ranges, bool sinks) {
  const size_t n = ranges.size();
  const float scale = 1.0F / std::sqrt(static_cast<float>(k_dim));
  return {random_floats(n * k_dim, 77, 2.0F * scale), std::move(ranges),
          sinks ? random_floats(n, 78, 3.0F) : Floats{}};
}

Queries pick(const Queries& all, const std::vector<size_t>& which, size_t k_dim) {
  Queries out;
  for (const size_t q : which) {
    const float* row = all.rows.data() + q * k_dim;
    out.rows.insert(out.rows.end(), row, row + k_dim);
    out.ranges.push_back(all.ranges[q]);
    if (!all.sinks.empty()) out.sinks.push_back(all.sinks[q]);
  }
  return out;
}

// Pointers to the blocks that some query sees; the others are null and must stay untouched.
std::vector<const std::byte*> visible_blocks(const std::vector<Bytes>& blocks,
                                             const std::vector<Range>& ranges) {
  std::vector<const std::byte*> out(blocks.size(), nullptr);
  for (const Range& range : ranges) {
    for (uint32_t p = range.first; p < range.end; ++p) out[p / 32] = blocks[p / 32].data();
  }
  return out;
}

enum class Way { kHeads, kLatent };
enum class Steps { kWhole, kByChunk };

// Runs a tile whole, or its chunks one by one from the last to the first and then the merge.
template <typename Tile, typename Whole, typename Chunk, typename Merge>
void run_tile(const Cache& cache, const Tile& tile, Steps steps, Whole whole, Chunk chunk,
              Merge merge) {
  if (steps == Steps::kWhole) return whole(cache.type, tile);
  const ChunkRange chunks = chunks_seen(tile.first, tile.end, tile.n_queries);
  const size_t stride = chunk_partial_floats(tile.n_queries, tile.v_dim);
  Floats partials((chunks.end - chunks.first) * stride, NAN);
  for (uint32_t c = chunks.end; c-- > chunks.first;) {
    chunk(cache.type, tile, c, partials.data() + (c - chunks.first) * stride);
  }
  merge(tile, chunks, partials.data());
}

Floats attend(Isa isa, const Cache& cache, const Queries& queries, Way way = Way::kHeads,
              Steps steps = Steps::kWhole) {
  const auto n = static_cast<uint32_t>(queries.ranges.size());
  const auto k_dim = static_cast<uint32_t>(cache.k_dim);
  const auto v_dim = static_cast<uint32_t>(cache.v_dim);
  Floats out(n * cache.v_dim);
  std::vector<uint32_t> first;
  std::vector<uint32_t> end;
  for (const Range& range : queries.ranges) {
    first.push_back(range.first);
    end.push_back(range.end);
  }
  const VectorKernels& k = vector_kernels(isa);
  const auto keys = visible_blocks(cache.keys, queries.ranges);
  if (way == Way::kLatent) {
    Floats scratch(latent_scratch_floats(n, k_dim, v_dim), NAN);
    const LatentTile tile = {
        queries.rows.data(), out.data(),    first.data(), end.data(), n, k_dim, v_dim,
        keys.data(),         scratch.data()};
    run_tile(cache, tile, steps, k.attend_latent, k.attend_latent_chunk, k.merge_latent_chunks);
    return out;
  }
  const auto values = visible_blocks(cache.values, queries.ranges);
  Floats scratch(attention_scratch_floats(n, k_dim, v_dim), NAN);
  const float* sinks = queries.sinks.empty() ? nullptr : queries.sinks.data();
  const AttentionTile tile = {
      queries.rows.data(), out.data(),    first.data(),  end.data(), sinks, n, k_dim, v_dim,
      keys.data(),         values.data(), scratch.data()};
  run_tile(cache, tile, steps, k.attend, k.attend_chunk, k.merge_chunks);
  return out;
}

std::vector<double> exact_attention(const Cache& cache, const Queries& queries, size_t q) {
  const auto [first, end] = queries.ranges[q];
  std::vector<double> scores;
  double largest = queries.sinks.empty() ? -INFINITY : queries.sinks[q];
  for (uint32_t p = first; p < end; ++p) {
    double score = 0;
    for (size_t d = 0; d < cache.k_dim; ++d) {
      score += static_cast<double>(queries.rows[q * cache.k_dim + d]) * cache.key_rows[p][d];
    }
    scores.push_back(score);
    largest = std::max(largest, score);
  }
  std::vector<double> out(cache.v_dim, 0.0);
  double sum = queries.sinks.empty() ? 0.0 : std::exp(queries.sinks[q] - largest);
  for (uint32_t p = first; p < end; ++p) {
    const double weight = std::exp(scores[p - first] - largest);
    sum += weight;
    for (size_t d = 0; d < cache.v_dim; ++d) out[d] += weight * cache.value_rows[p][d];
  }
  for (double& value : out) value = first < end ? value / sum : 0.0;
  return out;
}

// Ranges on and around the borders of blocks and chunks, windows, and nothing at all.
std::vector<Range> ranges_up_to(uint32_t n) {
  return {{0, 1},   {0, 255}, {0, 256},   {0, 257},    {0, n},     {100, 300}, {255, 257},
          {31, 33}, {9, 9},   {n - 1, n}, {256, n},    {256, 512}, {250, 260}, {3, 20},
          {0, 32},  {0, 16},  {17, 31},   {n - 50, n}, {512, 513}, {40, 490}};
}

constexpr uint32_t kPositions = 700;
constexpr CacheType kTypes[] = {CacheType::kF16, CacheType::kF32, CacheType::kQ8_0};

struct Dims {
  size_t k, v;
};

// Random keys and queries give scores of a few units: rounding a score (k_dim steps) and its
// exponential is worth less than 1e-5 of a weight, the sums and divisions less again.
constexpr double kTolerance = 2e-5;

void expect_close(const Floats& got, const Cache& cache, const Queries& queries) {
  for (size_t q = 0; q < queries.ranges.size(); ++q) {
    const auto exact = exact_attention(cache, queries, q);
    for (size_t d = 0; d < cache.v_dim; ++d) {
      ASSERT_NEAR(got[q * cache.v_dim + d], exact[d], kTolerance) << "query " << q << " dim " << d;
    }
  }
}

// Every way of cutting the queries into tiles gives each query the same bits.
void expect_independent(Isa isa, const Cache& cache, const Queries& queries, const Floats& whole,
                        Way way) {
  const size_t n = queries.ranges.size();
  for (const size_t tile : std::initializer_list<size_t>{1, 2, 3, 5, 7, 9}) {
    for (size_t start = 0; start < n; start += tile) {
      std::vector<size_t> which;
      for (size_t q = start; q < std::min(n, start + tile); ++q) which.push_back((q * 7) % n);
      const Floats part = attend(isa, cache, pick(queries, which, cache.k_dim), way);
      for (size_t i = 0; i < which.size(); ++i) {
        EXPECT_TRUE(same_bits(std::span(part).subspan(i * cache.v_dim, cache.v_dim),
                              std::span(whole).subspan(which[i] * cache.v_dim, cache.v_dim)))
            << "query " << which[i] << " in a tile of " << tile << " on " << name(isa);
      }
    }
  }
}

void check(const Cache& cache, const Queries& queries, Way way) {
  const Floats scalar = attend(Isa::kScalar, cache, queries, way);
  expect_close(scalar, cache, queries);
  for (const Isa isa : available_isas()) {
    const Floats whole = attend(isa, cache, queries, way);
    EXPECT_TRUE(same_bits(scalar, whole)) << name(isa);
    EXPECT_TRUE(same_bits(scalar, attend(isa, cache, queries, way, Steps::kByChunk))) << name(isa);
    expect_independent(isa, cache, queries, whole, way);
  }
}

TEST(VectorAttend, AgreesWithDoubleAndWithItselfEverywhere) {
  for (const CacheType type : kTypes) {
    for (const Dims dims : {Dims{64, 64}, Dims{8, 24}, Dims{96, 32}, Dims{40, 72}}) {
      if (!cache_dim_fits(type, dims.k) || !cache_dim_fits(type, dims.v)) continue;
      SCOPED_TRACE(::testing::Message()
                   << static_cast<int>(type) << " " << dims.k << " " << dims.v);
      const Cache cache = make_cache(type, dims.k, dims.v, kPositions);
      check(cache, make_queries(dims.k, ranges_up_to(kPositions), true), Way::kHeads);
      check(cache, make_queries(dims.k, {{0, 300}, {7, 7}, {280, 700}}, false), Way::kHeads);
    }
  }
}

TEST(VectorAttend, LatentAgreesWithDoubleAndWithItselfEverywhere) {
  for (const CacheType type : kTypes) {
    for (const Dims dims : {Dims{96, 64}, Dims{72, 40}, Dims{64, 64}}) {
      if (!cache_dim_fits(type, dims.k)) continue;
      SCOPED_TRACE(::testing::Message()
                   << static_cast<int>(type) << " " << dims.k << " " << dims.v);
      const Cache cache = make_latent(type, dims.k, dims.v, kPositions);
      check(cache, make_queries(dims.k, ranges_up_to(kPositions), false), Way::kLatent);
    }
  }
}

TEST(VectorAttend, LargestHeads) {
  const Cache cache = make_cache(CacheType::kF16, 576, 512, 300);
  const Queries queries = make_queries(576, {{0, 300}, {0, 299}, {10, 40}}, false);
  const Floats scalar = attend(Isa::kScalar, cache, queries);
  expect_close(scalar, cache, queries);
  for (const Isa isa : available_isas()) {
    EXPECT_TRUE(same_bits(scalar, attend(isa, cache, queries))) << name(isa);
  }
}

// Keys and values beyond what a query sees, in blocks that are touched, leave no trace.
TEST(VectorAttend, HiddenPositionsDoNotMatter) {
  Cache cache = make_cache(CacheType::kF16, 64, 64, 320);
  const Queries queries = make_queries(64, {{0, 300}, {5, 20}, {270, 290}}, false);
  const Floats before = attend(Isa::kScalar, cache, queries);
  const Floats other = random_floats(64, 99, 1000.0F);
  for (size_t position = 300; position < 320; ++position) {
    vector_kernels(Isa::kScalar)
        .store_key(cache.type, other.data(), 64, cache.keys[position / 32].data(), position % 32);
    vector_kernels(Isa::kScalar)
        .store_value(cache.type, other.data(), 64, cache.values[position / 32].data(),
                     position % 32);
  }
  for (const Isa isa : available_isas()) {
    EXPECT_TRUE(same_bits(before, attend(isa, cache, queries))) << name(isa);
  }
}

// Products so small that they vanish leave -0, to which a neighbour's positions, of weight 0 for
// this query, would add +0. The neighbour must not decide which zero comes out.
TEST(VectorAttend, SignsOfZeroAreIndependentOfTheTile) {
  Cache cache = make_cache(CacheType::kF32, 8, 16, 320);
  const VectorKernels& k = vector_kernels(Isa::kScalar);
  for (size_t p = 0; p < 320; ++p) {
    Floats key(8, 0.0F);
    key[0] = p < 256 ? 0.0F : p == 256 ? 10.0F : 5.0F;
    const Floats value(16, p == 256 ? 0.0F : p < 280 ? -1e-45F : 1.0F);
    k.store_key(cache.type, key.data(), 8, cache.keys[p / 32].data(), p % 32);
    k.store_value(cache.type, value.data(), 16, cache.values[p / 32].data(), p % 32);
  }
  Queries queries = {Floats(16, 0.0F), {{0, 280}, {0, 320}}, {}};
  queries.rows[0] = 1.0F;
  for (const Isa isa : available_isas()) {
    const Floats both = attend(isa, cache, queries);
    const Floats alone = attend(isa, cache, pick(queries, {0}, 8));
    EXPECT_TRUE(same_bits(std::span(both).first(16), alone)) << name(isa);
  }
}

TEST(VectorAttend, ANaNInTheCacheIsNotHidden) {
  Cache cache = make_cache(CacheType::kF16, 64, 64, 64);
  Floats bad = random_floats(64, 1);
  bad[3] = std::numeric_limits<float>::quiet_NaN();
  vector_kernels(Isa::kScalar).store_key(cache.type, bad.data(), 64, cache.keys[1].data(), 4);
  const Queries queries = make_queries(64, {{0, 64}, {0, 36}}, false);
  for (const Isa isa : available_isas()) {
    const Floats out = attend(isa, cache, queries);
    EXPECT_TRUE(std::isnan(out[0])) << name(isa);
    EXPECT_FALSE(std::isnan(out[64])) << name(isa);
  }
}

}  // namespace
}  // namespace freehold::kernels
