#include "models/loader.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "quant/decode.h"

namespace freehold::models {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr size_t kAlignment = 64;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::string shape_text(const std::array<uint64_t, 4>& shape, size_t n_dims) {
  std::string text = "{";
  for (size_t i = 0; i < n_dims; ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "}";
}

// Trailing dimensions of 1 don't count; {a, b, 1} may also come as {a, b}.
Status check_shape(const gguf::Tensor& tensor, std::array<uint64_t, 4> wanted) {
  if (tensor.shape == wanted) return {};
  size_t n_dims = 4;
  while (n_dims > 1 && wanted[n_dims - 1] == 1) --n_dims;
  return fail(ErrorCode::kBadFormat,
              "tensor `" + tensor.name + "` is " + shape_text(tensor.shape, tensor.n_dims) +
                  " where the model's settings ask for " + shape_text(wanted, n_dims));
}

}  // namespace

Loader::Loader(const gguf::Directory& directory, ops::Machine& machine, LoadOptions options)
    : directory_(directory),
      machine_(machine),
      options_(std::move(options)),
      scratch_(static_cast<size_t>(machine.threads())) {
  const auto name = directory.metadata().text("general.architecture");
  if (name && *name) architecture_ = std::string(**name);
}

Result<uint32_t> Loader::count_or(std::string_view key, uint32_t fallback) {
  const std::string full = full_key(key);
  FREEHOLD_ASSIGN(const auto value, directory_.metadata().unsigned_integer(full));
  if (!value) return fallback;
  if (*value > std::numeric_limits<int32_t>::max()) {
    return fail(ErrorCode::kBadFormat, "`" + full + "` is " + std::to_string(*value) +
                                           ", beyond anything that makes sense");
  }
  return static_cast<uint32_t>(*value);
}

Result<uint32_t> Loader::count(std::string_view key) {
  FREEHOLD_ASSIGN(const uint32_t value, count_or(key, 0));
  if (value == 0) {
    return fail(ErrorCode::kBadFormat, "`" + full_key(key) + "` is missing or zero");
  }
  return value;
}

Result<double> Loader::number_or(std::string_view key, double fallback) {
  FREEHOLD_ASSIGN(const auto value, directory_.metadata().number(full_key(key)));
  return value.value_or(fallback);
}

Result<double> Loader::number(std::string_view key) {
  FREEHOLD_ASSIGN(const auto value, directory_.metadata().number(full_key(key)));
  if (!value) return fail(ErrorCode::kBadFormat, "`" + full_key(key) + "` is missing");
  return *value;
}

Result<bool> Loader::flag_or(std::string_view key, bool fallback) {
  FREEHOLD_ASSIGN(const auto value, directory_.metadata().boolean(full_key(key)));
  return value.value_or(fallback);
}

Result<std::string> Loader::text_or(std::string_view key, std::string_view fallback) {
  FREEHOLD_ASSIGN(const auto value, directory_.metadata().text(full_key(key)));
  return std::string(value.value_or(fallback));
}

Result<const gguf::Tensor*> Loader::tensor(std::string_view name) {
  const gguf::Tensor* found = directory_.find(name);
  if (found == nullptr) {
    return fail(ErrorCode::kBadFormat, "tensor `" + std::string(name) + "` is missing");
  }
  used_.insert(found->name);
  return found;
}

Status Loader::matrix(std::string_view name, size_t n_in, size_t n_out, ops::Matrix& target,
                      size_t n_experts) {
  return expert_rows(name, {0, n_out}, n_in, n_out, target, n_experts);
}

Status Loader::matrix_rows(std::string_view name, RowRange range, size_t n_in, size_t n_out,
                           ops::Matrix& target) {
  return expert_rows(name, range, n_in, n_out, target, 1);
}

Status Loader::expert_rows(std::string_view name, RowRange range, size_t n_in, size_t n_out,
                           ops::Matrix& target, size_t n_experts) {
  FREEHOLD_ASSIGN(const gguf::Tensor* found, tensor(name));
  FREEHOLD_TRY(check_shape(*found, {n_in, range.n_rows, n_experts, 1}));
  return bind_rows(*found, range, n_in, n_out, target, n_experts);
}

Status Loader::grouped_rows(std::string_view name, RowRange range, size_t n_in, size_t n_out,
                            ops::Matrix& target, size_t n_experts) {
  FREEHOLD_ASSIGN(const gguf::Tensor* found, tensor(name));
  FREEHOLD_TRY(check_shape(*found, {n_in, range.n_rows * n_experts, 1, 1}));
  return bind_rows(*found, range, n_in, n_out, target, n_experts);
}

Status Loader::bind_rows(const gguf::Tensor& from, RowRange range, size_t n_in, size_t n_out,
                         ops::Matrix& target, size_t n_experts) {
  auto planned = ops::plan_matrix(machine_.isa(), from.type, n_in, n_out, n_experts);
  if (!planned) return base::in_context("tensor `" + from.name + "`", planned.error());
  target = *planned;
  if (from.name.starts_with("blk.")) widest_ = std::max({widest_, n_in, n_out});
  pending_.push_back({&target, &from, range});
  return {};
}

Result<std::vector<float>> Loader::decoded(std::string_view name, size_t n_in, size_t n_rows) {
  FREEHOLD_ASSIGN(const gguf::Tensor* found, tensor(name));
  FREEHOLD_TRY(check_shape(*found, {n_in, n_rows, 1, 1}));
  if (!quant::info(found->type).decodable) {
    return fail(ErrorCode::kUnsupported, "tensor `" + found->name + "` of type " +
                                             std::string(quant::info(found->type).name));
  }
  std::vector<float> values(n_in * n_rows);
  std::vector<std::byte> scratch;
  quant::decode_row(found->type, found->all(scratch).data(), values.size(), values.data());
  return values;
}

Status Loader::matrix_of(std::vector<float> values, size_t n_in, size_t n_out, ops::Matrix& target,
                         size_t n_experts) {
  FREEHOLD_ASSIGN(target,
                  ops::plan_matrix(machine_.isa(), quant::Type::kF32, n_in, n_out, n_experts));
  widest_ = std::max({widest_, n_in, n_out});
  Made& made = made_.emplace_back(std::move(values), gguf::Tensor{});
  made.tensor.shape = {n_in, n_out, n_experts, 1};
  made.tensor.data = std::as_bytes(std::span(made.values));
  pending_.push_back({&target, &made.tensor, {0, n_out}});
  return {};
}

Result<const float*> Loader::vector(std::string_view name, size_t n) {
  FREEHOLD_ASSIGN(const gguf::Tensor* found, tensor(name));
  if (found->n_elements() != n) {
    return fail(ErrorCode::kBadFormat, "tensor `" + found->name + "` has " +
                                           std::to_string(found->n_elements()) +
                                           " elements instead of " + std::to_string(n));
  }
  const quant::TypeInfo& type = quant::info(found->type);
  if (!type.decodable) {
    return fail(ErrorCode::kUnsupported,
                "tensor `" + found->name + "` of type " + std::string(type.name));
  }
  auto& values = vectors_.emplace_back(std::make_unique<float[]>(n));
  std::vector<std::byte> scratch;
  quant::decode_row(found->type, found->all(scratch).data(), n, values.get());
  return values.get();
}

Result<const float*> Loader::optional_vector(std::string_view name, size_t n) {
  if (!has(name)) return nullptr;
  return vector(name, n);
}

Status Loader::check_all_used() const {
  for (const gguf::Tensor& found : directory_.tensors()) {
    if (!used_.contains(found.name)) {
      return fail(ErrorCode::kUnsupported, "tensor `" + found.name + "` is not part of a `" +
                                               architecture_ +
                                               "` model as we know it; running without it would "
                                               "give wrong answers");
    }
  }
  return {};
}

uint64_t Loader::weight_bytes() const {
  uint64_t bytes = 0;
  for (const Pending& pending : pending_) bytes += aligned(pending.target->bytes());
  return bytes;
}

const std::byte* Loader::native_rows(const Pending& pending, size_t expert, size_t first, size_t n,
                                     int thread) {
  const uint64_t row = expert * pending.range.n_rows + pending.range.first_row + first;
  return pending.from->rows(row, n, scratch_[static_cast<size_t>(thread)]).data();
}

Status Loader::allocate(ToParts give) {
  const size_t nodes = machine_.nodes();
  std::vector<uint64_t> needed(nodes, 0);
  for (const Pending& pending : pending_) {
    for (size_t node = 0; node < nodes; ++node) {
      needed[node] += aligned(pending.target->part_bytes(nodes, node));
    }
  }
  memory_.clear();
  for (size_t node = 0; node < nodes; ++node) {
    std::optional<int> place;
    if (nodes > 1) place = machine_.pool().numa_node(node);
    FREEHOLD_ASSIGN(memory_.emplace_back(), WeightMemory::create(needed[node], place));
  }
  std::vector<std::byte*> parts;
  for (WeightMemory& memory : memory_) parts.push_back(memory.writable());
  for (const Pending& pending : pending_) {
    if (options_.stop.stop_requested()) return fail(ErrorCode::kCancelled, "loading was stopped");
    give(pending, parts);
    for (size_t node = 0; node < nodes; ++node) {
      parts[node] += aligned(pending.target->part_bytes(nodes, node));
    }
  }
  return {};
}

Status Loader::make_panels() {
  uint64_t done = 0;
  const auto total = static_cast<double>(weight_bytes());
  return allocate([&](const Pending& pending, ops::Parts parts) {
    say(static_cast<double>(done) / total, "weights");
    const auto rows = [&](size_t expert, size_t first, size_t n, int thread) {
      return native_rows(pending, expert, first, n, thread);
    };
    ops::pack(machine_, *pending.target, rows, parts);
    done += aligned(pending.target->bytes());
  });
}

Result<PanelFile> Loader::panel_file() {
  base::Checksum layout;
  for (const Pending& pending : pending_) {
    layout.add(pending.from->name);
    for (const uint64_t number :
         {static_cast<uint64_t>(pending.target->type), uint64_t{pending.target->n_in},
          uint64_t{pending.target->n_out}, uint64_t{pending.target->n_experts},
          uint64_t{pending.range.first_row}, uint64_t{pending.range.n_rows}}) {
      layout.add(number);
    }
  }
  say(0, "looking for its panels");
  return PanelFile::locate(options_.panel_folder, directory_.paths(), layout.value(),
                           weight_bytes(), machine_.pool());
}

// Some panels of each matrix are made afresh and compared: a file from a program that laid them out
// otherwise, or made other numbers of the model's, is not used.
bool Loader::take_kept(const PanelFile& file) {
  auto kept = file.map(machine_.pool());
  if (!kept) return false;
  const std::byte* at = kept->data();
  for (const Pending& pending : pending_) {
    pending.target->parts = {at};
    at += aligned(pending.target->bytes());
  }
  std::atomic<bool> as_made = true;
  machine_.pool().run(pending_.size(), [&](size_t i, int thread) {
    const Pending& pending = pending_[i];
    const auto rows = [&](size_t expert, size_t first, size_t n, int) {
      return native_rows(pending, expert, first, n, thread);
    };
    if (!ops::is_packed(*pending.target, rows, pending.target->parts[0])) as_made = false;
  });
  if (!as_made) return false;
  if (machine_.nodes() > 1) return place_kept(*kept).has_value();
  memory_.push_back(std::move(*kept));
  return true;
}

// The file lies in whatever memory the system read it into, of one node perhaps, so each node gets
// a copy of its part.
Status Loader::place_kept(const WeightMemory& kept) {
  const std::byte* at = kept.data();
  return allocate([&](const Pending& pending, ops::Parts parts) {
    ops::place_packed(machine_, *pending.target, at, parts);
    at += aligned(pending.target->bytes());
  });
}

// Bytes [at, at + scratch.size()) of all matrices packed, as they lie in a file of panels.
std::span<const std::byte> Loader::packed(uint64_t at, std::span<std::byte> scratch) const {
  if (memory_.size() == 1) return {memory_[0].data() + at, scratch.size()};
  std::ranges::fill(scratch, std::byte{0});
  const uint64_t end = at + scratch.size();
  uint64_t first = 0;
  for (const Pending& pending : pending_) {
    const uint64_t from = std::max(at, first);
    const uint64_t to = std::min(end, first + pending.target->bytes());
    if (from < to) {
      ops::read_packed(*pending.target, from - first, scratch.subspan(from - at, to - from));
    }
    first += aligned(pending.target->bytes());
  }
  return scratch;
}

Status Loader::pack() {
  FREEHOLD_TRY(check_all_used());
  // Small models are packed sooner than their file is checked.
  constexpr uint64_t kWorthKeeping = uint64_t{32} << 20U;
  const bool keep = !options_.panel_folder.empty() && !directory_.paths().empty() &&
                    weight_bytes() >= kWorthKeeping;
  const auto file = keep ? panel_file() : fail(ErrorCode::kNotFound, "");
  if (!file || !take_kept(*file)) {
    FREEHOLD_TRY(make_panels());
    // Without the file the next start takes longer, that is all.
    if (file) say(1.0, "keeping its panels");
    const auto panels = [&](uint64_t at, std::span<std::byte> scratch) {
      return packed(at, scratch);
    };
    if (file) (void)file->write(panels, machine_.pool());
  }
  say(1.0, "weights");
  pending_.clear();
  made_.clear();
  return {};
}

std::string layer_tensor(size_t layer, std::string_view name) {
  return "blk." + std::to_string(layer) + "." + std::string(name);
}

}  // namespace freehold::models
