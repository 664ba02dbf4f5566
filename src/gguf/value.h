// Metadata values of GGUF as they lie in the file (the format's table of value types).
#pragma once

#include <cstdint>

#include "base/result.h"
#include "gguf/gguf.h"
#include "gguf/reader.h"

namespace freehold::gguf {

// The ids of value types in files.
enum class ValueType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

// Reads the values of one file, keeping count of the memory its arrays take.
class ValueReader {
 public:
  explicit ValueReader(Reader& reader) : reader_(reader) {}

  // A type id and the value after it. Errors: kBadFormat (unknown type, past the end, array in an
  // array), kLimitExceeded (string, array count, memory of all arrays).
  base::Result<Value> next();

 private:
  base::Result<Value> scalar(ValueType type);
  base::Result<Value> array();
  base::Result<Value> strings(uint64_t count);
  // `count` elements stored as Stored, kept as Kept.
  template <typename Stored, typename Kept>
  base::Result<Value> numbers(uint64_t count);
  base::Status reserve_memory(uint64_t count, uint64_t bytes_each);

  Reader& reader_;
  uint64_t array_memory_ = 0;  // bytes
};

}  // namespace freehold::gguf
