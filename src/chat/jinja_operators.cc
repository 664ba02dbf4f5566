// Python's operators on template values.
#include <algorithm>
#include <cmath>

#include "chat/jinja_interpreter.h"

namespace freehold::chat {

namespace {

std::string_view symbol(Op op) {
  switch (op) {
    case Op::kAdd:
      return "+";
    case Op::kSubtract:
      return "-";
    case Op::kMultiply:
      return "*";
    case Op::kDivide:
      return "/";
    case Op::kFloorDivide:
      return "//";
    case Op::kModulo:
      return "%";
    case Op::kPower:
      return "** or pow()";
    case Op::kLess:
      return "<";
    case Op::kLessEqual:
      return "<=";
    case Op::kGreater:
      return ">";
    default:
      return ">=";
  }
}

std::unexpected<Failed> too_large(Context& context) {
  return context.fail(base::ErrorCode::kLimitExceeded, "an integer does not fit 64 bits");
}

std::unexpected<Failed> bad_operands(Context& context, Op op, const Value& a, const Value& b) {
  return context.fail(Fault::kTypeError,
                      "unsupported operand type(s) for " + std::string(symbol(op)) + ": '" +
                          std::string(type_name(a)) + "' and '" + std::string(type_name(b)) + "'");
}

Eval<Value> power(Context& context, const Value& a, const Value& b) {
  if (!a.is_integer() || !b.is_integer() || b.integer < 0) {
    if (a.as_double() == 0 && b.as_double() < 0) {
      return context.fail(Fault::kZeroDivision, "0.0 cannot be raised to a negative power");
    }
    return Value::number(std::pow(a.as_double(), b.as_double()));
  }
  int64_t out = 1;
  int64_t factor = a.integer;
  for (int64_t left = b.integer; left > 0; left >>= 1) {
    if ((left & 1) != 0 && __builtin_mul_overflow(out, factor, &out)) return too_large(context);
    if (left > 1 && __builtin_mul_overflow(factor, factor, &factor)) return too_large(context);
  }
  return Value::number(out);
}

Eval<Value> integers(Context& context, Op op, int64_t a, int64_t b) {
  int64_t out = 0;
  bool overflow = false;
  switch (op) {
    case Op::kAdd:
      overflow = __builtin_add_overflow(a, b, &out);
      break;
    case Op::kSubtract:
      overflow = __builtin_sub_overflow(a, b, &out);
      break;
    case Op::kMultiply:
      overflow = __builtin_mul_overflow(a, b, &out);
      break;
    default: {
      if (b == 0) {
        return context.fail(Fault::kZeroDivision, op == Op::kModulo
                                                      ? "integer modulo by zero"
                                                      : "integer division or modulo by zero");
      }
      if (b == -1) {  // INT64_MIN / -1 doesn't fit
        overflow = op == Op::kFloorDivide && __builtin_sub_overflow(int64_t{0}, a, &out);
        break;
      }
      const int64_t quotient = a / b;
      const int64_t rest = a % b;
      const bool down = rest != 0 && (rest < 0) != (b < 0);
      out = op == Op::kModulo ? (down ? rest + b : rest) : (down ? quotient - 1 : quotient);
      break;
    }
  }
  if (overflow) return too_large(context);
  return Value::number(out);
}

Eval<Value> reals(Context& context, Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return Value::number(a + b);
    case Op::kSubtract:
      return Value::number(a - b);
    case Op::kMultiply:
      return Value::number(a * b);
    default:
      break;
  }
  if (b == 0) {
    return context.fail(Fault::kZeroDivision,
                        op == Op::kDivide ? "division by zero" : "float modulo");
  }
  if (op == Op::kDivide) return Value::number(a / b);
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  return Value::number(op == Op::kModulo ? rest : std::floor((a - rest) / b + 0.5));
}

// text * n and list * n.
Eval<Value> repeat(Context& context, const Value& subject, int64_t times) {
  const auto n = static_cast<uint64_t>(std::max<int64_t>(0, times));
  if (subject.is(Kind::kText)) {
    TextBuilder out(context.heap);
    if (subject.text->n_runs() == 1) {
      out.repeat(subject.bytes(), n, subject.text->trusted_at(0));
    } else if (!subject.text->empty()) {
      for (uint64_t i = 0; i < n && out.append(*subject.text); ++i) continue;
    }
    return out.finish();
  }
  const auto& items = subject.sequence->items;
  std::vector<Value> out;
  for (uint64_t i = 0; i < n && !items.empty(); ++i) {
    if (!context.heap.charge(32 + sizeof(Value) * items.size())) break;
    out.insert(out.end(), items.begin(), items.end());
  }
  return context.heap.sequence(std::move(out), subject.sequence->flavor);
}

bool repeatable(const Value& value) {
  return value.is(Kind::kText) ||
         (value.is(Kind::kSequence) && value.sequence->flavor <= Sequence::Flavor::kTuple);
}

Eval<Value> modulo_of_text(Context& context, const Text& format, const Value& right) {
  if (right.is(Kind::kSequence) && right.sequence->flavor == Sequence::Flavor::kTuple) {
    return percent_format(context, format, right.sequence->items, nullptr);
  }
  const bool mapping = right.is(Kind::kDict);
  return percent_format(context, format, mapping ? std::span<const Value>() : std::span(&right, 1),
                        mapping ? &right : nullptr);
}

Eval<Value> add_texts(Context& context, const Text& a, const Text& b) {
  TextBuilder out(context.heap);
  const bool markup = a.markup || b.markup;
  for (const Text* part : {&a, &b}) {
    out.append(markup && !part->markup ? *escape_html(context.heap, *part).text : *part);
  }
  if (!markup) return out.finish();
  Text joined = out.text();
  joined.markup = true;
  return context.heap.text(std::move(joined));
}

}  // namespace

Eval<Value> add(Context& context, const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return integers(context, Op::kAdd, a.integer, b.integer);
  if (a.is_number() && b.is_number()) {
    return reals(context, Op::kAdd, a.as_double(), b.as_double());
  }
  if (a.is(Kind::kUndefined)) return context.fail_undefined(*a.undefined);
  if (b.is(Kind::kUndefined)) return context.fail_undefined(*b.undefined);
  if (a.is(Kind::kText) && b.is(Kind::kText)) return add_texts(context, *a.text, *b.text);
  if (a.is(Kind::kText) || repeatable(a)) {
    const std::string_view name = type_name(a);
    if (!a.is(Kind::kText) && name == type_name(b)) {
      std::vector<Value> items = a.sequence->items;
      items.insert(items.end(), b.sequence->items.begin(), b.sequence->items.end());
      return context.heap.sequence(std::move(items), a.sequence->flavor);
    }
    return context.fail(Fault::kTypeError, "can only concatenate " + std::string(name) +
                                               " (not \"" + std::string(type_name(b)) + "\") to " +
                                               std::string(name));
  }
  return bad_operands(context, Op::kAdd, a, b);
}

Eval<Value> arithmetic(Context& context, Op op, const Value& a, const Value& b) {
  if (op == Op::kAdd) return add(context, a, b);
  if (a.is(Kind::kUndefined)) return context.fail_undefined(*a.undefined);
  if (op == Op::kModulo && a.is(Kind::kText)) return modulo_of_text(context, *a.text, b);
  if (b.is(Kind::kUndefined)) return context.fail_undefined(*b.undefined);
  if (op == Op::kMultiply && repeatable(a) && b.is_integer()) return repeat(context, a, b.integer);
  if (op == Op::kMultiply && repeatable(b) && a.is_integer()) return repeat(context, b, a.integer);
  if (!a.is_number() || !b.is_number()) return bad_operands(context, op, a, b);
  if (op == Op::kPower) return power(context, a, b);
  if (a.is_integer() && b.is_integer() && op != Op::kDivide) {
    return integers(context, op, a.integer, b.integer);
  }
  return reals(context, op, a.as_double(), b.as_double());
}

Eval<Value> unary(Context& context, Op op, const Value& a) {
  if (a.is(Kind::kUndefined)) return context.fail_undefined(*a.undefined);
  if (!a.is_number()) {
    return context.fail(Fault::kTypeError, "bad operand type for unary " +
                                               std::string(op == Op::kNegate ? "-" : "+") + ": '" +
                                               std::string(type_name(a)) + "'");
  }
  if (a.is_integer()) {
    if (op == Op::kPlus) return Value::number(a.integer);
    return integers(context, Op::kSubtract, 0, a.integer);
  }
  return Value::number(op == Op::kPlus ? a.as_double() : -a.as_double());
}

Eval<bool> compare(Context& context, Op op, const Value& a, const Value& b) {
  switch (op) {
    case Op::kEqual:
      return equal(context.heap, a, b);
    case Op::kNotEqual:
      return !equal(context.heap, a, b);
    case Op::kIn:
      return contains(context, b, a);
    case Op::kNotIn: {
      FREEHOLD_ASSIGN(const bool found, contains(context, b, a));
      return !found;
    }
    default:
      break;
  }
  if (a.is(Kind::kUndefined)) return context.fail_undefined(*a.undefined);
  if (b.is(Kind::kUndefined)) return context.fail_undefined(*b.undefined);
  const bool nan =
      (a.is(Kind::kFloat) && std::isnan(a.real)) || (b.is(Kind::kFloat) && std::isnan(b.real));
  const bool swapped = op == Op::kGreater || op == Op::kLessEqual;
  const std::optional<bool> before = swapped ? less(context.heap, b, a) : less(context.heap, a, b);
  if (!before) {
    return context.fail(Fault::kTypeError, "'" + std::string(symbol(op)) +
                                               "' not supported between instances of '" +
                                               std::string(type_name(a)) + "' and '" +
                                               std::string(type_name(b)) + "'");
  }
  if (nan) return false;
  return op == Op::kLess || op == Op::kGreater ? *before : !*before;
}

Eval<Value> slice(Context& context, const Value& subject, const Value (&bounds)[3]) {
  if (subject.is(Kind::kUndefined)) return context.fail_undefined(*subject.undefined);
  const bool sliceable =
      subject.is(Kind::kText) ||
      (subject.is(Kind::kSequence) && subject.sequence->flavor < Sequence::Flavor::kView);
  if (!sliceable) {
    return context.fail(Fault::kTypeError,
                        "'" + std::string(type_name(subject)) + "' object is not subscriptable");
  }
  int64_t step = 1;
  if (!bounds[2].is(Kind::kNone)) {
    FREEHOLD_ASSIGN(step, integer_argument(context, bounds[2], "slice"));
    if (step == 0) return context.fail(Fault::kValueError, "slice step cannot be zero");
    step = std::clamp<int64_t>(step, -(int64_t{1} << 40), int64_t{1} << 40);
  }
  FREEHOLD_ASSIGN(const int64_t n, length(context, subject));
  int64_t range[2] = {step > 0 ? 0 : n - 1, step > 0 ? n : -1};
  for (size_t i = 0; i < 2; ++i) {
    if (bounds[i].is(Kind::kNone)) continue;
    FREEHOLD_ASSIGN(int64_t bound, integer_argument(context, bounds[i], "slice"));
    if (bound < 0) bound = bound < -n ? -1 : bound + n;
    const int64_t low = step > 0 ? 0 : -1;
    range[i] = std::clamp(bound, low, std::max(low, step > 0 ? n : n - 1));
  }
  const auto [begin, end] = range;
  if (subject.is(Kind::kText) && step == 1) {
    const size_t from = offset_of_code_point(subject.bytes(), static_cast<size_t>(begin));
    const size_t to = offset_of_code_point(subject.bytes(), static_cast<size_t>(end));
    return context.heap.text(subject.text->slice(from, std::max(from, to)));
  }
  FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context, subject));
  std::vector<Value> out;
  for (int64_t i = begin; step > 0 ? i < end : i > end; i += step) {
    out.push_back(items[static_cast<size_t>(i)]);
  }
  if (!subject.is(Kind::kText)) {
    return context.heap.sequence(std::move(out), subject.sequence->flavor);
  }
  TextBuilder joined(context.heap);
  for (const Value& item : out) joined.append(*item.text);
  return joined.finish();
}

}  // namespace freehold::chat
