// What the machine has and this process may use: cores, caches, NUMA nodes, memory. Respects the
// process's affinity mask and the limits of its control groups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace freehold::base {

// A physical core, as far as this process may run on it.
struct Core {
  std::vector<int> cpus;  // the operating system's numbers of its hardware threads; never empty
  int numa_node = 0;      // the system's number of the memory beside it
};

struct Topology {
  std::vector<Core> cores;  // in the machine's own order: neighbours share caches
  uint64_t l1_bytes = 0;    // data cache of one core; 0 where unknown, as below
  uint64_t l2_bytes = 0;
  uint64_t l3_bytes = 0;  // one shared cache, not their sum
};

// Discovered at the first call. Where discovery fails there is one core for each CPU of the
// affinity mask, so `cores` is never empty.
const Topology& topology();

// Threads to use unless told: physical cores, fewer where a control group grants less CPU time.
int default_threads();

// The cores that `n` threads take, at most as many as there are: from every node in turns. Fewer
// threads than cores are enough to wait for memory, and each node has a memory of its own.
std::vector<Core> spread_cores(const Topology& machine, size_t n);

// Things in order are cut into one part a node: thing i of n belongs to node i * nodes / n, rounded
// down. The first thing of a node; its end is the next node's first. `node` is 0 to `nodes`.
constexpr size_t node_begin(size_t n, size_t nodes, size_t node) {
  return (n * node + nodes - 1) / nodes;
}

// Asks that pages which nobody has touched yet be taken from a node (the system's number), or from
// another where it has none left. Whole pages. False when the system refuses, as containers may.
bool bind_memory(void* first, size_t bytes, int numa_node);

// The same, page by page from all nodes that have cores of this process; for what everybody reads.
// Does nothing where that is one.
void interleave_memory(void* first, size_t bytes);

// Keeps the calling thread on a core. False when the operating system refuses.
bool pin_current_thread(const Core& core);

struct MemoryState {
  uint64_t total_bytes = 0;      // of the machine, or of the control group where that is less
  uint64_t available_bytes = 0;  // without swapping; clean file cache counts as available
};

// Read anew at each call. `root` is the file system's root, for tests.
MemoryState memory_state(const std::filesystem::path& root = "/");

// CPUs' worth of time that the control groups (version 1 or 2) grant, where they limit it.
std::optional<double> cpu_quota(const std::filesystem::path& root = "/");

}  // namespace freehold::base
