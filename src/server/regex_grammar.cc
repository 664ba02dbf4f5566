// Owns the reading of regular expressions. Recursive descent, as deep as kMaxDepth.
#include "server/regex_grammar.h"

#include <cctype>

namespace freehold::server {
namespace {

using Expr = GrammarBuilder::Expr;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr uint32_t kMaxDepth = 32;
constexpr uint32_t kMaxRepeat = 2000;

const CodePoints kDigits = {{'0', '9'}};
const CodePoints kWords = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CodePoints kSpaces = {{'\t', '\r'},     {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680},
                            {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f},
                            {0x3000, 0x3000}, {0xfeff, 0xfeff}};
const CodePoints kLineEnds = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

class Parser {
 public:
  Parser(std::string_view text, GrammarBuilder& builder, JsonGrammar& json)
      : text_(text), b_(builder), json_(json) {}

  Result<Expr> parse() {
    FREEHOLD_ASSIGN(const Expr whole, top());
    if (at_ < text_.size()) return bad();
    return whole;
  }

 private:
  std::unexpected<base::Error> bad() const {
    return fail(ErrorCode::kBadFormat,
                "`pattern` is not a regular expression, or uses look-around, "
                "back-references or other things that this server can't "
                "constrain");
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool eat(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  Result<Expr> top();
  Result<Expr> alternatives(uint32_t depth);
  Result<Expr> sequence(uint32_t depth);
  Result<Expr> atom(uint32_t depth);
  Result<Expr> repeated(Expr item);
  Result<CodePoints> char_class();
  Result<CodePoints> escape(bool in_class);
  Result<uint32_t> hex(size_t digits);
  Result<uint32_t> character();
  Result<uint32_t> number();
  Expr one_of(const CodePoints& ranges) { return b_.shared(json_.in_string(ranges)); }

  std::string_view text_;
  GrammarBuilder& b_;
  JsonGrammar& json_;
  size_t at_ = 0;
};

// Anchors are taken at the very ends of each top-level alternative only.
Result<Expr> Parser::top() {
  const Expr anything = b_.repeat(json_.character(), 0, std::nullopt);
  std::vector<Expr> options;
  do {
    const bool from_start = eat("^");
    FREEHOLD_ASSIGN(const Expr middle, sequence(0));
    const bool to_end = eat("$");
    std::vector<Expr> parts;
    if (!from_start) parts.push_back(anything);
    parts.push_back(middle);
    if (!to_end) parts.push_back(anything);
    options.push_back(b_.sequence(std::move(parts)));
  } while (eat("|"));
  return b_.any_of(std::move(options));
}

Result<Expr> Parser::alternatives(uint32_t depth) {
  if (depth > kMaxDepth) return fail(ErrorCode::kLimitExceeded, "`pattern` is nested too deeply");
  std::vector<Expr> options;
  do {
    FREEHOLD_ASSIGN(const Expr option, sequence(depth));
    options.push_back(option);
  } while (eat("|"));
  return b_.any_of(std::move(options));
}

Result<Expr> Parser::sequence(uint32_t depth) {
  std::vector<Expr> items;
  while (at_ < text_.size() && peek() != '|' && peek() != ')' && peek() != '$') {
    FREEHOLD_ASSIGN(const Expr item, atom(depth));
    FREEHOLD_ASSIGN(const Expr whole, repeated(item));
    items.push_back(whole);
  }
  return b_.sequence(std::move(items));
}

Result<Expr> Parser::atom(uint32_t depth) {
  if (eat("(")) {
    if (eat("?<")) {  // a named group; (?<= and (?<! are look-behind
      if (peek() == '=' || peek() == '!') return bad();
      while (at_ < text_.size() && peek() != '>') ++at_;
      if (!eat(">")) return bad();
    } else if (peek() == '?' && !eat("?:")) {
      return bad();
    }
    FREEHOLD_ASSIGN(const Expr inner, alternatives(depth + 1));
    if (!eat(")")) return bad();
    return b_.shared(inner);
  }
  if (eat("[")) {
    FREEHOLD_ASSIGN(const CodePoints ranges, char_class());
    return one_of(ranges);
  }
  if (eat(".")) return one_of(complement(kLineEnds));
  if (eat("\\")) {
    FREEHOLD_ASSIGN(const CodePoints ranges, escape(false));
    return one_of(ranges);
  }
  const char c = peek();
  if (c == '*' || c == '+' || c == '?' || c == '^') return bad();
  FREEHOLD_ASSIGN(const uint32_t code_point, character());
  return one_of({{code_point, code_point}});
}

Result<uint32_t> Parser::number() {
  uint32_t value = 0;
  const size_t begin = at_;
  while (std::isdigit(static_cast<unsigned char>(peek())) != 0) {
    value = value * 10 + static_cast<uint32_t>(peek() - '0');
    if (value > kMaxRepeat) {
      return fail(ErrorCode::kLimitExceeded, "a repetition in `pattern` is over 2000");
    }
    ++at_;
  }
  if (begin == at_) return bad();
  return value;
}

Result<Expr> Parser::repeated(Expr item) {
  Expr whole = item;
  if (eat("*")) {
    whole = b_.repeat(item, 0, std::nullopt);
  } else if (eat("+")) {
    whole = b_.repeat(item, 1, std::nullopt);
  } else if (eat("?")) {
    whole = b_.optional(item);
  } else if (eat("{")) {
    FREEHOLD_ASSIGN(const uint32_t least, number());
    std::optional<uint32_t> most = least;
    if (eat(",")) {
      most = std::nullopt;
      if (peek() != '}') {
        FREEHOLD_ASSIGN(most, number());
      }
    }
    if (!eat("}") || (most && *most < least)) return bad();
    whole = b_.repeat(item, least, most);
  } else {
    return item;
  }
  eat("?");  // laziness changes which match is found, not whether there is one
  return b_.shared(whole);
}

Result<uint32_t> Parser::hex(size_t digits) {
  uint32_t value = 0;
  for (size_t i = 0; i < digits; ++i, ++at_) {
    const char c = peek();
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return bad();
    const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    value = value * 16 + static_cast<uint32_t>(digit ? c - '0' : (c | 32) - 'a' + 10);
  }
  return value;
}

Result<uint32_t> Parser::character() {
  const auto lead = static_cast<unsigned char>(peek());
  const size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (at_ + size > text_.size()) return bad();
  uint32_t value = size == 1 ? lead : lead & (0x7fU >> size);
  for (size_t i = 1; i < size; ++i) {
    value = value << 6U | (static_cast<unsigned char>(text_[at_ + i]) & 0x3fU);
  }
  at_ += size;
  return value;
}

Result<CodePoints> Parser::escape(bool in_class) {
  const char c = peek();
  if (at_ >= text_.size()) return bad();
  ++at_;
  switch (c) {
    case 'd':
      return kDigits;
    case 'D':
      return complement(kDigits);
    case 'w':
      return kWords;
    case 'W':
      return complement(kWords);
    case 's':
      return kSpaces;
    case 'S':
      return complement(kSpaces);
    case 'n':
      return CodePoints{{'\n', '\n'}};
    case 'r':
      return CodePoints{{'\r', '\r'}};
    case 't':
      return CodePoints{{'\t', '\t'}};
    case 'f':
      return CodePoints{{'\f', '\f'}};
    case 'x':
    case 'u': {
      FREEHOLD_ASSIGN(const uint32_t value, hex(c == 'x' ? 2 : 4));
      return CodePoints{{value, value}};
    }
    default:
      break;
  }
  if (in_class && c == 'b') return CodePoints{{'\b', '\b'}};
  if (std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80) {
    return bad();
  }
  return CodePoints{{static_cast<uint32_t>(c), static_cast<uint32_t>(c)}};
}

Result<CodePoints> Parser::char_class() {
  const bool negated = eat("^");
  CodePoints ranges;
  const auto item = [&]() -> Result<CodePoints> {
    if (eat("\\")) return escape(true);
    FREEHOLD_ASSIGN(const uint32_t c, character());
    return CodePoints{{c, c}};
  };
  while (!eat("]")) {
    if (at_ >= text_.size()) return bad();
    FREEHOLD_ASSIGN(CodePoints low, item());
    const bool single = low.size() == 1 && low[0].first == low[0].second;
    if (single && peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
      ++at_;
      FREEHOLD_ASSIGN(const CodePoints high, item());
      if (high.size() != 1 || high[0].second < low[0].first) return bad();
      low[0].second = high[0].second;
    }
    ranges.insert(ranges.end(), low.begin(), low.end());
  }
  return negated ? complement(ranges) : ranges;
}

}  // namespace

Result<Expr> regex_in_string(std::string_view pattern, GrammarBuilder& builder, JsonGrammar& json) {
  return Parser(pattern, builder, json).parse();
}

}  // namespace freehold::server
