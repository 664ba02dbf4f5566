#include "chat/text.h"

#include <string.h>  // memmem
#include <utf8proc.h>

#include <algorithm>

namespace freehold::chat {

size_t Text::run_at(size_t offset) const {
  const auto it = std::upper_bound(runs_.begin(), runs_.end(), offset,
                                   [](size_t at, const Run& run) { return at < run.end; });
  return static_cast<size_t>(it - runs_.begin());
}

bool Text::trusted_at(size_t offset) const {
  const size_t run = run_at(offset);
  return run < runs_.size() && runs_[run].trusted;
}

void Text::append(std::string_view bytes, bool trusted) {
  if (bytes.empty()) return;
  bytes_.append(bytes);
  if (!runs_.empty() && runs_.back().trusted == trusted) {
    runs_.back().end = bytes_.size();
  } else {
    runs_.push_back({bytes_.size(), trusted});
  }
}

void Text::append(const Text& other, size_t begin, size_t end) {
  for (size_t run = other.run_at(begin); begin < end; ++run) {
    const size_t stop = std::min(end, other.runs_[run].end);
    append(std::string_view(other.bytes_).substr(begin, stop - begin), other.runs_[run].trusted);
    begin = stop;
  }
}

Text Text::slice(size_t begin, size_t end) const {
  Text out;
  out.append(*this, begin, end);
  return out;
}

std::vector<Segment> Text::segments() const {
  std::vector<Segment> out;
  size_t begin = 0;
  for (const Run& run : runs_) {
    out.push_back({bytes_.substr(begin, run.end - begin), run.trusted});
    begin = run.end;
  }
  return out;
}

namespace {

const utf8proc_uint8_t* at_byte(std::string_view text, size_t offset) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + offset;
}

// Length of the sequence at `offset`, or 0 when it is invalid.
size_t decode(std::string_view text, size_t offset, utf8proc_int32_t* code_point) {
  const auto left = static_cast<utf8proc_ssize_t>(std::min<size_t>(4, text.size() - offset));
  const utf8proc_ssize_t n = utf8proc_iterate(at_byte(text, offset), left, code_point);
  return n > 0 ? static_cast<size_t>(n) : 0;
}

}  // namespace

size_t code_point_bytes(std::string_view text, size_t offset) {
  if (static_cast<unsigned char>(text[offset]) < 0x80) return 1;
  utf8proc_int32_t unused = 0;
  return std::max<size_t>(1, decode(text, offset, &unused));
}

int32_t code_point_at(std::string_view text, size_t offset) {
  const auto byte = static_cast<unsigned char>(text[offset]);
  if (byte < 0x80) return byte;
  utf8proc_int32_t code_point = 0;
  return decode(text, offset, &code_point) > 0 ? code_point : 0xFFFD;
}

size_t count_code_points(std::string_view text) {
  size_t n = 0;
  for (size_t i = 0; i < text.size(); i += code_point_bytes(text, i)) ++n;
  return n;
}

size_t offset_of_code_point(std::string_view text, size_t index) {
  size_t i = 0;
  for (; index > 0 && i < text.size(); --index) i += code_point_bytes(text, i);
  return i;
}

void append_code_point(std::string& out, int32_t code_point) {
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t n = utf8proc_encode_char(code_point, bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(std::max<ssize_t>(n, 0)));
}

bool is_valid_utf8(std::string_view text) {
  utf8proc_int32_t unused = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t n = decode(text, i, &unused);
    if (n == 0) return false;
    i += n;
  }
  return true;
}

bool is_space(int32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool is_printable(int32_t code_point) {
  const utf8proc_category_t category = utf8proc_category(code_point);
  const bool separates = category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP;
  const bool other = category == UTF8PROC_CATEGORY_CN || category >= UTF8PROC_CATEGORY_CC;
  return code_point == ' ' || !(separates || other);
}

bool is_alphabetic(int32_t code_point) {
  const utf8proc_category_t category = utf8proc_category(code_point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_upper(int32_t code_point) { return utf8proc_category(code_point) == UTF8PROC_CATEGORY_LU; }

bool is_lower(int32_t code_point) { return utf8proc_category(code_point) == UTF8PROC_CATEGORY_LL; }

bool is_digit(int32_t code_point) { return utf8proc_category(code_point) == UTF8PROC_CATEGORY_ND; }

int32_t to_upper(int32_t code_point) { return utf8proc_toupper(code_point); }
int32_t to_lower(int32_t code_point) { return utf8proc_tolower(code_point); }

size_t find_bytes(std::string_view haystack, std::string_view needle, size_t from) {
  if (from > haystack.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  const void* hit =
      memmem(haystack.data() + from, haystack.size() - from, needle.data(), needle.size());
  if (hit == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(hit) - haystack.data());
}

size_t find_last_bytes(std::string_view haystack, std::string_view needle, size_t until) {
  // Both reversed, so that the search is the library's linear one.
  const std::string reversed_needle(needle.rbegin(), needle.rend());
  const std::string reversed(haystack.rend() - static_cast<ptrdiff_t>(until), haystack.rend());
  const size_t hit = find_bytes(reversed, reversed_needle, 0);
  return hit == std::string_view::npos ? hit : until - hit - needle.size();
}

}  // namespace freehold::chat
