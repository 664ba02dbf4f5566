// Finds full blocks by what they hold. A node is a block whose 32 tokens, and all before them, are
// known; its parent is the node of the 32 positions before. Nodes of different tenants never meet.
// Refuses false hits: a hash only says where to look, tokens and parents are compared.
//
// Owns content only. Who uses a block, and when one must go, is BlockCache's business, which
// removes children before parents.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "freehold/engine.h"
#include "kv/blocks.h"

namespace freehold::kv {

class PrefixTree {
 public:
  // Allocates for n_blocks nodes, once. `hash_seed` is any number; if strangers choose the tokens
  // it should be one that they cannot guess, or they can make lookups slow (never wrong).
  PrefixTree(uint32_t n_blocks, uint64_t hash_seed);

  // The node that follows `parent` (kNoBlock: the beginning) with these 32 tokens, or kNoBlock.
  BlockId find(uint32_t tenant, BlockId parent, std::span<const TokenId> tokens) const;

  // Makes `block` that node. There must be none yet, `block` must not be a node, and `parent` must
  // be one.
  void insert(BlockId block, uint32_t tenant, BlockId parent, std::span<const TokenId> tokens);

  // Forgets a node without children.
  void remove(BlockId block);

  bool contains(BlockId block) const { return nodes_[block].in_tree; }
  BlockId parent(BlockId block) const { return nodes_[block].parent; }
  uint32_t tenant(BlockId block) const { return nodes_[block].tenant; }
  uint32_t n_children(BlockId block) const { return nodes_[block].n_children; }
  std::span<const TokenId> tokens(BlockId block) const {
    return std::span(tokens_).subspan(size_t{block} * kBlockTokens, kBlockTokens);
  }

  // For tests: every link is where it should be.
  bool consistent() const;

 private:
  struct Node {
    uint64_t hash = 0;  // of the tenant and all tokens from the beginning
    BlockId parent = kNoBlock;
    BlockId next = kNoBlock;  // in the same bucket
    uint32_t tenant = 0;
    uint32_t n_children = 0;
    bool in_tree = false;
  };

  uint64_t hash(uint32_t tenant, BlockId parent, std::span<const TokenId> tokens) const;
  BlockId& bucket(uint64_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }

  uint64_t hash_seed_;
  std::vector<Node> nodes_;       // by block id
  std::vector<TokenId> tokens_;   // 32 for each block
  std::vector<BlockId> buckets_;  // heads of lists; a power of two
};

}  // namespace freehold::kv
