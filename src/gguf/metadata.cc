// Typed access to metadata. Any integer type that holds the value will do, as writers differ.
#include <cmath>

#include "base/checked.h"
#include "gguf/gguf.h"
#include "gguf/reader.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;

namespace {

std::unexpected<base::Error> wrong(std::string_view key, std::string_view expected) {
  return base::fail(ErrorCode::kBadFormat,
                    "key " + shown(key) + " is not " + std::string(expected));
}

template <typename T>
std::optional<T> as_integer(const Value& value) {
  if (const auto* n = std::get_if<uint64_t>(&value.data)) return base::checked_cast<T>(*n);
  if (const auto* n = std::get_if<int64_t>(&value.data)) return base::checked_cast<T>(*n);
  return std::nullopt;
}

template <typename T>
const T* array_of(const Value* value) {
  return value == nullptr ? nullptr : std::get_if<T>(&value->data);
}

}  // namespace

const Value* Metadata::find(std::string_view key) const {
  const auto it = values_.find(key);
  return it == values_.end() ? nullptr : &it->second;
}

Result<std::optional<uint64_t>> Metadata::unsigned_integer(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto n = as_integer<uint64_t>(*value)) return n;
  return wrong(key, "an integer of 0 or more");
}

Result<std::optional<int64_t>> Metadata::integer(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto n = as_integer<int64_t>(*value)) return n;
  return wrong(key, "an integer of 64 bits with a sign");
}

Result<std::optional<double>> Metadata::number(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto n = as_integer<int64_t>(*value)) return static_cast<double>(*n);
  const auto* n = std::get_if<double>(&value->data);
  if (n == nullptr || !std::isfinite(*n)) return wrong(key, "a finite number");
  return *n;
}

Result<std::optional<bool>> Metadata::boolean(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* flag = std::get_if<bool>(&value->data)) return *flag;
  return wrong(key, "true or false");
}

Result<std::optional<std::string_view>> Metadata::text(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* text = std::get_if<std::string_view>(&value->data)) return *text;
  return wrong(key, "a string");
}

Result<std::optional<std::vector<uint64_t>>> Metadata::per_layer(std::string_view key,
                                                                 size_t count) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* flag = std::get_if<bool>(&value->data)) {
    return std::vector<uint64_t>(count, *flag ? 1 : 0);
  }
  if (const auto n = as_integer<uint64_t>(*value)) return std::vector<uint64_t>(count, *n);
  const auto* array = array_of<Value::Integers>(value);
  if (array == nullptr) return wrong(key, "an integer of 0 or more, nor an array of them");
  if (array->size() != count) {
    return base::fail(ErrorCode::kBadFormat,
                      "key " + shown(key) + " has " + std::to_string(array->size()) +
                          " elements where there are " + std::to_string(count) + " layers");
  }
  std::vector<uint64_t> out;
  out.reserve(count);
  for (const int64_t n : *array) {
    if (n < 0) return wrong(key, "free of negative numbers");
    out.push_back(static_cast<uint64_t>(n));
  }
  return out;
}

const Value::Strings* Metadata::strings(std::string_view key) const {
  return array_of<Value::Strings>(find(key));
}

const Value::Floats* Metadata::floats(std::string_view key) const {
  return array_of<Value::Floats>(find(key));
}

const Value::Integers* Metadata::integers(std::string_view key) const {
  return array_of<Value::Integers>(find(key));
}

void Metadata::set(std::string key, Value value) {
  values_.insert_or_assign(std::move(key), std::move(value));
}

}  // namespace freehold::gguf
