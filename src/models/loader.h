// From a directory of tensors to the named fields of a family: every tensor is asked for by name,
// shape and kind, once; what nobody asked for is refused by name, for a tensor left out silently is
// how text becomes fluent and wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "gguf/gguf.h"
#include "models/panel_file.h"
#include "models/weight_memory.h"
#include "ops/machine.h"
#include "ops/matrix.h"

namespace freehold::models {

class Model;

struct LoadOptions {
  // Called with a share from 0 to 1 and what is being done.
  std::function<void(double share, std::string_view what)> progress;
  bool with_prediction = false;  // layers that predict further tokens are wanted too
  // Where panels are kept from one start to the next (models/panel_file.h); "": nowhere.
  std::filesystem::path panel_folder;
  // Called once the model's shape and sizes are known, before its weights are read; its error ends
  // the loading.
  std::function<base::Status(const Model&)> planned;
  // Ends the loading with kCancelled, before the next matrix that is prepared.
  std::stop_token stop;
};

class Loader {
 public:
  Loader(const gguf::Directory& directory, ops::Machine& machine, LoadOptions options = {});

  const std::string& architecture() const { return architecture_; }
  ops::Machine& machine() { return machine_; }
  const gguf::Directory& directory() const { return directory_; }
  const LoadOptions& options() const { return options_; }

  // Settings: `key` without the architecture's prefix. A required one that is missing, or any of
  // the wrong type or out of range, is kBadFormat with the key's name.
  base::Result<uint32_t> count(std::string_view key);  // required, 1 … 2^31-1
  base::Result<uint32_t> count_or(std::string_view key, uint32_t fallback);  // 0 … 2^31-1
  base::Result<double> number(std::string_view key);
  base::Result<double> number_or(std::string_view key, double fallback);
  base::Result<bool> flag_or(std::string_view key, bool fallback);
  base::Result<std::string> text_or(std::string_view key, std::string_view fallback);
  std::string full_key(std::string_view key) const {
    return architecture_ + "." + std::string(key);
  }

  bool has(std::string_view tensor) const { return directory_.find(tensor) != nullptr; }

  // Binds `target`, which must keep its address until pack(), to a weight {n_in, n_out}, or
  // {n_in, n_out, n_experts}. Errors: kBadFormat (missing, another shape), kUnsupported (type).
  base::Status matrix(std::string_view name, size_t n_in, size_t n_out, ops::Matrix& target,
                      size_t n_experts = 1);
  // Rows [first_row, first_row + n_out) of a tensor with n_rows rows in all (fused tensors).
  struct RowRange {
    size_t first_row;
    size_t n_rows;
  };
  base::Status matrix_rows(std::string_view name, RowRange range, size_t n_in, size_t n_out,
                           ops::Matrix& target);
  // The same of every expert's n_rows rows.
  base::Status expert_rows(std::string_view name, RowRange range, size_t n_in, size_t n_out,
                           ops::Matrix& target, size_t n_experts);
  // The same where the tensor is a matrix {n_in, n_experts * n_rows} and not a stack.
  base::Status grouped_rows(std::string_view name, RowRange range, size_t n_in, size_t n_out,
                            ops::Matrix& target, size_t n_experts);
  // A matrix {n_in, n_rows} as floats, row by row; for weights that are wanted in another order.
  base::Result<std::vector<float>> decoded(std::string_view name, size_t n_in, size_t n_rows);
  // Binds a matrix made of floats, [n_experts][n_out][n_in].
  base::Status matrix_of(std::vector<float> values, size_t n_in, size_t n_out, ops::Matrix& target,
                         size_t n_experts);
  // A tensor of `n` numbers as floats. The optional one gives null when absent.
  base::Result<const float*> vector(std::string_view name, size_t n);
  base::Result<const float*> optional_vector(std::string_view name, size_t n);
  // Tensors of the file that this model does not use, by right.
  void ignore(std::string_view tensor) { used_.insert(std::string(tensor)); }

  // Refuses tensors that nobody asked for; allocates and packs the matrices.
  base::Status pack();
  uint64_t weight_bytes() const;
  // The longest row of activations that a bound matrix takes or makes, the head's logits excepted.
  size_t widest() const { return widest_; }

  // What the model keeps.
  std::vector<WeightMemory> take_memory() { return std::move(memory_); }
  std::vector<std::unique_ptr<float[]>> take_vectors() { return std::move(vectors_); }

 private:
  struct Pending {
    ops::Matrix* target;
    const gguf::Tensor* from;
    RowRange range;  // of each expert
  };
  base::Result<const gguf::Tensor*> tensor(std::string_view name);
  base::Status bind_rows(const gguf::Tensor& tensor, RowRange range, size_t n_in, size_t n_out,
                         ops::Matrix& target, size_t n_experts);
  base::Status check_all_used() const;
  // Allocates memory_ and calls give(pending, parts) for each matrix: with where its parts belong.
  using ToParts = base::FunctionRef<void(const Pending& pending, ops::Parts parts)>;
  base::Status allocate(ToParts give);
  base::Status make_panels();
  base::Result<PanelFile> panel_file();
  bool take_kept(const PanelFile& file);
  base::Status place_kept(const WeightMemory& kept);
  std::span<const std::byte> packed(uint64_t at, std::span<std::byte> scratch) const;
  const std::byte* native_rows(const Pending& pending, size_t expert, size_t first, size_t n,
                               int thread);
  void say(double share, std::string_view what) const {
    if (options_.progress) options_.progress(share, what);
  }

  const gguf::Directory& directory_;
  ops::Machine& machine_;
  const LoadOptions options_;
  std::string architecture_;
  std::set<std::string, std::less<>> used_;
  std::vector<Pending> pending_;
  struct Made {
    std::vector<float> values;
    gguf::Tensor tensor;
  };
  std::deque<Made> made_;  // what matrix_of was given, until pack()
  std::vector<std::unique_ptr<float[]>> vectors_;
  std::vector<WeightMemory> memory_;             // of each NUMA node, or a file of panels
  std::vector<std::vector<std::byte>> scratch_;  // by thread, for tensors whose rows are made
  size_t widest_ = 0;
};

// "blk.<layer>.<name>".
std::string layer_tensor(size_t layer, std::string_view name);

}  // namespace freehold::models
