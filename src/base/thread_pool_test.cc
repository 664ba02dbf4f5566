#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
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

// A machine with as many cores on each node as told, all of them on CPUs that there are.
Topology made_up(const std::vector<int>& cores_of_nodes) {
  Topology machine;
  for (size_t node = 0; node < cores_of_nodes.size(); ++node) {
    for (int i = 0; i < cores_of_nodes[node]; ++i) {
      const auto& real = topology().cores;
      machine.cores.push_back(real[machine.cores.size() % real.size()]);
      machine.cores.back().numa_node = 10 + static_cast<int>(node);
    }
  }
  return machine;
}

class NodesTest : public testing::TestWithParam<std::vector<int>> {
 protected:
  NodesTest() : machine_(made_up(GetParam())), pool_(static_cast<int>(n_threads()), machine_) {}
  size_t n_threads() const { return machine_.cores.size(); }

  const Topology machine_;
  ThreadPool pool_;
};

TEST_P(NodesTest, AreThoseOfTheCores) {
  ASSERT_EQ(pool_.nodes(), GetParam().size());
  for (size_t node = 0; node < pool_.nodes(); ++node) {
    EXPECT_EQ(pool_.numa_node(node), 10 + static_cast<int>(node));
  }
}

TEST_P(NodesTest, EveryTaskRunsOnce) {
  for (const size_t n_tasks : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 31U, 128U}) {
    for (int round = 0; round < 100; ++round) {
      std::vector<int> count(n_tasks, 0);  // plain memory: a race would show under TSan
      pool_.run(n_tasks, [&](size_t task, int) { ++count[task]; });
      ASSERT_EQ(count, std::vector<int>(n_tasks, 1));
    }
  }
}

TEST_P(NodesTest, ThreadsBeginWithTheirOwn) {
  const std::vector<Core> cores = spread_cores(machine_, n_threads());
  std::vector<size_t> first(n_threads(), SIZE_MAX);
  std::atomic<size_t> n_begun{0};
  const size_t n_tasks = 12 * n_threads();
  pool_.run(n_tasks, [&](size_t task, int thread) {
    size_t& own = first[static_cast<size_t>(thread)];
    if (own != SIZE_MAX) return;
    own = task;
    ++n_begun;
    while (n_begun < n_threads()) std::this_thread::yield();  // nobody takes another's first
  });
  for (size_t i = 0; i < n_threads(); ++i) {
    const size_t node = first[i] * pool_.nodes() / n_tasks;
    EXPECT_EQ(pool_.numa_node(node), cores[i].numa_node) << "thread " << i;
  }
}

TEST_P(NodesTest, OthersHelpWhereOneIsStuck) {
  const int last = static_cast<int>(n_threads()) - 1;
  std::atomic<bool> stuck{false};
  std::atomic<size_t> n_done{0};
  const size_t n_tasks = 10 * n_threads();
  pool_.run(n_tasks, [&](size_t, int thread) {
    if (thread == last && !stuck.exchange(true)) {
      while (n_done < n_tasks - 1) std::this_thread::yield();
    }
    while (!stuck) std::this_thread::yield();
    ++n_done;
  });
  EXPECT_EQ(n_done, n_tasks);
}

INSTANTIATE_TEST_SUITE_P(Machines, NodesTest,
                         testing::Values(std::vector{4}, std::vector{1, 1}, std::vector{3, 1},
                                         std::vector{2, 2, 2}, std::vector{1, 2, 1, 1},
                                         std::vector{1, 1, 1, 1, 1}));

TEST(ThreadPool, ThreadsThatHaveNoCoresHaveOneNode) {
  EXPECT_EQ(ThreadPool(3, made_up({1, 1})).nodes(), 1U);
  EXPECT_EQ(ThreadPool(1, made_up({1, 1})).nodes(), 1U);
  EXPECT_EQ(ThreadPool(2, made_up({2, 2})).nodes(), 2U);
}

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
