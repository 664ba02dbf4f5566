#include "scheduler/scheduler.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "base/checked.h"
#include "scheduler/board.h"

namespace freehold::scheduler {

namespace {

// Steps that a sequence runs before it may be sent away for the sake of fairness alone. Slots and
// blocks are weighed one at a time, so without this two tenants could take turns for ever.
constexpr uint32_t kTenureSteps = 64;

uint32_t n_blocks_near(const Board& board) {
  return std::accumulate(
      board.running().begin(), board.running().end(), 0U,
      [](uint32_t sum, const Running& sequence) { return sum + near_growth(sequence); });
}

bool has_slot(const Board& board, const Limits& limits) {
  return board.running().size() < limits.max_sequences;
}

// Alone a request needs no room but its own.
bool has_blocks(const Board& board, const Waiting& request) {
  const Running newcomer = as_running(request);
  if (board.running().empty()) return prompt_growth(newcomer) <= board.available_blocks();
  return uint64_t{n_blocks_near(board)} + near_growth(newcomer) <= board.available_blocks();
}

// Sends away sequences of tenants who have more than the newcomer's would then have, until the
// newcomer fits; or changes nothing and returns false.
bool make_way(const Waiting& request, const Limits& limits, Board& board,
              std::vector<SequenceId>& preempt) {
  Board trial = board;
  std::vector<SequenceId> sent;
  const uint32_t wanted_blocks = near_growth(as_running(request));
  while (!has_slot(trial, limits) || !has_blocks(trial, request)) {
    const bool by_slot = !has_slot(trial, limits);
    const auto victim = trial.choose_victim(
        kTenureSteps, [&](const Board::Use& use) { return by_slot ? use.sequences : use.blocks; });
    if (!victim) return false;
    const Running& loser = trial.running()[*victim];
    const Board::Use theirs = trial.use_of(loser.tenant);
    const Board::Use ours = trial.use_of(request.tenant);
    const uint32_t loss = loser.blocks + prompt_growth(loser);
    const bool fair = by_slot ? theirs.sequences >= ours.sequences + 2
                              : theirs.blocks - loss >= ours.blocks + wanted_blocks;
    if (loser.tenant == request.tenant || !fair) return false;
    sent.push_back(loser.id);
    trial.remove(*victim);
  }
  board = std::move(trial);
  preempt.insert(preempt.end(), sent.begin(), sent.end());
  return true;
}

// What is left to give in a step.
struct Budget {
  uint32_t tokens = 0;
  uint32_t blocks = 0;

  // Takes up to n tokens after the first n_tokens + n_before of a sequence, as far as its blocks
  // and those left reach; returns how many.
  uint32_t take(const Running& sequence, uint32_t n_before, uint32_t n) {
    const uint32_t begin = sequence.n_tokens + n_before;
    const uint32_t held = std::max(sequence.blocks, kv::blocks_for(begin));
    const uint64_t room = (uint64_t{held} + blocks) * kv::kBlockTokens - begin;
    const uint32_t taken = static_cast<uint32_t>(std::min<uint64_t>({n, tokens, room}));
    const uint32_t reached = kv::blocks_for(begin + taken);
    if (reached > held) blocks -= reached - held;
    tokens -= taken;
    return taken;
  }
};

// A step of so many tokens reads the weights no less often than a larger one where it counts: what
// a token costs is computing.
constexpr uint32_t kFullStepTokens = 128;

// Tokens for prompts where nobody waits for a next token: enough to end the shortest, for then it
// has its first token, and more in one step would only keep it waiting.
uint32_t prompt_tokens_alone(const std::vector<Running>& running, uint32_t step_tokens) {
  uint32_t shortest = step_tokens;
  for (const Running& sequence : running) {
    if (!sequence.paused && sequence.prompt_left > 0) {
      shortest = std::min(shortest, sequence.prompt_left);
    }
  }
  return std::min(step_tokens, std::max(shortest, kFullStepTokens));
}

// Shares out a step's prompt tokens: half to the sequence admitted first, so that it gets done, the
// rest by fewest left, so that a short prompt does not wait for a long one; all to the first where
// no other has much less left. A chunk that does not end its prompt ends with a block where that
// costs it little.
void share_out_prompts(const std::vector<Running>& running, Budget& budget,
                       std::vector<uint32_t>& grants) {
  std::vector<size_t> order;
  for (size_t i = 0; i < running.size(); ++i) {
    if (!running[i].paused && running[i].prompt_left > 0) order.push_back(i);
  }
  if (order.empty()) return;
  const size_t first = order.front();
  std::ranges::sort(order, {}, [&](size_t i) { return std::pair(running[i].prompt_left, i); });
  const auto give = [&](size_t i, uint32_t n) {
    grants[i] +=
        budget.take(running[i], grants[i], std::min(n, running[i].prompt_left - grants[i]));
  };
  const uint32_t fewest_left = running[order.front()].prompt_left;
  const bool shares = fewest_left < running[first].prompt_left / 2;
  give(first, shares ? (budget.tokens + 1) / 2 : budget.tokens);
  for (const size_t i : order) give(i, budget.tokens);
  for (const size_t i : order) {
    if (grants[i] == running[i].prompt_left) continue;
    const uint32_t past = (running[i].n_tokens + grants[i]) % kv::kBlockTokens;
    if (past <= grants[i] / 4) grants[i] -= past;
  }
}

}  // namespace

Scheduler::Scheduler(const Limits& limits) : limits_(limits) {
  limits_.max_sequences = std::max(limits.max_sequences, 1U);
  limits_.step_tokens = std::max(limits.step_tokens, limits_.max_sequences);
  limits_.prompt_tokens_beside_decode = std::max(limits.prompt_tokens_beside_decode, 1U);
}

void Scheduler::set_prompt_tokens_beside_decode(uint32_t n) {
  limits_.prompt_tokens_beside_decode = std::max(n, 1U);
}

bool Scheduler::fits(uint32_t prompt_tokens, uint32_t may_generate) const {
  const auto n_tokens = base::checked_add(prompt_tokens, may_generate);
  return n_tokens && kv::blocks_for(*n_tokens) <= limits_.total_blocks;
}

Admission Scheduler::admit(std::span<const Waiting> waiting, std::span<const Running> running,
                           uint32_t available_blocks) {
  update_accounts(waiting, running);
  // What each tenant will have had when all that is let in is computed.
  std::map<TenantId, uint64_t> accounts = accounts_;
  for (const Running& sequence : running) accounts[sequence.tenant] += sequence.prompt_left;
  std::map<TenantId, std::vector<size_t>> lines;  // last is first
  for (size_t i = waiting.size(); i-- > 0;) lines[waiting[i].tenant].push_back(i);

  Admission out;
  Board board(running, available_blocks);
  while (!lines.empty()) {
    const auto line = std::ranges::min_element(lines, {}, [&](const auto& entry) {
      return std::pair(accounts[entry.first], entry.second.back());
    });
    const Waiting& request = waiting[line->second.back()];
    const bool fits_now = has_slot(board, limits_) && has_blocks(board, request);
    if (!fits_now && !make_way(request, limits_, board, out.preempt)) break;
    board.add(as_running(request));
    out.admit.push_back(request.id);
    accounts[request.tenant] += request.prompt_tokens + 1;
    line->second.pop_back();
    if (line->second.empty()) lines.erase(line);
  }
  return out;
}

Plan Scheduler::plan(std::span<const Running> running, uint32_t available_blocks) {
  Plan out;
  Board board(running, available_blocks);
  uint32_t n_reserved = 0;  // for prompts, whose room was promised at admission
  for (;;) {
    n_reserved = 0;
    uint32_t n_wanted = 0;
    for (const Running& sequence : board.running()) {
      n_reserved += prompt_growth(sequence);
      if (sequence.prompt_left > 0 || sequence.paused) continue;
      if (kv::blocks_for(sequence.n_tokens + 1) > sequence.blocks) ++n_wanted;
    }
    if (n_reserved + n_wanted <= board.available_blocks()) break;
    const auto victim = board.choose_victim(0, [](const Board::Use& use) { return use.blocks; });
    if (!victim) break;
    out.preempt.push_back(board.running()[*victim].id);
    board.remove(*victim);
  }

  const std::vector<Running>& left = board.running();
  std::vector<uint32_t> grants(left.size(), 0);
  const uint32_t n_promised = std::min(n_reserved, board.available_blocks());
  Budget budget{.tokens = limits_.step_tokens, .blocks = board.available_blocks() - n_promised};
  bool any_decode = false;
  const auto decodes = [&](size_t i) { return left[i].prompt_left == 0 && !left[i].paused; };
  for (size_t i = 0; i < left.size(); ++i) {
    if (!decodes(i)) continue;
    grants[i] = budget.take(left[i], 0, 1);
    any_decode = any_decode || grants[i] > 0;
  }
  const uint32_t for_prompts_at_most =
      any_decode ? limits_.prompt_tokens_beside_decode : prompt_tokens_alone(left, budget.tokens);
  Budget for_prompts{.tokens = std::min(budget.tokens, for_prompts_at_most), .blocks = n_promised};
  share_out_prompts(left, for_prompts, grants);
  for (size_t i = 0; i < left.size(); ++i) {
    if (!decodes(i)) budget.tokens -= grants[i];
  }
  for (size_t i = 0; i < left.size(); ++i) {
    if (grants[i] == 0) continue;
    Turn turn{.id = left[i].id, .n_tokens = grants[i], .n_drafts = 0, .makes_token = true};
    if (decodes(i)) {
      turn.n_drafts = budget.take(left[i], 1, std::min(left[i].n_drafts, left[i].may_generate - 1));
      turn.n_tokens += turn.n_drafts;
    } else {
      turn.makes_token = grants[i] == left[i].prompt_left;
    }
    out.turns.push_back(turn);
  }
  charge(running, out);
  return out;
}

// A tenant that was away starts level with the one who has had least: it is owed nothing for the
// time away. One that leaves with more than that keeps its account until the others catch up.
void Scheduler::update_accounts(std::span<const Waiting> waiting,
                                std::span<const Running> running) {
  std::set<TenantId> active;
  for (const Waiting& request : waiting) active.insert(request.tenant);
  for (const Running& sequence : running) active.insert(sequence.tenant);
  std::optional<uint64_t> least;
  for (const auto& [tenant, tokens] : accounts_) {
    if (active.contains(tenant)) least = std::min(least.value_or(tokens), tokens);
  }
  std::erase_if(accounts_, [&](const auto& entry) {
    return !active.contains(entry.first) && (!least || entry.second <= *least);
  });
  for (const TenantId tenant : active) accounts_.try_emplace(tenant, least.value_or(0));
}

void Scheduler::charge(std::span<const Running> running, const Plan& plan) {
  size_t i = 0;
  for (const Turn& turn : plan.turns) {  // both in the same order
    while (running[i].id != turn.id) ++i;
    accounts_[running[i].tenant] += turn.n_tokens;
  }
}

uint64_t Scheduler::account(TenantId tenant) const {
  const auto found = accounts_.find(tenant);
  return found == accounts_.end() ? 0 : found->second;
}

}  // namespace freehold::scheduler
