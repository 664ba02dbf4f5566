// What the machine has and this process may use: cores, caches, NUMA nodes, memory. Respects the
// process's affinity mask and the limits of its control groups.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace freehold::base {

// A physical core, as far as this process may run on it.
struct Core {
  std::vector<int> cpus;  // the operating system's numbers of its hardware threads; never empty
  int numa_node = 0;
};

struct Topology {
  std::vector<Core> cores;  // in the machine's own order: neighbours share caches
  int numa_nodes = 1;
  uint64_t l1_bytes = 0;  // data cache of one core; 0 where unknown, as below
  uint64_t l2_bytes = 0;
  uint64_t l3_bytes = 0;  // one shared cache, not their sum
};

// Discovered at the first call. Where discovery fails there is one core for each CPU of the
// affinity mask, so `cores` is never empty.
const Topology& topology();

// Threads to use unless told: physical cores, fewer where a control group grants less CPU time.
int default_threads();

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
