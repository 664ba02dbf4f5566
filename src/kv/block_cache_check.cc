// The invariants of the accounting, recounted from scratch. Called by tests only.
#include <string>

#include "kv/block_cache.h"

namespace freehold::kv {

namespace {

std::unexpected<base::Error> broken(const std::string& what) {
  return base::fail(base::ErrorCode::kInvalidArgument, what);
}

}  // namespace

base::Status BlockCache::check(std::span<const BlockTable* const> tables) const {
  std::vector<uint32_t> n_users(blocks_.size(), 0);
  std::vector<uint32_t> n_tables(tenants_.size(), 0);
  for (const BlockTable* table : tables) {
    ++n_tables[table->tenant];
    if (table->n_tokens > table->blocks.size() * kBlockTokens ||
        table->n_tokens < table->n_shared * kBlockTokens) {
      return broken("a table's tokens do not fit its blocks");
    }
    BlockId parent = kNoBlock;
    for (size_t i = 0; i < table->blocks.size(); ++i) {
      const BlockId block = table->blocks[i];
      ++n_users[block];
      if (tree_.contains(block) != (i < table->n_shared))
        return broken("a block's sharing differs");
      if (i >= table->n_shared) continue;
      if (tree_.parent(block) != parent) return broken("a table is not a path in the tree");
      if (tree_.tenant(block) != table->tenant) return broken("a block of another tenant");
      parent = block;
    }
  }
  Counts counts{.total = static_cast<uint32_t>(blocks_.size()), .used = 0, .idle = 0, .free = 0};
  std::vector<uint32_t> n_nodes(tenants_.size(), 0);
  for (BlockId block = 0; block < blocks_.size(); ++block) {
    if (blocks_[block].n_users != n_users[block]) return broken("users of a block miscounted");
    if (!tree_.contains(block) && n_users[block] > 1) return broken("a private block is shared");
    if (tree_.contains(block)) ++n_nodes[tree_.tenant(block)];
    ++(n_users[block] > 0 ? counts.used : tree_.contains(block) ? counts.idle : counts.free);
  }
  if (counts.used != counts_.used || counts.idle != counts_.idle || counts.free != counts_.free ||
      counts.total != counts_.total || free_.size() != counts.free) {
    return broken("blocks miscounted");
  }
  for (const BlockId block : free_) {
    if (n_users[block] > 0 || tree_.contains(block)) return broken("a block in use is free");
  }
  for (size_t slot = 0; slot < tenants_.size(); ++slot) {
    const Tenant& tenant = tenants_[slot];
    if (tenant.n_tables != n_tables[slot] || tenant.n_nodes != n_nodes[slot]) {
      return broken("tables or nodes of tenant `" + tenant.name + "` miscounted");
    }
  }
  if (!tree_.consistent()) return broken("the prefix tree is inconsistent");
  return check_idle_lists();
}

base::Status BlockCache::check_idle_lists() const {
  uint32_t n_idle = 0;
  for (size_t slot = 0; slot < tenants_.size(); ++slot) {
    const Tenant& tenant = tenants_[slot];
    uint32_t n_listed = 0;
    BlockId previous = kNoBlock;
    std::vector<bool> seen(blocks_.size(), false);
    for (BlockId block = tenant.oldest; block != kNoBlock; block = blocks_[block].newer) {
      if (seen[block]) return broken("an idle list has a loop");
      seen[block] = true;
      if (blocks_[block].n_users > 0 || tree_.tenant(block) != slot) {
        return broken("a block on the wrong idle list");
      }
      if (blocks_[block].older != previous) return broken("an idle list's links differ");
      // Evicted from the oldest on, so nothing may go before its child.
      const BlockId parent = tree_.parent(block);
      if (parent != kNoBlock && seen[parent]) return broken("a parent is older than its child");
      previous = block;
      ++n_listed;
    }
    if (tenant.newest != previous || tenant.n_idle != n_listed) {
      return broken("an idle list's end or length differs");
    }
    if (options_.tenant_idle_limit > 0 && n_listed > options_.tenant_idle_limit) {
      return broken("a tenant keeps more than its limit");
    }
    n_idle += n_listed;
  }
  if (n_idle != counts_.idle) return broken("idle blocks off every list");
  return {};
}

}  // namespace freehold::kv
