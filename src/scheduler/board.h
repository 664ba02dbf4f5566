// The situation that a plan is made on: running sequences that may be struck off, the blocks this
// gives back, and what each tenant has. Owns the choice of who gives way.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "scheduler/scheduler.h"

namespace freehold::scheduler {

// Blocks a sequence will still take until its prompt is computed.
uint32_t prompt_growth(const Running& sequence);
// The same and for the tokens it will soon make: what admission leaves free for those who run, so
// that a newcomer is not sent away at once.
uint32_t near_growth(const Running& sequence);
// A request as it will look when it has just been admitted.
Running as_running(const Waiting& request);

class Board {
 public:
  Board(std::span<const Running> running, uint32_t available_blocks)
      : running_(running.begin(), running.end()), available_(available_blocks) {}

  const std::vector<Running>& running() const { return running_; }
  uint32_t available_blocks() const { return available_; }

  void add(const Running& sequence) { running_.push_back(sequence); }
  // Strikes a sequence off. Blocks that it shares stay counted as taken, though they may come free
  // too: the next step will know.
  void remove(size_t index);

  struct Use {
    uint32_t sequences = 0;
    uint32_t blocks = 0;  // taken, or promised to a prompt
  };
  Use use_of(TenantId tenant) const;

  // The index of the sequence that gives way when `demand` says of a tenant's use how much it is:
  // of the tenant for whom that is most, the one admitted last. Never a paused one, and never the
  // one that arrived first of those not paused: so the oldest always gets done, and in its turn
  // everybody. Only among those that ran for `min_steps` at least; none when nobody is left.
  template <typename Demand>
  std::optional<size_t> choose_victim(uint32_t min_steps, Demand demand) const {
    const std::optional<size_t> senior = most_senior();
    std::optional<size_t> victim;
    uint32_t most = 0;
    for (size_t i = running_.size(); i-- > 0;) {
      if (running_[i].paused || running_[i].n_steps < min_steps || i == senior) continue;
      const uint32_t wanted = demand(use_of(running_[i].tenant));
      if (!victim || wanted > most) {
        victim = i;
        most = wanted;
      }
    }
    return victim;
  }

 private:
  std::optional<size_t> most_senior() const;

  std::vector<Running> running_;
  uint32_t available_;
};

}  // namespace freehold::scheduler
