#include "base/thread_pool.h"

#include <algorithm>
#include <system_error>

namespace freehold::base {

namespace {

// Longer than the serial stretches between two parallel parts of a step, shorter than anything a
// person or a power meter would notice.
constexpr uint32_t kSpinUs = 50;

}  // namespace

void Barrier::wait() {
  const uint32_t round = round_.value();
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    arrived_.store(0, std::memory_order_relaxed);  // nobody comes again before the round advances
    round_.advance();
  } else {
    round_.wait(round, spin_us_);
  }
}

ThreadPool::ThreadPool(int threads, const Topology& machine) : numa_nodes_(1) {
  const size_t n = static_cast<size_t>(std::max(threads, 1));
  if (n <= machine.cores.size()) {
    spin_us_ = kSpinUs;
    if (n > 1) cores_ = spread_cores(machine, n);
  }
  std::vector<size_t> nodes(n, 0);
  for (size_t i = 0; i < cores_.size(); ++i) {
    if (i == 0) numa_nodes_[0] = cores_[0].numa_node;
    const auto known = std::ranges::find(numa_nodes_, cores_[i].numa_node);
    nodes[i] = static_cast<size_t>(known - numa_nodes_.begin());
    if (known == numa_nodes_.end()) numa_nodes_.push_back(cores_[i].numa_node);
  }
  queues_ = std::vector<Queue>(numa_nodes_.size());
  workers_.reserve(n - 1);
  for (size_t i = 1; i < n; ++i) {
    try {
      workers_.emplace_back([this, i, node = nodes[i]] {
        if (!cores_.empty()) pin_current_thread(cores_[i]);
        work(static_cast<int>(i), node);
      });
    } catch (const std::system_error&) {
      break;
    }
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  started_.advance();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::pin_caller() const {
  if (!cores_.empty()) pin_current_thread(cores_.front());
}

// How a run works. A queue's `left` is both the claim counter and the gate: whoever decrements a
// positive value owns a task, and as the run cannot end before that task is reported finished, the
// owner may read task_fn_ and the queue's end. A worker that comes late finds nothing to claim (or
// a task of the next run, which is as good) and touches nothing else, so the caller waits for
// tasks, never for workers. Queues open one after another; a worker that passes one before it is
// open comes again, for the run's start is still ahead of it.
void ThreadPool::run(size_t n_tasks, FunctionRef<void(size_t, int)> fn) {
  if (workers_.empty() || n_tasks <= 1) {
    for (size_t task = 0; task < n_tasks; ++task) fn(task, 0);
    return;
  }
  task_fn_ = fn;
  const uint32_t finished = finished_.value();
  tasks_unfinished_.store(static_cast<int64_t>(n_tasks), std::memory_order_relaxed);
  size_t begin = 0;
  for (size_t node = 0; node < queues_.size(); ++node) {
    const size_t end = node_begin(n_tasks, queues_.size(), node + 1);
    queues_[node].end = end;
    queues_[node].left.store(static_cast<int64_t>(end - begin), std::memory_order_release);
    begin = end;
  }
  started_.advance();
  claim_tasks(0, 0);
  finished_.wait(finished, spin_us_);
}

void ThreadPool::claim_tasks(int thread, size_t node) {
  int64_t n_done = 0;
  for (size_t visited = 0; visited < queues_.size(); ++visited) {
    Queue& queue = queues_[node];
    while (queue.left.load(std::memory_order_relaxed) > 0) {
      const int64_t left = queue.left.fetch_sub(1, std::memory_order_acquire);
      if (left <= 0) break;
      task_fn_(queue.end - static_cast<size_t>(left), thread);
      ++n_done;
    }
    node = node + 1 < queues_.size() ? node + 1 : 0;
  }
  if (n_done == 0) return;
  if (tasks_unfinished_.fetch_sub(n_done, std::memory_order_acq_rel) == n_done) finished_.advance();
}

// Every worker takes part in every round of run_all, so none can miss or repeat one.
void ThreadPool::run_all(FunctionRef<void(int)> fn) {
  if (workers_.empty()) {
    fn(0);
    return;
  }
  all_fn_ = fn;
  const uint32_t finished = finished_.value();
  all_unfinished_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  all_round_.fetch_add(1, std::memory_order_release);
  started_.advance();
  fn(0);
  finished_.wait(finished, spin_us_);
}

void ThreadPool::work(int thread, size_t node) {
  uint32_t seen = 0;
  uint32_t rounds_done = 0;
  for (;;) {
    started_.wait(seen, spin_us_);
    seen = started_.value();
    if (stop_.load(std::memory_order_relaxed)) return;
    if (all_round_.load(std::memory_order_acquire) != rounds_done) {
      ++rounds_done;
      all_fn_(thread);
      if (all_unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) finished_.advance();
    }
    claim_tasks(thread, node);
  }
}

}  // namespace freehold::base
