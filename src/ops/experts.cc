#include "ops/experts.h"

#include <algorithm>
#include <array>

namespace freehold::ops {
namespace {

using kernels::kPanelRows;

constexpr size_t kTokenChunk = 126;  // as in matrix.cc

// Panels [first, end) of one group.
struct Task {
  uint32_t group;
  uint32_t first;
  uint32_t end;
};

// Tasks numbered node by node, as many in each, as in matrix.cc.
class Shares {
 public:
  Shares(const Groups& groups, const Matrix& matrix, const Machine& machine)
      : machine_(machine), n_panels_(matrix.n_panels()) {
    const size_t a_node = machine.part_size(n_panels_);
    const size_t all = groups.groups().size() * n_panels_;
    const size_t at_most = all / (4 * static_cast<size_t>(machine.threads())) + 1;
    for (uint32_t g = 0; g < groups.groups().size(); ++g) {
      const size_t work = matrix.panel_bytes * std::min<size_t>(groups.groups()[g].count, 8);
      const size_t step = std::clamp<size_t>(kTaskBytes / std::max<size_t>(1, work), 1, at_most);
      for (size_t p = 0; p < a_node; p += step) {
        of_a_node_.push_back(
            {g, static_cast<uint32_t>(p), static_cast<uint32_t>(std::min(p + step, a_node))});
      }
    }
  }

  size_t n_tasks() const { return machine_.nodes() * of_a_node_.size(); }
  Task task(size_t i) const {
    size_t node = 0;
    for (; i >= of_a_node_.size(); ++node) i -= of_a_node_.size();
    const Machine::Part part = machine_.part(n_panels_, node);
    const auto begin = static_cast<uint32_t>(part.begin);
    const auto end = static_cast<uint32_t>(part.end);
    const Task& task = of_a_node_[i];
    return {task.group, begin + task.first, std::min(begin + task.end, end)};
  }

 private:
  const Machine& machine_;
  size_t n_panels_;
  std::vector<Task> of_a_node_;  // panels counted from the node's first
};

// Adds the panel's share of a bias; the last panel may be short.
void add_panel_bias(const Machine& machine, const Matrix& matrix, const float* bias,
                    uint32_t expert, size_t panel, float* out) {
  if (bias == nullptr) return;
  const size_t first = panel * kPanelRows;
  machine.vectors().add(out, bias + expert * matrix.n_out + first,
                        std::min(kPanelRows, matrix.n_out - first));
}

void activate(const Machine& machine, const Activation& activation, const float* gate,
              const float* up, float* out) {
  if (activation.kind == Activation::Kind::kSwigluOai) {
    machine.vectors().swiglu_oai(gate, up, kPanelRows, activation.oai, out);
  } else {
    machine.vectors().silu_mul(gate, up, kPanelRows, out);
  }
}

struct PanelOutputs {
  alignas(64) std::array<std::array<float, kPanelRows>, kTokenChunk> values;
};

}  // namespace

void Groups::assign(std::span<const uint32_t> experts, size_t k, size_t n_experts) {
  next_.assign(n_experts + 1, 0);
  for (const uint32_t e : experts) ++next_[e + 1];
  groups_.clear();
  for (uint32_t e = 0; e < n_experts; ++e) {
    if (next_[e + 1] != 0) groups_.push_back({e, next_[e], next_[e + 1]});
    next_[e + 1] += next_[e];
  }
  rows_.resize(experts.size());
  places_.resize(experts.size());
  for (size_t i = 0; i < experts.size(); ++i) {
    const uint32_t place = next_[experts[i]]++;
    rows_[place] = static_cast<uint32_t>(i / k);
    places_[i] = place;
  }
}

void Groups::assign_all(size_t n_rows) {
  groups_.assign(1, {0, 0, static_cast<uint32_t>(n_rows)});
  rows_.resize(n_rows);
  places_.resize(n_rows);
  for (uint32_t i = 0; i < n_rows; ++i) rows_[i] = places_[i] = i;
}

void multiply_gated(Machine& machine, const Input& input, const Groups& groups, const Gated& gated,
                    bool quantise, Input& out) {
  out.begin(groups.size(), gated.gate->n_out, quantise);
  const Shares shares(groups, *gated.gate, machine);
  machine.pool().run(shares.n_tasks(), [&](size_t t, int) {
    const Task task = shares.task(t);
    const Groups::Group& group = groups.groups()[task.group];
    PanelOutputs gate;
    PanelOutputs up;
    std::array<const std::byte*, kTokenChunk> gate_rows;
    std::array<const std::byte*, kTokenChunk> up_rows;
    std::array<float*, kTokenChunk> gate_out;
    std::array<float*, kTokenChunk> up_out;
    for (size_t i = 0; i < kTokenChunk; ++i) {
      gate_out[i] = gate.values[i].data();
      up_out[i] = up.values[i].data();
    }
    for (size_t first = 0; first < group.count; first += kTokenChunk) {
      const size_t n = std::min(kTokenChunk, group.count - first);
      for (size_t i = 0; i < n; ++i) {
        const uint32_t row = groups.row(group.first + first + i);
        gate_rows[i] = input.row(*gated.gate, row);
        up_rows[i] = input.row(*gated.up, row);
      }
      for (size_t p = task.first; p < task.end; ++p) {
        const Matrix& g = *gated.gate;
        const Matrix& u = *gated.up;
        g.product(g.panel(group.expert, p), g.n_in, gate_rows.data(), n, gate_out.data());
        u.product(u.panel(group.expert, p), u.n_in, up_rows.data(), n, up_out.data());
        for (size_t i = 0; i < n; ++i) {
          add_panel_bias(machine, g, gated.gate_bias, group.expert, p, gate_out[i]);
          add_panel_bias(machine, u, gated.up_bias, group.expert, p, up_out[i]);
          activate(machine, gated.activation, gate_out[i], up_out[i], gate_out[i]);
          out.set_block(machine, group.first + first + i, p, gate_out[i]);
        }
      }
    }
  });
}

void multiply_grouped(Machine& machine, const Input& input, const Groups& groups,
                      const Matrix& matrix, const float* bias, Rows& out) {
  out.resize(groups.size(), matrix.n_out);
  const Shares shares(groups, matrix, machine);
  machine.pool().run(shares.n_tasks(), [&](size_t t, int) {
    const Task task = shares.task(t);
    const Groups::Group& group = groups.groups()[task.group];
    std::array<const std::byte*, kTokenChunk> rows;
    std::array<float*, kTokenChunk> out_rows;
    for (size_t first = 0; first < group.count; first += kTokenChunk) {
      const size_t n = std::min(kTokenChunk, group.count - first);
      for (size_t i = 0; i < n; ++i) rows[i] = input.row(matrix, group.first + first + i);
      for (size_t p = task.first; p < task.end; ++p) {
        for (size_t i = 0; i < n; ++i) {
          out_rows[i] = out.row(group.first + first + i) + p * kPanelRows;
        }
        matrix.product(matrix.panel(group.expert, p), matrix.n_in, rows.data(), n, out_rows.data());
        for (size_t i = 0; i < n; ++i) {
          add_panel_bias(machine, matrix, bias, group.expert, p, out_rows[i]);
        }
      }
    }
  });
}

}  // namespace freehold::ops
