#include "chat/jinja_lexer.h"

#include <charconv>
#include <optional>

#include "chat/text.h"

namespace freehold::chat {

using base::ErrorCode;
using base::Result;
using base::Status;

std::string normalise_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

namespace {

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_decimal(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> run() {
    while (at_ < source_.size()) FREEHOLD_TRY(outside());
    push(Token::Kind::kEnd, 0);
    return std::move(tokens_);
  }

 private:
  std::unexpected<base::Error> error(std::string message) const {
    return base::fail(ErrorCode::kBadFormat, "line " + std::to_string(line_) +
                                                 ": TemplateSyntaxError: " + std::move(message));
  }

  bool starts(std::string_view what) const { return source_.substr(at_).starts_with(what); }

  void advance(size_t n) {
    for (; n > 0; --n, ++at_) line_ += source_[at_] == '\n' ? 1 : 0;
  }

  void push(Token::Kind kind, size_t n) {
    tokens_.push_back({kind, line_, source_.substr(at_, n)});
    advance(n);
  }

  void skip_space() {
    while (at_ < source_.size() && is_space(code_point_at(source_, at_))) {
      advance(code_point_bytes(source_, at_));
    }
  }

  // The text up to `end`, shortened as the sign of the tag that follows demands.
  void push_data(size_t end, char sign, bool is_variable) {
    std::string_view data = source_.substr(at_, end - at_);
    const bool line_starting = at_ == 0 || source_[at_ - 1] == '\n';
    if (sign == '-') {
      data = without_trailing_space(data);
    } else if (sign != '+' && !is_variable) {
      const size_t line_begin = data.rfind('\n') + 1;  // 0 when there is no newline
      const bool begins_line = line_begin > 0 || line_starting;
      if (begins_line && without_trailing_space(data.substr(line_begin)).empty()) {
        data = data.substr(0, line_begin);
      }
    }
    if (!data.empty()) tokens_.push_back({Token::Kind::kData, line_, data});
    advance(end - at_);
  }

  static std::string_view without_trailing_space(std::string_view data) {
    while (!data.empty()) {
      size_t last = data.size() - 1;
      while (last > 0 && (static_cast<unsigned char>(data[last]) & 0xC0) == 0x80) --last;
      if (!is_space(code_point_at(data, last))) break;
      data = data.substr(0, last);
    }
    return data;
  }

  char sign_at(size_t offset) const {
    const char c = offset < source_.size() ? source_[offset] : ' ';
    return c == '-' || c == '+' ? c : ' ';
  }

  // Offset of the next {{, {% or {#, or the end.
  size_t next_tag() const {
    for (size_t i = source_.find('{', at_); i != std::string_view::npos;
         i = source_.find('{', i + 1)) {
      const char c = i + 1 < source_.size() ? source_[i + 1] : ' ';
      if (c == '{' || c == '%' || c == '#') return i;
    }
    return source_.size();
  }

  Status outside() {
    const size_t tag = next_tag();
    if (tag == source_.size()) {
      push_data(tag, '+', false);
      return {};
    }
    const char sign = sign_at(tag + 2);
    const char kind = source_[tag + 1];
    push_data(tag, sign, kind == '{');
    if (kind == '#') return comment(sign);
    if (kind == '%') {
      const std::optional<size_t> raw_end = match_keyword_tag(at_, "raw");
      if (raw_end) return raw(*raw_end);
    }
    push(kind == '{' ? Token::Kind::kVariableBegin : Token::Kind::kBlockBegin, 2);
    if (sign != ' ') advance(1);
    return inside(kind == '{');
  }

  // Skips what the end of a tag swallows: all white space after '-', else one newline.
  void after_tag(char sign) {
    if (sign == '-') {
      skip_space();
    } else if (sign != '+' && starts("\n")) {
      advance(1);
    }
  }

  Status comment(char sign) {
    const size_t begin = at_ + (sign == ' ' ? 2 : 3);
    const size_t end = source_.find("#}", begin);
    if (end == std::string_view::npos) return error("Missing end of comment tag");
    const char end_sign = end > begin ? sign_at(end - 1) : ' ';
    advance(end + 2 - at_);
    after_tag(end_sign);
    return {};
  }

  // Where `{% KEYWORD` at `offset` has its "%}" (or the sign before it), if that is what it is.
  std::optional<size_t> match_keyword_tag(size_t offset, std::string_view keyword) const {
    size_t i = offset + 2;
    if (sign_at(i) != ' ') ++i;
    const auto skip = [&] {
      while (i < source_.size() && is_space(static_cast<unsigned char>(source_[i]))) ++i;
    };
    skip();
    if (!source_.substr(i).starts_with(keyword)) return std::nullopt;
    i += keyword.size();
    skip();
    const size_t close = sign_at(i) == ' ' ? i : i + 1;
    if (!source_.substr(close).starts_with("%}")) return std::nullopt;
    return i;
  }

  Status raw(size_t begin_end) {
    const char begin_sign = sign_at(begin_end);
    advance(begin_end + (begin_sign == ' ' ? 2 : 3) - at_);
    if (begin_sign == '-') skip_space();
    for (size_t tag = source_.find("{%", at_); tag != std::string_view::npos;
         tag = source_.find("{%", tag + 2)) {
      const std::optional<size_t> end = match_keyword_tag(tag, "endraw");
      if (!end) continue;
      push_data(tag, sign_at(tag + 2), false);
      const char end_sign = sign_at(*end);
      advance(*end + (end_sign == ' ' ? 2 : 3) - at_);
      after_tag(end_sign);
      return {};
    }
    return error("Missing end of raw directive");
  }

  // The end of the tag at this point, as (sign, found).
  std::optional<char> tag_end(bool is_variable) const {
    const std::string_view close = is_variable ? "}}" : "%}";
    if (starts(close)) return ' ';
    const char sign = sign_at(at_);
    if (sign == ' ' || (is_variable && sign == '+')) return std::nullopt;
    return source_.substr(at_ + 1).starts_with(close) ? std::optional(sign) : std::nullopt;
  }

  Status inside(bool is_variable) {
    std::string open;  // brackets waiting to be closed
    for (skip_space(); at_ < source_.size(); skip_space()) {
      const std::optional<char> sign = open.empty() ? tag_end(is_variable) : std::nullopt;
      if (sign) {
        if (*sign != ' ') advance(1);
        push(is_variable ? Token::Kind::kVariableEnd : Token::Kind::kBlockEnd, 2);
        if (!is_variable || *sign == '-') after_tag(*sign);
        return {};
      }
      FREEHOLD_TRY(expression_token(open));
    }
    return error(is_variable ? "unexpected end of template, expected 'end of print statement'"
                             : "unexpected end of template, expected 'end of statement block'");
  }

  Status expression_token(std::string& open) {
    const char c = source_[at_];
    if (is_decimal(c)) {
      number();
    } else if (is_name_byte(c)) {
      size_t n = 1;
      while (at_ + n < source_.size() && is_name_byte(source_[at_ + n])) ++n;
      push(Token::Kind::kName, n);
    } else if (c == '"' || c == '\'') {
      size_t end = at_ + 1;
      while (end < source_.size() && source_[end] != c) end += source_[end] == '\\' ? 2 : 1;
      if (end >= source_.size()) return error("unterminated string");
      push(Token::Kind::kString, end + 1 - at_);
    } else {
      return operator_token(open);
    }
    return {};
  }

  void number() {
    const auto digits = [&](size_t i) {
      while (i < source_.size() && (is_decimal(source_[i]) || source_[i] == '_')) ++i;
      return i;
    };
    const auto is_digit_at = [&](size_t i) { return i < source_.size() && is_decimal(source_[i]); };
    const char second = at_ + 1 < source_.size() ? static_cast<char>(source_[at_ + 1] | 0x20) : ' ';
    size_t end = digits(at_);
    if (source_[at_] == '0' && (second == 'x' || second == 'o' || second == 'b')) {
      end = at_ + 2;
      while (end < source_.size() && is_name_byte(source_[end])) ++end;
      return push(Token::Kind::kInteger, end - at_);
    }
    const size_t integer_end = end;
    if (end < source_.size() && source_[end] == '.' && is_digit_at(end + 1)) end = digits(end + 1);
    if (end < source_.size() && (source_[end] | 0x20) == 'e') {
      const size_t signs = sign_at(end + 1) == ' ' ? 1 : 2;
      if (is_digit_at(end + signs)) end = digits(end + signs);
    }
    push(end == integer_end ? Token::Kind::kInteger : Token::Kind::kFloat, end - at_);
  }

  Status operator_token(std::string& open) {
    static constexpr std::string_view kPairs[] = {"//", "**", "==", "!=", ">=", "<="};
    for (const std::string_view pair : kPairs) {
      if (!starts(pair)) continue;
      push(Token::Kind::kOperator, 2);
      return {};
    }
    const char c = source_[at_];
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
      return error(std::string("unexpected char '") + c + "'");
    }
    if (c == '(') open += ')';
    if (c == '[') open += ']';
    if (c == '{') open += '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) return error(std::string("unexpected '") + c + "'");
      if (open.back() != c) {
        return error(std::string("unexpected '") + c + "', expected '" + open.back() + "'");
      }
      open.pop_back();
    }
    push(Token::Kind::kOperator, 1);
    return {};
  }

  std::string_view source_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  std::vector<Token> tokens_;
};

// Reads up to `n` digits of base `radix`; moves `i` past them.
std::optional<int32_t> digits(std::string_view text, size_t& i, size_t n, int radix) {
  int32_t value = 0;
  const std::string_view part = text.substr(i, n);
  const auto [end, code] = std::from_chars(part.data(), part.data() + part.size(), value, radix);
  if (code != std::errc() || value < 0) return std::nullopt;
  i += static_cast<size_t>(end - part.data());
  return value;
}

// The escape at text[i], just after the backslash. False when it is broken.
bool append_escape(std::string& out, std::string_view text, size_t& i) {
  static constexpr std::string_view kFrom = "\\'\"abfnrtv";
  static constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
  const char c = text[i];
  if (const size_t simple = kFrom.find(c); simple != std::string_view::npos) {
    out += kTo[simple];
    ++i;
    return true;
  }
  if (c == '\n') {
    ++i;
    return true;
  }
  if (c >= '0' && c <= '7') {
    append_code_point(out, *digits(text, i, 3, 8));
    return true;
  }
  const size_t n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (n == 0) {  // as Python: an escape that it doesn't know stays as written
    out += '\\';
    return c != 'N';
  }
  const size_t begin = ++i;
  const std::optional<int32_t> value = digits(text, i, n, 16);
  if (!value || i != begin + n || *value > 0x10FFFF || (*value >= 0xD800 && *value <= 0xDFFF)) {
    return false;
  }
  append_code_point(out, *value);
  return true;
}

}  // namespace

Result<std::vector<Token>> tokenize_template(std::string_view source) {
  return Lexer(source).run();
}

Result<std::string> string_literal(std::string_view token) {
  const std::string_view text = token.substr(1, token.size() - 2);
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      out += text[i++];
      continue;
    }
    ++i;
    if (i >= text.size() || !append_escape(out, text, i)) {
      return base::fail(ErrorCode::kBadFormat, "TemplateSyntaxError: broken escape in a string");
    }
  }
  return out;
}

}  // namespace freehold::chat
