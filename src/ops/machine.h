// What a forward pass computes with: an instruction set's kernels and the threads. Owns the rule
// for how work is shared out; results never depend on it.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/function_ref.h"
#include "base/thread_pool.h"
#include "base/topology.h"
#include "kernels/isa.h"
#include "kernels/vector.h"

namespace freehold::ops {

// Bytes of panels that a task of a product should have: reading begins anew with each task, so that
// small ones waste what was fetched ahead, and the end of a large one is waited for.
inline constexpr size_t kTaskBytes = size_t{128} * 1024;

class Machine {
 public:
  Machine(kernels::Isa isa, int threads, const base::Topology& topology = base::topology())
      : isa_(isa), vectors_(kernels::vector_kernels(isa)), pool_(threads, topology) {}

  kernels::Isa isa() const { return isa_; }
  const kernels::VectorKernels& vectors() const { return vectors_; }
  base::ThreadPool& pool() { return pool_; }
  int threads() const { return pool_.threads(); }
  size_t nodes() const { return pool_.nodes(); }

  // Of `n` things in order, those of a node below nodes(); at most part_size(n) of them.
  struct Part {
    size_t begin;
    size_t end;
  };
  Part part(size_t n, size_t node) const {
    if (nodes() == 1) return {0, n};
    return {base::node_begin(n, nodes(), node), base::node_begin(n, nodes(), node + 1)};
  }
  size_t part_size(size_t n) const { return (n + nodes() - 1) / nodes(); }

  // Calls fn(i, thread) for each i below n. `cost` is roughly the number of elements that one call
  // touches: little work stays on the calling thread, for waking the others costs about as much as
  // touching kWorthSharing elements.
  void for_each(size_t n, size_t cost, base::FunctionRef<void(size_t i, int thread)> fn) {
    if (n == 0) return;
    if (n * cost < kWorthSharing || threads() == 1) {
      for (size_t i = 0; i < n; ++i) fn(i, 0);
      return;
    }
    const size_t group = std::max<size_t>(1, kWorthSharing / 4 / std::max<size_t>(1, cost));
    pool_.run((n + group - 1) / group, [&](size_t task, int thread) {
      const size_t end = std::min(n, (task + 1) * group);
      for (size_t i = task * group; i < end; ++i) fn(i, thread);
    });
  }

 private:
  static constexpr size_t kWorthSharing = 8192;

  kernels::Isa isa_;
  const kernels::VectorKernels& vectors_;
  base::ThreadPool pool_;
};

}  // namespace freehold::ops
