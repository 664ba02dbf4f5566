// The parsed template: expressions and statements, owned by their Program in flat lists, so that
// nothing about destroying one is recursive.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "chat/jinja_value.h"

namespace freehold::chat {

using NameId = uint32_t;  // index into Program::names

enum class Op : uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kNegate,
  kPlus,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

struct Expr {
  enum class Kind : uint8_t {
    kConstant,    // value
    kName,        // name
    kList,        // parts
    kTuple,       // parts
    kDict,        // parts: key, value, key, value ...
    kUnary,       // ops[0] parts[0]
    kNot,         // parts[0]
    kArithmetic,  // parts[0] ops[0] parts[1] ops[1] ..., from the left
    kConcat,      // parts, joined as text
    kCompare,     // a Python chain: parts[0] ops[0] parts[1] and parts[1] ops[1] parts[2] ...
    kAnd,         // parts
    kOr,          // parts
    kCondition,   // parts: value, test, else (may be missing)
    kAttribute,   // parts[0] . value
    kItem,        // parts[0] [ parts[1] ]
    kSlice,       // parts[0] [ parts[1] : parts[2] : parts[3] ], null when left out
    kCall,        // parts[0] ( arguments )
    kFilter,      // parts[0] | callee ( arguments ); parts[0] null inside a filter block
    kTest,        // parts[0] is callee ( arguments )
  };
  struct Keyword {
    std::string_view name;
    const Expr* value;
  };

  Kind kind = Kind::kConstant;
  uint32_t line = 0;
  NameId name = 0;
  Value value;
  std::vector<const Expr*> parts;
  std::vector<Op> ops;
  // Of calls, filters and tests.
  std::vector<const Expr*> arguments;
  std::vector<Keyword> keywords;
  const Expr* star = nullptr;       // *expression
  const Expr* star_star = nullptr;  // **expression
  std::string_view callee_name;
  const Named* callee = nullptr;  // null when there is no such filter or test
};

struct Stmt;
using Block = std::vector<const Stmt*>;

// What is assigned to: a name, an attribute of a namespace, or several of them.
struct Target {
  NameId name = 0;
  std::string_view attribute;  // empty: the name itself
  std::vector<Target> items;   // not empty: unpacking
};

struct Parameter {
  NameId name = 0;
  const Expr* fallback = nullptr;
};

struct Stmt {
  enum class Kind : uint8_t {
    kText,         // value
    kOutput,       // expr
    kIf,           // branches
    kFor,          // target in expr [if test]: body, else: other
    kSet,          // target = expr
    kSetBlock,     // target = body, through expr (a filter) if there is one
    kMacro,        // name (parameters): body
    kCallBlock,    // expr (a call) with caller (parameters): body
    kFilterBlock,  // body through expr
    kWith,         // assignments, body
    kScope,        // body in a scope of its own
    kBreak,
    kContinue,
  };
  struct Branch {
    const Expr* test;  // null: else
    Block body;
  };

  Kind kind = Kind::kText;
  uint32_t line = 0;
  bool recursive = false;  // a loop that may call itself
  // Of macros: whether the body speaks of these names, which is what makes them accepted.
  bool uses_varargs = false;
  bool uses_kwargs = false;
  bool uses_caller = false;
  NameId name = 0;
  Value value;
  const Expr* expr = nullptr;
  const Expr* test = nullptr;
  Target target;
  std::vector<Branch> branches;
  std::vector<Parameter> parameters;
  std::vector<std::pair<Target, const Expr*>> assignments;
  Block body;
  Block other;
};

struct Program {
  explicit Program(std::string text);

  // The id of a name; made when new (while parsing only).
  NameId intern(std::string_view name);

  std::string source;
  std::string normalised;  // tokens and names are views into it
  Heap constants;
  std::deque<Expr> exprs;
  std::deque<Stmt> stmts;
  std::deque<std::string> names;
  std::unordered_map<std::string_view, NameId> ids;
  Block body;
};

}  // namespace freehold::chat
