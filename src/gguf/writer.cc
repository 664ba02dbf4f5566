// A GGUF writer: header at once, tensors as they come, the name last.
#include "gguf/writer.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <set>
#include <type_traits>

#include "base/checked.h"
#include "gguf/limits.h"
#include "gguf/reader.h"
#include "gguf/shape.h"
#include "gguf/value.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;
using base::Status;

// The file under its temporary name.
class Writer::File {
 public:
  explicit File(std::filesystem::path path)
      : path_(std::move(path)), temporary_(temporary_path(path_)) {
    stream_ = std::fopen(temporary_.c_str(), "wbe");
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (stream_ == nullptr) return;
    std::fclose(stream_);
    ::unlink(temporary_.c_str());
  }

  bool is_open() const { return stream_ != nullptr; }

  Status write(std::span<const std::byte> bytes) {
    if (bytes.empty()) return {};  // whose pointer may be null, which fwrite may not get
    if (std::fwrite(bytes.data(), 1, bytes.size(), stream_) == bytes.size()) return {};
    return failed("write");
  }

  Status pad(uint64_t count) {
    const std::vector<std::byte> zeros(count);
    return write(zeros);
  }

  // Makes the content durable and gives it its name.
  Status commit() {
    if (std::fflush(stream_) != 0 || ::fsync(::fileno(stream_)) != 0) return failed("flush");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failed("rename");
    std::fclose(stream_);
    stream_ = nullptr;
    return {};
  }

  std::unexpected<base::Error> failed(const char* action) const {
    return base::fail(ErrorCode::kIo,
                      path_.string() + ": cannot " + action + ": " + std::strerror(errno));
  }

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::FILE* stream_ = nullptr;
};

namespace {

// Bytes of a header.
class Header {
 public:
  template <typename T>
  void number(T value) {
    static_assert(std::is_arithmetic_v<T>);
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof(T));
  }
  void type(ValueType type) { number(static_cast<uint32_t>(type)); }
  void text(std::string_view text) {
    number<uint64_t>(text.size());
    raw(text);
  }
  void raw(std::string_view text) {
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    bytes_.insert(bytes_.end(), bytes, bytes + text.size());
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

void write_array_head(Header& out, ValueType element, size_t count) {
  out.type(ValueType::kArray);
  out.type(element);
  out.number<uint64_t>(count);
}

// One overload a kind of value; std::visit picks.
struct ValueWriter {
  Header& out;

  void operator()(bool value) const {
    out.type(ValueType::kBool);
    out.number<uint8_t>(value ? 1 : 0);
  }
  void operator()(int64_t value) const {
    const auto narrow = base::checked_cast<int32_t>(value);
    out.type(narrow ? ValueType::kI32 : ValueType::kI64);
    if (narrow) return out.number(*narrow);
    out.number(value);
  }
  void operator()(uint64_t value) const {
    const auto narrow = base::checked_cast<uint32_t>(value);
    out.type(narrow ? ValueType::kU32 : ValueType::kU64);
    if (narrow) return out.number(*narrow);
    out.number(value);
  }
  void operator()(double value) const {
    const bool fits = value >= std::numeric_limits<float>::lowest() &&
                      value <= std::numeric_limits<float>::max() &&
                      static_cast<double>(static_cast<float>(value)) == value;
    out.type(fits ? ValueType::kF32 : ValueType::kF64);
    if (fits) return out.number(static_cast<float>(value));
    out.number(value);
  }
  void operator()(std::string_view value) const {
    out.type(ValueType::kString);
    out.text(value);
  }
  void operator()(const Value::Integers& values) const {
    bool narrow = true;
    for (const int64_t value : values) narrow = narrow && base::checked_cast<int32_t>(value);
    write_array_head(out, narrow ? ValueType::kI32 : ValueType::kI64, values.size());
    for (const int64_t value : values) {
      if (narrow) {
        out.number(static_cast<int32_t>(value));
      } else {
        out.number(value);
      }
    }
  }
  void operator()(const Value::Floats& values) const {
    write_array_head(out, ValueType::kF32, values.size());
    for (const float value : values) out.number(value);
  }
  void operator()(const Value::Strings& values) const {
    write_array_head(out, ValueType::kString, values.size());
    for (const std::string_view value : values) out.text(value);
  }
};

std::unexpected<base::Error> refused(std::string message) {
  return base::fail(ErrorCode::kInvalidArgument, std::move(message));
}

Result<uint64_t> planned_bytes(const TensorPlan& plan) {
  const std::string name = "tensor " + shown(plan.name);
  if (plan.name.empty() || plan.name.size() > kMaxTensorNameBytes) {
    return refused(name + " needs a name of 1 to 63 bytes");
  }
  if (plan.shape.empty() || plan.shape.size() > kMaxDims) {
    return refused(name + " needs 1 to 4 dimensions");
  }
  if (!quant::in_files(plan.type)) {
    return refused(name +
                   " has a type that no file carries: " + std::string(quant::info(plan.type).name));
  }
  std::array<uint64_t, 4> shape{1, 1, 1, 1};
  for (size_t i = 0; i < plan.shape.size(); ++i) shape[i] = plan.shape[i];
  auto bytes = data_bytes(plan.type, shape);
  if (!bytes) return refused(name + " " + bytes.error().message);
  return bytes;
}

uint64_t padding(uint64_t size, uint64_t alignment) {
  return (alignment - size % alignment) % alignment;
}

void write_metadata(Header& out, const Metadata& metadata) {
  for (const auto& [key, value] : metadata.all()) {
    out.text(key);
    std::visit(ValueWriter{out}, value.data);
  }
}

// The infos; gives the bytes of each tensor.
Result<std::vector<uint64_t>> write_infos(Header& out, std::span<const TensorPlan> tensors,
                                          uint64_t alignment) {
  std::set<std::string_view> names;
  std::vector<uint64_t> sizes;
  uint64_t offset = 0;
  for (const TensorPlan& plan : tensors) {
    FREEHOLD_ASSIGN(const uint64_t size, planned_bytes(plan));
    if (!names.insert(plan.name).second) return refused("tensor " + shown(plan.name) + " twice");
    out.text(plan.name);
    out.number(static_cast<uint32_t>(plan.shape.size()));
    for (const uint64_t dim : plan.shape) out.number(dim);
    out.number(static_cast<uint32_t>(plan.type));
    out.number(offset);
    sizes.push_back(size);
    const auto end = base::checked_add(offset, size);
    const auto next = end ? base::checked_align_up(*end, alignment) : std::nullopt;
    if (!next) return refused("the tensors together do not fit in 64 bits");
    offset = *next;
  }
  return sizes;
}

}  // namespace

Writer::Writer(std::unique_ptr<File> file) : file_(std::move(file)) {}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

std::filesystem::path Writer::temporary_path(const std::filesystem::path& path) {
  std::filesystem::path temporary = path;
  temporary += ".partial-" + std::to_string(::getpid());
  return temporary;
}

Result<Writer> Writer::create(const std::filesystem::path& path, const Metadata& metadata,
                              std::span<const TensorPlan> tensors) {
  FREEHOLD_ASSIGN(const auto alignment, metadata.unsigned_integer("general.alignment"));
  Writer writer(nullptr);
  writer.alignment_ = alignment.value_or(32);
  if (!is_alignment(writer.alignment_)) {
    return refused("general.alignment " + std::to_string(writer.alignment_) +
                   " is not a power of two up to " + std::to_string(kMaxAlignment));
  }
  Header header;
  header.raw("GGUF");
  header.number<uint32_t>(3);
  header.number<uint64_t>(tensors.size());
  header.number<uint64_t>(metadata.all().size());
  write_metadata(header, metadata);
  FREEHOLD_ASSIGN(writer.sizes_, write_infos(header, tensors, writer.alignment_));
  writer.file_ = std::make_unique<File>(path);
  if (!writer.file_->is_open()) return writer.file_->failed("create");
  FREEHOLD_TRY(writer.file_->write(header.bytes()));
  FREEHOLD_TRY(writer.file_->pad(padding(header.bytes().size(), writer.alignment_)));
  return writer;
}

Status Writer::append(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  FREEHOLD_TRY(pad_complete_tensors());
  if (current_ == sizes_.size() || bytes.size() > sizes_[current_] - written_) {
    return refused("more bytes than tensor " + std::to_string(current_) + " was declared with");
  }
  FREEHOLD_TRY(file_->write(bytes));
  written_ += bytes.size();
  return {};
}

// Moves on from tensors that have all their bytes, which empty ones have from the start.
Status Writer::pad_complete_tensors() {
  while (current_ < sizes_.size() && written_ == sizes_[current_]) {
    FREEHOLD_TRY(file_->pad(padding(written_, alignment_)));
    ++current_;
    written_ = 0;
  }
  return {};
}

Status Writer::finish() {
  FREEHOLD_TRY(pad_complete_tensors());
  if (current_ < sizes_.size()) {
    return refused("tensor " + std::to_string(current_) + " has not all its bytes");
  }
  return file_->commit();
}

}  // namespace freehold::gguf
