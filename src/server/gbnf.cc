// Owns the reading of GBNF. Recursive descent, as deep as kMaxDepth.
#include "server/gbnf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

namespace freehold::server {
namespace {

using Expr = GrammarBuilder::Expr;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr uint32_t kMaxDepth = 64;
constexpr uint32_t kMaxRepeat = 10'000;

class Parser {
 public:
  Parser(std::string_view text, GrammarBuilder& builder) : text_(text), builder_(builder) {}

  Result<Expr> parse() {
    skip(true);
    while (at_ < text_.size()) {
      FREEHOLD_ASSIGN(const std::string name, name_here());
      skip(false);
      if (!eat("::=")) return bad("`::=` is missing after a rule's name");
      skip(true);
      FREEHOLD_ASSIGN(const Expr body, alternatives(0));
      const auto rule = rule_named(name);
      if (!defined_.insert(rule).second) return bad("rule `" + name + "` is defined twice");
      builder_.define(rule, body);
      skip(true);
    }
    for (const auto& [name, rule] : rules_) {
      if (!defined_.contains(rule)) {
        return fail(ErrorCode::kBadFormat, "the grammar has no rule `" + name + "`");
      }
    }
    if (!rules_.contains("root"))
      return fail(ErrorCode::kBadFormat, "the grammar has no rule `root`");
    return builder_.call(rules_.at("root"));
  }

 private:
  std::unexpected<base::Error> bad(const std::string& what) const {
    const auto line =
        1 + std::count(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(at_), '\n');
    return fail(ErrorCode::kBadFormat, fmt::format("the grammar's line {}: {}", line, what));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool eat(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void skip(bool lines) {
    while (at_ < text_.size()) {
      if (peek() == '#') {
        while (at_ < text_.size() && peek() != '\n') ++at_;
      } else if (peek() == ' ' || peek() == '\t' || (lines && (peek() == '\n' || peek() == '\r'))) {
        ++at_;
      } else {
        return;
      }
    }
  }
  static bool is_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
  }
  Result<std::string> name_here() {
    const size_t begin = at_;
    while (is_name(peek())) ++at_;
    if (at_ == begin) return bad("a rule's name is wanted here");
    return std::string(text_.substr(begin, at_ - begin));
  }
  GrammarBuilder::Rule rule_named(const std::string& name) {
    const auto found = rules_.find(name);
    if (found != rules_.end()) return found->second;
    return rules_.emplace(name, builder_.new_rule()).first->second;
  }

  Result<Expr> alternatives(uint32_t depth);
  Result<Expr> sequence(uint32_t depth);
  Result<Expr> atom(uint32_t depth);
  Result<Expr> repeated(Expr item);
  Result<Expr> literal();
  Result<Expr> char_class();
  Result<uint32_t> character();
  Result<uint32_t> number();

  std::string_view text_;
  size_t at_ = 0;
  GrammarBuilder& builder_;
  std::map<std::string, GrammarBuilder::Rule> rules_;
  std::set<GrammarBuilder::Rule> defined_;
};

Result<Expr> Parser::alternatives(uint32_t depth) {
  if (depth > kMaxDepth) return fail(ErrorCode::kLimitExceeded, "the grammar is nested too deeply");
  std::vector<Expr> options;
  do {
    skip(true);
    FREEHOLD_ASSIGN(const Expr option, sequence(depth));
    options.push_back(option);
    if (depth > 0) skip(true);
  } while (eat("|"));
  return builder_.any_of(std::move(options));
}

Result<Expr> Parser::sequence(uint32_t depth) {
  std::vector<Expr> items;
  while (true) {
    skip(depth > 0);
    const char c = peek();
    if (c == '\0' || c == '|' || c == ')' || c == '\n' || c == '\r') {
      // An alternative may go on in the next line.
      const size_t here = at_;
      skip(true);
      if (peek() != '|') at_ = here;
      return builder_.sequence(std::move(items));
    }
    FREEHOLD_ASSIGN(const Expr item, atom(depth));
    FREEHOLD_ASSIGN(const Expr whole, repeated(item));
    items.push_back(whole);
  }
}

Result<Expr> Parser::atom(uint32_t depth) {
  if (eat("\"")) return literal();
  if (eat("[")) return char_class();
  if (eat(".")) return builder_.shared(builder_.code_points({{0, kLastCodePoint}}));
  if (eat("(")) {
    FREEHOLD_ASSIGN(const Expr inner, alternatives(depth + 1));
    skip(true);
    if (!eat(")")) return bad("`)` is missing");
    return builder_.shared(inner);
  }
  FREEHOLD_ASSIGN(const std::string name, name_here());
  return builder_.call(rule_named(name));
}

Result<uint32_t> Parser::number() {
  uint32_t value = 0;
  const size_t begin = at_;
  while (std::isdigit(static_cast<unsigned char>(peek())) != 0) {
    value = value * 10 + static_cast<uint32_t>(peek() - '0');
    if (value > kMaxRepeat) return fail(ErrorCode::kLimitExceeded, "a repetition is over 10000");
    ++at_;
  }
  if (at_ == begin) return bad("a number is wanted here");
  return value;
}

Result<Expr> Parser::repeated(Expr item) {
  if (eat("*")) return builder_.repeat(item, 0, std::nullopt);
  if (eat("+")) return builder_.repeat(item, 1, std::nullopt);
  if (eat("?")) return builder_.optional(item);
  if (!eat("{")) return item;
  FREEHOLD_ASSIGN(const uint32_t least, number());
  std::optional<uint32_t> most = least;
  if (eat(",")) {
    most = std::nullopt;
    if (peek() != '}') {
      FREEHOLD_ASSIGN(most, number());
    }
  }
  if (!eat("}") || (most && *most < least)) return bad("a repetition is {m}, {m,} or {m,n}");
  return builder_.repeat(item, least, most);
}

Result<uint32_t> Parser::character() {
  if (at_ >= text_.size()) return bad("the grammar ends inside quotes");
  if (eat("\\")) {
    const char c = peek();
    ++at_;
    const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) {
      const std::string_view names = "nrt\\\"[]-^'";
      const std::string_view values = "\n\r\t\\\"[]-^'";
      const size_t index = names.find(c);
      if (index == std::string_view::npos) return bad("an escape that is not known");
      return static_cast<unsigned char>(values[index]);
    }
    uint32_t value = 0;
    for (size_t i = 0; i < digits; ++i, ++at_) {
      const char digit = peek();
      if (std::isxdigit(static_cast<unsigned char>(digit)) == 0) return bad("a hexadecimal escape");
      value =
          value * 16 + static_cast<uint32_t>(std::isdigit(static_cast<unsigned char>(digit)) != 0
                                                 ? digit - '0'
                                                 : (digit | 32) - 'a' + 10);
    }
    if (value > kLastCodePoint) return bad("an escape beyond Unicode");
    return value;
  }
  const auto lead = static_cast<unsigned char>(text_[at_]);
  const size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead >= 0x80 && (lead < 0xc2 || lead > 0xf4)) return bad("this is not UTF-8");
  if (at_ + size > text_.size()) return bad("this is not UTF-8");
  uint32_t value = size == 1 ? lead : lead & (0x7fU >> size);
  for (size_t i = 1; i < size; ++i)
    value = value << 6U | (static_cast<unsigned char>(text_[at_ + i]) & 0x3fU);
  at_ += size;
  return value;
}

Result<Expr> Parser::literal() {
  std::vector<Expr> items;
  while (!eat("\"")) {
    FREEHOLD_ASSIGN(const uint32_t c, character());
    items.push_back(builder_.code_points({{c, c}}));
  }
  return builder_.sequence(std::move(items));
}

Result<Expr> Parser::char_class() {
  const bool negated = eat("^");
  CodePoints ranges;
  while (!eat("]")) {
    FREEHOLD_ASSIGN(const uint32_t least, character());
    uint32_t most = least;
    if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
      ++at_;
      FREEHOLD_ASSIGN(most, character());
    }
    if (most < least) return bad("a range that ends before it begins");
    ranges.emplace_back(least, most);
  }
  return builder_.shared(builder_.code_points(negated ? complement(ranges) : ranges));
}

}  // namespace

Result<Expr> parse_gbnf(std::string_view text, GrammarBuilder& builder) {
  return Parser(text, builder).parse();
}

}  // namespace freehold::server
