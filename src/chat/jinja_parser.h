// Tokens to a Program. Refuses by name what reads other files or inherits (include, import,
// extends, block), and nesting deeper than kMaxNesting.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/jinja_ast.h"
#include "chat/jinja_lexer.h"

namespace freehold::chat {

// Blocks, brackets and operands inside one another, counted together; a bracket costs two.
inline constexpr uint32_t kMaxNesting = 200;

// Errors: kBadFormat, kUnsupported, kLimitExceeded, with the line.
base::Result<std::shared_ptr<const Program>> parse_program(std::string_view source);

// Recursive descent. A function that fails returns null and leaves the reason in `error`; callers
// give up as soon as they see it.
class Parser {
 public:
  Parser(Program& program, const std::vector<Token>& tokens) : program_(program), tokens_(tokens) {}

  base::Status run();

 private:
  // Where a tuple ends before the tag does, and whether `a if b else c` may appear in it.
  struct TupleRules {
    bool condition = true;
    bool in_parentheses = false;
    std::string_view stop_word = {};
  };

  const Token& token() const { return tokens_[at_]; }
  const Token& peek() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool at_operator(std::string_view text) const;
  bool at_word(std::string_view text) const;
  bool skip_operator(std::string_view text);
  bool skip_word(std::string_view text);
  bool expect_operator(std::string_view text);
  bool expect_word(std::string_view text);
  bool expect_block_end();
  std::optional<std::string_view> expect_name();
  void fail(base::ErrorCode code, std::string message);
  void unexpected(std::string_view wanted);
  bool failed() const { return error_.has_value(); }
  Expr* make(Expr::Kind kind);
  Stmt* make(Stmt::Kind kind);

  // jinja_parser_expr.cc
  const Expr* parse_expression(bool condition = true);
  const Expr* parse_condition();
  const Expr* parse_binary(int level);
  const Expr* parse_operators(const Expr* left, int level);
  int operator_level() const;
  std::optional<Op> comparison();
  const Expr* parse_unary(bool with_filters);
  const Expr* parse_primary();
  const Expr* parse_word();
  const Expr* parse_strings();
  const Expr* parse_number();
  const Expr* parse_tuple(const TupleRules& rules);
  const Expr* parse_list();
  const Expr* parse_dict();
  const Expr* parse_postfix(const Expr* node);
  const Expr* parse_subscript(const Expr* node);
  const Expr* parse_filters(const Expr* node);
  const Expr* parse_filter(const Expr* node);
  const Expr* parse_test(const Expr* node);
  const Expr* parse_call(const Expr* node);
  bool parse_arguments(Expr& call);
  bool parse_argument(Expr& call);

  // jinja_parser.cc
  using Words = std::vector<std::string_view>;
  bool parse_block(Block& out, const Words& ends);
  const Stmt* parse_statement();
  const Stmt* parse_if();
  const Stmt* parse_for();
  const Stmt* parse_set();
  const Stmt* parse_macro();
  const Stmt* parse_call_block();
  const Stmt* parse_filter_block();
  const Stmt* parse_with();
  const Stmt* parse_generation();
  const Stmt* parse_jump(Stmt::Kind kind);
  bool parse_parameters(std::vector<Parameter>& out);
  bool parse_target(Target& out, bool with_attribute);
  bool parse_target_item(Target& out, bool with_attribute);
  bool parse_body(Block& out, std::string_view end);
  const Stmt* parse_macro_body(Stmt& macro, std::string_view end);

  Program& program_;
  const std::vector<Token>& tokens_;
  size_t at_ = 0;
  uint32_t depth_ = 0;
  uint32_t loops_ = 0;
  Stmt* macro_ = nullptr;  // that is being parsed
  std::optional<base::Error> error_;
};

}  // namespace freehold::chat
