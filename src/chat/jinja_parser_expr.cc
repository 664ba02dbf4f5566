// The expression half of the parser.
#include <algorithm>
#include <charconv>

#include "chat/jinja_library.h"
#include "chat/jinja_parser.h"

namespace freehold::chat {

using base::ErrorCode;

namespace {

// Precedence, weakest first.
enum Level {
  kLevelOr = 1,
  kLevelAnd,
  kLevelNot,
  kLevelCompare,
  kLevelSum,
  kLevelConcat,
  kLevelProduct,
  kLevelPower
};

Op operator_of(std::string_view text) {
  if (text == "+") return Op::kAdd;
  if (text == "-") return Op::kSubtract;
  if (text == "*") return Op::kMultiply;
  if (text == "/") return Op::kDivide;
  if (text == "//") return Op::kFloorDivide;
  if (text == "%") return Op::kModulo;
  return Op::kPower;
}

bool is_sum(std::string_view text) { return text == "+" || text == "-"; }
bool is_product(std::string_view text) {
  return text == "*" || text == "/" || text == "//" || text == "%";
}

}  // namespace

const Expr* Parser::parse_expression(bool condition) {
  if (++depth_ > kMaxNesting) {
    fail(ErrorCode::kLimitExceeded, "the expression is nested too deep");
    return nullptr;
  }
  const Expr* out = condition ? parse_condition() : parse_binary(kLevelOr);
  --depth_;
  return failed() ? nullptr : out;
}

const Expr* Parser::parse_condition() {
  const Expr* out = parse_binary(kLevelOr);
  while (!failed() && at_word("if")) {
    Expr* node = make(Expr::Kind::kCondition);
    skip_word("if");
    node->parts = {out, parse_binary(kLevelOr)};
    if (!failed() && skip_word("else")) node->parts.push_back(parse_expression());
    out = node;
  }
  return out;
}

int Parser::operator_level() const {
  if (token().kind == Token::Kind::kName) {
    if (at_word("or")) return kLevelOr;
    if (at_word("and")) return kLevelAnd;
    if (at_word("in") || (at_word("not") && peek().text == "in")) return kLevelCompare;
    return 0;
  }
  if (token().kind != Token::Kind::kOperator) return 0;
  const std::string_view text = token().text;
  if (is_sum(text)) return kLevelSum;
  if (is_product(text)) return kLevelProduct;
  if (text == "~") return kLevelConcat;
  if (text == "**") return kLevelPower;
  const bool compares =
      text == "==" || text == "!=" || text == "<" || text == ">" || text == "<=" || text == ">=";
  return compares ? kLevelCompare : 0;
}

std::optional<Op> Parser::comparison() {
  if (operator_level() != kLevelCompare) return std::nullopt;
  const std::string_view text = token().text;
  ++at_;
  if (text == "not") {
    ++at_;
    return Op::kNotIn;
  }
  if (text == "in") return Op::kIn;
  if (text == "==") return Op::kEqual;
  if (text == "!=") return Op::kNotEqual;
  if (text == "<") return Op::kLess;
  if (text == "<=") return Op::kLessEqual;
  return text == ">" ? Op::kGreater : Op::kGreaterEqual;
}

const Expr* Parser::parse_binary(int level) {
  if (++depth_ > kMaxNesting) {
    fail(ErrorCode::kLimitExceeded, "the expression is nested too deep");
    return nullptr;
  }
  const Expr* left = nullptr;
  if (level <= kLevelNot && at_word("not") && peek().text != "in") {
    Expr* node = make(Expr::Kind::kNot);
    skip_word("not");
    node->parts = {parse_binary(kLevelNot)};
    left = node;
  } else {
    left = parse_unary(true);
  }
  while (!failed() && operator_level() >= level) left = parse_operators(left, operator_level());
  --depth_;
  return left;
}

// One node for a whole run of operators of one level, so that long sums aren't deep trees.
const Expr* Parser::parse_operators(const Expr* left, int level) {
  const Expr::Kind kind = level == kLevelOr        ? Expr::Kind::kOr
                          : level == kLevelAnd     ? Expr::Kind::kAnd
                          : level == kLevelCompare ? Expr::Kind::kCompare
                          : level == kLevelConcat  ? Expr::Kind::kConcat
                                                   : Expr::Kind::kArithmetic;
  Expr* node = make(kind);
  node->parts.push_back(left);
  while (!failed() && operator_level() == level) {
    if (kind == Expr::Kind::kCompare) {
      node->ops.push_back(*comparison());
    } else {
      node->ops.push_back(operator_of(token().text));
      ++at_;
    }
    node->parts.push_back(parse_binary(level + 1));
  }
  return node;
}

const Expr* Parser::parse_unary(bool with_filters) {
  const Expr* out = nullptr;
  if (at_operator("-") || at_operator("+")) {
    if (++depth_ > kMaxNesting) {
      fail(ErrorCode::kLimitExceeded, "the expression is nested too deep");
      return nullptr;
    }
    Expr* node = make(Expr::Kind::kUnary);
    node->ops = {at_operator("-") ? Op::kNegate : Op::kPlus};
    ++at_;
    node->parts = {parse_unary(false)};
    --depth_;
    out = node;
  } else {
    out = parse_primary();
  }
  if (!failed()) out = parse_postfix(out);
  if (!failed() && with_filters) out = parse_filters(out);
  return out;
}

const Expr* Parser::parse_primary() {
  switch (token().kind) {
    case Token::Kind::kName:
      return parse_word();
    case Token::Kind::kString:
      return parse_strings();
    case Token::Kind::kInteger:
    case Token::Kind::kFloat:
      return parse_number();
    default:
      break;
  }
  if (skip_operator("(")) {
    const Expr* out = parse_tuple({.in_parentheses = true});
    if (!failed()) expect_operator(")");
    return out;
  }
  if (skip_operator("[")) return parse_list();
  if (skip_operator("{")) return parse_dict();
  unexpected("an expression");
  return nullptr;
}

const Expr* Parser::parse_word() {
  const std::string_view word = token().text;
  Expr* node = make(Expr::Kind::kConstant);
  ++at_;
  if (word == "true" || word == "True") {
    node->value = Value::boolean(true);
  } else if (word == "false" || word == "False") {
    node->value = Value::boolean(false);
  } else if (word != "none" && word != "None") {
    node->kind = Expr::Kind::kName;
    node->name = program_.intern(word);
    if (macro_ != nullptr) {
      macro_->uses_varargs = macro_->uses_varargs || word == "varargs";
      macro_->uses_kwargs = macro_->uses_kwargs || word == "kwargs";
      macro_->uses_caller = macro_->uses_caller || word == "caller";
    }
  }
  return node;
}

const Expr* Parser::parse_strings() {
  Expr* node = make(Expr::Kind::kConstant);
  std::string joined;
  while (token().kind == Token::Kind::kString) {
    base::Result<std::string> part = string_literal(token().text);
    if (!part) {
      fail(part.error().code, part.error().message);
      return nullptr;
    }
    joined += *part;
    ++at_;
  }
  node->value = program_.constants.text(joined);
  return node;
}

const Expr* Parser::parse_number() {
  Expr* node = make(Expr::Kind::kConstant);
  std::string digits;
  std::ranges::copy_if(token().text, std::back_inserter(digits), [](char c) { return c != '_'; });
  const char* begin = digits.data();
  const char* end = begin + digits.size();
  std::from_chars_result read{};
  if (token().kind == Token::Kind::kFloat) {
    double value = 0;
    read = std::from_chars(begin, end, value);
    node->value = Value::number(value);
  } else {
    const char second = digits.size() > 1 ? static_cast<char>(digits[1] | 0x20) : ' ';
    const int radix = second == 'x' ? 16 : second == 'o' ? 8 : second == 'b' ? 2 : 10;
    int64_t value = 0;
    read = std::from_chars(radix == 10 ? begin : begin + 2, end, value, radix);
    node->value = Value::number(value);
  }
  if (read.ec != std::errc() || read.ptr != end) {
    fail(ErrorCode::kUnsupported, "the number `" + digits + "` is not one that we can hold");
    return nullptr;
  }
  ++at_;
  return node;
}

const Expr* Parser::parse_tuple(const TupleRules& rules) {
  Expr* node = make(Expr::Kind::kTuple);
  bool is_tuple = false;
  while (!failed()) {
    const Token::Kind kind = token().kind;
    const bool ends = kind == Token::Kind::kVariableEnd || kind == Token::Kind::kBlockEnd ||
                      at_operator(")") || (!rules.stop_word.empty() && at_word(rules.stop_word));
    if (ends) break;
    node->parts.push_back(parse_expression(rules.condition));
    if (failed() || !at_operator(",")) break;
    is_tuple = true;
    skip_operator(",");
  }
  if (failed()) return nullptr;
  if (node->parts.size() == 1 && !is_tuple) return node->parts[0];
  if (node->parts.empty() && !rules.in_parentheses) {
    unexpected("an expression");
    return nullptr;
  }
  return node;
}

const Expr* Parser::parse_list() {
  Expr* node = make(Expr::Kind::kList);
  while (!failed() && !at_operator("]")) {
    node->parts.push_back(parse_expression());
    if (failed() || (!at_operator("]") && !expect_operator(","))) return nullptr;
  }
  skip_operator("]");
  return node;
}

const Expr* Parser::parse_dict() {
  Expr* node = make(Expr::Kind::kDict);
  while (!failed() && !at_operator("}")) {
    node->parts.push_back(parse_expression());
    if (failed() || !expect_operator(":")) return nullptr;
    node->parts.push_back(parse_expression());
    if (failed() || (!at_operator("}") && !expect_operator(","))) return nullptr;
  }
  skip_operator("}");
  return node;
}

const Expr* Parser::parse_postfix(const Expr* node) {
  while (!failed()) {
    if (at_operator(".") || at_operator("[")) {
      node = parse_subscript(node);
    } else if (at_operator("(")) {
      node = parse_call(node);
    } else {
      break;
    }
  }
  return node;
}

const Expr* Parser::parse_subscript(const Expr* subject) {
  Expr* node = make(Expr::Kind::kItem);
  node->parts = {subject};
  if (skip_operator(".")) {
    if (token().kind == Token::Kind::kName) {
      node->kind = Expr::Kind::kAttribute;
      node->value = program_.constants.text(token().text);
      ++at_;
    } else if (token().kind == Token::Kind::kInteger) {
      node->parts.push_back(parse_number());
    } else {
      unexpected("a name or a number");
    }
    return node;
  }
  skip_operator("[");
  const Expr* bounds[3] = {};
  size_t part = 0;
  while (!failed() && !at_operator("]")) {
    if (at_operator(":") && part < 2) {
      skip_operator(":");
      node->kind = Expr::Kind::kSlice;
      ++part;
    } else if (bounds[part] == nullptr) {
      bounds[part] = parse_expression();
    } else {
      unexpected("']'");
    }
  }
  if (failed()) return nullptr;
  skip_operator("]");
  if (node->kind == Expr::Kind::kSlice) {
    node->parts.insert(node->parts.end(), {bounds[0], bounds[1], bounds[2]});
  } else if (bounds[0] != nullptr) {
    node->parts.push_back(bounds[0]);
  } else {
    unexpected("a subscript");
  }
  return node;
}

const Expr* Parser::parse_filters(const Expr* node) {
  while (!failed()) {
    if (at_operator("|")) {
      node = parse_filter(node);
    } else if (at_word("is")) {
      node = parse_test(node);
    } else if (at_operator("(")) {
      node = parse_call(node);
    } else {
      break;
    }
  }
  return node;
}

const Expr* Parser::parse_filter(const Expr* subject) {
  Expr* node = make(Expr::Kind::kFilter);
  node->parts = {subject};
  if (subject != nullptr) skip_operator("|");
  const std::optional<std::string_view> name = expect_name();
  if (!name) return nullptr;
  node->callee_name = *name;
  node->callee = find_filter(*name);
  if (at_operator("(") && !parse_arguments(*node)) return nullptr;
  return node;
}

const Expr* Parser::parse_test(const Expr* subject) {
  Expr* node = make(Expr::Kind::kTest);
  skip_word("is");
  const bool negated = skip_word("not");
  node->parts = {subject};
  const std::optional<std::string_view> name = expect_name();
  if (!name) return nullptr;
  node->callee_name = *name;
  node->callee = find_test(*name);
  const Token::Kind next = token().kind;
  const bool word_is_argument = next == Token::Kind::kName && !at_word("else") && !at_word("or") &&
                                !at_word("and") && !at_word("is");
  if (at_operator("(")) {
    if (!parse_arguments(*node)) return nullptr;
  } else if (word_is_argument || next == Token::Kind::kString || next == Token::Kind::kInteger ||
             next == Token::Kind::kFloat || at_operator("[") || at_operator("{")) {
    const Expr* argument = parse_primary();
    if (!failed()) argument = parse_postfix(argument);
    node->arguments = {argument};
  }
  if (!negated) return node;
  Expr* negation = make(Expr::Kind::kNot);
  negation->parts = {node};
  return negation;
}

const Expr* Parser::parse_call(const Expr* callee) {
  Expr* node = make(Expr::Kind::kCall);
  node->parts = {callee};
  return parse_arguments(*node) ? node : nullptr;
}

bool Parser::parse_arguments(Expr& call) {
  if (!expect_operator("(")) return false;
  while (!failed() && !at_operator(")")) {
    if (!parse_argument(call)) return false;
    if (!at_operator(")") && !expect_operator(",")) return false;
  }
  skip_operator(")");
  return !failed();
}

bool Parser::parse_argument(Expr& call) {
  if (skip_operator("**")) {
    call.star_star = parse_expression();
  } else if (skip_operator("*")) {
    call.star = parse_expression();
  } else if (token().kind == Token::Kind::kName && peek().kind == Token::Kind::kOperator &&
             peek().text == "=") {
    const std::string_view name = token().text;
    at_ += 2;
    call.keywords.push_back({name, parse_expression()});
  } else {
    if (!call.keywords.empty()) unexpected("a keyword argument");
    if (!failed()) call.arguments.push_back(parse_expression());
  }
  return !failed();
}

}  // namespace freehold::chat
