// Quantising: what each tensor becomes, then rows in parallel, a batch at a time, into the writer.
#include "quantizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "gguf/writer.h"
#include "quant/decode.h"
#include "quant/encode.h"

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::Result;
using base::Status;
using gguf::Tensor;
using quant::Type;

constexpr uint64_t kBatchElements = 1 << 20;  // converted between two writes, whole rows
constexpr uint64_t kTaskElements = 1 << 14;   // about what a thread takes at once

// Types in which models are trained and published, which lose only once.
bool is_unquantised(Type type) {
  return type == Type::kF32 || type == Type::kF16 || type == Type::kBF16 || type == Type::kFp8;
}

Status check_convertible(const Tensor& tensor, Type to, bool requantize) {
  if (tensor.type == to) return {};
  const auto& from = quant::info(tensor.type);
  if (!from.decodable || !quant::encodable(to)) {
    return base::fail(ErrorCode::kUnsupported,
                      fmt::format("tensor {} cannot become {} from {}", tensor.name,
                                  quant::info(to).name, from.name));
  }
  if (!is_unquantised(tensor.type) && !requantize) {
    return base::fail(ErrorCode::kUnsupported,
                      fmt::format("tensor {} is {} already and would lose twice; start from the "
                                  "unquantised model, or give --requantize",
                                  tensor.name, from.name));
  }
  return {};
}

// What a thread found wrong, kept for the caller; the lowest row wins, whatever the threads.
class FirstFault {
 public:
  void note(uint64_t row) {
    uint64_t known = row_.load(std::memory_order_relaxed);
    while (row < known && !row_.compare_exchange_weak(known, row, std::memory_order_relaxed)) {
    }
  }
  std::optional<uint64_t> row() const {
    const uint64_t row = row_.load(std::memory_order_relaxed);
    return row == kNone ? std::nullopt : std::optional(row);
  }

 private:
  static constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();
  std::atomic<uint64_t> row_{kNone};
};

// Converts one tensor's rows.
class RowConverter {
 public:
  RowConverter(const Tensor& tensor, Type to, base::ThreadPool& pool)
      : tensor_(tensor), to_(to), pool_(pool) {
    const auto& into = quant::info(to);
    elements_ = tensor.shape[0];
    bytes_ = elements_ / into.block_elements * into.block_bytes;
    rows_per_task_ = std::max<uint64_t>(1, kTaskElements / std::max<uint64_t>(1, elements_));
    // BF16 reaches as far as F32; all else stands on F16 scales.
    limit_ = to == Type::kF32 || to == Type::kBF16 || to == Type::kMXFP4
                 ? std::numeric_limits<float>::max()
                 : quant::kLargestEncodable;
    buffers_.resize(static_cast<size_t>(pool.threads()));
  }

  // Rows [first, first + count) as blocks of the new type, into `out`.
  Status convert(uint64_t first, uint64_t count, std::vector<std::byte>& out) {
    out.resize(count * bytes_);
    FirstFault fault;
    const uint64_t tasks = (count + rows_per_task_ - 1) / rows_per_task_;
    pool_.run(tasks, [&](size_t task, int thread) {
      auto& [source, values] = buffers_[static_cast<size_t>(thread)];
      values.resize(elements_);
      const uint64_t begin = task * rows_per_task_;
      const uint64_t end = std::min(count, begin + rows_per_task_);
      const auto rows = tensor_.rows(first + begin, end - begin, source);
      for (uint64_t row = begin; row < end; ++row) {
        quant::decode_row(tensor_.type, rows.data() + (row - begin) * tensor_.row_bytes(),
                          elements_, values.data());
        if (!std::ranges::all_of(values, [&](float x) { return std::abs(x) <= limit_; })) {
          return fault.note(first + row);
        }
        quant::encode_row(to_, values.data(), nullptr, elements_, out.data() + row * bytes_);
      }
    });
    if (const auto row = fault.row()) return describe(*row);
    return {};
  }

 private:
  std::unexpected<base::Error> describe(uint64_t row) const {
    std::vector<float> values(elements_);
    std::vector<std::byte> source;
    quant::decode_row(tensor_.type, tensor_.rows(row, 1, source).data(), elements_, values.data());
    const auto bad =
        std::ranges::find_if(values, [&](float x) { return !(std::abs(x) <= limit_); });
    if (!std::isfinite(*bad)) {
      return base::fail(ErrorCode::kBadFormat,
                        fmt::format("tensor {} row {} column {} is {}: not a weight", tensor_.name,
                                    row, bad - values.begin(), *bad));
    }
    return base::fail(
        ErrorCode::kUnsupported,
        fmt::format("tensor {} row {} column {} is {}, beyond what {} holds; use BF16",
                    tensor_.name, row, bad - values.begin(), *bad, quant::info(to_).name));
  }

  const Tensor& tensor_;
  const Type to_;
  base::ThreadPool& pool_;
  struct Buffers {
    std::vector<std::byte> source;
    std::vector<float> values;
  };
  uint64_t elements_, bytes_, rows_per_task_;
  float limit_;
  std::vector<Buffers> buffers_;  // one for each thread
};

// Appends `tensor` as `to`; `done` is told the source's bytes as they go.
Status write_tensor(const Tensor& tensor, Type to, gguf::Writer& writer, base::ThreadPool& pool,
                    const std::function<void(uint64_t)>& done) {
  const uint64_t batch =
      std::max<uint64_t>(1, kBatchElements / std::max<uint64_t>(1, tensor.shape[0]));
  RowConverter converter(tensor, to, pool);
  std::vector<std::byte> buffer;
  for (uint64_t row = 0; row < tensor.n_rows(); row += batch) {
    const uint64_t count = std::min(batch, tensor.n_rows() - row);
    if (tensor.type == to) {
      FREEHOLD_TRY(writer.append(tensor.rows(row, count, buffer)));
    } else {
      FREEHOLD_TRY(converter.convert(row, count, buffer));
      FREEHOLD_TRY(writer.append(buffer));
    }
    done(count * tensor.row_bytes());
  }
  return {};
}

// Programs that read GGUF expect numbers in F32 and refuse others; a configuration's JSON has them
// in decimal, and most decimals would need F64.
gguf::Value as_f32(gguf::Value value) {
  auto* number = std::get_if<double>(&value.data);
  const double most = std::numeric_limits<float>::max();
  if (number != nullptr && std::abs(*number) <= most) *number = static_cast<float>(*number);
  return value;
}

gguf::Metadata output_metadata(const gguf::Directory& model, quant::Mix mix) {
  gguf::Metadata out;
  for (const auto& [key, value] : model.metadata().all()) {
    if (!key.starts_with("split.")) out.set(key, as_f32(value));
  }
  out.set("general.file_type", {static_cast<uint64_t>(mix)});
  out.set("general.quantization_version", {uint64_t{2}});
  return out;
}

// The largest of a key that may be one number or one for each layer; 0 when absent.
Result<uint64_t> largest(const gguf::Metadata& metadata, const std::string& key, size_t layers) {
  FREEHOLD_ASSIGN(const auto values, metadata.per_layer(key, layers));
  return values && !values->empty() ? *std::ranges::max_element(*values) : 0;
}

}  // namespace

Result<std::vector<Type>> plan_types(const gguf::Directory& model, quant::Mix mix) {
  const gguf::Metadata& metadata = model.metadata();
  FREEHOLD_ASSIGN(const auto architecture, metadata.text("general.architecture"));
  const std::string prefix = std::string(architecture.value_or("")) + ".";
  quant::MixModel facts;
  FREEHOLD_ASSIGN(const auto layers, metadata.unsigned_integer(prefix + "block_count"));
  FREEHOLD_ASSIGN(const auto experts, metadata.unsigned_integer(prefix + "expert_count"));
  facts.n_layers = layers.value_or(0);
  facts.n_experts = experts.value_or(0);
  FREEHOLD_ASSIGN(facts.n_heads,
                  largest(metadata, prefix + "attention.head_count", facts.n_layers));
  FREEHOLD_ASSIGN(facts.n_kv_heads,
                  largest(metadata, prefix + "attention.head_count_kv", facts.n_layers));
  if (facts.n_kv_heads == 0) facts.n_kv_heads = facts.n_heads;
  std::vector<quant::MixTensor> tensors;
  for (const Tensor& tensor : model.tensors()) {
    tensors.push_back(
        {tensor.name, tensor.type, tensor.shape[0], tensor.n_dims, tensor.shape[2] > 1});
  }
  return quant::choose_types(mix, facts, tensors);
}

Result<QuantizeResult> quantize_model(const gguf::Directory& model,
                                      const std::filesystem::path& out, const QuantizeJob& job,
                                      base::ThreadPool& pool) {
  FREEHOLD_ASSIGN(std::vector<Type> types, plan_types(model, job.mix));
  const auto& tensors = model.tensors();
  for (size_t i = 0; i < tensors.size(); ++i) {
    // No mix is smaller than MXFP4, in which some models are published: those weights stay.
    if (tensors[i].type == Type::kMXFP4 && !job.requantize) types[i] = Type::kMXFP4;
  }
  std::vector<gguf::TensorPlan> plan;
  for (size_t i = 0; i < tensors.size(); ++i) {
    FREEHOLD_TRY(check_convertible(tensors[i], types[i], job.requantize));
    plan.push_back({tensors[i].name,
                    types[i],
                    {tensors[i].shape.begin(), tensors[i].shape.begin() + tensors[i].n_dims}});
  }
  FREEHOLD_ASSIGN(gguf::Writer writer,
                  gguf::Writer::create(out, output_metadata(model, job.mix), plan));
  QuantizeResult result;
  const auto done = [&](uint64_t bytes) {
    result.source_bytes += bytes;
    if (job.progress) job.progress(result.source_bytes);
  };
  for (size_t i = 0; i < tensors.size(); ++i) {
    FREEHOLD_TRY(write_tensor(tensors[i], types[i], writer, pool, done));
    const auto& type = quant::info(types[i]);
    result.n_weights += tensors[i].n_elements();
    result.bytes += tensors[i].n_elements() / type.block_elements * type.block_bytes;
  }
  FREEHOLD_TRY(writer.finish());
  return result;
}

}  // namespace freehold::app
