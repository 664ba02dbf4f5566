// The scheduler with the real accounting of the cache and a make-believe model: thousands of steps
// with random requests, every step checked. The "model" makes each next token a function of the
// sequence so far, so an answer shows whether a preemption lost or repeated anything.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "kv/block_cache.h"
#include "scheduler/scheduler.h"

namespace freehold::scheduler {
namespace {

struct Job {
  SequenceId id = 0;
  TenantId tenant = 0;
  std::vector<TokenId> ids;  // prompt, then what is made
  uint32_t n_prompt = 0;     // as sent
  uint32_t max_tokens = 0;
  uint64_t paused_until = 0;  // step
  uint64_t arrived = 0;       // step
  uint64_t finished = 0;      // step
  // While it runs:
  kv::BlockTable table;
  uint32_t n_target = 0;  // tokens to be computed before the next is made
  uint32_t n_steps = 0;

  uint32_t may_generate() const {
    return max_tokens - (static_cast<uint32_t>(ids.size()) - n_prompt);
  }
};

TokenId next_token(const std::vector<TokenId>& ids) {
  return static_cast<TokenId>(base::mix64(ids.size() * 31 + static_cast<uint64_t>(ids.back())) %
                              50);
}

class Simulation {
 public:
  Simulation(const Limits& limits, uint64_t seed)
      : limits_(limits),
        seed_(seed),
        scheduler_(limits),
        cache_({.n_blocks = limits.total_blocks, .hash_seed = seed}) {}

  uint64_t random(uint64_t below) { return base::random_bits(seed_, n_draws_++) % below; }

  // A request whose prompt starts like others of its tenant, so that blocks get shared.
  SequenceId send(TenantId tenant, uint32_t n_prompt, uint32_t max_tokens) {
    Job job;
    job.id = ++n_sent_;
    job.tenant = tenant;
    job.n_prompt = n_prompt;
    job.max_tokens = max_tokens;
    job.arrived = step_;
    const uint64_t n_common = random(n_prompt);
    for (uint64_t i = 0; i < n_prompt; ++i) {
      job.ids.push_back(static_cast<TokenId>(i < n_common ? i % 50 : random(50)));
    }
    EXPECT_TRUE(scheduler_.fits(n_prompt, max_tokens));
    waiting_.push_back(std::move(job));
    return n_sent_;
  }

  void pause(SequenceId id, uint64_t steps) {
    for (Job& job : running_) {
      if (job.id == id) job.paused_until = step_ + steps;
    }
  }

  // One step, with all its checks. False when nothing could be done.
  bool step() {
    ++step_;
    admit();
    const Plan plan = scheduler_.plan(describe_running(), cache_.available());
    for (const SequenceId id : plan.preempt) preempt(id);
    carry_out(plan);
    check();
    return !plan.turns.empty() || !plan.preempt.empty();
  }

  void run_until_done(uint64_t max_steps) {
    for (uint64_t i = 0; i < max_steps && !(waiting_.empty() && running_.empty()); ++i) step();
    EXPECT_TRUE(waiting_.empty() && running_.empty()) << "not done by step " << step_;
    EXPECT_EQ(cache_.counts().used, 0U);
  }

  // Every answer is what it would be alone, whatever happened on the way.
  void check_answers() const {
    EXPECT_EQ(done_.size(), n_sent_);
    for (const auto& [id, job] : done_) {
      ASSERT_EQ(job.ids.size(), job.n_prompt + job.max_tokens);
      std::vector<TokenId> ids(job.ids.begin(), job.ids.begin() + job.n_prompt);
      while (ids.size() < job.ids.size()) ids.push_back(next_token(ids));
      ASSERT_EQ(ids, job.ids) << "sequence " << id;
    }
  }

  const std::map<SequenceId, Job>& done() const { return done_; }
  const std::vector<Job>& running() const { return running_; }
  size_t n_waiting() const { return waiting_.size(); }
  uint64_t n_preempted() const { return n_preempted_; }
  uint64_t tokens_made(TenantId tenant) const {
    const auto found = made_.find(tenant);
    return found == made_.end() ? 0 : found->second;
  }

 private:
  void admit() {
    std::vector<Waiting> waiting;
    for (const Job& job : waiting_) {
      waiting.push_back({.id = job.id,
                         .tenant = job.tenant,
                         .prompt_tokens = static_cast<uint32_t>(job.ids.size()),
                         .may_generate = job.may_generate()});
    }
    const Admission admission = scheduler_.admit(waiting, describe_running(), cache_.available());
    // Opened before the others are put back in front, which would move them.
    std::vector<Job> admitted;
    for (const SequenceId id : admission.admit) {
      const auto at = std::ranges::find(waiting_, id, &Job::id);
      ASSERT_NE(at, waiting_.end());
      admitted.push_back(std::move(*at));
      waiting_.erase(at);
    }
    for (const SequenceId id : admission.preempt) preempt(id);
    for (Job& job : admitted) {
      job.table = cache_.open(std::to_string(job.tenant));
      job.n_target = static_cast<uint32_t>(job.ids.size());
      job.n_steps = 0;
      cache_.attach(job.table, job.ids);
      running_.push_back(std::move(job));
    }
  }

  std::vector<Running> describe_running() const {
    std::vector<Running> out;
    for (const Job& job : running_) {
      const bool decodes =
          job.table.n_tokens + 1 == job.ids.size() && job.ids.size() > job.n_target;
      out.push_back({.id = job.id,
                     .tenant = job.tenant,
                     .n_tokens = job.table.n_tokens,
                     .prompt_left = decodes ? 0 : job.n_target - job.table.n_tokens,
                     .may_generate = job.may_generate(),
                     .n_drafts = static_cast<uint32_t>(job.id % 4),
                     .blocks = static_cast<uint32_t>(job.table.blocks.size()),
                     .exclusive_blocks = cache_.n_exclusive(job.table),
                     .n_steps = job.n_steps,
                     .paused = job.paused_until > step_});
    }
    return out;
  }

  void preempt(SequenceId id) {
    const auto at = std::ranges::find(running_, id, &Job::id);
    ASSERT_NE(at, running_.end());
    EXPECT_LE(at->paused_until, step_) << "a paused sequence was sent away";
    ++n_preempted_;
    cache_.close(at->table);
    waiting_.push_front(std::move(*at));
    running_.erase(at);
  }

  void carry_out(const Plan& plan) {
    uint32_t n_tokens = 0;
    uint32_t n_prompt_tokens = 0;
    bool any_decode = false;
    for (const Turn& turn : plan.turns) {
      const auto at = std::ranges::find(running_, turn.id, &Job::id);
      ASSERT_NE(at, running_.end());
      Job& job = *at;
      ASSERT_LE(job.paused_until, step_);
      ASSERT_GT(turn.n_tokens, 0U);
      n_tokens += turn.n_tokens;
      ++job.n_steps;
      const uint32_t begin = job.table.n_tokens;
      ASSERT_TRUE(cache_.reserve(job.table, begin + turn.n_tokens)) << "step " << step_;
      if (begin + 1 == job.ids.size() && job.ids.size() > job.n_target) {
        any_decode = true;
        ASSERT_EQ(turn.n_tokens, 1 + turn.n_drafts);
        ASSERT_TRUE(turn.makes_token);
        // Some of the drafts turn out right.
        const uint32_t n_new = 1 + static_cast<uint32_t>(random(turn.n_drafts + 1));
        ASSERT_LE(n_new, job.may_generate());
        for (uint32_t i = 0; i < n_new; ++i) make_token(job);
      } else {
        n_prompt_tokens += turn.n_tokens;
        ASSERT_LE(begin + turn.n_tokens, job.n_target);
        cache_.commit(job.table, std::span(job.ids).first(begin + turn.n_tokens));
        ASSERT_EQ(turn.makes_token, begin + turn.n_tokens == job.n_target);
        if (turn.makes_token) make_token(job);
      }
    }
    EXPECT_LE(n_tokens, limits_.step_tokens);
    EXPECT_TRUE(!any_decode || n_prompt_tokens <= limits_.prompt_tokens_beside_decode);
    for (size_t i = running_.size(); i-- > 0;) {
      Job& job = running_[i];
      if (job.may_generate() > 0) continue;
      job.finished = step_;
      cache_.close(job.table);
      done_.emplace(job.id, std::move(job));
      running_.erase(running_.begin() + static_cast<ptrdiff_t>(i));
    }
  }

  // All but the new token are in the cache then.
  void make_token(Job& job) {
    cache_.commit(job.table, job.ids);
    job.ids.push_back(next_token(job.ids));
    cache_.truncate(job.table, job.table.n_tokens + 4);  // keeps room for the drafts of this step
    ++made_[job.tenant];
  }

  void check() const {
    std::vector<const kv::BlockTable*> tables;
    for (const Job& job : running_) tables.push_back(&job.table);
    const base::Status status = cache_.check(tables);
    ASSERT_TRUE(status.has_value()) << "step " << step_ << ": " << status.error().message;
    ASSERT_LE(running_.size(), limits_.max_sequences);
  }

  Limits limits_;
  uint64_t seed_;
  uint64_t n_draws_ = 0;
  uint64_t step_ = 0;
  SequenceId n_sent_ = 0;
  Scheduler scheduler_;
  kv::BlockCache cache_;
  std::deque<Job> waiting_;
  std::vector<Job> running_;
  std::map<SequenceId, Job> done_;
  std::map<TenantId, uint64_t> made_;
  uint64_t n_preempted_ = 0;
};

constexpr Limits kSmall = {
    .step_tokens = 96, .max_sequences = 6, .total_blocks = 40, .prompt_tokens_beside_decode = 48};

class RandomLoad : public testing::TestWithParam<int> {};

// Arrivals in bursts, three tenants, requests up to the whole cache, pauses: blocks are conserved
// in every step, everybody finishes, and no token is lost or made twice.
TEST_P(RandomLoad, EverybodyFinishesWithTheAnswerTheyWouldHaveAlone) {
  Simulation simulation(kSmall, static_cast<uint64_t>(GetParam()));
  for (int i = 0; i < 1500; ++i) {
    if (simulation.random(20) == 0) {
      for (uint64_t n = simulation.random(4); n-- > 0;) {
        const bool large = simulation.random(8) == 0;
        const auto n_prompt = static_cast<uint32_t>(1 + simulation.random(large ? 900 : 120));
        const auto n_answer = static_cast<uint32_t>(1 + simulation.random(large ? 370 : 90));
        simulation.send(simulation.random(3), n_prompt, n_answer);
      }
    }
    if (simulation.random(40) == 0 && !simulation.running().empty()) {
      const size_t which = simulation.random(simulation.running().size());
      simulation.pause(simulation.running()[which].id, simulation.random(60));
    }
    simulation.step();
    if (HasFatalFailure()) return;
  }
  simulation.run_until_done(20000);
  simulation.check_answers();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomLoad, testing::Range(1, 13));

TEST(Simulation, ScarceBlocksDoPreempt) {
  Simulation simulation(kSmall, 99);
  for (int i = 0; i < 6; ++i) simulation.send(1, 100, 600);
  simulation.run_until_done(20000);
  simulation.check_answers();
  EXPECT_GT(simulation.n_preempted(), 0U);
}

// One tenant keeps fifty requests in line, nine polite ones keep one each: each polite tenant gets
// at least 95 of 100 parts of an equal share of the tokens, or all that one request at a time
// gives.
TEST(Simulation, AFlooderDoesNotStarveThePolite) {
  constexpr Limits kLimits = {.step_tokens = 128,
                              .max_sequences = 5,
                              .total_blocks = 120,
                              .prompt_tokens_beside_decode = 64};
  Simulation simulation(kLimits, 5);
  std::map<TenantId, SequenceId> last;
  uint32_t n_flood = 0;
  for (int i = 0; i < 6000; ++i) {
    while (simulation.n_waiting() < 60 && n_flood < 50 + static_cast<uint32_t>(i) / 8) {
      simulation.send(0, 60, 100);
      ++n_flood;
    }
    for (TenantId tenant = 1; tenant < 10; ++tenant) {
      if (last.contains(tenant) && !simulation.done().contains(last[tenant])) continue;
      last[tenant] = simulation.send(tenant, 60, 100);
    }
    simulation.step();
    if (testing::Test::HasFatalFailure()) return;
  }
  uint64_t total = 0;
  for (TenantId tenant = 0; tenant < 10; ++tenant) total += simulation.tokens_made(tenant);
  for (TenantId tenant = 1; tenant < 10; ++tenant) {
    EXPECT_GE(static_cast<double>(simulation.tokens_made(tenant)),
              0.95 * static_cast<double>(total) / 10)
        << "tenant " << tenant;
  }
}

// A request as large as the cache arrives among a stream of small ones that never ends: it is let
// in and done within a bound that follows from what was there before it.
TEST(Simulation, ALargeRequestIsNotStarvedBySmallOnes) {
  Simulation simulation(kSmall, 11);
  for (int i = 0; i < 20; ++i) simulation.send(1, 50, 50);
  const SequenceId large = simulation.send(2, 1000, 200);
  uint64_t n_steps = 0;
  for (; n_steps < 4000 && !simulation.done().contains(large); ++n_steps) {
    if (simulation.n_waiting() < 20) simulation.send(1, 50, 50);
    simulation.step();
    if (testing::Test::HasFatalFailure()) return;
  }
  // Six small ones before it, at most 50 steps each after their prompts; its own 1000 tokens at 48
  // a step and 200 answers; twice that for what is let in beside it.
  EXPECT_LT(n_steps, 1000U);
}

TEST(Simulation, TheSameHistoryGivesTheSamePlans) {
  const auto fingerprint = [] {
    Simulation simulation(kSmall, 3);
    for (int i = 0; i < 30; ++i) {
      simulation.send(simulation.random(3), static_cast<uint32_t>(1 + simulation.random(300)), 40);
    }
    simulation.run_until_done(20000);
    std::vector<uint64_t> finished;
    for (const auto& [id, job] : simulation.done()) finished.push_back(job.finished);
    return finished;
  };
  EXPECT_EQ(fingerprint(), fingerprint());
}

}  // namespace
}  // namespace freehold::scheduler
