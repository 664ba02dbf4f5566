// Weight matrices as panels, and their products with rows of activations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "kernels/matmul.h"
#include "kernels/panel.h"
#include "ops/buffer.h"
#include "ops/machine.h"
#include "quant/type.h"

namespace freehold::ops {

// A linear map {n_in, n_out}, or a stack of them, one for each expert. Holds no weights: the panels
// belong to who packed them. They lie in one part, or in one for each NUMA node, to which an
// expert's panels belong as base::node_begin() tells: so every product is read from the memories
// of all nodes at once, whichever experts it is of.
struct Matrix {
  quant::Type type = quant::Type::kF32;
  size_t n_in = 0;
  size_t n_out = 0;  // of one expert
  size_t n_experts = 1;
  std::vector<const std::byte*> parts;  // each [n_experts][panels of the node][panel_bytes]
  size_t panel_bytes = 0;
  kernels::PanelProduct product = nullptr;

  bool empty() const { return product == nullptr; }
  size_t n_panels() const { return (n_out + kernels::kPanelRows - 1) / kernels::kPanelRows; }
  size_t bytes() const { return n_experts * n_panels() * panel_bytes; }
  size_t part_bytes(size_t nodes, size_t node) const;
  bool takes_floats() const { return kernels::takes_floats(type); }

  // Where a panel lies among the parts of so many nodes.
  struct Place {
    size_t node;
    size_t offset;  // in the node's part, bytes
  };
  Place place(size_t nodes, size_t expert, size_t panel) const;
  const std::byte* panel(size_t expert, size_t panel) const {
    if (parts.size() == 1) return parts[0] + (expert * n_panels() + panel) * panel_bytes;
    const Place at = place(parts.size(), expert, panel);
    return parts[at.node] + at.offset;
  }
};

// A Matrix of this shape without panels; its bytes() tells what pack() needs. Errors: kUnsupported
// (a type that can't be multiplied), kBadFormat (n_in not a multiple of the type's block, or of 32
// where activations are quantised).
base::Result<Matrix> plan_matrix(kernels::Isa isa, quant::Type type, size_t n_in, size_t n_out,
                                 size_t n_experts);

// Packs native rows of n_in weights, n_out of each expert, into parts of part_bytes() each, aligned
// to 64, which must outlive the matrix; in parallel, each by its node's threads where there are as
// many parts as nodes. `rows` gives an expert's rows [first, first + n), valid until the same
// thread asks again.
using RowReader =
    base::FunctionRef<const std::byte*(size_t expert, size_t first, size_t n, int thread)>;
using Parts = std::span<std::byte* const>;
void pack(Machine& machine, Matrix& matrix, RowReader rows, Parts parts);

// The same panels in one part, [n_experts][n_panels][panel_bytes], are a matrix packed. Whether
// `packed` is what would be packed now, as far as the first and the last panel of the first and the
// last expert tell.
bool is_packed(const Matrix& matrix, RowReader rows, const std::byte* packed);
// Does as pack(), copying from `packed`.
void place_packed(Machine& machine, Matrix& matrix, const std::byte* packed, Parts parts);
// Bytes [first, first + into.size()) of the matrix packed.
void read_packed(const Matrix& matrix, size_t first, std::span<std::byte> into);

// Activations on their way into matrices: the float rows, and the same quantised once for all the
// matrices that want them so.
class Input {
 public:
  // Takes x as it is; n_in = x.width().
  void set(Machine& machine, const Rows& x, bool quantise);
  // RMS-normalised rows of x, times weight [x.width()].
  void set_normalised(Machine& machine, const Rows& x, const float* weight, float epsilon,
                      bool quantise);

  size_t n() const { return n_; }
  size_t width() const { return width_; }
  const float* floats(size_t i) const { return floats_ + i * stride_; }
  // The row in the form that the matrix multiplies.
  const std::byte* row(const Matrix& matrix, size_t i) const {
    return matrix.takes_floats() ? reinterpret_cast<const std::byte*>(floats(i))
                                 : quantised_.data() + i * quantised_stride_;
  }

  // For other producers of rows: write floats into scratch rows, then finish each.
  Rows& begin(size_t n, size_t width, bool quantise);
  void finish_row(const Machine& machine, size_t i);
  // Or write elements [32 * block, …) of row i, 32 at `values`, in any order and from any thread.
  void set_block(const Machine& machine, size_t i, size_t block, const float* values);

 private:
  void shape(const float* floats, size_t stride, size_t n, size_t width, bool quantise);

  Rows own_;
  const float* floats_ = nullptr;
  size_t stride_ = 0;
  AlignedBytes quantised_;
  size_t quantised_stride_ = 0;
  size_t n_ = 0;
  size_t width_ = 0;
  bool quantise_ = false;
};

// One matrix and where its product goes: out gets input.n() rows of matrix.n_out.
struct Product {
  const Matrix* matrix;
  Rows* out;
};

// All the products of one input, in one go.
void multiply(Machine& machine, const Input& input, std::span<const Product> products);
inline void multiply(Machine& machine, const Input& input, const Matrix& matrix, Rows& out) {
  const Product product{&matrix, &out};
  multiply(machine, input, {&product, 1});
}

// x += addend, row by row; rows of x beyond addend's width stay.
void add_rows(Machine& machine, Rows& x, const Rows& addend);
// Every row of x += bias [x.width()]; nothing when bias is null.
void add_bias(Machine& machine, Rows& x, const float* bias);

}  // namespace freehold::ops
