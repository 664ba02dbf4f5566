// The expressions. Each kind has a function that isn't inlined, so that the frame of the recursion
// stays small.
#include <algorithm>

#include "chat/jinja_interpreter.h"

namespace freehold::chat {

Eval<Value> Interpreter::eval(const Expr& expr, Scope& scope) {
  if (expr.kind == Expr::Kind::kConstant) return expr.value;
  FREEHOLD_TRY(enter(expr.line));
  Eval<Value> out = dispatch(expr, scope);
  leave();
  return out;
}

Eval<Value> Interpreter::dispatch(const Expr& expr, Scope& scope) {
  switch (expr.kind) {
    case Expr::Kind::kConstant:
      return expr.value;
    case Expr::Kind::kName:
      return eval_name(expr, scope);
    case Expr::Kind::kList:
    case Expr::Kind::kTuple:
      return eval_sequence(expr, scope);
    case Expr::Kind::kDict:
      return eval_dict(expr, scope);
    case Expr::Kind::kUnary:
      return eval_unary(expr, scope);
    case Expr::Kind::kNot:
      return eval_not(expr, scope);
    case Expr::Kind::kArithmetic:
      return eval_arithmetic(expr, scope);
    case Expr::Kind::kConcat:
      return eval_concat(expr, scope);
    case Expr::Kind::kCompare:
      return eval_compare(expr, scope);
    case Expr::Kind::kAnd:
    case Expr::Kind::kOr:
      return eval_logic(expr, scope);
    case Expr::Kind::kCondition:
      return eval_condition(expr, scope);
    case Expr::Kind::kAttribute:
      return eval_attribute(expr, scope);
    case Expr::Kind::kItem:
      return eval_item(expr, scope);
    case Expr::Kind::kSlice:
      return eval_slice(expr, scope);
    case Expr::Kind::kCall:
      return eval_call(expr, scope);
    case Expr::Kind::kFilter:
      return eval_filter(expr, scope);
    case Expr::Kind::kTest:
      return eval_test(expr, scope);
  }
  return Value::none();
}

[[gnu::noinline]] Eval<std::vector<Value>> Interpreter::eval_all(
    const std::vector<const Expr*>& exprs, Scope& scope) {
  std::vector<Value> out;
  out.reserve(exprs.size());
  for (const Expr* expr : exprs) {
    FREEHOLD_ASSIGN(const Value value, eval(*expr, scope));
    out.push_back(value);
  }
  return out;
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_name(const Expr& expr, const Scope& scope) {
  for (const Scope* at = &scope; at != nullptr; at = at->parent) {
    for (const auto& [id, value] : at->names) {
      if (id == expr.name) return value;
    }
  }
  if (globals_[expr.name]) return *globals_[expr.name];
  return context_.heap.undefined("'" + program_.names[expr.name] + "' is undefined");
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_sequence(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(std::vector<Value> items, eval_all(expr.parts, scope));
  return context_.heap.sequence(std::move(items), expr.kind == Expr::Kind::kTuple
                                                      ? Sequence::Flavor::kTuple
                                                      : Sequence::Flavor::kList);
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_dict(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(const std::vector<Value> parts, eval_all(expr.parts, scope));
  std::vector<std::pair<Value, Value>> entries;
  for (size_t i = 0; i + 1 < parts.size(); i += 2) {
    const Value& key = parts[i];
    if (!key.is(Kind::kText) && !key.is_number() && !key.is(Kind::kNone)) {
      return context_.fail(Fault::kTypeError,
                           "unhashable type: '" + std::string(type_name(key)) + "'");
    }
    const auto it = std::ranges::find_if(
        entries, [&](const auto& entry) { return equal(context_.heap, entry.first, key); });
    if (it == entries.end()) {
      entries.emplace_back(key, parts[i + 1]);
    } else {
      it->second = parts[i + 1];
    }
  }
  return context_.heap.dict(std::move(entries));
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_not(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(const Value value, eval(*expr.parts[0], scope));
  return Value::boolean(!truthy(value));
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_unary(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(const Value value, eval(*expr.parts[0], scope));
  return unary(context_, expr.ops[0], value);
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_arithmetic(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(Value value, eval(*expr.parts[0], scope));
  for (size_t i = 0; i < expr.ops.size(); ++i) {
    FREEHOLD_ASSIGN(const Value right, eval(*expr.parts[i + 1], scope));
    FREEHOLD_ASSIGN(value, arithmetic(context_, expr.ops[i], value, right));
  }
  return value;
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_concat(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(const std::vector<Value> parts, eval_all(expr.parts, scope));
  TextBuilder out(context_.heap);
  for (const Value& part : parts) {
    if (!append_str(context_.heap, out, part)) break;
  }
  return out.finish();
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_compare(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(Value left, eval(*expr.parts[0], scope));
  for (size_t i = 0; i < expr.ops.size(); ++i) {
    FREEHOLD_ASSIGN(const Value right, eval(*expr.parts[i + 1], scope));
    FREEHOLD_ASSIGN(const bool holds, compare(context_, expr.ops[i], left, right));
    if (!holds) return Value::boolean(false);
    left = right;
  }
  return Value::boolean(true);
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_logic(const Expr& expr, Scope& scope) {
  const bool decides = expr.kind == Expr::Kind::kOr;  // the truth that ends the search
  Value value;
  for (const Expr* part : expr.parts) {
    FREEHOLD_ASSIGN(value, eval(*part, scope));
    if (truthy(value) == decides) break;
  }
  return value;
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_condition(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(const Value test, eval(*expr.parts[1], scope));
  if (truthy(test)) return eval(*expr.parts[0], scope);
  if (expr.parts.size() > 2) return eval(*expr.parts[2], scope);
  return context_.heap.undefined("the inline if-expression on line " + std::to_string(expr.line) +
                                 " evaluated to false and no else section was defined.");
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_attribute(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(const Value subject, eval(*expr.parts[0], scope));
  return get_attribute(context_, subject, expr.value.bytes());
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_item(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(const Value subject, eval(*expr.parts[0], scope));
  FREEHOLD_ASSIGN(const Value key, eval(*expr.parts[1], scope));
  return get_item(context_, subject, key);
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_slice(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(const Value subject, eval(*expr.parts[0], scope));
  Value bounds[3];
  for (size_t i = 0; i < 3; ++i) {
    if (expr.parts[i + 1] == nullptr) continue;
    FREEHOLD_ASSIGN(bounds[i], eval(*expr.parts[i + 1], scope));
  }
  return slice(context_, subject, bounds);
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_call(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(const Value callee, eval(*expr.parts[0], scope));
  Arguments arguments;
  FREEHOLD_TRY(eval_arguments(expr, scope, arguments));
  context_.line = expr.line;
  return call(callee, arguments);
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_filter(const Expr& expr, Scope& scope) {
  Value subject = block_text_;
  if (expr.parts[0] != nullptr) {
    FREEHOLD_ASSIGN(subject, eval(*expr.parts[0], scope));
  }
  context_.line = expr.line;
  if (expr.callee == nullptr) {
    return context_.fail(Fault::kRuntime,
                         "No filter named '" + std::string(expr.callee_name) + "' found.");
  }
  Arguments arguments;
  FREEHOLD_TRY(eval_arguments(expr, scope, arguments));
  context_.line = expr.line;
  return call_named(context_, *expr.callee, subject, {arguments.positional, arguments.named});
}

[[gnu::noinline]] Eval<Value> Interpreter::eval_test(const Expr& expr, Scope& scope) {
  FREEHOLD_ASSIGN(const Value subject, eval(*expr.parts[0], scope));
  context_.line = expr.line;
  if (expr.callee == nullptr) {
    return context_.fail(Fault::kRuntime,
                         "No test named '" + std::string(expr.callee_name) + "' found.");
  }
  Arguments arguments;
  FREEHOLD_TRY(eval_arguments(expr, scope, arguments));
  return call_named(context_, *expr.callee, subject, {arguments.positional, arguments.named});
}

[[gnu::noinline]] Eval<void> Interpreter::eval_arguments(const Expr& expr, Scope& scope,
                                                         Arguments& out) {
  FREEHOLD_ASSIGN(out.positional, eval_all(expr.arguments, scope));
  for (const Expr::Keyword& keyword : expr.keywords) {
    FREEHOLD_ASSIGN(const Value value, eval(*keyword.value, scope));
    out.named.emplace_back(keyword.name, value);
  }
  if (expr.star != nullptr) {
    FREEHOLD_ASSIGN(const Value star, eval(*expr.star, scope));
    FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context_, star));
    out.positional.insert(out.positional.end(), items.begin(), items.end());
  }
  if (expr.star_star == nullptr) return {};
  FREEHOLD_ASSIGN(const Value mapping, eval(*expr.star_star, scope));
  if (!mapping.is(Kind::kDict)) {
    return context_.fail(Fault::kTypeError, "argument after ** must be a mapping, not " +
                                                std::string(type_name(mapping)));
  }
  for (const auto& [key, value] : mapping.dict->entries) {
    if (!key.is(Kind::kText)) return context_.fail(Fault::kTypeError, "keywords must be strings");
    out.named.emplace_back(key.bytes(), value);
  }
  return {};
}

[[gnu::noinline]] Eval<Value> Interpreter::call(const Value& callee, const Arguments& arguments) {
  switch (callee.kind) {
    case Kind::kUndefined:
      return context_.fail_undefined(*callee.undefined);
    case Kind::kMacro:
      return call_macro(*callee.macro, arguments);
    case Kind::kFunction:
      return call_named(context_, *callee.function, Value::none(),
                        {arguments.positional, arguments.named});
    case Kind::kMethod:
      return call_named(context_, *callee.method->entry, callee.method->receiver,
                        {arguments.positional, arguments.named});
    case Kind::kLoop: {
      const Loop& loop = *callee.loop;
      if (!loop.node->recursive || arguments.positional.size() != 1) {
        return context_.fail(Fault::kTypeError,
                             "The loop must have the 'recursive' marker to be called recursively.");
      }
      TextBuilder captured(context_.heap);
      TextBuilder* const outer = std::exchange(out_, &captured);
      const Eval<void> done =
          run_loop(*loop.node, arguments.positional[0], loop.depth + 1, *loop.outer);
      out_ = outer;
      if (!done) return std::unexpected(Failed{});
      return captured.finish();
    }
    default:
      return context_.fail(Fault::kTypeError,
                           "'" + std::string(type_name(callee)) + "' object is not callable");
  }
}

[[gnu::noinline]] Eval<Value> Interpreter::call_macro(const Macro& macro,
                                                      const Arguments& arguments) {
  FREEHOLD_TRY(enter(macro.node->line));
  Scope& scope = new_scope(macro.closure);
  FREEHOLD_TRY(bind(macro, arguments, scope));
  Eval<Value> out = capture(macro.node->body, scope);
  leave();
  return out;
}

[[gnu::noinline]] Eval<void> Interpreter::bind(const Macro& macro, const Arguments& arguments,
                                               Scope& scope) {
  const Stmt& node = *macro.node;
  const std::string& macro_name = program_.names[node.name];
  const size_t n = node.parameters.size();
  FREEHOLD_TRY(bind_keywords(macro, arguments, scope));
  for (size_t i = 0; i < n && i < arguments.positional.size(); ++i) {
    scope.set(node.parameters[i].name, arguments.positional[i]);
  }
  if (arguments.positional.size() > n && !node.uses_varargs) {
    return context_.fail(Fault::kTypeError, "macro '" + macro_name + "' takes not more than " +
                                                std::to_string(n) + " argument(s)");
  }
  if (node.uses_varargs) {
    std::vector<Value> rest;
    for (size_t i = n; i < arguments.positional.size(); ++i)
      rest.push_back(arguments.positional[i]);
    scope.set(*id_of("varargs"), context_.heap.sequence(std::move(rest), Sequence::Flavor::kTuple));
  }
  for (const Parameter& parameter : node.parameters) {
    const auto given =
        std::ranges::find(scope.names, parameter.name, &std::pair<NameId, Value>::first);
    if (given != scope.names.end()) continue;
    if (parameter.fallback == nullptr) {
      scope.set(parameter.name,
                context_.heap.undefined("parameter '" + program_.names[parameter.name] +
                                        "' was not provided"));
      continue;
    }
    FREEHOLD_ASSIGN(const Value value, eval(*parameter.fallback, scope));
    scope.set(parameter.name, value);
  }
  return {};
}

[[gnu::noinline]] Eval<void> Interpreter::bind_keywords(const Macro& macro,
                                                        const Arguments& arguments, Scope& scope) {
  const Stmt& node = *macro.node;
  std::vector<std::pair<Value, Value>> rest;
  bool has_caller = false;
  for (const auto& [name, value] : arguments.named) {
    const auto id = id_of(name);
    const bool is_parameter = id && std::ranges::count(node.parameters, *id, &Parameter::name) > 0;
    const bool is_caller = name == "caller" && node.uses_caller;
    if (is_parameter || is_caller) {
      has_caller = has_caller || is_caller;
      scope.set(*id, value);
    } else if (node.uses_kwargs) {
      rest.emplace_back(context_.heap.text(name), value);
    } else {
      return context_.fail(Fault::kTypeError, "macro '" + program_.names[node.name] +
                                                  "' takes no keyword argument '" +
                                                  std::string(name) + "'");
    }
  }
  if (node.uses_kwargs) scope.set(*id_of("kwargs"), context_.heap.dict(std::move(rest)));
  if (node.uses_caller && !has_caller) {
    scope.set(*caller_id_, context_.heap.undefined("No caller defined"));
  }
  return {};
}

}  // namespace freehold::chat
