// What the other tests here rely on: that the two nodes that hwloc is told to make up
// (HWLOC_SYNTHETIC, in CMakeLists.txt) are seen and used.
#include <gtest/gtest.h>

#include <set>

#include "base/topology.h"
#include "ops/machine.h"

namespace freehold {
namespace {

TEST(Numa, TwoThreadsAreOnTwoNodes) {
  std::set<int> nodes;
  for (const base::Core& core : base::topology().cores) nodes.insert(core.numa_node);
  if (nodes.size() < 2) GTEST_SKIP() << "this process may not use the first two CPUs";
  ops::Machine machine(kernels::Isa::kScalar, 2);
  ASSERT_EQ(machine.nodes(), 2U);
  EXPECT_EQ(machine.pool().numa_node(0), 0);
  EXPECT_EQ(machine.pool().numa_node(1), 1);
  EXPECT_EQ(ops::Machine(kernels::Isa::kScalar, 1).nodes(), 1U);
}

}  // namespace
}  // namespace freehold
