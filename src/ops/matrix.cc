#include "ops/matrix.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string>
#include <vector>

namespace freehold::ops {
namespace {

using base::ErrorCode;
using base::fail;
using kernels::ActivationBlock;
using kernels::kPanelRows;

// Tokens whose quantised activations stay in a core's second-level cache while panels pass by.
constexpr size_t kTokenChunk = 120;  // tiles of four and of six

// Of each node's part of a matrix: tasks are numbered node by node, as many in each, so that the
// pool gives a node's to its own threads. The last one may be empty where parts are not even.
struct Shares {
  size_t panels_a_task = 1;
  size_t n_tasks = 0;
};

Shares share_out(const Matrix& matrix, size_t n_tokens, const Machine& machine) {
  Shares shares;
  const size_t work = matrix.panel_bytes * std::min<size_t>(n_tokens, 8);
  shares.panels_a_task = std::max<size_t>(1, kTaskBytes / std::max<size_t>(1, work));
  // At least a few tasks a thread, or the last one is waited for.
  const size_t at_most = matrix.n_panels() / (4 * static_cast<size_t>(machine.threads())) + 1;
  shares.panels_a_task = std::min(shares.panels_a_task, at_most);
  const size_t a_node = machine.part_size(matrix.n_panels());
  shares.n_tasks = (a_node + shares.panels_a_task - 1) / shares.panels_a_task;
  return shares;
}

// Panels [first, end) of a matrix by tokens [t0, t1).
void multiply_part(const Input& input, const Product& product, size_t first, size_t end, size_t t0,
                   size_t t1) {
  const Matrix& matrix = *product.matrix;
  std::array<const std::byte*, kTokenChunk> rows;
  std::array<float*, kTokenChunk> out;
  for (size_t t = t0; t < t1; ++t) rows[t - t0] = input.row(matrix, t);
  for (size_t p = first; p < end; ++p) {
    for (size_t t = t0; t < t1; ++t) out[t - t0] = product.out->row(t) + p * kPanelRows;
    matrix.product(matrix.panel(0, p), matrix.n_in, rows.data(), t1 - t0, out.data());
  }
}

// Calls fn(expert, panel, thread) for every panel of a matrix, on threads of the panel's node.
void for_each_panel(Machine& machine, const Matrix& matrix,
                    base::FunctionRef<void(size_t expert, size_t panel, int thread)> fn) {
  const size_t a_node = machine.part_size(matrix.n_panels());
  const size_t all_of_node = matrix.n_experts * a_node;
  machine.for_each(machine.nodes() * all_of_node, matrix.panel_bytes, [&](size_t i, int thread) {
    const Machine::Part part = machine.part(matrix.n_panels(), i / all_of_node);
    const size_t panel = part.begin + i % a_node;
    if (panel < part.end) fn(i % all_of_node / a_node, panel, thread);
  });
}

}  // namespace

size_t Matrix::part_bytes(size_t nodes, size_t node) const {
  const size_t end = base::node_begin(n_panels(), nodes, node + 1);
  return n_experts * (end - base::node_begin(n_panels(), nodes, node)) * panel_bytes;
}

Matrix::Place Matrix::place(size_t nodes, size_t expert, size_t panel) const {
  const size_t node = panel * nodes / n_panels();
  const size_t first = base::node_begin(n_panels(), nodes, node);
  const size_t of_node = base::node_begin(n_panels(), nodes, node + 1) - first;
  return {node, (expert * of_node + panel - first) * panel_bytes};
}

base::Result<Matrix> plan_matrix(kernels::Isa isa, quant::Type type, size_t n_in, size_t n_out,
                                 size_t n_experts) {
  const kernels::PanelFormat* format = kernels::panel_format(type);
  const std::string type_name(quant::info(type).name);
  if (format == nullptr) {
    return fail(ErrorCode::kUnsupported, "weights of type " + type_name + " can't be multiplied");
  }
  const size_t least = kernels::takes_floats(type) ? 1 : 32;
  const size_t block = std::max<size_t>(least, format->block_elements);
  if (n_in == 0 || n_in % block != 0) {
    return fail(ErrorCode::kBadFormat, "rows of " + std::to_string(n_in) +
                                           " weights are not whole blocks of " + type_name);
  }
  Matrix matrix;
  matrix.type = type;
  matrix.n_in = n_in;
  matrix.n_out = n_out;
  matrix.n_experts = n_experts;
  matrix.panel_bytes = kernels::panel_bytes(*format, n_in);
  matrix.product = kernels::panel_product(isa, type);
  return matrix;
}

void pack(Machine& machine, Matrix& matrix, RowReader rows, Parts parts) {
  const kernels::PanelFormat& format = *kernels::panel_format(matrix.type);
  for_each_panel(machine, matrix, [&](size_t expert, size_t panel, int thread) {
    const size_t first = panel * kPanelRows;
    const size_t n_rows = std::min(kPanelRows, matrix.n_out - first);
    const std::byte* native = rows(expert, first, n_rows, thread);
    const Matrix::Place at = matrix.place(parts.size(), expert, panel);
    kernels::pack_panel(format, native, n_rows, matrix.n_in, parts[at.node] + at.offset);
  });
  matrix.parts.assign(parts.begin(), parts.end());
}

bool is_packed(const Matrix& matrix, RowReader rows, const std::byte* packed) {
  const kernels::PanelFormat& format = *kernels::panel_format(matrix.type);
  std::vector<std::byte> fresh(matrix.panel_bytes);
  const size_t per_expert = matrix.n_panels();
  const auto is_kept = [&](size_t index) {
    const size_t first = index % per_expert * kPanelRows;
    const size_t n_rows = std::min(kPanelRows, matrix.n_out - first);
    const std::byte* native = rows(index / per_expert, first, n_rows, 0);
    kernels::pack_panel(format, native, n_rows, matrix.n_in, fresh.data());
    return std::memcmp(fresh.data(), packed + index * matrix.panel_bytes, fresh.size()) == 0;
  };
  const size_t last = matrix.n_experts * per_expert - 1;
  const std::set<size_t> ends = {0, per_expert - 1, last - (per_expert - 1), last};
  return std::ranges::all_of(ends, is_kept);
}

void place_packed(Machine& machine, Matrix& matrix, const std::byte* packed, Parts parts) {
  for_each_panel(machine, matrix, [&](size_t expert, size_t panel, int) {
    const Matrix::Place at = matrix.place(parts.size(), expert, panel);
    const size_t index = expert * matrix.n_panels() + panel;
    std::copy_n(packed + index * matrix.panel_bytes, matrix.panel_bytes,
                parts[at.node] + at.offset);
  });
  matrix.parts.assign(parts.begin(), parts.end());
}

void read_packed(const Matrix& matrix, size_t first, std::span<std::byte> into) {
  while (!into.empty()) {
    const size_t index = first / matrix.panel_bytes;
    const size_t within = first % matrix.panel_bytes;
    const size_t n = std::min(into.size(), matrix.panel_bytes - within);
    const std::byte* panel = matrix.panel(index / matrix.n_panels(), index % matrix.n_panels());
    std::copy_n(panel + within, n, into.data());
    first += n;
    into = into.subspan(n);
  }
}

void Input::shape(const float* floats, size_t stride, size_t n, size_t width, bool quantise) {
  floats_ = floats;
  stride_ = stride;
  n_ = n;
  width_ = width;
  quantise_ = quantise;
  if (!quantise) return;
  quantised_stride_ = (ActivationBlock::bytes(width) + 63) / 64 * 64;
  quantised_.reserve(n * quantised_stride_);
}

Rows& Input::begin(size_t n, size_t width, bool quantise) {
  own_.resize(n, width);
  shape(own_.row(0), own_.stride(), n, width, quantise);
  return own_;
}

void Input::finish_row(const Machine& machine, size_t i) {
  if (!quantise_) return;
  machine.vectors().quantise_row(floats(i), width_, quantised_.data() + i * quantised_stride_);
}

void Input::set(Machine& machine, const Rows& x, bool quantise) {
  shape(x.row(0), x.stride(), x.n(), x.width(), quantise);
  if (!quantise) return;
  machine.for_each(n_, width_, [&](size_t i, int) { finish_row(machine, i); });
}

void Input::set_normalised(Machine& machine, const Rows& x, const float* weight, float epsilon,
                           bool quantise) {
  Rows& out = begin(x.n(), x.width(), quantise);
  machine.for_each(n_, 2 * width_, [&](size_t i, int) {
    machine.vectors().rms_norm(x.row(i), weight, width_, epsilon, out.row(i));
    finish_row(machine, i);
  });
}

void Input::set_block(const Machine& machine, size_t i, size_t block, const float* values) {
  const size_t n = std::min<size_t>(kPanelRows, width_ - block * kPanelRows);
  std::copy_n(values, n, own_.row(i) + block * kPanelRows);
  if (!quantise_) return;
  static_assert(kPanelRows == ActivationBlock::kElements);
  std::byte* row = quantised_.data() + i * quantised_stride_;
  machine.vectors().quantise_row(values, kPanelRows, row + block * sizeof(ActivationBlock));
}

void multiply(Machine& machine, const Input& input, std::span<const Product> products) {
  const size_t n = input.n();
  constexpr size_t kMost = 8;
  std::array<Shares, kMost> shares;
  size_t tasks_a_node = 0;
  for (size_t i = 0; i < products.size(); ++i) {
    products[i].out->resize(n, products[i].matrix->n_out);
    shares[i] = share_out(*products[i].matrix, n, machine);
    tasks_a_node += shares[i].n_tasks;
  }
  for (size_t t0 = 0; t0 < n; t0 += kTokenChunk) {
    const size_t t1 = std::min(n, t0 + kTokenChunk);
    machine.pool().run(machine.nodes() * tasks_a_node, [&](size_t task, int) {
      size_t node = 0;
      for (; task >= tasks_a_node; ++node) task -= tasks_a_node;
      size_t i = 0;
      while (task >= shares[i].n_tasks) task -= shares[i++].n_tasks;
      const Machine::Part part = machine.part(products[i].matrix->n_panels(), node);
      const size_t first = part.begin + task * shares[i].panels_a_task;
      const size_t end = std::min(first + shares[i].panels_a_task, part.end);
      multiply_part(input, products[i], first, end, t0, t1);
    });
  }
}

void add_rows(Machine& machine, Rows& x, const Rows& addend) {
  machine.for_each(x.n(), x.width(), [&](size_t i, int) {
    machine.vectors().add(x.row(i), addend.row(i), addend.width());
  });
}

void add_bias(Machine& machine, Rows& x, const float* bias) {
  if (bias == nullptr) return;
  machine.for_each(x.n(), x.width(),
                   [&](size_t i, int) { machine.vectors().add(x.row(i), bias, x.width()); });
}

}  // namespace freehold::ops
