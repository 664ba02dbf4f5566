// Threads for the inside of a step: a fork and a join in about a microsecond while busy, asleep in
// the kernel when idle. One caller at a time, no nesting, no queue: not a task system.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/function_ref.h"
#include "base/signal_word.h"
#include "base/topology.h"

namespace freehold::base {

// Where threads of one ThreadPool::run_all meet: nobody leaves wait() before everybody came.
// Reusable at once. What a thread wrote before wait() is visible to all after it.
class Barrier {
 public:
  explicit Barrier(int threads, uint32_t spin_us = 50) : threads_(threads), spin_us_(spin_us) {}
  void wait();

 private:
  const int threads_;
  const uint32_t spin_us_;
  std::atomic<int> arrived_{0};
  SignalWord round_;
};

class ThreadPool {
 public:
  // `threads` counts the caller, who is thread 0; at least 1. Workers are kept on physical cores,
  // as spread_cores() gives them, leaving the first to the caller, unless there are fewer cores
  // than threads. If the system refuses a thread the pool is smaller, which threads() tells:
  // results never depend on the number of threads, so this costs time only.
  explicit ThreadPool(int threads, const Topology& machine = topology());
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // The NUMA nodes that the threads are kept on; 1 where they are not kept on cores.
  size_t nodes() const { return queues_.size(); }
  // The system's number of a node below nodes().
  int numa_node(size_t node) const { return numa_nodes_[node]; }

  // Keeps the calling thread on the core left to it; for a thread that does nothing else.
  void pin_caller() const;

  // Calls fn(task, thread) once for each task below n_tasks, in any order, on any threads; returns
  // when all are done. Threads claim tasks one by one, so uneven tasks balance, and a worker that
  // the system has put aside delays nothing. A task belongs to a node, as node_begin() tells; the
  // node's threads claim its tasks first and then help the others. fn must not throw.
  void run(size_t n_tasks, FunctionRef<void(size_t task, int thread)> fn);

  // Calls fn(thread) once on every thread, all at the same time; returns when all are done.
  void run_all(FunctionRef<void(int thread)> fn);

  // How long a thread of this pool should spin before it sleeps: nothing when there are more
  // threads than cores. For barriers inside run_all.
  uint32_t spin_us() const { return spin_us_; }

 private:
  // The tasks of one node. On lines of their own: hot, and written by everybody. (libstdc++'s
  // constant for the line's size varies with compiler flags, so it is written out.)
  struct alignas(64) Queue {
    std::atomic<int64_t> left{0};  // to claim; below zero: nothing left
    size_t end = 0;                // read only by who holds a claimed, unfinished task of it
  };

  void work(int thread, size_t node);
  void claim_tasks(int thread, size_t node);

  std::vector<std::thread> workers_;
  std::vector<Core> cores_;  // of each thread; none where threads are not kept on cores
  std::vector<int> numa_nodes_;
  std::vector<Queue> queues_;  // of each node; the caller's is the first
  uint32_t spin_us_ = 0;

  FunctionRef<void(size_t, int)> task_fn_;  // read only by who holds a claimed, unfinished task
  FunctionRef<void(int)> all_fn_;           // read only by threads yet to run this round

  alignas(64) std::atomic<int64_t> tasks_unfinished_{0};  // of the current run
  alignas(64) std::atomic<int> all_unfinished_{0};        // workers yet to end the current round
  std::atomic<uint32_t> all_round_{0};                    // run_all calls so far
  std::atomic<bool> stop_{false};
  alignas(64) SignalWord started_;
  alignas(64) SignalWord finished_;
};

}  // namespace freehold::base
