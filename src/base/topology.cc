#include "base/topology.h"

#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <ranges>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

namespace freehold::base {

namespace {

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

struct Destroy {
  void operator()(hwloc_topology* loaded) const { hwloc_topology_destroy(loaded); }
};

// What hwloc knows, or null; loaded once, never changed.
hwloc_topology* loaded_machine() {
  static const std::unique_ptr<hwloc_topology, Destroy> loaded = [] {
    hwloc_topology_t found = nullptr;
    if (hwloc_topology_init(&found) != 0) found = nullptr;
    std::unique_ptr<hwloc_topology, Destroy> owner(found);
    if (owner != nullptr && hwloc_topology_load(owner.get()) != 0) owner.reset();
    return owner;
  }();
  return loaded.get();
}

uint64_t cache_bytes(hwloc_obj_type_t type) {
  const hwloc_obj_t cache = hwloc_get_obj_by_type(loaded_machine(), type, 0);
  return cache == nullptr ? 0 : cache->attr->cache.size;
}

Topology discover() {
  Topology out;
  const std::vector<int> cpus = allowed_cpus();
  if (loaded_machine() != nullptr) {
    const int n_cores = hwloc_get_nbobjs_by_type(loaded_machine(), HWLOC_OBJ_CORE);
    for (int i = 0; i < n_cores; ++i) {
      const hwloc_obj_t object =
          hwloc_get_obj_by_type(loaded_machine(), HWLOC_OBJ_CORE, static_cast<unsigned>(i));
      Core core;
      for (const int cpu : cpus) {
        if (hwloc_bitmap_isset(object->cpuset, static_cast<unsigned>(cpu))) {
          core.cpus.push_back(cpu);
        }
      }
      core.numa_node = std::max(hwloc_bitmap_first(object->nodeset), 0);
      if (!core.cpus.empty()) out.cores.push_back(std::move(core));
    }
    out.l1_bytes = cache_bytes(HWLOC_OBJ_L1CACHE);
    out.l2_bytes = cache_bytes(HWLOC_OBJ_L2CACHE);
    out.l3_bytes = cache_bytes(HWLOC_OBJ_L3CACHE);
  }
  if (out.cores.empty()) {
    for (const int cpu : cpus) out.cores.push_back({.cpus = {cpu}, .numa_node = 0});
  }
  return out;
}

// Not strictly: a node that is full is no reason to be killed.
bool place_memory(void* first, size_t bytes, std::span<const int> nodes,
                  hwloc_membind_policy_t policy) {
  hwloc_bitmap_t set = loaded_machine() == nullptr ? nullptr : hwloc_bitmap_alloc();
  if (set == nullptr) return false;
  for (const int node : nodes) hwloc_bitmap_set(set, static_cast<unsigned>(node));
  const int failed =
      hwloc_set_area_membind(loaded_machine(), first, bytes, set, policy, HWLOC_MEMBIND_BYNODESET);
  hwloc_bitmap_free(set);
  return failed == 0;
}

// The files of /proc and control groups are lines of words; absent ones read as empty.
std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  return text.str();
}

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) {
    return std::nullopt;
  }
  return value;
}

// The number after `key` at the start of a line of `text`.
std::optional<uint64_t> number_after(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const std::string_view rest = std::string_view(line).substr(key.size());
    const size_t at = rest.find_first_not_of(' ');
    if (at != std::string_view::npos && at > 0) return parse_number(rest.substr(at));
  }
  return std::nullopt;
}

// The folders of this process's control group and of all above it, for a controller of version 1
// or, with an empty name, for version 2. Inside a container the path may not exist below the mount
// point; then the walk upwards still reaches the mount point itself, which is the container's own.
std::vector<std::filesystem::path> control_groups(const std::filesystem::path& root,
                                                  std::string_view controller) {
  const std::filesystem::path mount =
      controller.empty() ? root / "sys/fs/cgroup" : root / "sys/fs/cgroup" / controller;
  std::istringstream lines(read_text(root / "proc/self/cgroup"));
  std::filesystem::path group = "/";
  for (std::string line; std::getline(lines, line);) {  // number:controllers:path
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string wanted = "," + std::string(controller) + ",";
    if (names.find(wanted) != std::string::npos) group = line.substr(second + 1);
  }
  std::vector<std::filesystem::path> out;
  for (auto at = group.relative_path(); !at.empty(); at = at.parent_path()) {
    out.push_back(mount / at);
  }
  out.push_back(mount);
  return out;
}

// Lowers `state` to what one control group leaves. Its own clean file cache can be dropped, so it
// counts as available.
void apply_memory_limit(std::optional<uint64_t> limit, std::optional<uint64_t> used,
                        std::optional<uint64_t> file_cache, MemoryState& state) {
  if (!limit || *limit >= state.total_bytes) return;
  state.total_bytes = *limit;
  const uint64_t held = used.value_or(0) - std::min(used.value_or(0), file_cache.value_or(0));
  state.available_bytes = std::min(state.available_bytes, *limit - std::min(*limit, held));
}

}  // namespace

const Topology& topology() {
  static const Topology found = discover();
  return found;
}

int default_threads() {
  const double cores = static_cast<double>(topology().cores.size());
  const double granted = std::ceil(cpu_quota().value_or(cores));
  return static_cast<int>(std::clamp(granted, 1.0, cores));
}

std::vector<Core> spread_cores(const Topology& machine, size_t n) {
  struct Turn {
    int number;  // the core's among those of its node
    const Core* core;
  };
  std::vector<Turn> turns;
  std::map<int, int> cores_of_node;
  for (const Core& core : machine.cores) turns.push_back({cores_of_node[core.numa_node]++, &core});
  std::ranges::stable_sort(turns, {}, &Turn::number);
  std::vector<Core> out;
  for (const Turn& turn : turns | std::views::take(n)) out.push_back(*turn.core);
  return out;
}

bool bind_memory(void* first, size_t bytes, int numa_node) {
  return place_memory(first, bytes, {&numa_node, 1}, HWLOC_MEMBIND_BIND);
}

void interleave_memory(void* first, size_t bytes) {
  std::set<int> distinct;
  for (const Core& core : topology().cores) distinct.insert(core.numa_node);
  if (distinct.size() < 2) return;
  const std::vector<int> nodes(distinct.begin(), distinct.end());
  place_memory(first, bytes, nodes, HWLOC_MEMBIND_INTERLEAVE);
}

bool pin_current_thread(const Core& core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : core.cpus) CPU_SET(static_cast<size_t>(cpu), &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

MemoryState memory_state(const std::filesystem::path& root) {
  const std::string meminfo = read_text(root / "proc/meminfo");
  MemoryState state;
  state.total_bytes = number_after(meminfo, "MemTotal:").value_or(0) * 1024;
  state.available_bytes = number_after(meminfo, "MemAvailable:").value_or(0) * 1024;
  for (const auto& group : control_groups(root, "")) {
    apply_memory_limit(parse_number(read_text(group / "memory.max")),
                       parse_number(read_text(group / "memory.current")),
                       number_after(read_text(group / "memory.stat"), "inactive_file"), state);
  }
  for (const auto& group : control_groups(root, "memory")) {
    apply_memory_limit(parse_number(read_text(group / "memory.limit_in_bytes")),
                       parse_number(read_text(group / "memory.usage_in_bytes")),
                       number_after(read_text(group / "memory.stat"), "total_inactive_file"),
                       state);
  }
  return state;
}

std::optional<double> cpu_quota(const std::filesystem::path& root) {
  std::optional<double> least;
  const auto consider = [&](std::optional<uint64_t> quota, std::optional<uint64_t> period) {
    if (!quota || !period || *period == 0) return;
    const double cpus = static_cast<double>(*quota) / static_cast<double>(*period);
    least = std::min(least.value_or(cpus), cpus);
  };
  for (const auto& group : control_groups(root, "")) {
    const std::string text = read_text(group / "cpu.max");  // "quota period" or "max period"
    const size_t space = text.find(' ');
    if (space != std::string::npos) {
      consider(parse_number(text), parse_number(std::string_view(text).substr(space + 1)));
    }
  }
  for (const auto& group : control_groups(root, "cpu")) {  // a quota of -1 is none
    consider(parse_number(read_text(group / "cpu.cfs_quota_us")),
             parse_number(read_text(group / "cpu.cfs_period_us")));
  }
  return least;
}

}  // namespace freehold::base
