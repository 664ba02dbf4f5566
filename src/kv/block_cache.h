// Who uses which block of the cache. Owns reference counts, the free list, reuse of full blocks
// through the prefix tree, and which unused block goes when room is needed. Touches no memory of
// the arena: it is accounting, and runs without one.
//
// A block is free, used (some table has it) or idle (no table has it, but the prefix tree knows it:
// kept for reuse, free on demand). free + used + idle = total, always.
//
// Single-threaded: the engine's thread alone calls it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "freehold/engine.h"
#include "kv/blocks.h"
#include "kv/prefix_tree.h"

namespace freehold::kv {

class BlockCache {
 public:
  struct Options {
    uint32_t n_blocks = 0;
    bool reuse = true;               // false: nothing is kept after its last user
    uint32_t tenant_idle_limit = 0;  // idle blocks a tenant may keep; 0: no limit of its own
    uint64_t hash_seed = 0;          // see PrefixTree
  };

  // Blocks; used + idle + free = total.
  struct Counts {
    uint32_t total = 0;
    uint32_t used = 0;
    uint32_t idle = 0;
    uint32_t free = 0;
  };

  // A full block that outlives its users, for whoever keeps the cache elsewhere. `parent` is a
  // block id in what kept() gives, an index into the list in what restore() takes.
  struct Kept {
    std::string_view tenant;
    uint32_t parent = kNoBlock;
    std::span<const TokenId> tokens;
    BlockId block = kNoBlock;
  };

  explicit BlockCache(const Options& options);

  // An empty table for a tenant. Every table must be closed.
  BlockTable open(std::string_view tenant);
  // Gives all blocks back and leaves the table empty; it must not be used again. Full blocks stay
  // for reuse.
  void close(BlockTable& table);

  // Takes over cached blocks that continue the table's full ones, as far as they agree with `ids`,
  // the whole sequence; at least the last token is always left to compute. Returns the tokens
  // gained. For the start, and while a prompt is computed, when another request with the same
  // prefix may have got further: what a block held of it so far is then given up for the full
  // block.
  uint32_t attach(BlockTable& table, std::span<const TokenId> ids);

  // Sees that the table has blocks for n_tokens positions, evicting idle ones where needed. False,
  // and nothing taken, when even that is not enough.
  bool reserve(BlockTable& table, uint32_t n_tokens);

  // The keys and values of all of `ids`, the sequence so far, are now final: sets n_tokens and
  // gives newly full blocks to the prefix tree. Where the tree has the same content already the
  // table's block is exchanged for that (the bits are the same by the contract on numbers), so
  // addresses of blocks must be read anew afterwards.
  void commit(BlockTable& table, std::span<const TokenId> ids);

  // Gives back blocks beyond n_tokens positions: drafts that were not accepted, room not used.
  // n_tokens must be no less than the shared part, which is final.
  void truncate(BlockTable& table, uint32_t n_tokens);

  // The idle blocks, lately used ones first and parents before their children. Valid until the next
  // change.
  std::vector<Kept> kept() const;
  // Makes them idle blocks again, in that order of use, as far as free blocks reach; returns which
  // they are (kNoBlock: there was no room, or it is here already). Their bytes are the caller's.
  std::vector<BlockId> restore(std::span<const Kept> kept);

  const Counts& counts() const { return counts_; }
  uint32_t available() const { return counts_.free + counts_.idle; }
  // Blocks that closing the table would make available; the others have further users.
  uint32_t n_exclusive(const BlockTable& table) const;

  // For tests: recounts everything from `tables`, all the open ones. An error says what is wrong.
  base::Status check(std::span<const BlockTable* const> tables) const;

 private:
  struct Block {
    uint32_t n_users = 0;
    BlockId older = kNoBlock;  // neighbours in its tenant's list of idle blocks
    BlockId newer = kNoBlock;
    uint64_t idle_since = 0;  // on the clock of blocks taken
  };
  struct Tenant {
    std::string name;
    BlockId oldest = kNoBlock;  // idle blocks, in the order in which they became so
    BlockId newest = kNoBlock;
    uint32_t n_idle = 0;
    uint32_t n_nodes = 0;  // in the prefix tree
    uint32_t n_tables = 0;
  };

  BlockId take();
  void use(BlockId block);
  void drop(BlockId block);
  void make_idle(BlockId block);
  void unlink_idle(BlockId block);
  void evict(BlockId block);
  BlockId choose_victim() const;
  void forget_tenant_if_unused(uint32_t slot);
  base::Status check_idle_lists() const;

  Options options_;
  Counts counts_;
  std::vector<Block> blocks_;
  std::vector<BlockId> free_;
  PrefixTree tree_;
  std::vector<Tenant> tenants_;       // slots, reused
  std::vector<uint32_t> free_slots_;  // of tenants_
  std::map<std::string, uint32_t, std::less<>> slot_of_;
  uint64_t n_taken_ = 0;  // blocks handed out since the start: the clock of eviction
};

}  // namespace freehold::kv
