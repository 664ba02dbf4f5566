// The statement half of the parser.
#include "chat/jinja_parser.h"

#include <algorithm>

namespace freehold::chat {

using base::ErrorCode;

namespace {

constexpr size_t kMaxSourceBytes = 128U << 10U;

}  // namespace

Program::Program(std::string text)
    : source(std::move(text)),
      normalised(normalise_newlines(source)),
      constants(256 * kMaxSourceBytes, kMaxSourceBytes) {}

NameId Program::intern(std::string_view name) {
  const auto it = ids.find(name);
  if (it != ids.end()) return it->second;
  const auto id = static_cast<NameId>(names.size());
  ids.emplace(names.emplace_back(name), id);
  return id;
}

base::Result<std::shared_ptr<const Program>> parse_program(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    return base::fail(ErrorCode::kLimitExceeded,
                      "the template has " + std::to_string(source.size()) + " bytes; at most " +
                          std::to_string(kMaxSourceBytes) + " are read");
  }
  if (!is_valid_utf8(source)) {
    return base::fail(ErrorCode::kBadFormat, "the template is not valid UTF-8");
  }
  auto program = std::make_shared<Program>(std::string(source));
  FREEHOLD_ASSIGN(const std::vector<Token> tokens, tokenize_template(program->normalised));
  FREEHOLD_TRY(Parser(*program, tokens).run());
  return program;
}

bool Parser::at_operator(std::string_view text) const {
  return token().kind == Token::Kind::kOperator && token().text == text;
}

bool Parser::at_word(std::string_view text) const {
  return token().kind == Token::Kind::kName && token().text == text;
}

bool Parser::skip_operator(std::string_view text) {
  const bool here = at_operator(text);
  at_ += here ? 1 : 0;
  return here;
}

bool Parser::skip_word(std::string_view text) {
  const bool here = at_word(text);
  at_ += here ? 1 : 0;
  return here;
}

bool Parser::expect_operator(std::string_view text) {
  if (skip_operator(text)) return true;
  unexpected("'" + std::string(text) + "'");
  return false;
}

bool Parser::expect_word(std::string_view text) {
  if (skip_word(text)) return true;
  unexpected("'" + std::string(text) + "'");
  return false;
}

bool Parser::expect_block_end() {
  if (failed()) return false;
  if (token().kind == Token::Kind::kBlockEnd) {
    ++at_;
    return true;
  }
  unexpected("end of statement block");
  return false;
}

std::optional<std::string_view> Parser::expect_name() {
  if (failed()) return std::nullopt;
  if (token().kind == Token::Kind::kName) return tokens_[at_++].text;
  unexpected("a name");
  return std::nullopt;
}

void Parser::fail(ErrorCode code, std::string message) {
  if (!error_) {
    error_ = base::Error{code, "line " + std::to_string(token().line) + ": " + std::move(message)};
  }
}

void Parser::unexpected(std::string_view wanted) {
  const std::string found = token().kind == Token::Kind::kEnd
                                ? "the end of the template"
                                : "'" + std::string(token().text) + "'";
  fail(ErrorCode::kBadFormat,
       "TemplateSyntaxError: expected " + std::string(wanted) + ", found " + found);
}

Expr* Parser::make(Expr::Kind kind) {
  Expr& node = program_.exprs.emplace_back();
  node.kind = kind;
  node.line = token().line;
  return &node;
}

Stmt* Parser::make(Stmt::Kind kind) {
  Stmt& node = program_.stmts.emplace_back();
  node.kind = kind;
  node.line = token().line;
  return &node;
}

base::Status Parser::run() {
  parse_block(program_.body, {});
  if (error_) return std::unexpected(*error_);
  return {};
}

// Statements up to a tag that begins with one of `ends`; that tag's word is left for the caller.
bool Parser::parse_block(Block& out, const Words& ends) {
  if (++depth_ > kMaxNesting) {
    fail(ErrorCode::kLimitExceeded, "blocks nested too deep");
  }
  while (!failed() && token().kind != Token::Kind::kEnd) {
    const Token::Kind kind = tokens_[at_++].kind;
    if (kind == Token::Kind::kData) {
      --at_;
      Stmt* text = make(Stmt::Kind::kText);
      text->value = program_.constants.text(tokens_[at_++].text);
      out.push_back(text);
    } else if (kind == Token::Kind::kVariableBegin) {
      Stmt* output = make(Stmt::Kind::kOutput);
      output->expr = parse_tuple({});
      if (failed()) break;
      if (token().kind != Token::Kind::kVariableEnd) unexpected("end of print statement");
      ++at_;
      out.push_back(output);
    } else {
      if (token().kind == Token::Kind::kName && std::ranges::count(ends, token().text) > 0) {
        --depth_;
        return true;
      }
      out.push_back(parse_statement());
    }
  }
  --depth_;
  if (!failed() && !ends.empty()) unexpected("'" + std::string(ends.back()) + "'");
  return !failed();
}

bool Parser::parse_body(Block& out, std::string_view end) {
  return expect_block_end() && parse_block(out, {end}) && expect_word(end) && expect_block_end();
}

const Stmt* Parser::parse_statement() {
  if (skip_word("if")) return parse_if();
  if (skip_word("for")) return parse_for();
  if (skip_word("set")) return parse_set();
  if (skip_word("macro")) return parse_macro();
  if (skip_word("call")) return parse_call_block();
  if (skip_word("filter")) return parse_filter_block();
  if (skip_word("with")) return parse_with();
  if (skip_word("generation")) return parse_generation();
  if (skip_word("break")) return parse_jump(Stmt::Kind::kBreak);
  if (skip_word("continue")) return parse_jump(Stmt::Kind::kContinue);
  for (const std::string_view refused :
       {"include", "import", "from", "extends", "block", "autoescape", "do", "trans", "debug"}) {
    if (!at_word(refused)) continue;
    fail(ErrorCode::kUnsupported,
         "the statement `" + std::string(refused) + "` is not supported in a chat template");
    return nullptr;
  }
  unexpected("a statement");
  return nullptr;
}

const Stmt* Parser::parse_if() {
  Stmt* node = make(Stmt::Kind::kIf);
  const Expr* test = parse_tuple({.condition = false});
  while (!failed()) {
    Stmt::Branch& branch = node->branches.emplace_back();
    branch.test = test;
    const Words ends = test != nullptr ? Words{"elif", "else", "endif"} : Words{"endif"};
    if (!expect_block_end() || !parse_block(branch.body, ends)) return nullptr;
    if (skip_word("endif")) {
      expect_block_end();
      break;
    }
    test = skip_word("elif") ? parse_tuple({.condition = false}) : nullptr;
    if (test == nullptr) expect_word("else");
  }
  return node;
}

const Stmt* Parser::parse_for() {
  Stmt* node = make(Stmt::Kind::kFor);
  if (!parse_target(node->target, false) || !expect_word("in")) return nullptr;
  node->expr = parse_tuple({.condition = false, .stop_word = "recursive"});
  if (!failed() && skip_word("if")) node->test = parse_expression();
  node->recursive = skip_word("recursive");
  ++loops_;
  const bool parsed = expect_block_end() && parse_block(node->body, {"endfor", "else"});
  --loops_;
  if (!parsed) return nullptr;
  if (skip_word("else")) {
    parse_body(node->other, "endfor");
    return node;
  }
  expect_word("endfor");
  expect_block_end();
  return node;
}

const Stmt* Parser::parse_set() {
  Stmt* node = make(Stmt::Kind::kSet);
  if (!parse_target(node->target, true)) return nullptr;
  if (skip_operator("=")) {
    node->expr = parse_tuple({});
    expect_block_end();
    return node;
  }
  node->kind = Stmt::Kind::kSetBlock;
  if (at_operator("|")) {
    skip_operator("|");
    const Expr* filter = parse_filter(nullptr);
    node->expr = failed() ? nullptr : parse_filters(filter);
  }
  parse_body(node->body, "endset");
  return node;
}

bool Parser::parse_target_item(Target& out, bool with_attribute) {
  if (skip_operator("(")) {
    return parse_target(out, with_attribute) && expect_operator(")");
  }
  const std::optional<std::string_view> name = expect_name();
  if (!name) return false;
  out.name = program_.intern(*name);
  if (!with_attribute || !skip_operator(".")) return true;
  const std::optional<std::string_view> attribute = expect_name();
  if (!attribute) return false;
  out.attribute = *attribute;
  return true;
}

bool Parser::parse_target(Target& out, bool with_attribute) {
  if (++depth_ > kMaxNesting) fail(ErrorCode::kLimitExceeded, "targets nested too deep");
  if (failed() || !parse_target_item(out, with_attribute)) return false;
  --depth_;
  if (!at_operator(",")) return true;
  Target first = std::move(out);
  out = Target{};
  out.items.push_back(std::move(first));
  while (skip_operator(",")) {
    if (token().kind != Token::Kind::kName && !at_operator("(")) break;
    if (at_word("in")) break;
    if (!parse_target_item(out.items.emplace_back(), with_attribute)) return false;
  }
  return true;
}

bool Parser::parse_parameters(std::vector<Parameter>& out) {
  if (!expect_operator("(")) return false;
  while (!failed() && !at_operator(")")) {
    const std::optional<std::string_view> name = expect_name();
    if (!name) return false;
    Parameter& parameter = out.emplace_back();
    parameter.name = program_.intern(*name);
    if (skip_operator("=")) {
      parameter.fallback = parse_expression();
    } else if (out.size() > 1 && out[out.size() - 2].fallback != nullptr) {
      fail(ErrorCode::kBadFormat,
           "TemplateSyntaxError: non-default argument follows default argument");
    }
    if (!failed() && !at_operator(")")) expect_operator(",");
  }
  skip_operator(")");
  return !failed();
}

const Stmt* Parser::parse_macro() {
  Stmt* node = make(Stmt::Kind::kMacro);
  const std::optional<std::string_view> name = expect_name();
  if (!name || !parse_parameters(node->parameters)) return nullptr;
  node->name = program_.intern(*name);
  return parse_macro_body(*node, "endmacro");
}

const Stmt* Parser::parse_macro_body(Stmt& macro, std::string_view end) {
  // A break inside a macro can't leave a loop around the macro.
  const uint32_t loops = std::exchange(loops_, 0);
  Stmt* const outer = std::exchange(macro_, &macro);
  parse_body(macro.body, end);
  loops_ = loops;
  macro_ = outer;
  return &macro;
}

const Stmt* Parser::parse_call_block() {
  Stmt* node = make(Stmt::Kind::kCallBlock);
  node->name = program_.intern("caller");
  if (at_operator("(") && !parse_parameters(node->parameters)) return nullptr;
  node->expr = parse_expression();
  if (failed()) return nullptr;
  if (node->expr->kind != Expr::Kind::kCall) {
    unexpected("a call");
    return nullptr;
  }
  return parse_macro_body(*node, "endcall");
}

const Stmt* Parser::parse_filter_block() {
  Stmt* node = make(Stmt::Kind::kFilterBlock);
  const Expr* filter = parse_filter(nullptr);
  if (!failed()) node->expr = parse_filters(filter);
  parse_body(node->body, "endfilter");
  return node;
}

const Stmt* Parser::parse_with() {
  Stmt* node = make(Stmt::Kind::kWith);
  while (!failed() && token().kind != Token::Kind::kBlockEnd) {
    if (!node->assignments.empty() && !expect_operator(",")) return nullptr;
    auto& [target, value] = node->assignments.emplace_back();
    if (!parse_target_item(target, false) || !expect_operator("=")) return nullptr;
    value = parse_expression();
  }
  parse_body(node->body, "endwith");
  return node;
}

const Stmt* Parser::parse_generation() {
  Stmt* node = make(Stmt::Kind::kScope);
  parse_body(node->body, "endgeneration");
  return node;
}

const Stmt* Parser::parse_jump(Stmt::Kind kind) {
  Stmt* node = make(kind);
  if (loops_ == 0)
    fail(ErrorCode::kBadFormat, "TemplateSyntaxError: break or continue outside loop");
  expect_block_end();
  return node;
}

}  // namespace freehold::chat
