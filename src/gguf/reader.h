// A cursor over bytes from outside that cannot leave them. Little-endian, unaligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace freehold::gguf {

// Text from a file as it may stand in a message: printable ASCII kept, other bytes as '?', cut
// after 80, in backticks.
std::string shown(std::string_view text);

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return bytes_.size() - position_; }

  // The next number; nothing (and no movement) when the bytes end before it does.
  template <typename T>
  requires std::is_arithmetic_v<T> std::optional<T> take() {
    if (remaining() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  // The next `count` bytes as text that lives as long as the bytes do.
  std::optional<std::string_view> take_text(uint64_t count) {
    if (remaining() < count) return std::nullopt;
    const auto* start = reinterpret_cast<const char*>(bytes_.data() + position_);
    position_ += count;
    return std::string_view(start, count);
  }

  // A u64 length and so many bytes.
  std::optional<std::string_view> take_string() {
    const auto length = take<uint64_t>();
    if (!length) return std::nullopt;
    return take_text(*length);
  }

  // The same for headers, where a missing field is worth a message. kBadFormat naming `field`.
  template <typename T>
  base::Result<T> read(std::string_view field) {
    if (const auto value = take<T>()) return *value;
    return ended(field);
  }
  // Also kLimitExceeded when the string is longer than `limit`.
  base::Result<std::string_view> read_string(std::string_view field, uint64_t limit);

  std::unexpected<base::Error> ended(std::string_view field) const;

 private:
  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
};

}  // namespace freehold::gguf
