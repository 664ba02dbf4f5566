// Products in which each row meets the matrix of its own expert: rows are grouped by expert, so
// that every expert's weights are read once a step, whatever the number of its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ops/buffer.h"
#include "ops/machine.h"
#include "ops/matrix.h"

namespace freehold::ops {

// Which rows go to which expert. An assignment is (row, slot): the slot-th choice of the row.
class Groups {
 public:
  // experts: [n_rows * k], the expert of each assignment, all below n_experts.
  void assign(std::span<const uint32_t> experts, size_t k, size_t n_experts);
  // All of n_rows to the one expert of an ordinary matrix.
  void assign_all(size_t n_rows);

  struct Group {
    uint32_t expert;
    uint32_t first;  // place in the grouped order
    uint32_t count;
  };
  // In order of expert; none is empty.
  std::span<const Group> groups() const { return groups_; }
  size_t size() const { return rows_.size(); }
  // The row at a place of the grouped order, and the place of an assignment.
  uint32_t row(size_t place) const { return rows_[place]; }
  uint32_t place(size_t assignment) const { return places_[assignment]; }

 private:
  std::vector<Group> groups_;
  std::vector<uint32_t> rows_;
  std::vector<uint32_t> places_;
  std::vector<uint32_t> next_;
};

// What lies between the gate and up products and the down product.
struct Activation {
  enum class Kind { kSilu, kSwigluOai };
  Kind kind = Kind::kSilu;
  kernels::SwigluOai oai = {};
};

// The first half of a gated feed-forward network, for one or many experts.
struct Gated {
  const Matrix* gate = nullptr;
  const Matrix* up = nullptr;
  const float* gate_bias = nullptr;  // [n_experts][width], or null
  const float* up_bias = nullptr;
  Activation activation = {};
};

// out[place] = activation(gate x, up x), where x is input row groups.row(place); in one pass over
// the weights. A panel's 32 outputs are one block of quantised activations, so they are quantised
// (where `quantise`) as soon as they are made.
void multiply_gated(Machine& machine, const Input& input, const Groups& groups, const Gated& gated,
                    bool quantise, Input& out);

// out[place] = matrix of the place's expert times input row `place`, plus its bias
// [n_experts][n_out] where there is one.
void multiply_grouped(Machine& machine, const Input& input, const Groups& groups,
                      const Matrix& matrix, const float* bias, Rows& out);

}  // namespace freehold::ops
