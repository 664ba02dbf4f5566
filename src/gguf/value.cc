// Metadata values of GGUF. A count is compared with the bytes left before anything is allocated.
// Refuses arrays of arrays, which the format's text allows and no writer makes.
#include "gguf/value.h"

#include <bit>
#include <type_traits>

#include "base/checked.h"
#include "gguf/limits.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;

static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies");

namespace {

std::unexpected<base::Error> unknown_type(std::string_view what, uint32_t id) {
  return base::fail(ErrorCode::kBadFormat,
                    std::string(what) + " type " + std::to_string(id) + " does not exist");
}

// Bytes that one element takes in the file, at least; 0 for what an array cannot hold.
uint64_t least_element_bytes(ValueType type) {
  switch (type) {
    case ValueType::kU8:
    case ValueType::kI8:
    case ValueType::kBool:
      return 1;
    case ValueType::kU16:
    case ValueType::kI16:
      return 2;
    case ValueType::kU32:
    case ValueType::kI32:
    case ValueType::kF32:
      return 4;
    case ValueType::kU64:
    case ValueType::kI64:
    case ValueType::kF64:
    case ValueType::kString:  // its length
      return 8;
    case ValueType::kArray:
      return 0;
  }
  return 0;
}

template <typename Stored>
Result<Value> scalar_number(Reader& reader) {
  FREEHOLD_ASSIGN(const Stored value, reader.read<Stored>("value"));
  if constexpr (std::is_floating_point_v<Stored>) return Value{static_cast<double>(value)};
  if constexpr (std::is_signed_v<Stored>) return Value{static_cast<int64_t>(value)};
  return Value{static_cast<uint64_t>(value)};
}

}  // namespace

Result<Value> ValueReader::next() {
  FREEHOLD_ASSIGN(const uint32_t id, reader_.read<uint32_t>("value type"));
  if (id > static_cast<uint32_t>(ValueType::kF64)) return unknown_type("value", id);
  const auto type = static_cast<ValueType>(id);
  return type == ValueType::kArray ? array() : scalar(type);
}

Result<Value> ValueReader::scalar(ValueType type) {
  switch (type) {
    case ValueType::kU8:
      return scalar_number<uint8_t>(reader_);
    case ValueType::kI8:
      return scalar_number<int8_t>(reader_);
    case ValueType::kU16:
      return scalar_number<uint16_t>(reader_);
    case ValueType::kI16:
      return scalar_number<int16_t>(reader_);
    case ValueType::kU32:
      return scalar_number<uint32_t>(reader_);
    case ValueType::kI32:
      return scalar_number<int32_t>(reader_);
    case ValueType::kF32:
      return scalar_number<float>(reader_);
    case ValueType::kU64:
      return scalar_number<uint64_t>(reader_);
    case ValueType::kI64:
      return scalar_number<int64_t>(reader_);
    case ValueType::kF64:
      return scalar_number<double>(reader_);
    case ValueType::kBool: {
      FREEHOLD_ASSIGN(const uint8_t value, reader_.read<uint8_t>("value"));
      return Value{value != 0};
    }
    case ValueType::kString: {
      FREEHOLD_ASSIGN(const std::string_view text, reader_.read_string("string", kMaxStringBytes));
      return Value{text};
    }
    case ValueType::kArray:
      break;
  }
  return unknown_type("value", static_cast<uint32_t>(type));
}

Result<Value> ValueReader::array() {
  FREEHOLD_ASSIGN(const uint32_t id, reader_.read<uint32_t>("array element type"));
  FREEHOLD_ASSIGN(const uint64_t count, reader_.read<uint64_t>("array count"));
  const auto type = static_cast<ValueType>(id);
  const uint64_t bytes_each =
      id <= static_cast<uint32_t>(ValueType::kF64) ? least_element_bytes(type) : 0;
  if (bytes_each == 0) return unknown_type("array element", id);
  if (count > reader_.remaining() / bytes_each) {
    return base::fail(ErrorCode::kBadFormat, "array of " + std::to_string(count) +
                                                 " elements runs past the end of the file");
  }
  if (count > kMaxArrayCount) {
    return base::fail(ErrorCode::kLimitExceeded,
                      "array of " + std::to_string(count) + " elements exceeds the limit");
  }
  switch (type) {
    case ValueType::kU8:
    case ValueType::kBool:
      return numbers<uint8_t, int64_t>(count);
    case ValueType::kI8:
      return numbers<int8_t, int64_t>(count);
    case ValueType::kU16:
      return numbers<uint16_t, int64_t>(count);
    case ValueType::kI16:
      return numbers<int16_t, int64_t>(count);
    case ValueType::kU32:
      return numbers<uint32_t, int64_t>(count);
    case ValueType::kI32:
      return numbers<int32_t, int64_t>(count);
    case ValueType::kU64:
      return numbers<uint64_t, int64_t>(count);
    case ValueType::kI64:
      return numbers<int64_t, int64_t>(count);
    case ValueType::kF32:
      return numbers<float, float>(count);
    case ValueType::kF64:
      return numbers<double, float>(count);
    default:
      return strings(count);
  }
}

base::Status ValueReader::reserve_memory(uint64_t count, uint64_t bytes_each) {
  array_memory_ += count * bytes_each;  // count <= kMaxArrayCount: cannot wrap
  if (array_memory_ <= kMaxArrayMemory) return {};
  return base::fail(
      ErrorCode::kLimitExceeded,
      "arrays take more than " + std::to_string(kMaxArrayMemory >> 20) + " MiB together");
}

template <typename Stored, typename Kept>
Result<Value> ValueReader::numbers(uint64_t count) {
  FREEHOLD_TRY(reserve_memory(count, sizeof(Kept)));
  std::vector<Kept> out;
  out.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const auto value = reader_.take<Stored>();
    if (!value) return reader_.ended("array");
    if constexpr (std::is_integral_v<Stored>) {
      const auto kept = base::checked_cast<Kept>(*value);
      if (!kept) {
        return base::fail(ErrorCode::kUnsupported, "array element " + std::to_string(*value) +
                                                       " does not fit in 64 bits with a sign");
      }
      out.push_back(*kept);
    } else {
      out.push_back(static_cast<Kept>(*value));
    }
  }
  return Value{std::move(out)};
}

Result<Value> ValueReader::strings(uint64_t count) {
  FREEHOLD_TRY(reserve_memory(count, sizeof(std::string_view)));
  Value::Strings out;
  out.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const auto text = reader_.take_string();
    if (!text) return reader_.ended("array element " + std::to_string(i));
    out.push_back(*text);
  }
  return Value{std::move(out)};
}

}  // namespace freehold::gguf
