#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "base/topology.h"

namespace freehold::base {
namespace {

// More threads than this machine may have cores, so that sleeping paths are run too.
class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, RunsEveryTaskOnceAndPublishesItsWrites) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  for (const size_t n_tasks : {0U, 1U, 2U, 3U, 17U, 256U}) {
    for (int round = 0; round < 200; ++round) {
      std::vector<int> count(n_tasks, 0);  // plain memory: a race would show under TSan
      pool.run(n_tasks, [&](size_t task, int thread) {
        ASSERT_GE(thread, 0);
        ASSERT_LT(thread, GetParam());
        ++count[task];
      });
      ASSERT_EQ(count, std::vector<int>(n_tasks, 1));
    }
  }
}

TEST_P(ThreadPoolTest, RunAllVisitsEveryThreadOnce) {
  ThreadPool pool(GetParam());
  std::vector<int> count(static_cast<size_t>(GetParam()), 0);
  for (int round = 0; round < 300; ++round) {
    pool.run_all([&](int thread) { ++count[static_cast<size_t>(thread)]; });
  }
  EXPECT_EQ(count, std::vector<int>(static_cast<size_t>(GetParam()), 300));
}

TEST_P(ThreadPoolTest, MixedKindsOfRunsDoNotConfuseEachOther) {
  ThreadPool pool(GetParam());
  uint64_t sum = 0;
  for (uint64_t round = 1; round <= 200; ++round) {
    std::vector<uint64_t> parts(1 + round % 7, 0);
    pool.run(parts.size(), [&](size_t task, int) { parts[task] = round; });
    std::vector<uint64_t> each(static_cast<size_t>(GetParam()), 0);
    pool.run_all([&](int thread) { each[static_cast<size_t>(thread)] = 1; });
    for (const uint64_t part : parts) sum += part;
    for (const uint64_t one : each) sum += one;
  }
  uint64_t expected = 0;
  for (uint64_t round = 1; round <= 200; ++round) {
    expected += round * (1 + round % 7) + static_cast<uint64_t>(GetParam());
  }
  EXPECT_EQ(sum, expected);
}

TEST_P(ThreadPoolTest, BarrierOrdersPhases) {
  ThreadPool pool(GetParam());
  const size_t n = static_cast<size_t>(GetParam());
  Barrier barrier(GetParam(), pool.spin_us());
  std::vector<uint64_t> now(n, 1);
  std::vector<uint64_t> next(n, 0);
  // Each phase a thread adds its neighbour's value of the phase before: any thread that leaves the
  // barrier early reads a stale value and the total is off.
  pool.run_all([&](int thread) {
    const size_t i = static_cast<size_t>(thread);
    for (int phase = 0; phase < 40; ++phase) {
      next[i] = now[i] + now[(i + 1) % n];
      barrier.wait();
      now[i] = next[i];
      barrier.wait();
    }
  });
  EXPECT_EQ(now, std::vector<uint64_t>(n, uint64_t{1} << 40));
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 8),
                         testing::PrintToStringParamName());

TEST(ThreadPool, AFewerThanOneThreadIsTheCallerAlone) {
  ThreadPool pool(-3);
  EXPECT_EQ(pool.threads(), 1);
  int n_runs = 0;
  pool.run(5, [&](size_t, int thread) { n_runs += thread == 0 ? 1 : 0; });
  EXPECT_EQ(n_runs, 5);
}

TEST(ThreadPool, ComesAndGoesWithoutWork) {
  for (int i = 0; i < 20; ++i) ThreadPool pool(1 + i % 4);
}

}  // namespace
}  // namespace freehold::base
