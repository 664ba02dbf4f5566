#include "kv/block_cache.h"

#include <algorithm>
#include <cassert>

namespace freehold::kv {

namespace {

// An idle block not wanted while the whole cache was handed out this many times is stale: it goes
// before anything else, whoever has it.
constexpr uint64_t kStaleRounds = 8;

}  // namespace

BlockCache::BlockCache(const Options& options)
    : options_(options),
      counts_{.total = options.n_blocks, .used = 0, .idle = 0, .free = options.n_blocks},
      blocks_(options.n_blocks),
      tree_(options.n_blocks, options.hash_seed) {
  free_.reserve(options.n_blocks);
  for (BlockId block = options.n_blocks; block > 0; --block) free_.push_back(block - 1);
}

BlockTable BlockCache::open(std::string_view tenant) {
  auto found = slot_of_.find(tenant);
  if (found == slot_of_.end()) {
    uint32_t slot = static_cast<uint32_t>(tenants_.size());
    if (free_slots_.empty()) {
      tenants_.emplace_back();
    } else {
      slot = free_slots_.back();
      free_slots_.pop_back();
    }
    tenants_[slot].name = std::string(tenant);
    found = slot_of_.emplace(tenants_[slot].name, slot).first;
  }
  ++tenants_[found->second].n_tables;
  BlockTable table;
  table.tenant = found->second;
  return table;
}

void BlockCache::close(BlockTable& table) {
  // The last block first: it is the deepest in the tree, so it must be the older idle one.
  for (; !table.blocks.empty(); table.blocks.pop_back()) drop(table.blocks.back());
  --tenants_[table.tenant].n_tables;
  forget_tenant_if_unused(table.tenant);
  table = BlockTable{};
}

uint32_t BlockCache::attach(BlockTable& table, std::span<const TokenId> ids) {
  if (ids.empty()) return 0;
  const size_t n_limit = (ids.size() - 1) / kBlockTokens;
  const uint32_t n_before = table.n_tokens;
  while (table.n_shared < n_limit) {
    const size_t i = table.n_shared;
    const BlockId parent = i == 0 ? kNoBlock : table.blocks[i - 1];
    const BlockId block =
        tree_.find(table.tenant, parent, ids.subspan(i * kBlockTokens, kBlockTokens));
    if (block == kNoBlock) break;
    use(block);
    if (i < table.blocks.size()) {
      drop(table.blocks[i]);  // room reserved for what is here already
      table.blocks[i] = block;
    } else {
      table.blocks.push_back(block);
    }
    ++table.n_shared;
  }
  table.n_tokens = std::max(n_before, table.n_shared * kBlockTokens);
  return table.n_tokens - n_before;
}

bool BlockCache::reserve(BlockTable& table, uint32_t n_tokens) {
  const size_t n_wanted = blocks_for(n_tokens);
  if (n_wanted <= table.blocks.size()) return true;
  if (n_wanted - table.blocks.size() > available()) return false;
  while (table.blocks.size() < n_wanted) table.blocks.push_back(take());
  return true;
}

void BlockCache::commit(BlockTable& table, std::span<const TokenId> ids) {
  assert(ids.size() >= table.n_tokens && ids.size() <= table.blocks.size() * kBlockTokens);
  table.n_tokens = static_cast<uint32_t>(ids.size());
  if (!options_.reuse) return;
  while ((table.n_shared + 1) * kBlockTokens <= table.n_tokens) {
    const size_t i = table.n_shared;
    const BlockId parent = i == 0 ? kNoBlock : table.blocks[i - 1];
    const auto tokens = ids.subspan(i * kBlockTokens, kBlockTokens);
    const BlockId known = tree_.find(table.tenant, parent, tokens);
    if (known == kNoBlock) {
      tree_.insert(table.blocks[i], table.tenant, parent, tokens);
      ++tenants_[table.tenant].n_nodes;
    } else {
      use(known);
      drop(table.blocks[i]);
      table.blocks[i] = known;
    }
    ++table.n_shared;
  }
}

void BlockCache::truncate(BlockTable& table, uint32_t n_tokens) {
  assert(n_tokens >= table.n_shared * kBlockTokens);
  table.n_tokens = std::min(table.n_tokens, n_tokens);
  for (const size_t n_kept = blocks_for(n_tokens); table.blocks.size() > n_kept;) {
    drop(table.blocks.back());
    table.blocks.pop_back();
  }
}

uint32_t BlockCache::n_exclusive(const BlockTable& table) const {
  return static_cast<uint32_t>(std::ranges::count_if(
      table.blocks, [this](BlockId block) { return blocks_[block].n_users == 1; }));
}

std::vector<BlockCache::Kept> BlockCache::kept() const {
  struct Order {
    uint64_t newest_first;
    uint32_t depth;
    BlockId block;
    auto operator<=>(const Order&) const = default;
  };
  std::vector<Order> order;
  for (BlockId block = 0; block < counts_.total; ++block) {
    if (blocks_[block].n_users > 0 || !tree_.contains(block)) continue;
    uint32_t depth = 0;
    for (BlockId up = tree_.parent(block); up != kNoBlock; up = tree_.parent(up)) ++depth;
    // A parent is never idle for longer than its child.
    order.push_back({UINT64_MAX - blocks_[block].idle_since, depth, block});
  }
  std::ranges::sort(order);
  std::vector<Kept> out;
  out.reserve(order.size());
  for (const Order& one : order) {
    out.push_back({.tenant = tenants_[tree_.tenant(one.block)].name,
                   .parent = tree_.parent(one.block),
                   .tokens = tree_.tokens(one.block),
                   .block = one.block});
  }
  return out;
}

std::vector<BlockId> BlockCache::restore(std::span<const Kept> kept) {
  std::vector<BlockId> blocks(kept.size(), kNoBlock);
  if (!options_.reuse) return blocks;
  std::vector<BlockTable> tables;  // keep the tenants while their blocks have no nodes yet
  for (size_t i = 0; i < kept.size() && !free_.empty(); ++i) {
    const Kept& one = kept[i];
    const bool is_root = one.parent == kNoBlock;
    if (!is_root && (one.parent >= i || blocks[one.parent] == kNoBlock)) continue;
    tables.push_back(open(one.tenant));
    const uint32_t tenant = tables.back().tenant;
    const BlockId parent = is_root ? kNoBlock : blocks[one.parent];
    const bool strange = !is_root && tree_.tenant(parent) != tenant;
    if (strange || tree_.find(tenant, parent, one.tokens) != kNoBlock) continue;
    blocks[i] = take();
    tree_.insert(blocks[i], tenant, parent, one.tokens);
    ++tenants_[tenant].n_nodes;
  }
  for (size_t i = kept.size(); i-- > 0;) {
    if (blocks[i] != kNoBlock) drop(blocks[i]);
  }
  for (BlockTable& table : tables) close(table);
  return blocks;
}

// A block for one new user, evicting if none is free; there must be one available.
BlockId BlockCache::take() {
  if (free_.empty()) evict(choose_victim());
  const BlockId block = free_.back();
  free_.pop_back();
  --counts_.free;
  ++counts_.used;
  ++n_taken_;
  blocks_[block].n_users = 1;
  return block;
}

// One more user of a block of the tree.
void BlockCache::use(BlockId block) {
  if (blocks_[block].n_users++ > 0) return;
  unlink_idle(block);
  --counts_.idle;
  ++counts_.used;
}

// One user less.
void BlockCache::drop(BlockId block) {
  if (--blocks_[block].n_users > 0) return;
  --counts_.used;
  if (tree_.contains(block)) {
    make_idle(block);
    return;
  }
  free_.push_back(block);
  ++counts_.free;
}

void BlockCache::make_idle(BlockId block) {
  const uint32_t slot = tree_.tenant(block);
  Tenant& tenant = tenants_[slot];
  blocks_[block].idle_since = n_taken_;
  blocks_[block].older = tenant.newest;
  blocks_[block].newer = kNoBlock;
  (tenant.newest == kNoBlock ? tenant.oldest : blocks_[tenant.newest].newer) = block;
  tenant.newest = block;
  ++tenant.n_idle;
  ++counts_.idle;
  if (options_.tenant_idle_limit > 0 && tenant.n_idle > options_.tenant_idle_limit) {
    evict(tenant.oldest);
  }
}

void BlockCache::unlink_idle(BlockId block) {
  Tenant& tenant = tenants_[tree_.tenant(block)];
  const Block& it = blocks_[block];
  (it.older == kNoBlock ? tenant.oldest : blocks_[it.older].newer) = it.newer;
  (it.newer == kNoBlock ? tenant.newest : blocks_[it.newer].older) = it.older;
  --tenant.n_idle;
}

// Frees an idle block that is the oldest of its tenant. Such a block is a leaf: whoever uses a
// block uses its parents too, and gives them back later.
void BlockCache::evict(BlockId block) {
  const uint32_t slot = tree_.tenant(block);
  unlink_idle(block);
  tree_.remove(block);
  --tenants_[slot].n_nodes;
  free_.push_back(block);
  --counts_.idle;
  ++counts_.free;
  forget_tenant_if_unused(slot);
}

// The oldest idle block of the tenant that has most of them, so that whoever floods the cache
// floods out himself; but first what is stale, so that the share of one who left comes back.
BlockId BlockCache::choose_victim() const {
  const Tenant* oldest = nullptr;
  const Tenant* largest = nullptr;
  for (const Tenant& tenant : tenants_) {
    if (tenant.n_idle == 0) continue;
    const uint64_t since = blocks_[tenant.oldest].idle_since;
    if (oldest == nullptr || since < blocks_[oldest->oldest].idle_since) oldest = &tenant;
    if (largest == nullptr || tenant.n_idle > largest->n_idle) largest = &tenant;
  }
  assert(oldest != nullptr);
  const uint64_t age = n_taken_ - blocks_[oldest->oldest].idle_since;
  return age > kStaleRounds * counts_.total ? oldest->oldest : largest->oldest;
}

void BlockCache::forget_tenant_if_unused(uint32_t slot) {
  Tenant& tenant = tenants_[slot];
  if (tenant.n_tables > 0 || tenant.n_nodes > 0) return;
  slot_of_.erase(tenant.name);
  tenant = Tenant{};
  free_slots_.push_back(slot);
}

}  // namespace freehold::kv
