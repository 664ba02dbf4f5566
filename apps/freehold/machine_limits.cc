#include "machine_limits.h"

#include <algorithm>
#include <atomic>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "base/topology.h"
#include "kernels/probe.h"
#include "models/weight_memory.h"

namespace freehold::app {
namespace {

constexpr int kTries = 5;
constexpr uint64_t kReadBytes = 512 << 20;  // far more than any cache
constexpr uint64_t kProbeUs = 40000;

// Reads everything once; eight sums keep enough loads under way.
uint64_t read_all(const uint64_t* words, size_t n) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i + 8 <= n; i += 8) {
    for (size_t j = 0; j < 8; ++j) sums[j] += words[i + j];
  }
  uint64_t sum = 0;
  for (const uint64_t one : sums) sum += one;
  return sum;
}

// From the kind of memory, and so of pages, that weights lie in.
base::Result<double> measure_read(base::ThreadPool& pool) {
  const uint64_t bytes = std::min(kReadBytes, base::memory_state().available_bytes / 4);
  const auto threads = static_cast<size_t>(pool.threads());
  const size_t share = bytes / sizeof(uint64_t) / threads;
  FREEHOLD_ASSIGN(auto memory, models::WeightMemory::create(share * threads * sizeof(uint64_t)));
  auto* words = reinterpret_cast<uint64_t*>(memory.writable());
  // By who reads it, so that it lies in the memory of the reader's node.
  pool.run_all(
      [&](int thread) { std::fill_n(words + static_cast<size_t>(thread) * share, share, 1); });
  std::atomic<uint64_t> sink = 0;
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const uint64_t start = base::now_us();
    pool.run_all(
        [&](int thread) { sink += read_all(words + static_cast<size_t>(thread) * share, share); });
    const auto us = static_cast<double>(std::max<uint64_t>(1, base::now_us() - start));
    best = std::max(best, static_cast<double>(memory.bytes()) / us / 1e3);
  }
  return best;
}

double measure_int8(base::ThreadPool& pool, kernels::Int8Probe probe) {
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    std::atomic<uint64_t> operations = 0;
    std::atomic<int32_t> sink = 0;
    const uint64_t start = base::now_us();
    pool.run_all([&](int) {
      uint64_t done = 0;
      int32_t value = 0;
      while (base::now_us() - start < kProbeUs) {
        done += probe(20000, &value);
        sink += value;
      }
      operations += done;
    });
    const auto us = static_cast<double>(std::max<uint64_t>(1, base::now_us() - start));
    best = std::max(best, static_cast<double>(operations) / us / 1e6);
  }
  return best;
}

}  // namespace

base::Result<MachineLimits> measure_machine(kernels::Isa isa, int threads) {
  base::ThreadPool pool(std::max(1, threads));
  FREEHOLD_ASSIGN(const double read_gbps, measure_read(pool));
  return MachineLimits{read_gbps, measure_int8(pool, kernels::int8_probe(isa))};
}

}  // namespace freehold::app
