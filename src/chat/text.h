// Text whose every byte remembers whether the template's author or the request wrote it, and the
// little Unicode that Python's strings need. UTF-8; a byte that is no part of a valid sequence
// counts as one code point.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chat/template.h"

namespace freehold::chat {

class Text {
 public:
  Text() = default;
  Text(std::string_view bytes, bool trusted) { append(bytes, trusted); }

  const std::string& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  bool trusted_at(size_t offset) const;
  size_t n_runs() const { return runs_.size(); }

  void append(std::string_view bytes, bool trusted);
  // Appends other[begin, end); the range must lie inside.
  void append(const Text& other, size_t begin, size_t end);
  void append(const Text& other) { append(other, 0, other.size()); }
  Text slice(size_t begin, size_t end) const;

  // Stretches of equal trust, none empty.
  std::vector<Segment> segments() const;

  // Marked by the filter `safe`: what is added to it gets HTML-escaped, as Jinja2's Markup does.
  bool markup = false;

 private:
  struct Run {
    size_t end;
    bool trusted;
  };
  size_t run_at(size_t offset) const;

  std::string bytes_;
  std::vector<Run> runs_;
};

// Bytes of the code point at `offset` (1 to 4), and the code point itself (U+FFFD when invalid).
size_t code_point_bytes(std::string_view text, size_t offset);
int32_t code_point_at(std::string_view text, size_t offset);
size_t count_code_points(std::string_view text);
// Byte offset of the code point with that index; text.size() when there are fewer.
size_t offset_of_code_point(std::string_view text, size_t index);
void append_code_point(std::string& out, int32_t code_point);
bool is_valid_utf8(std::string_view text);

// As Python's str.isspace.
bool is_space(int32_t code_point);
// As Python's str.isprintable.
bool is_printable(int32_t code_point);
bool is_alphabetic(int32_t code_point);
bool is_upper(int32_t code_point);
bool is_lower(int32_t code_point);
bool is_digit(int32_t code_point);
int32_t to_upper(int32_t code_point);
int32_t to_lower(int32_t code_point);

// First occurrence at or after `from`, in linear time; npos when there is none.
size_t find_bytes(std::string_view haystack, std::string_view needle, size_t from);
// Last occurrence that ends at or before `until`.
size_t find_last_bytes(std::string_view haystack, std::string_view needle, size_t until);

}  // namespace freehold::chat
