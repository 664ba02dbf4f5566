#include "kv/prefix_tree.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "base/random.h"

namespace freehold::kv {

PrefixTree::PrefixTree(uint32_t n_blocks, uint64_t hash_seed)
    : hash_seed_(hash_seed),
      nodes_(n_blocks),
      tokens_(size_t{n_blocks} * kBlockTokens),
      buckets_(std::bit_ceil(size_t{n_blocks} + 1), kNoBlock) {}

uint64_t PrefixTree::hash(uint32_t tenant, BlockId parent, std::span<const TokenId> tokens) const {
  uint64_t hash = parent == kNoBlock ? base::random_bits(hash_seed_, tenant) : nodes_[parent].hash;
  for (const TokenId token : tokens) {
    hash = base::mix64(hash ^ (static_cast<uint64_t>(token) + hash_seed_));
  }
  return hash;
}

BlockId PrefixTree::find(uint32_t tenant, BlockId parent, std::span<const TokenId> tokens) const {
  const uint64_t wanted = hash(tenant, parent, tokens);
  BlockId block = buckets_[wanted & (buckets_.size() - 1)];
  while (block != kNoBlock) {
    const Node& node = nodes_[block];
    if (node.hash == wanted && node.tenant == tenant && node.parent == parent &&
        std::ranges::equal(this->tokens(block), tokens)) {
      break;
    }
    block = node.next;
  }
  return block;
}

void PrefixTree::insert(BlockId block, uint32_t tenant, BlockId parent,
                        std::span<const TokenId> tokens) {
  assert(tokens.size() == kBlockTokens && !nodes_[block].in_tree);
  assert(parent == kNoBlock || (nodes_[parent].in_tree && nodes_[parent].tenant == tenant));
  const uint64_t key = hash(tenant, parent, tokens);
  nodes_[block] = {.hash = key,
                   .parent = parent,
                   .next = bucket(key),
                   .tenant = tenant,
                   .n_children = 0,
                   .in_tree = true};
  bucket(key) = block;
  std::ranges::copy(tokens, tokens_.begin() + static_cast<ptrdiff_t>(size_t{block} * kBlockTokens));
  if (parent != kNoBlock) ++nodes_[parent].n_children;
}

void PrefixTree::remove(BlockId block) {
  Node& node = nodes_[block];
  assert(node.in_tree && node.n_children == 0);
  BlockId* link = &bucket(node.hash);
  while (*link != block) link = &nodes_[*link].next;
  *link = node.next;
  if (node.parent != kNoBlock) --nodes_[node.parent].n_children;
  node = Node{};
}

bool PrefixTree::consistent() const {
  std::vector<uint32_t> n_children(nodes_.size(), 0);
  size_t n_nodes = 0;
  for (const Node& node : nodes_) {
    if (!node.in_tree) continue;
    ++n_nodes;
    if (node.parent == kNoBlock) continue;
    if (!nodes_[node.parent].in_tree || nodes_[node.parent].tenant != node.tenant) return false;
    ++n_children[node.parent];
  }
  size_t n_linked = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    for (BlockId block = buckets_[i]; block != kNoBlock; block = nodes_[block].next) {
      const Node& node = nodes_[block];
      if (!node.in_tree || (node.hash & (buckets_.size() - 1)) != i) return false;
      if (node.hash != hash(node.tenant, node.parent, tokens(block))) return false;
      if (++n_linked > n_nodes) return false;  // a loop
    }
  }
  if (n_linked != n_nodes) return false;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].n_children != n_children[i]) return false;
  }
  return true;
}

}  // namespace freehold::kv
