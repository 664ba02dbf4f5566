// Walks a Program and writes its output. Every node costs a step and a level of depth, so a
// template ends, and within a small stack.
#pragma once

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "chat/jinja_ast.h"
#include "chat/jinja_library.h"

namespace freehold::chat {

// Names of one block; a name that isn't here is looked up in the parent, then among the globals.
struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<NameId, Value>> names;

  void set(NameId name, const Value& value);
};

struct Macro {
  const Stmt* node;
  Scope* closure;
};

// What `loop` is inside a loop.
struct Loop {
  std::vector<Value> items;
  size_t index = 0;
  uint32_t depth = 0;  // of recursion
  const Stmt* node = nullptr;
  Scope* outer = nullptr;
  std::optional<std::vector<Value>> changed;  // what loop.changed() was last asked about
};

class Interpreter {
 public:
  Interpreter(const Program& program, const RenderLimits& limits, const std::tm& now);

  // `variables` must be an object. Errors: see Template::render.
  base::Result<Text> run(const Json& variables, const std::vector<std::string>& trusted);

 private:
  enum class Flow : uint8_t { kNext, kBreak, kContinue };
  using Keywords = std::vector<std::pair<std::string_view, Value>>;

  struct Arguments {
    std::vector<Value> positional;
    Keywords named;
  };

  // Counts a node; an error when a budget is used up. leave() when done with it.
  Eval<void> enter(uint32_t line);
  void leave() { --depth_; }

  // Statements.
  Eval<Flow> exec(const Block& block, Scope& scope);
  Eval<Flow> exec(const Stmt& stmt, Scope& scope);
  Eval<Flow> dispatch(const Stmt& stmt, Scope& scope);
  Eval<Flow> exec_output(const Stmt& stmt, Scope& scope);
  Eval<Flow> exec_if(const Stmt& stmt, Scope& scope);
  Eval<Flow> exec_for(const Stmt& stmt, Scope& scope);
  Eval<Flow> exec_set(const Stmt& stmt, Scope& scope);
  Eval<Flow> exec_set_block(const Stmt& stmt, Scope& scope);
  Eval<Flow> exec_call_block(const Stmt& stmt, Scope& scope);
  Eval<Flow> exec_filter_block(const Stmt& stmt, Scope& scope);
  Eval<Flow> exec_with(const Stmt& stmt, Scope& scope);
  Eval<std::vector<Value>> loop_items(const Stmt& stmt, const Value& iterable, Scope& scope);
  Eval<void> run_loop(const Stmt& stmt, const Value& iterable, uint32_t depth, Scope& scope);
  Eval<void> assign(const Target& target, const Value& value, Scope& scope);
  // The output of a block as a text.
  Eval<Value> capture(const Block& block, Scope& scope);
  // A captured text through the filters of a block; itself when there are none.
  Eval<Value> apply_filters(const Expr* filters, const Value& text, Scope& scope);

  // Expressions.
  Eval<Value> eval(const Expr& expr, Scope& scope);
  Eval<Value> dispatch(const Expr& expr, Scope& scope);
  Eval<std::vector<Value>> eval_all(const std::vector<const Expr*>& exprs, Scope& scope);
  Eval<Value> eval_name(const Expr& expr, const Scope& scope);
  Eval<Value> eval_sequence(const Expr& expr, Scope& scope);
  Eval<Value> eval_dict(const Expr& expr, Scope& scope);
  Eval<Value> eval_not(const Expr& expr, Scope& scope);
  Eval<Value> eval_unary(const Expr& expr, Scope& scope);
  Eval<Value> eval_arithmetic(const Expr& expr, Scope& scope);
  Eval<Value> eval_concat(const Expr& expr, Scope& scope);
  Eval<Value> eval_compare(const Expr& expr, Scope& scope);
  Eval<Value> eval_logic(const Expr& expr, Scope& scope);
  Eval<Value> eval_condition(const Expr& expr, Scope& scope);
  Eval<Value> eval_attribute(const Expr& expr, Scope& scope);
  Eval<Value> eval_item(const Expr& expr, Scope& scope);
  Eval<Value> eval_slice(const Expr& expr, Scope& scope);
  Eval<Value> eval_call(const Expr& expr, Scope& scope);
  Eval<Value> eval_filter(const Expr& expr, Scope& scope);
  Eval<Value> eval_test(const Expr& expr, Scope& scope);
  Eval<void> eval_arguments(const Expr& expr, Scope& scope, Arguments& out);
  Eval<Value> call(const Value& callee, const Arguments& arguments);
  Eval<Value> call_macro(const Macro& macro, const Arguments& arguments);
  Eval<void> bind(const Macro& macro, const Arguments& arguments, Scope& scope);
  Eval<void> bind_keywords(const Macro& macro, const Arguments& arguments, Scope& scope);

  Value new_macro(const Stmt& stmt, Scope& scope);
  Scope& new_scope(Scope* parent);
  std::optional<NameId> id_of(std::string_view name) const;

  const Program& program_;
  Context context_;
  uint32_t depth_ = 0;
  TextBuilder* out_ = nullptr;  // where output goes
  Value block_text_;            // what a block's filters are applied to
  std::vector<std::optional<Value>> globals_;
  std::optional<NameId> loop_id_;
  std::optional<NameId> caller_id_;
  std::deque<Scope> scopes_;
  std::deque<Macro> macros_;
  std::deque<Loop> loops_;
};

// a OP b, and -a or +a.
Eval<Value> arithmetic(Context& context, Op op, const Value& a, const Value& b);
Eval<Value> unary(Context& context, Op op, const Value& a);
// a OP b of the comparisons.
Eval<bool> compare(Context& context, Op op, const Value& a, const Value& b);
// subject[begin:end:step], none where left out.
Eval<Value> slice(Context& context, const Value& subject, const Value (&bounds)[3]);

}  // namespace freehold::chat
