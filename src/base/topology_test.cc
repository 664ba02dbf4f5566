#include "base/topology.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace freehold::base {
namespace {

// A made-up file system root with the few files that are read.
class FakeRoot : public testing::Test {
 protected:
  void SetUp() override {
    root_ =
        std::filesystem::path(testing::TempDir()) /
        ("topology_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(root_);
    put("proc/meminfo", "MemTotal:       1000 kB\nMemFree: 10 kB\nMemAvailable:    800 kB\n");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void put(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }

  std::filesystem::path root_;
};

TEST(Topology, CoresAreDisjointAndAllowed) {
  const Topology& machine = topology();
  ASSERT_FALSE(machine.cores.empty());
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  std::set<int> seen;
  for (const Core& core : machine.cores) {
    ASSERT_FALSE(core.cpus.empty());
    for (const int cpu : core.cpus) {
      EXPECT_TRUE(CPU_ISSET(static_cast<size_t>(cpu), &allowed));
      EXPECT_TRUE(seen.insert(cpu).second) << "CPU " << cpu << " belongs to two cores";
    }
  }
  EXPECT_GE(default_threads(), 1);
  EXPECT_LE(default_threads(), static_cast<int>(machine.cores.size()));
}

TEST(Topology, PinningMovesOnlyTheCallingThread) {
  const Core& core = topology().cores.back();
  std::thread([&] {
    ASSERT_TRUE(pin_current_thread(core));
    cpu_set_t set;
    ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
    EXPECT_EQ(static_cast<size_t>(CPU_COUNT(&set)), core.cpus.size());
  }).join();
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
  size_t n_cpus = 0;
  for (const Core& each : topology().cores) n_cpus += each.cpus.size();
  EXPECT_EQ(static_cast<size_t>(CPU_COUNT(&set)), n_cpus);
}

TEST(Topology, CoresAreTakenFromTheNodesInTurns) {
  Topology machine;
  for (const int node : {4, 4, 4, 1, 1, 4, 9}) {
    machine.cores.push_back({{static_cast<int>(machine.cores.size())}, node});
  }
  const auto cpus = [&](size_t n) {
    std::vector<int> out;
    for (const Core& core : spread_cores(machine, n)) out.push_back(core.cpus[0]);
    return out;
  };
  EXPECT_EQ(cpus(0), std::vector<int>());
  EXPECT_EQ(cpus(2), (std::vector<int>{0, 3}));
  EXPECT_EQ(cpus(5), (std::vector<int>{0, 3, 6, 1, 4}));
  EXPECT_EQ(cpus(7), (std::vector<int>{0, 3, 6, 1, 4, 2, 5}));
}

TEST(Topology, PartsOfNodesAreWholeAndEven) {
  for (size_t nodes = 1; nodes <= 5; ++nodes) {
    for (size_t n = 0; n <= 40; ++n) {
      EXPECT_EQ(node_begin(n, nodes, 0), 0U);
      EXPECT_EQ(node_begin(n, nodes, nodes), n);
      for (size_t node = 0; node < nodes; ++node) {
        const size_t end = node_begin(n, nodes, node + 1);
        for (size_t i = node_begin(n, nodes, node); i < end; ++i) {
          EXPECT_EQ(i * nodes / n, node) << i << " of " << n << " on " << nodes;
        }
        EXPECT_LE(end - node_begin(n, nodes, node), n / nodes + 1);
      }
    }
  }
}

TEST(Topology, PlacedMemoryIsMemory) {
  constexpr size_t kBytes = size_t{1} << 22U;
  const std::unique_ptr<std::byte, void (*)(void*)> memory(
      static_cast<std::byte*>(std::aligned_alloc(4096, kBytes)), std::free);
  bind_memory(memory.get(), kBytes, topology().cores[0].numa_node);
  interleave_memory(memory.get(), kBytes);
  std::memset(memory.get(), 7, kBytes);
  EXPECT_EQ(std::to_integer<int>(memory.get()[kBytes - 1]), 7);
  EXPECT_FALSE(bind_memory(memory.get(), kBytes, 1 << 20));
}

TEST(Topology, ThisMachineHasMemory) {
  const MemoryState state = memory_state();
  EXPECT_GT(state.total_bytes, uint64_t{1} << 24);
  EXPECT_GT(state.available_bytes, 0U);
  EXPECT_LE(state.available_bytes, state.total_bytes);
}

TEST_F(FakeRoot, WithoutControlGroupsTheMachineIsTheLimit) {
  const MemoryState state = memory_state(root_);
  EXPECT_EQ(state.total_bytes, 1000U * 1024);
  EXPECT_EQ(state.available_bytes, 800U * 1024);
  EXPECT_FALSE(cpu_quota(root_).has_value());
}

TEST_F(FakeRoot, VersionTwoLimitsOfAnyAncestorCount) {
  put("proc/self/cgroup", "0::/plant/line\n");
  put("sys/fs/cgroup/plant/line/memory.max", "max\n");
  put("sys/fs/cgroup/plant/line/cpu.max", "max 100000\n");
  put("sys/fs/cgroup/plant/memory.max", "409600\n");
  put("sys/fs/cgroup/plant/memory.current", "204800\n");
  put("sys/fs/cgroup/plant/memory.stat", "anon 5\ninactive_file 102400\nactive_file 7\n");
  put("sys/fs/cgroup/plant/cpu.max", "150000 100000\n");
  const MemoryState state = memory_state(root_);
  EXPECT_EQ(state.total_bytes, 409600U);
  EXPECT_EQ(state.available_bytes, 409600U - 102400U);
  EXPECT_DOUBLE_EQ(cpu_quota(root_).value(), 1.5);
}

TEST_F(FakeRoot, InsideAContainerTheMountPointIsTheGroup) {
  put("proc/self/cgroup", "0::/not/visible/here\n");
  put("sys/fs/cgroup/memory.max", "4096\n");
  put("sys/fs/cgroup/memory.current", "5000\n");
  EXPECT_EQ(memory_state(root_).total_bytes, 4096U);
  EXPECT_EQ(memory_state(root_).available_bytes, 0U);  // over the limit for a moment
}

TEST_F(FakeRoot, VersionOneLimitsCount) {
  put("proc/self/cgroup", "4:memory:/a\n1:cpu,cpuacct:/b\n");
  put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "512000\n");
  put("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "12000\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("sys/fs/cgroup/cpu/b/cpu.cfs_quota_us", "250000\n");
  put("sys/fs/cgroup/cpu/b/cpu.cfs_period_us", "100000\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(memory_state(root_).total_bytes, 512000U);
  EXPECT_EQ(memory_state(root_).available_bytes, 500000U);
  EXPECT_DOUBLE_EQ(cpu_quota(root_).value(), 2.5);
}

}  // namespace
}  // namespace freehold::base
