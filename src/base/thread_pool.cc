#include "base/thread_pool.h"

#include <algorithm>
#include <system_error>

#include "base/topology.h"

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

ThreadPool::ThreadPool(int threads) {
  const auto& cores = topology().cores;
  const size_t n = static_cast<size_t>(std::max(threads, 1));
  pinned_ = n > 1 && n <= cores.size();
  spin_us_ = n <= cores.size() ? kSpinUs : 0;
  workers_.reserve(n - 1);
  for (size_t i = 1; i < n; ++i) {
    try {
      workers_.emplace_back([this, i, &cores] {
        if (pinned_) pin_current_thread(cores[i]);
        work(static_cast<int>(i), 0, 0);
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
  if (pinned_) pin_current_thread(topology().cores.front());
}

// How a run works. `tasks_left_` is both the claim counter and the gate: whoever decrements a
// positive value owns a task, and as the run cannot end before that task is reported finished, the
// owner may read task_fn_ and n_tasks_. A worker that comes late finds nothing to claim (or a
// task of the next run, which is as good) and touches nothing else, so the caller waits for tasks,
// never for workers.
void ThreadPool::run(size_t n_tasks, FunctionRef<void(size_t, int)> fn) {
  if (workers_.empty() || n_tasks <= 1) {
    for (size_t task = 0; task < n_tasks; ++task) fn(task, 0);
    return;
  }
  task_fn_ = fn;
  n_tasks_ = n_tasks;
  const uint32_t finished = finished_.value();
  tasks_unfinished_.store(static_cast<int64_t>(n_tasks), std::memory_order_relaxed);
  tasks_left_.store(static_cast<int64_t>(n_tasks), std::memory_order_release);
  started_.advance();
  claim_tasks(0);
  finished_.wait(finished, spin_us_);
}

void ThreadPool::claim_tasks(int thread) {
  int64_t n_done = 0;
  while (tasks_left_.load(std::memory_order_relaxed) > 0) {
    const int64_t left = tasks_left_.fetch_sub(1, std::memory_order_acquire);
    if (left <= 0) break;
    task_fn_(n_tasks_ - static_cast<size_t>(left), thread);
    ++n_done;
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

void ThreadPool::work(int thread, uint32_t seen, uint32_t rounds_done) {
  for (;;) {
    started_.wait(seen, spin_us_);
    seen = started_.value();
    if (stop_.load(std::memory_order_relaxed)) return;
    if (all_round_.load(std::memory_order_acquire) != rounds_done) {
      ++rounds_done;
      all_fn_(thread);
      if (all_unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) finished_.advance();
    }
    claim_tasks(thread);
  }
}

}  // namespace freehold::base
