// What it costs to share work among threads: an empty ThreadPool::run of one task a thread, an
// empty run_all, a Barrier::wait, each the median of many rounds; and the processor time that a
// pool uses in a second in which nobody asks anything of it. From one thread to one a core.
//
//   threads_bench [--threads MOST] [--rounds N]
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "base/thread_pool.h"
#include "base/topology.h"

namespace {

using freehold::base::Barrier;
using freehold::base::ThreadPool;
using Clock = std::chrono::steady_clock;

// Reading the clock costs as much as a barrier, so it is read once in so many calls.
constexpr int kCalls = 200;

struct Options {
  int threads = static_cast<int>(freehold::base::topology().cores.size());
  int rounds = 301;
};

template <class Fn>
double median_ns(int rounds, Fn&& call) {
  std::vector<double> ns;
  for (int round = 0; round < rounds; ++round) {
    const auto start = Clock::now();
    for (int i = 0; i < kCalls; ++i) call();
    ns.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kCalls);
  }
  const auto middle = ns.begin() + rounds / 2;
  std::nth_element(ns.begin(), middle, ns.end());
  return *middle;
}

double barrier_ns(ThreadPool& pool, int rounds) {
  Barrier barrier(pool.threads(), pool.spin_us());
  double ns = 0;
  pool.run_all([&](int thread) {
    const double own = median_ns(rounds, [&] { barrier.wait(); });
    if (thread == 0) ns = own;
  });
  return ns;
}

double processor_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

// After a moment: a running thread's time is only known to the system at its next tick.
double idle_us(ThreadPool& pool) {
  pool.run_all([](int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const double before = processor_us();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  return processor_us() - before;
}

void measure(int threads, int rounds) {
  ThreadPool pool(threads);
  pool.pin_caller();
  const auto tasks = static_cast<size_t>(pool.threads());
  const double run = median_ns(rounds, [&] { pool.run(tasks, [](size_t, int) {}); });
  const double all = median_ns(rounds, [&] { pool.run_all([](int) {}); });
  const double barrier = barrier_ns(pool, rounds);
  std::printf("%7d %8.0f %12.0f %12.0f %8.0f\n", pool.threads(), run, all, barrier, idle_us(pool));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures forks, joins and barriers.");
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 4096));
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1, 100000));
  CLI11_PARSE(app, argc, argv);
  std::printf("threads  run, ns  run_all, ns  barrier, ns  idle, us of processor time a second\n");
  // In a thread of its own each, for it is kept on a core and its children would be too.
  for (int n = 1; n <= options.threads; ++n) std::thread(measure, n, options.rounds).join();
}
