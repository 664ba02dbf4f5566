// The statements.
#include "chat/jinja_interpreter.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace freehold::chat {

using base::ErrorCode;

void Scope::set(NameId name, const Value& value) {
  for (auto& [id, old] : names) {
    if (id != name) continue;
    old = value;
    return;
  }
  names.emplace_back(name, value);
}

Interpreter::Interpreter(const Program& program, const RenderLimits& limits, const std::tm& now)
    : program_(program), context_(limits, now), globals_(program.names.size()) {
  loop_id_ = id_of("loop");
  caller_id_ = id_of("caller");
  for (const Named& function : global_functions()) {
    const auto id = id_of(function.name);
    if (!id) continue;
    Value value = Value::of(Kind::kFunction, 0);
    value.function = &function;
    globals_[*id] = value;
  }
}

std::optional<NameId> Interpreter::id_of(std::string_view name) const {
  const auto it = program_.ids.find(name);
  return it == program_.ids.end() ? std::nullopt : std::optional(it->second);
}

Scope& Interpreter::new_scope(Scope* parent) {
  context_.heap.charge(2 * sizeof(Scope));
  Scope& scope = scopes_.emplace_back();
  scope.parent = parent;
  return scope;
}

base::Result<Text> Interpreter::run(const Json& variables,
                                    const std::vector<std::string>& trusted) {
  TextBuilder out(context_.heap);
  out_ = &out;
  const auto render = [&]() -> Eval<void> {
    for (const auto& [name, json] : variables.items()) {
      const auto id = id_of(name);
      if (!id) continue;  // the template never speaks of it
      const bool is_trusted = std::ranges::count(trusted, name) > 0;
      FREEHOLD_ASSIGN(globals_[*id], from_json(context_, json, is_trusted));
    }
    FREEHOLD_TRY(exec(program_.body, new_scope(nullptr)));
    return context_.check();
  };
  if (!render()) return std::unexpected(std::move(*context_.error));
  return out.text();
}

Eval<void> Interpreter::enter(uint32_t line) {
  context_.line = line;
  ++depth_;
  if (context_.steps_left == 0) {
    return context_.fail(ErrorCode::kLimitExceeded,
                         "the template takes more steps than a conversation of this size may");
  }
  --context_.steps_left;
  if (depth_ > context_.limits.depth) {
    return context_.fail(
        ErrorCode::kLimitExceeded,
        "the template nests deeper than " + std::to_string(context_.limits.depth) + " levels");
  }
  return context_.check();
}

Eval<Interpreter::Flow> Interpreter::exec(const Block& block, Scope& scope) {
  for (const Stmt* stmt : block) {
    FREEHOLD_ASSIGN(const Flow flow, exec(*stmt, scope));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Eval<Interpreter::Flow> Interpreter::exec(const Stmt& stmt, Scope& scope) {
  FREEHOLD_TRY(enter(stmt.line));
  const Eval<Flow> flow = dispatch(stmt, scope);
  leave();
  return flow;
}

Eval<Interpreter::Flow> Interpreter::dispatch(const Stmt& stmt, Scope& scope) {
  switch (stmt.kind) {
    case Stmt::Kind::kText:
      out_->append(*stmt.value.text);
      return Flow::kNext;
    case Stmt::Kind::kOutput:
      return exec_output(stmt, scope);
    case Stmt::Kind::kIf:
      return exec_if(stmt, scope);
    case Stmt::Kind::kFor:
      return exec_for(stmt, scope);
    case Stmt::Kind::kSet:
      return exec_set(stmt, scope);
    case Stmt::Kind::kSetBlock:
      return exec_set_block(stmt, scope);
    case Stmt::Kind::kMacro:
      scope.set(stmt.name, new_macro(stmt, scope));
      return Flow::kNext;
    case Stmt::Kind::kCallBlock:
      return exec_call_block(stmt, scope);
    case Stmt::Kind::kFilterBlock:
      return exec_filter_block(stmt, scope);
    case Stmt::Kind::kWith:
      return exec_with(stmt, scope);
    case Stmt::Kind::kScope:
      return exec(stmt.body, new_scope(&scope));
    case Stmt::Kind::kBreak:
      return Flow::kBreak;
    case Stmt::Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

Value Interpreter::new_macro(const Stmt& stmt, Scope& scope) {
  context_.heap.charge(sizeof(Macro));
  Value out = Value::of(Kind::kMacro, 0);
  out.macro = &macros_.emplace_back(Macro{&stmt, &scope});
  return out;
}

[[gnu::noinline]] Eval<Interpreter::Flow> Interpreter::exec_output(const Stmt& stmt, Scope& scope) {
  FREEHOLD_ASSIGN(const Value value, eval(*stmt.expr, scope));
  append_str(context_.heap, *out_, value);
  return Flow::kNext;
}

[[gnu::noinline]] Eval<Interpreter::Flow> Interpreter::exec_if(const Stmt& stmt, Scope& scope) {
  for (const Stmt::Branch& branch : stmt.branches) {
    if (branch.test != nullptr) {
      FREEHOLD_ASSIGN(const Value test, eval(*branch.test, scope));
      if (!truthy(test)) continue;
    }
    return exec(branch.body, scope);
  }
  return Flow::kNext;
}

[[gnu::noinline]] Eval<Interpreter::Flow> Interpreter::exec_for(const Stmt& stmt, Scope& scope) {
  FREEHOLD_ASSIGN(const Value iterable, eval(*stmt.expr, scope));
  FREEHOLD_TRY(run_loop(stmt, iterable, 0, scope));
  return Flow::kNext;
}

Eval<std::vector<Value>> Interpreter::loop_items(const Stmt& stmt, const Value& iterable,
                                                 Scope& scope) {
  FREEHOLD_ASSIGN(std::vector<Value> items, iterate(context_, iterable));
  if (stmt.test == nullptr) return items;
  std::vector<Value> kept;
  Scope& inner = new_scope(&scope);
  for (const Value& item : items) {
    FREEHOLD_TRY(assign(stmt.target, item, inner));
    FREEHOLD_ASSIGN(const Value test, eval(*stmt.test, inner));
    if (truthy(test)) kept.push_back(item);
  }
  return kept;
}

Eval<void> Interpreter::run_loop(const Stmt& stmt, const Value& iterable, uint32_t depth,
                                 Scope& scope) {
  Loop& loop = loops_.emplace_back();
  FREEHOLD_ASSIGN(loop.items, loop_items(stmt, iterable, scope));
  loop.depth = depth;
  loop.node = &stmt;
  loop.outer = &scope;
  context_.heap.charge(sizeof(Loop));
  Value loop_value = Value::of(Kind::kLoop, 0);
  loop_value.loop = &loop;
  if (loop.items.empty()) {
    FREEHOLD_TRY(exec(stmt.other, new_scope(&scope)));
    return {};
  }
  for (; loop.index < loop.items.size(); ++loop.index) {
    FREEHOLD_TRY(enter(stmt.line));
    leave();
    Scope& inner = new_scope(&scope);
    if (loop_id_) inner.set(*loop_id_, loop_value);
    FREEHOLD_TRY(assign(stmt.target, loop.items[loop.index], inner));
    FREEHOLD_ASSIGN(const Flow flow, exec(stmt.body, inner));
    if (flow == Flow::kBreak) break;
  }
  return {};
}

Eval<void> Interpreter::assign(const Target& target, const Value& value, Scope& scope) {
  if (!target.items.empty()) {
    FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context_, value));
    const size_t wanted = target.items.size();
    if (items.size() > wanted) {
      return context_.fail(Fault::kValueError,
                           "too many values to unpack (expected " + std::to_string(wanted) + ")");
    }
    if (items.size() < wanted) {
      return context_.fail(Fault::kValueError, "not enough values to unpack (expected " +
                                                   std::to_string(wanted) + ", got " +
                                                   std::to_string(items.size()) + ")");
    }
    for (size_t i = 0; i < wanted; ++i) FREEHOLD_TRY(assign(target.items[i], items[i], scope));
    return {};
  }
  if (target.attribute.empty()) {
    scope.set(target.name, value);
    return {};
  }
  Expr name;
  name.name = target.name;
  FREEHOLD_ASSIGN(const Value space, eval_name(name, scope));
  if (!space.is(Kind::kNamespace)) {
    return context_.fail(Fault::kRuntime, "cannot assign attribute on non-namespace object");
  }
  auto& members = space.space->members;
  const auto it =
      std::ranges::find(members, target.attribute, &std::pair<std::string, Value>::first);
  if (it != members.end()) {
    it->second = value;
  } else {
    members.emplace_back(target.attribute, value);
  }
  return {};
}

[[gnu::noinline]] Eval<Interpreter::Flow> Interpreter::exec_set(const Stmt& stmt, Scope& scope) {
  FREEHOLD_ASSIGN(const Value value, eval(*stmt.expr, scope));
  FREEHOLD_TRY(assign(stmt.target, value, scope));
  return Flow::kNext;
}

Eval<Value> Interpreter::capture(const Block& block, Scope& scope) {
  TextBuilder captured(context_.heap);
  TextBuilder* const outer = std::exchange(out_, &captured);
  const Eval<Flow> flow = exec(block, scope);
  out_ = outer;
  if (!flow) return std::unexpected(Failed{});
  return captured.finish();
}

Eval<Value> Interpreter::apply_filters(const Expr* filters, const Value& text, Scope& scope) {
  if (filters == nullptr) return text;
  const Value outer = std::exchange(block_text_, text);
  Eval<Value> out = eval(*filters, scope);
  block_text_ = outer;
  return out;
}

[[gnu::noinline]] Eval<Interpreter::Flow> Interpreter::exec_set_block(const Stmt& stmt,
                                                                      Scope& scope) {
  FREEHOLD_ASSIGN(const Value text, capture(stmt.body, new_scope(&scope)));
  FREEHOLD_ASSIGN(const Value value, apply_filters(stmt.expr, text, scope));
  FREEHOLD_TRY(assign(stmt.target, value, scope));
  return Flow::kNext;
}

[[gnu::noinline]] Eval<Interpreter::Flow> Interpreter::exec_filter_block(const Stmt& stmt,
                                                                         Scope& scope) {
  FREEHOLD_ASSIGN(const Value text, capture(stmt.body, new_scope(&scope)));
  FREEHOLD_ASSIGN(const Value value, apply_filters(stmt.expr, text, scope));
  append_str(context_.heap, *out_, value);
  return Flow::kNext;
}

[[gnu::noinline]] Eval<Interpreter::Flow> Interpreter::exec_call_block(const Stmt& stmt,
                                                                       Scope& scope) {
  const Value caller = new_macro(stmt, scope);
  FREEHOLD_ASSIGN(const Value callee, eval(*stmt.expr->parts[0], scope));
  Arguments arguments;
  FREEHOLD_TRY(eval_arguments(*stmt.expr, scope, arguments));
  arguments.named.emplace_back("caller", caller);
  FREEHOLD_ASSIGN(const Value value, call(callee, arguments));
  append_str(context_.heap, *out_, value);
  return Flow::kNext;
}

[[gnu::noinline]] Eval<Interpreter::Flow> Interpreter::exec_with(const Stmt& stmt, Scope& scope) {
  Scope& inner = new_scope(&scope);
  for (const auto& [target, expr] : stmt.assignments) {
    FREEHOLD_ASSIGN(const Value value, eval(*expr, scope));
    FREEHOLD_TRY(assign(target, value, inner));
  }
  return exec(stmt.body, inner);
}

namespace {

Eval<Value> loop_cycle(Context& context, const Value& subject, const Args& args) {
  if (args.positional.empty()) {
    return context.fail(Fault::kTypeError, "no items for cycling given");
  }
  return args.positional[subject.loop->index % args.positional.size()];
}

Eval<Value> loop_changed(Context& context, const Value& subject, const Args& args) {
  const std::vector<Value> now(args.positional.begin(), args.positional.end());
  auto& last = subject.loop->changed;
  const auto same = [&](const Value& a, const Value& b) { return equal(context.heap, a, b); };
  if (last && std::ranges::equal(*last, now, same)) return Value::boolean(false);
  last = now;
  return Value::boolean(true);
}

constexpr Named kLoopMethods[] = {{"cycle", "*", loop_cycle}, {"changed", "*", loop_changed}};

}  // namespace

Value loop_attribute(Context& context, const Loop& loop, std::string_view name) {
  const auto number = [](size_t n) { return Value::number(static_cast<int64_t>(n)); };
  const size_t n = loop.items.size();
  if (name == "index") return number(loop.index + 1);
  if (name == "index0") return number(loop.index);
  if (name == "revindex") return number(n - loop.index);
  if (name == "revindex0") return number(n - loop.index - 1);
  if (name == "first") return Value::boolean(loop.index == 0);
  if (name == "last") return Value::boolean(loop.index + 1 == n);
  if (name == "length") return number(n);
  if (name == "depth") return number(loop.depth + 1);
  if (name == "depth0") return number(loop.depth);
  if (name == "previtem") {
    return loop.index > 0 ? loop.items[loop.index - 1]
                          : context.heap.undefined("there is no previous item");
  }
  if (name == "nextitem") {
    return loop.index + 1 < n ? loop.items[loop.index + 1]
                              : context.heap.undefined("there is no next item");
  }
  for (const Named& method : kLoopMethods) {
    if (method.name != name) continue;
    Value receiver = Value::of(Kind::kLoop, 0);
    receiver.loop = const_cast<Loop*>(&loop);
    return context.heap.method({receiver, &method});
  }
  return context.heap.undefined("'jinja2.runtime.LoopContext object' has no attribute '" +
                                std::string(name) + "'");
}

}  // namespace freehold::chat
