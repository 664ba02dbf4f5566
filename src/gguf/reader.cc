// Messages of the bounded reader.
#include "gguf/reader.h"

#include <algorithm>

namespace freehold::gguf {

using base::ErrorCode;

std::string shown(std::string_view text) {
  constexpr size_t kShown = 80;
  std::string out = "`";
  for (const char c : text.substr(0, kShown)) out += c >= 0x20 && c < 0x7f ? c : '?';
  if (text.size() > kShown) out += "...";
  return out + "`";
}

std::unexpected<base::Error> Reader::ended(std::string_view field) const {
  return base::fail(ErrorCode::kBadFormat, std::string(field) + " at byte " +
                                               std::to_string(position_) +
                                               " runs past the end of the file (" +
                                               std::to_string(bytes_.size()) + " bytes)");
}

base::Result<std::string_view> Reader::read_string(std::string_view field, uint64_t limit) {
  const auto length = take<uint64_t>();
  if (!length) return ended(std::string(field) + " length");
  if (*length > remaining()) return ended(field);
  if (*length > limit) {
    return base::fail(ErrorCode::kLimitExceeded,
                      std::string(field) + " is " + std::to_string(*length) +
                          " bytes long, more than the limit of " + std::to_string(limit));
  }
  return *take_text(*length);
}

}  // namespace freehold::gguf
