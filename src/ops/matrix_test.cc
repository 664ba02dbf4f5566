#include "ops/matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <set>
#include <vector>

#include "base/random.h"
#include "ops/experts.h"

namespace freehold::ops {
namespace {

constexpr size_t kIn = 64;
constexpr size_t kOut = 7 * kernels::kPanelRows + 5;  // the last panel is short
constexpr size_t kExperts = 3;

// A machine of so many nodes of two cores, all of them cores that there are.
Machine made_up(size_t nodes) {
  base::Topology topology;
  const auto& real = base::topology().cores;
  for (size_t i = 0; i < 2 * nodes; ++i) {
    topology.cores.push_back(real[i % real.size()]);
    topology.cores.back().numa_node = static_cast<int>(i / 2);
  }
  return {kernels::available_isas().back(), static_cast<int>(2 * nodes), topology};
}

std::vector<float> noise(size_t n, uint64_t seed) {
  std::vector<float> out(n);
  uint64_t at = seed << 32U;
  for (float& value : out) {
    value = static_cast<float>(base::mix64(++at) >> 40U) / 16777216.0F - 0.5F;
  }
  return out;
}

// A stack of matrices of floats, and the memory that it lies in.
class Stack {
 public:
  explicit Stack(Machine& machine, size_t nodes) : values_(noise(kExperts * kOut * kIn, 1)) {
    matrix_ = *plan_matrix(machine.isa(), quant::Type::kF32, kIn, kOut, kExperts);
    for (size_t node = 0; node < nodes; ++node) {
      memory_.emplace_back().reserve(std::max<size_t>(1, matrix_.part_bytes(nodes, node)));
      parts_.push_back(memory_.back().data());
    }
    pack(machine, matrix_, reader(), parts_);
  }
  const Matrix& matrix() const { return matrix_; }
  std::vector<std::byte> packed() const {
    std::vector<std::byte> out(matrix_.bytes());
    read_packed(matrix_, 0, out);
    return out;
  }
  bool is_packed_as(const std::vector<std::byte>& bytes) {
    return is_packed(matrix_, reader(), bytes.data());
  }
  // Erases the panels and copies them from `packed`.
  void place(Machine& machine, const std::vector<std::byte>& packed) {
    for (size_t node = 0; node < parts_.size(); ++node) {
      std::fill_n(parts_[node], matrix_.part_bytes(parts_.size(), node), std::byte{0xEE});
    }
    place_packed(machine, matrix_, packed.data(), parts_);
  }

 private:
  struct Reader {
    const std::vector<float>& values;
    const std::byte* operator()(size_t expert, size_t first, size_t, int) const {
      return reinterpret_cast<const std::byte*>(&values[(expert * kOut + first) * kIn]);
    }
  };
  Reader& reader() { return reader_; }

  std::vector<float> values_;
  Reader reader_{values_};
  Matrix matrix_;
  std::vector<AlignedBytes> memory_;
  std::vector<std::byte*> parts_;
};

Rows rows_of(size_t n, size_t width) {
  Rows rows;
  rows.resize(n, width);
  for (size_t i = 0; i < n; ++i) std::ranges::copy(noise(width, 100 + i), rows.row(i));
  return rows;
}

std::vector<float> floats(const Rows& rows) {
  std::vector<float> out;
  for (size_t i = 0; i < rows.n(); ++i) {
    out.insert(out.end(), rows.row(i), rows.row(i) + rows.width());
  }
  return out;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Matrix, PartsHoldEveryPanelOnce) {
  Machine machine(kernels::Isa::kScalar, 1);
  const Matrix matrix = *plan_matrix(machine.isa(), quant::Type::kF32, kIn, kOut, kExperts);
  for (size_t nodes = 1; nodes <= 10; ++nodes) {  // more than panels, too
    std::set<std::pair<size_t, size_t>> seen;
    size_t bytes = 0;
    for (size_t node = 0; node < nodes; ++node) bytes += matrix.part_bytes(nodes, node);
    EXPECT_EQ(bytes, matrix.bytes());
    for (size_t expert = 0; expert < kExperts; ++expert) {
      for (size_t panel = 0; panel < matrix.n_panels(); ++panel) {
        const Matrix::Place at = matrix.place(nodes, expert, panel);
        EXPECT_EQ(at.node, panel * nodes / matrix.n_panels());
        EXPECT_EQ(at.offset % matrix.panel_bytes, 0U);
        EXPECT_LT(at.offset, matrix.part_bytes(nodes, at.node));
        EXPECT_TRUE(seen.insert({at.node, at.offset}).second);
      }
    }
  }
}

class NodesTest : public testing::TestWithParam<size_t> {
 protected:
  Machine one_ = made_up(1);
  Machine machine_ = made_up(GetParam());
  Stack plain_{one_, 1};
  Stack stack_{machine_, GetParam()};
};

TEST_P(NodesTest, PackedTheyAreTheSameBytes) {
  ASSERT_EQ(machine_.nodes(), GetParam());
  const std::vector<std::byte> packed = plain_.packed();
  EXPECT_TRUE(std::equal(packed.begin(), packed.end(), plain_.matrix().parts[0]));
  EXPECT_EQ(stack_.packed(), packed);
  EXPECT_TRUE(stack_.is_packed_as(packed));
  stack_.place(machine_, packed);
  EXPECT_EQ(stack_.packed(), packed);
  std::vector<std::byte> piece(1000);
  read_packed(stack_.matrix(), 12345, piece);
  EXPECT_TRUE(std::equal(piece.begin(), piece.end(), packed.begin() + 12345));
  std::vector<std::byte> other = packed;
  other.back() ^= std::byte{1};
  EXPECT_FALSE(stack_.is_packed_as(other));
}

TEST_P(NodesTest, ProductsHaveTheSameBits) {
  const Rows x = rows_of(130, kIn);  // two chunks of tokens
  const auto multiplied = [&](Machine& machine, const Stack& stack) {
    Input input;
    input.set(machine, x, false);
    Rows a;
    Rows b;
    const Product products[] = {{&stack.matrix(), &a}, {&stack.matrix(), &b}};
    multiply(machine, input, products);
    EXPECT_TRUE(same(floats(a), floats(b)));
    return floats(a);
  };
  EXPECT_TRUE(same(multiplied(machine_, stack_), multiplied(one_, plain_)));
  EXPECT_TRUE(same(multiplied(machine_, plain_), multiplied(one_, plain_))) << "in one part";
}

TEST_P(NodesTest, ExpertsHaveTheSameBits) {
  const std::vector<uint32_t> chosen = {0, 2, 2, 1, 2, 0, 0, 2};  // two for each of four rows
  Groups groups;
  groups.assign(chosen, 2, kExperts);
  const Rows x = rows_of(4, kIn);
  const Rows places = rows_of(8, kIn);
  const auto multiplied = [&](Machine& machine, const Stack& stack) {
    const Matrix& matrix = stack.matrix();
    Input input;
    input.set(machine, x, false);
    Input gated;
    multiply_gated(machine, input, groups, {.gate = &matrix, .up = &matrix}, false, gated);
    std::vector<float> out;
    for (size_t i = 0; i < groups.size(); ++i) {
      out.insert(out.end(), gated.floats(i), gated.floats(i) + kOut);
    }
    input.set(machine, places, false);
    Rows grouped;
    multiply_grouped(machine, input, groups, matrix, nullptr, grouped);
    const std::vector<float> more = floats(grouped);
    out.insert(out.end(), more.begin(), more.end());
    return out;
  };
  EXPECT_TRUE(same(multiplied(machine_, stack_), multiplied(one_, plain_)));
}

INSTANTIATE_TEST_SUITE_P(Nodes, NodesTest, testing::Values(1, 2, 3, 5, 9),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace freehold::ops
