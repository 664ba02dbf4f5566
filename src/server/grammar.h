// Grammars as networks of bytes: what GBNF, JSON Schemas, regular expressions and tool-call frames
// become before a vocabulary is held against them.
//
// A symbol is a byte, or 256 + k for the k-th special token (a control token that the model must
// emit as itself, as in "<tool_call>"). Finished grammars have no left recursion, and from every
// reachable place the end can be reached.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace freehold::server {

struct Grammar {
  struct Edge {
    uint16_t least;
    uint16_t most;
    uint32_t next;
  };
  struct Call {
    uint32_t rule;
    uint32_t next;
  };
  struct Node {
    std::vector<Edge> edges;
    std::vector<Call> calls;
    std::vector<uint32_t> skips;  // without a symbol
    bool final = false;           // the rule may end here
  };
  std::vector<Node> nodes;
  std::vector<uint32_t> starts;  // by rule; rule 0 is the root
  std::vector<std::string> specials;
};

// Inclusive ranges of Unicode code points.
using CodePoints = std::vector<std::pair<uint32_t, uint32_t>>;
constexpr uint32_t kLastCodePoint = 0x10FFFF;
CodePoints complement(CodePoints ranges);

class GrammarBuilder {
 public:
  using Expr = uint32_t;
  using Rule = uint32_t;
  static constexpr uint32_t kMaxNodes = 400'000;

  Expr nothing() const { return 0; }  // the empty text
  Expr never();                       // no text at all
  Expr bytes(uint8_t least, uint8_t most);
  Expr text(std::string_view text);
  Expr special(std::string_view text);
  // Text that is left to the model. No token is it: who samples says where it ends.
  Expr free_text() { return special(""); }
  Expr code_points(const CodePoints& ranges);
  Expr sequence(std::vector<Expr> items);
  Expr any_of(std::vector<Expr> items);
  // `most` none: without end.
  Expr repeat(Expr item, uint32_t least, std::optional<uint32_t> most);
  Expr optional(Expr item) { return repeat(item, 0, 1); }
  Rule new_rule();
  void define(Rule rule, Expr expr) { rules_[rule] = expr; }
  Expr call(Rule rule);
  // The expression as a rule of its own, so that using it often costs little.
  Expr shared(Expr expr);

  // Errors: kLimitExceeded (too many nodes), kUnsupported (left recursion),
  // kInvalidArgument (no text at all fits).
  base::Result<Grammar> finish(Expr root);

 private:
  enum class Kind { kSequence, kAnyOf, kSymbols, kCall, kRepeat };
  struct Item {
    Kind kind = Kind::kSequence;
    std::vector<Expr> parts;
    uint32_t first = 0;  // symbols: least and most; call: rule; repeat: least and most
    uint32_t last = 0;
    bool endless = false;
  };

  Expr add(Item item);
  // Lays the expression out from node `from`; gives the node at its end.
  uint32_t lay(Grammar& grammar, Expr expr, uint32_t from);
  uint32_t lay_repeat(Grammar& grammar, const Item& item, uint32_t from);
  uint32_t node(Grammar& grammar);

  std::vector<Item> items_ = {Item{}};
  std::vector<Expr> rules_ = {0};
  std::vector<std::string> specials_;
  bool too_large_ = false;
};

// Cuts off every edge from which the end can't be reached. False: nothing is left.
bool prune(Grammar& grammar);
bool has_left_recursion(const Grammar& grammar);

}  // namespace freehold::server
