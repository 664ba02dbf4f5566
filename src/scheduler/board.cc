#include "scheduler/board.h"

#include <algorithm>

namespace freehold::scheduler {

namespace {

constexpr uint32_t kNearTokens = 64;

uint32_t growth_to(const Running& sequence, uint32_t n_tokens) {
  const uint32_t wanted = kv::blocks_for(n_tokens);
  return wanted > sequence.blocks ? wanted - sequence.blocks : 0;
}

}  // namespace

uint32_t prompt_growth(const Running& sequence) {
  if (sequence.prompt_left == 0) return 0;
  return growth_to(sequence, sequence.n_tokens + sequence.prompt_left);
}

uint32_t near_growth(const Running& sequence) {
  return growth_to(sequence, sequence.n_tokens + sequence.prompt_left +
                                 std::min(sequence.may_generate, kNearTokens));
}

Running as_running(const Waiting& request) {
  return {.id = request.id,
          .tenant = request.tenant,
          .prompt_left = request.prompt_tokens,
          .may_generate = request.may_generate};
}

void Board::remove(size_t index) {
  available_ += running_[index].exclusive_blocks;
  running_.erase(running_.begin() + static_cast<ptrdiff_t>(index));
}

Board::Use Board::use_of(TenantId tenant) const {
  Use use;
  for (const Running& sequence : running_) {
    if (sequence.tenant != tenant) continue;
    ++use.sequences;
    use.blocks += sequence.blocks + prompt_growth(sequence);
  }
  return use;
}

std::optional<size_t> Board::most_senior() const {
  std::optional<size_t> senior;
  for (size_t i = 0; i < running_.size(); ++i) {
    if (running_[i].paused) continue;
    if (!senior || running_[i].id < running_[*senior].id) senior = i;
  }
  return senior;
}

}  // namespace freehold::scheduler
