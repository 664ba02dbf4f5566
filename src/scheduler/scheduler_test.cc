#include "scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace freehold::scheduler {

bool operator==(const Turn& a, const Turn& b) {
  return a.id == b.id && a.n_tokens == b.n_tokens && a.n_drafts == b.n_drafts &&
         a.makes_token == b.makes_token;
}

void PrintTo(const Turn& turn, std::ostream* out) {
  *out << "{id " << turn.id << ", tokens " << turn.n_tokens << ", drafts " << turn.n_drafts
       << (turn.makes_token ? ", makes token}" : "}");
}

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Limits kLimits = {
    .step_tokens = 256, .max_sequences = 4, .total_blocks = 100, .prompt_tokens_beside_decode = 64};

Running decoding(SequenceId id, TenantId tenant, uint32_t n_tokens) {
  const uint32_t blocks = kv::blocks_for(n_tokens);
  return {.id = id,
          .tenant = tenant,
          .n_tokens = n_tokens,
          .may_generate = 100,
          .blocks = blocks,
          .exclusive_blocks = blocks,
          .n_steps = 1000};
}

Running prefilling(SequenceId id, TenantId tenant, uint32_t prompt_left) {
  return {.id = id, .tenant = tenant, .prompt_left = prompt_left, .may_generate = 100};
}

TEST(Plan, DecodesComeFirstAndBoundPromptChunks) {
  Scheduler scheduler(kLimits);
  const Plan plan = scheduler.plan(
      std::vector{decoding(1, 1, 10), prefilling(2, 1, 500), decoding(3, 1, 20)}, 50);
  EXPECT_THAT(plan.preempt, IsEmpty());
  EXPECT_THAT(plan.turns,
              ElementsAre(Turn{1, 1, 0, true}, Turn{2, 64, 0, false}, Turn{3, 1, 0, true}));
}

TEST(Plan, PromptsAloneUseTheWholeStep) {
  Scheduler scheduler(kLimits);
  EXPECT_THAT(scheduler.plan(std::vector{prefilling(1, 1, 5000)}, 200).turns,
              ElementsAre(Turn{1, 256, 0, false}));
  EXPECT_THAT(scheduler.plan(std::vector{prefilling(1, 1, 100)}, 200).turns,
              ElementsAre(Turn{1, 100, 0, true}));
}

TEST(Plan, ShortPromptsPassLongOnesWhichStillGetHalf) {
  Scheduler scheduler(kLimits);
  const Plan plan = scheduler.plan(
      std::vector{prefilling(1, 1, 900), prefilling(2, 1, 800), prefilling(3, 1, 40)}, 100);
  // Half of a step that is as short as it may be; 40 for the shortest, the rest for the next.
  EXPECT_THAT(plan.turns,
              ElementsAre(Turn{1, 64, 0, false}, Turn{2, 24, 0, false}, Turn{3, 40, 0, true}));
}

TEST(Plan, PromptsLikeEachOtherEndOneAfterTheOther) {
  Scheduler scheduler(kLimits);
  const Plan first = scheduler.plan(
      std::vector{prefilling(1, 1, 107), prefilling(2, 1, 104), prefilling(3, 1, 110)}, 100);
  EXPECT_THAT(first.turns, ElementsAre(Turn{1, 107, 0, true}, Turn{2, 21, 0, false}));
  // Then they ride beside the first's tokens, again the earliest first.
  const Plan second = scheduler.plan(
      std::vector{decoding(1, 1, 108), prefilling(2, 1, 83), prefilling(3, 1, 110)}, 100);
  EXPECT_THAT(second.turns, ElementsAre(Turn{1, 1, 0, true}, Turn{2, 64, 0, false}));
}

TEST(Plan, ChunksEndWithABlockUnlessThePromptDoes) {
  Scheduler scheduler(kLimits);
  Running resumed = prefilling(2, 1, 500);
  resumed.n_tokens = 7;
  resumed.blocks = 1;
  const Plan plan = scheduler.plan(std::vector{decoding(1, 1, 10), resumed}, 50);
  EXPECT_THAT(plan.turns, ElementsAre(Turn{1, 1, 0, true}, Turn{2, 57, 0, false}));
}

TEST(Plan, DraftsUseWhatIsLeftAndNeverExceedTheAnswer) {
  Scheduler scheduler(kLimits);
  Running first = decoding(1, 1, 10);
  first.n_drafts = 5;
  Running second = decoding(2, 1, 10);
  second.n_drafts = 5;
  second.may_generate = 3;
  Running third = decoding(3, 1, 32);  // its next token takes the last block, drafts fill it
  third.n_drafts = 50;
  EXPECT_THAT(scheduler.plan(std::vector{first, second, third}, 1).turns,
              ElementsAre(Turn{1, 6, 5, true}, Turn{2, 3, 2, true}, Turn{3, 32, 31, true}));
}

TEST(Plan, PausedSequencesComputeNothingAndStay) {
  Scheduler scheduler(kLimits);
  Running paused = decoding(1, 1, 32);
  paused.paused = true;
  const Plan plan = scheduler.plan(std::vector{paused, decoding(2, 1, 32)}, 0);
  EXPECT_THAT(plan.preempt, IsEmpty());  // the one that could give way is the oldest that runs
  EXPECT_THAT(plan.turns, IsEmpty());
}

TEST(Plan, WhenBlocksRunOutTheLatestOfTheLargestTenantGivesWay) {
  Scheduler scheduler(kLimits);
  const Plan plan = scheduler.plan(
      std::vector{decoding(1, 7, 64), decoding(2, 8, 320), decoding(3, 8, 96), decoding(4, 7, 32)},
      0);
  EXPECT_THAT(plan.preempt, ElementsAre(3));  // gives three blocks to three who need one each
  EXPECT_THAT(plan.turns,
              ElementsAre(Turn{1, 1, 0, true}, Turn{2, 1, 0, true}, Turn{4, 1, 0, true}));
}

TEST(Plan, TheOldestNeverGivesWay) {
  Scheduler scheduler(kLimits);
  const Plan plan = scheduler.plan(std::vector{decoding(5, 8, 64), decoding(1, 9, 3200)}, 0);
  EXPECT_THAT(plan.preempt, ElementsAre(5));
  EXPECT_THAT(plan.turns, ElementsAre(Turn{1, 1, 0, true}));
}

TEST(Plan, DecodesDoNotTakeRoomPromisedToAPrompt) {
  Scheduler scheduler(kLimits);
  // Four blocks are free and promised to 2; 1 needs one: 2 came later and gives way.
  const Plan plan = scheduler.plan(std::vector{decoding(1, 1, 32), prefilling(2, 2, 128)}, 4);
  EXPECT_THAT(plan.preempt, ElementsAre(2));
  EXPECT_THAT(plan.turns, ElementsAre(Turn{1, 1, 0, true}));
}

TEST(Admit, InOrderWithinATenantAndByTurnsBetweenThem) {
  Scheduler scheduler(kLimits);
  std::vector<Waiting> waiting;
  for (SequenceId id = 1; id <= 6; ++id) waiting.push_back({id, 1, 100, 10});
  waiting.push_back({7, 2, 100, 10});
  waiting.push_back({8, 2, 100, 10});
  EXPECT_THAT(scheduler.admit(waiting, {}, 100).admit, ElementsAre(1, 7, 2, 8));
}

TEST(Admit, CountsTokensNotRequests) {
  Scheduler scheduler(kLimits);
  const std::vector<Waiting> waiting = {
      {1, 1, 900, 10}, {2, 1, 10, 10}, {3, 2, 10, 10}, {4, 2, 10, 10}, {5, 2, 10, 10}};
  EXPECT_THAT(scheduler.admit(waiting, {}, 100).admit, ElementsAre(1, 3, 4, 5));
}

TEST(Admit, TheHeadOfTheLineIsNotOvertakenByASmallerOne) {
  Scheduler scheduler(kLimits);
  const std::vector<Waiting> waiting = {{2, 1, 1600, 10}, {3, 2, 10, 10}};
  EXPECT_THAT(scheduler.admit(waiting, std::vector{decoding(1, 3, 1600)}, 50).admit, IsEmpty());
  EXPECT_THAT(scheduler.admit(waiting, {}, 51).admit, ElementsAre(2));
}

TEST(Admit, AloneARequestMayFillTheCache) {
  Scheduler scheduler(kLimits);
  EXPECT_TRUE(scheduler.fits(3190, 10));
  EXPECT_FALSE(scheduler.fits(3191, 10));
  EXPECT_FALSE(scheduler.fits(0xFFFFFFFF, 10));
  const std::vector<Waiting> waiting = {{1, 1, 3190, 10}};
  EXPECT_THAT(scheduler.admit(waiting, {}, 100).admit, ElementsAre(1));
}

TEST(Admit, ANewTenantGetsASlotOfOneThatHasThemAll) {
  Scheduler scheduler(kLimits);
  std::vector<Running> running;
  for (SequenceId id = 1; id <= 4; ++id) running.push_back(decoding(id, 1, 32));
  const std::vector<Waiting> waiting = {{9, 2, 10, 10}, {10, 2, 10, 10}, {11, 2, 10, 10}};
  const Admission admission = scheduler.admit(waiting, running, 90);
  EXPECT_THAT(admission.preempt, ElementsAre(4, 3));  // two each; then nobody is owed more
  EXPECT_THAT(admission.admit, ElementsAre(9, 10));
}

TEST(Admit, NobodyIsSentAwayForFairnessBeforeItsTenure) {
  Scheduler scheduler(kLimits);
  std::vector<Running> running;
  for (SequenceId id = 1; id <= 4; ++id) {
    running.push_back(decoding(id, 1, 32));
    running.back().n_steps = 10;
  }
  const Admission admission = scheduler.admit(std::vector<Waiting>{{9, 2, 10, 10}}, running, 90);
  EXPECT_THAT(admission.preempt, IsEmpty());
  EXPECT_THAT(admission.admit, IsEmpty());
}

TEST(Admit, ANewTenantGetsBlocksOfOneThatHasThemAll) {
  Scheduler scheduler(kLimits);
  const std::vector<Running> running = {decoding(1, 1, 1500), decoding(2, 1, 1500)};
  const std::vector<Waiting> waiting = {{9, 2, 640, 10}};
  const Admission admission = scheduler.admit(waiting, running, 6);
  EXPECT_THAT(admission.preempt, ElementsAre(2));
  EXPECT_THAT(admission.admit, ElementsAre(9));
}

TEST(Accounts, ANewcomerStartsLevelAndAnIdleTenantEarnsNothing) {
  Scheduler scheduler(kLimits);
  const std::vector<Running> one = {decoding(1, 1, 10)};
  for (int i = 0; i < 50; ++i) {
    scheduler.admit({}, one, 90);
    scheduler.plan(one, 90);
  }
  EXPECT_EQ(scheduler.account(1), 50U);
  const std::vector<Running> both = {decoding(1, 1, 10), decoding(2, 2, 10)};
  scheduler.admit({}, both, 90);
  EXPECT_EQ(scheduler.account(2), 50U);
  scheduler.plan(both, 90);
  scheduler.admit({}, {}, 90);  // everybody has left
  EXPECT_EQ(scheduler.account(1), 0U);
}

}  // namespace
}  // namespace freehold::scheduler
