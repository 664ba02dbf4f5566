// Gathers the pieces of each GGUF tensor by name, then makes it by its form. Refuses pieces that
// are missing, left over, or of another shape than their siblings.
#include "gguf/hf_tensors.h"

#include <cmath>
#include <cstring>
#include <map>
#include <numbers>
#include <optional>
#include <set>

#include "base/checked.h"
#include "gguf/hf_matrix.h"
#include "gguf/hf_names.h"
#include "gguf/hf_rows.h"
#include "gguf/reader.h"
#include "gguf/shape.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

using Shape = std::vector<uint64_t>;  // GGUF's order: contiguous first

// All that makes one GGUF tensor, or the two of a Pair.
struct Group {
  HfPlace place;
  std::map<uint64_t, HfPiece> pieces;  // by expert
};

Shape reversed(const std::vector<uint64_t>& shape) { return {shape.rbegin(), shape.rend()}; }

bool rows_are_permuted(HfFamily family) {
  return family == HfFamily::kLlama || family == HfFamily::kMixtral || family == HfFamily::kSmolLm3;
}

class Assembler {
 public:
  Assembler(const HfConfig& config, Directory& out) : config_(config), out_(out) {}

  Status gather(const SafeTensor& tensor) {
    FREEHOLD_ASSIGN(const HfPlace place, place_of(tensor.name, config_));
    if (place.form == HfForm::kDropped) return {};
    if (tensor.data.empty()) return refuse(tensor, "is empty");
    Group& group = groups_[place.target];
    if (group.pieces.empty()) group.place = place;
    HfPiece& piece = group.pieces[place.expert];
    const SafeTensor*& slot = place.role == HfRole::kScale ? piece.scale : piece.weight;
    if (slot != nullptr || group.place.form != place.form) {
      return refuse(tensor, "is a second source of " + place.target);
    }
    slot = &tensor;
    return {};
  }

  Status make_all() {
    for (const auto& [target, group] : groups_) {
      for (const auto& [expert, piece] : group.pieces) FREEHOLD_TRY(check_complete(piece));
      FREEHOLD_TRY(make(group));
    }
    return make_rope_freqs();
  }

 private:
  static std::unexpected<base::Error> refuse(const SafeTensor& tensor, const std::string& what) {
    return base::fail(ErrorCode::kBadFormat, "tensor " + shown(tensor.name) + " " + what);
  }

  Status check_complete(const HfPiece& piece) const {
    if (piece.weight == nullptr) return refuse(*piece.scale, "is a scale without its weight");
    return {};
  }

  static std::array<uint64_t, 4> padded(const Shape& shape) {
    std::array<uint64_t, 4> out{1, 1, 1, 1};
    std::copy_n(shape.begin(), std::min<size_t>(shape.size(), 4), out.begin());
    return out;
  }

  static Result<uint64_t> bytes_of(const std::string& name, quant::Type type, const Shape& shape) {
    if (shape.empty() || shape.size() > 4) {
      return base::fail(ErrorCode::kUnsupported,
                        name + " has " + std::to_string(shape.size()) + " dimensions");
    }
    auto n_bytes = data_bytes(type, padded(shape));
    if (!n_bytes) return base::in_context(name, std::move(n_bytes.error()));
    return n_bytes;
  }

  static Tensor tensor_of(const std::string& name, quant::Type type, const Shape& shape) {
    Tensor tensor;
    tensor.name = name;
    tensor.type = type;
    tensor.shape = padded(shape);
    tensor.n_dims = static_cast<uint32_t>(shape.size());
    return tensor;
  }

  // A tensor that lies in the folder as it should.
  Status add(const std::string& name, quant::Type type, const Shape& shape,
             std::span<const std::byte> data) {
    FREEHOLD_ASSIGN(const uint64_t n_bytes, bytes_of(name, type, shape));
    if (n_bytes != data.size()) {
      return base::fail(ErrorCode::kBadFormat, name + " has not the bytes of its shape");
    }
    Tensor tensor = tensor_of(name, type, shape);
    tensor.data = data;
    return out_.add(std::move(tensor));
  }

  // A tensor whose rows are made when they are read.
  Status add(const std::string& name, quant::Type type, const Shape& shape, RowMaker maker) {
    FREEHOLD_TRY(bytes_of(name, type, shape));
    Tensor tensor = tensor_of(name, type, shape);
    tensor.make_rows = std::move(maker);
    return out_.add(std::move(tensor));
  }

  Status make(const Group& group) {
    const HfPiece& piece = group.pieces.begin()->second;
    const HfPlace& place = group.place;
    switch (place.form) {
      case HfForm::kPlain:
        return make_plain(place.target, piece);
      case HfForm::kF32:
        return make_f32(place.target, piece);
      case HfForm::kFlat:
        return make_flat(place.target, piece);
      case HfForm::kQueryRows:
        return make_rows(place.target, piece, config_.n_heads);
      case HfForm::kKeyRows:
        return make_rows(place.target, piece, config_.n_kv_heads);
      case HfForm::kExpert:
        return make_stack(group);
      case HfForm::kLatentPair:
        return make_latent_pair(place, piece);
      case HfForm::kMxfp4Pair:
      case HfForm::kMxfp4:
        return make_mxfp4(place, piece);
      case HfForm::kBiasPair:
        return make_bias_pair(place, piece);
      case HfForm::kTurnedPair:
      case HfForm::kTurned:
        return make_turned(place, piece, /*in_turns=*/false);
      case HfForm::kTurnedTurns:
        return make_turned(place, piece, /*in_turns=*/true);
      case HfForm::kDropped:
        break;
    }
    return {};
  }

  Status make_f32(const std::string& name, const HfPiece& piece) {
    FREEHOLD_ASSIGN(const HfMatrix matrix, as_matrix(piece, config_));
    const Shape shape = reversed(piece.weight->shape);
    if (matrix.dtype == Dtype::kF32) return add(name, quant::Type::kF32, shape, matrix.elements);
    return add(name, quant::Type::kF32, shape, converted_rows(matrix, quant::Type::kF32));
  }

  Status make_flat(const std::string& name, const HfPiece& piece) {
    SafeTensor flat = *piece.weight;
    flat.shape = {flat.n_elements()};
    return make_f32(name, {&flat, piece.scale});
  }

  Status make_plain(const std::string& name, const HfPiece& piece) {
    if (piece.weight->shape.size() == 1) return make_f32(name, piece);
    FREEHOLD_ASSIGN(const HfMatrix matrix, as_matrix(piece, config_));
    const quant::Type type = native_type(matrix);
    const Shape shape = reversed(piece.weight->shape);
    if (piece.scale == nullptr) return add(name, type, shape, matrix.elements);
    return add(name, type, shape, converted_rows(matrix, type));
  }

  Status make_rows(const std::string& name, const HfPiece& piece, uint64_t n_heads) {
    if (!rows_are_permuted(config_.family)) return make_plain(name, piece);
    const SafeTensor& weight = *piece.weight;
    const bool is_vector = weight.shape.size() == 1;
    if (weight.shape.empty() || weight.shape[0] != n_heads * config_.head_dim ||
        config_.head_dim % 2 != 0 || weight.shape.size() > 2) {
      return refuse(weight, "has not one row for each element of " + std::to_string(n_heads) +
                                " heads of " + std::to_string(config_.head_dim));
    }
    FREEHOLD_ASSIGN(const HfMatrix matrix, as_matrix(piece, config_));
    const quant::Type type = is_vector ? quant::Type::kF32 : native_type(matrix);
    return add(name, type, reversed(weight.shape),
               is_vector ? paired_elements(matrix, config_.head_dim)
                         : paired_rows(matrix, type, config_.head_dim));
  }

  Status make_stack(const Group& group) {
    const SafeTensor& first = *group.pieces.begin()->second.weight;
    const uint64_t n_experts = group.pieces.size();
    if (n_experts != config_.n_experts || group.pieces.rbegin()->first != n_experts - 1) {
      return refuse(first, "has " + std::to_string(n_experts) + " experts; config.json says " +
                               std::to_string(config_.n_experts));
    }
    std::vector<HfMatrix> matrices;
    std::optional<quant::Type> type;
    for (const auto& [expert, piece] : group.pieces) {
      if (piece.weight->shape != first.shape || first.shape.size() != 2) {
        return refuse(*piece.weight, "has another shape than its siblings");
      }
      FREEHOLD_ASSIGN(const HfMatrix matrix, as_matrix(piece, config_));
      const quant::Type own_type = native_type(matrix);
      type = type.value_or(own_type) == own_type ? own_type : quant::Type::kF32;
      matrices.push_back(matrix);
    }
    Shape shape = reversed(first.shape);
    shape.push_back(n_experts);
    if (lie_together(group)) {
      return add(group.place.target, *type, shape,
                 std::span(first.data.data(), first.data.size() * n_experts));
    }
    return add(group.place.target, *type, shape, stacked_rows(std::move(matrices), *type));
  }

  // Whether the experts are one block of memory in the right order already.
  static bool lie_together(const Group& group) {
    const SafeTensor& first = *group.pieces.begin()->second.weight;
    const std::byte* expected = first.data.data();
    for (const auto& [expert, piece] : group.pieces) {
      if (piece.scale != nullptr || piece.weight->dtype != first.dtype ||
          piece.weight->data.data() != expected) {
        return false;
      }
      expected += piece.weight->data.size();
    }
    return true;
  }

  Status make_latent_pair(const HfPlace& place, const HfPiece& piece) {
    const SafeTensor& weight = *piece.weight;
    const uint64_t rank = config_.kv_lora_rank;
    const uint64_t head_rows = config_.nope_dim + config_.value_dim;
    if (weight.shape != std::vector<uint64_t>{config_.n_heads * head_rows, rank}) {
      return refuse(weight, "has another shape than config.json says");
    }
    FREEHOLD_ASSIGN(const HfMatrix matrix, as_matrix(piece, config_));
    const LatentHeads heads{config_.nope_dim, config_.value_dim};
    const quant::Type floats = float_type(matrix);
    FREEHOLD_TRY(add(place.target, floats, {config_.nope_dim, rank, config_.n_heads},
                     latent_keys(matrix, floats, heads)));
    const quant::Type native = native_type(matrix);
    return add(place.second, native, {rank, config_.value_dim, config_.n_heads},
               latent_values(matrix, native, heads));
  }

  Status make_mxfp4(const HfPlace& place, const HfPiece& piece) {
    const SafeTensor& blocks = *piece.weight;
    if (piece.scale == nullptr) return refuse(blocks, "has no scales");
    std::vector<uint64_t> with_bytes = piece.scale->shape;
    with_bytes.push_back(16);
    const uint64_t parts = place.second.empty() ? 1 : 2;
    if (piece.scale->shape.size() != 3 || blocks.shape != with_bytes ||
        bytes_each(blocks.dtype) != 1 || bytes_each(piece.scale->dtype) != 1 ||
        blocks.shape[1] % parts != 0) {
      return refuse(blocks, "has not the shape or dtype of MXFP4 blocks");
    }
    const uint64_t n_experts = blocks.shape[0];
    const uint64_t n_rows = blocks.shape[1] / parts;
    const uint64_t row_blocks = blocks.shape[2];
    for (uint64_t part = 0; part < parts; ++part) {
      FREEHOLD_TRY(add(part == 0 ? place.target : place.second, quant::Type::kMXFP4,
                       {row_blocks * 32, n_rows, n_experts},
                       unpacked_rows({blocks.data, piece.scale->data, row_blocks, parts, part})));
    }
    return {};
  }

  // [experts, 2 ff], gate and up in turns.
  Status make_bias_pair(const HfPlace& place, const HfPiece& piece) {
    const SafeTensor& tensor = *piece.weight;
    if (tensor.shape.size() != 2 || tensor.shape[1] % 2 != 0) {
      return refuse(tensor, "has not pairs of biases");
    }
    FREEHOLD_ASSIGN(const HfMatrix pairs, as_matrix(piece, config_));
    const Shape shape = {tensor.shape[1] / 2, tensor.shape[0]};
    FREEHOLD_TRY(add(place.target, quant::Type::kF32, shape, alternate_elements(pairs, 0)));
    return add(place.second, quant::Type::kF32, shape, alternate_elements(pairs, 1));
  }

  // [experts, in, parts * out] to parts of {in, out, experts}; the parts' columns lie one part
  // after the other or alternate.
  Status make_turned(const HfPlace& place, const HfPiece& piece, bool in_turns) {
    const SafeTensor& tensor = *piece.weight;
    const uint64_t parts = place.second.empty() ? 1 : 2;
    if (tensor.shape.size() != 3 || tensor.shape[0] != config_.n_experts ||
        tensor.shape[2] % parts != 0) {
      return refuse(tensor, "has another shape than stacked experts");
    }
    FREEHOLD_ASSIGN(const HfMatrix stack, as_matrix(piece, config_));
    const quant::Type type = native_type(stack);
    const uint64_t n_in = tensor.shape[1];
    const uint64_t n_out = tensor.shape[2] / parts;
    for (uint64_t part = 0; part < parts; ++part) {
      const Columns columns = in_turns ? Columns{n_in, n_out * parts, part, n_out, parts}
                                       : Columns{n_in, n_out * parts, part * n_out, n_out};
      FREEHOLD_TRY(add(part == 0 ? place.target : place.second, type,
                       {n_in, n_out, config_.n_experts},
                       turned_rows(tensor.data, bytes_each(tensor.dtype), columns)));
    }
    return {};
  }

  // Divisors of the angles, one a pair: 1 for short waves, `factor` for long ones, between them a
  // slope. From the configuration's rope_type `llama3`.
  Status make_rope_freqs() {
    if (!config_.llama3) return {};
    const Llama3Rope& rope = *config_.llama3;
    const uint64_t n_pairs = config_.n_rot / 2;
    std::vector<float> divisors(n_pairs);
    for (uint64_t j = 0; j < n_pairs; ++j) {
      const double exponent = 2.0 * static_cast<double>(j) / static_cast<double>(config_.n_rot);
      const double waves =
          rope.original_context / (2 * std::numbers::pi * std::pow(config_.rope_base, exponent));
      double divisor = 1;
      if (waves < rope.low_freq_factor || rope.low_freq_factor == rope.high_freq_factor) {
        divisor = waves > rope.high_freq_factor ? 1 : rope.factor;
      } else if (waves <= rope.high_freq_factor) {
        const double share =
            (waves - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
        divisor = 1 / ((1 - share) / rope.factor + share);
      }
      divisors[j] = static_cast<float>(divisor);
    }
    return add("rope_freqs.weight", quant::Type::kF32, {n_pairs},
               [divisors = std::move(divisors)](uint64_t, uint64_t count, std::byte* out) {
                 if (count > 0) std::memcpy(out, divisors.data(), divisors.size() * 4);
               });
  }

  const HfConfig& config_;
  Directory& out_;
  std::map<std::string, Group> groups_;  // by target
};

}  // namespace

Status add_hf_tensors(const HfConfig& config, const Safetensors& files, Directory& out) {
  Assembler assembler(config, out);
  for (const auto& [name, tensor] : files.tensors()) FREEHOLD_TRY(assembler.gather(tensor));
  FREEHOLD_TRY(assembler.make_all());
  const bool has_head = out.find("output.weight") != nullptr;
  if (config.tied.has_value() && !*config.tied && !has_head) {
    return base::fail(ErrorCode::kBadFormat,
                      "tensor `lm_head.weight` is missing, and config.json says it is not tied");
  }
  return {};
}

}  // namespace freehold::gguf
