// For tests: GGUF files made byte by byte, right or wrong, with a note of where each number lies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/value.h"

namespace freehold::gguf {

class FileBuilder {
 public:
  struct Field {
    std::string name;
    size_t at;     // byte offset
    size_t width;  // bytes
  };

  template <typename T>
  FileBuilder& number(std::string name, T value) {
    fields_.push_back({std::move(name), bytes_.size(), sizeof(T)});
    const auto* start = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), start, start + sizeof(T));
    return *this;
  }
  FileBuilder& raw(std::string_view text) {
    const auto* start = reinterpret_cast<const std::byte*>(text.data());
    bytes_.insert(bytes_.end(), start, start + text.size());
    return *this;
  }
  FileBuilder& text(const std::string& name, std::string_view text) {
    return number<uint64_t>(name + " length", text.size()).raw(text);
  }
  FileBuilder& header(uint32_t version, uint64_t n_tensors, uint64_t n_keys) {
    raw("GGUF").number("version", version);
    return number("tensor_count", n_tensors).number("kv_count", n_keys);
  }
  FileBuilder& key(const std::string& name, ValueType type) {
    return text(name + " key", name).number(name + " type", static_cast<uint32_t>(type));
  }
  FileBuilder& array(const std::string& name, ValueType element, uint64_t count) {
    key(name, ValueType::kArray).number(name + " element type", static_cast<uint32_t>(element));
    return number(name + " count", count);
  }
  FileBuilder& string_key(const std::string& name, std::string_view value) {
    return key(name, ValueType::kString).text(name + " value", value);
  }
  FileBuilder& tensor(const std::string& name, const std::vector<uint64_t>& shape, quant::Type type,
                      uint64_t offset) {
    text(name + " name", name).number(name + " n_dims", static_cast<uint32_t>(shape.size()));
    for (const uint64_t dim : shape) number(name + " dimension", dim);
    return number(name + " type", static_cast<uint32_t>(type)).number(name + " offset", offset);
  }
  // Pads to a multiple of 32 from the file's start.
  FileBuilder& align() {
    bytes_.resize((bytes_.size() + 31) / 32 * 32);
    return *this;
  }
  FileBuilder& data(size_t count) {
    for (size_t i = 0; i < count; ++i) bytes_.push_back(static_cast<std::byte>(i * 7 + 1));
    return *this;
  }

  std::span<const std::byte> bytes() const { return bytes_; }
  std::vector<std::byte> copy() const { return bytes_; }
  const std::vector<Field>& fields() const { return fields_; }

 private:
  std::vector<std::byte> bytes_;
  std::vector<Field> fields_;
};

// What `sample_file` holds.
inline constexpr uint64_t kSampleTensors = 3;
inline constexpr uint64_t kSampleKeys = 18;

// A well-formed file with every type of value and tensors of three types.
inline FileBuilder sample_file(uint32_t version = 3) {
  FileBuilder f;
  f.header(version, kSampleTensors, kSampleKeys);
  f.string_key("general.architecture", "llama");
  f.key("general.alignment", ValueType::kU32).number<uint32_t>("alignment", 32);
  f.key("t.u8", ValueType::kU8).number<uint8_t>("u8", 200);
  f.key("t.i8", ValueType::kI8).number<int8_t>("i8", -2);
  f.key("t.u16", ValueType::kU16).number<uint16_t>("u16", 65000);
  f.key("t.i16", ValueType::kI16).number<int16_t>("i16", -300);
  f.key("t.i32", ValueType::kI32).number<int32_t>("i32", -70000);
  f.key("t.f32", ValueType::kF32).number<float>("f32", 0.5f);
  f.key("t.bool", ValueType::kBool).number<uint8_t>("bool", 2);
  f.key("t.u64", ValueType::kU64).number<uint64_t>("u64", ~uint64_t{0});
  f.key("t.i64", ValueType::kI64).number<int64_t>("i64", INT64_MIN);
  f.key("t.f64", ValueType::kF64).number<double>("f64", 1e300);
  f.array("a.bool", ValueType::kBool, 3).raw(std::string_view("\0\1\1", 3));
  f.array("a.i32", ValueType::kI32, 2).number<int32_t>("i32", -1).number<int32_t>("i32", 5);
  f.array("a.u64", ValueType::kU64, 1).number<uint64_t>("u64", 1u << 20);
  f.array("a.f32", ValueType::kF32, 2).number("f32", 1.5f).number("f32", -2.0f);
  f.array("a.f64", ValueType::kF64, 1).number("f64", 0.25);
  f.array("a.text", ValueType::kString, 3);
  f.text("element", "one").text("element", "").text("element", "\xff\xfe");
  f.tensor("a.weight", {4, 2}, quant::Type::kF32, 0);
  f.tensor("b.weight", {32, 2}, quant::Type::kQ8_0, 32);
  f.tensor("c.weight", {3}, quant::Type::kF16, 128);
  return f.align().data(128 + 6);
}

}  // namespace freehold::gguf
