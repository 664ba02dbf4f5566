// Tests (`x is ...`), filters on numbers, and the global functions.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "chat/jinja_library.h"

namespace freehold::chat {

namespace {

// sandboxed Jinja2's own limit
constexpr int64_t kMaxRange = 100'000;

// --- filters on numbers

Eval<Value> filter_abs(Context& context, const Value& subject, const Args&) {
  if (subject.is(Kind::kFloat)) return Value::number(std::fabs(subject.real));
  FREEHOLD_ASSIGN(const int64_t n, integer_argument(context, subject, "abs"));
  if (n == INT64_MIN) return context.fail(Fault::kOverflow, "integer too large");
  return Value::number(n < 0 ? -n : n);
}

// The number that a text holds, white space around it allowed.
template <typename T>
std::optional<T> parse_number(std::string_view text, auto... options) {
  while (!text.empty() && is_space(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && is_space(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  T value{};
  const auto [end, code] =
      std::from_chars(text.data(), text.data() + text.size(), value, options...);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> truncated(double value) {
  if (!(std::fabs(value) < 9.2e18)) return std::nullopt;
  return static_cast<int64_t>(value);
}

Eval<Value> filter_int(Context& context, const Value& subject, const Args& args) {
  const Value fallback = args[0] != nullptr ? *args[0] : Value::number(int64_t{0});
  int64_t base = 10;
  if (args[1] != nullptr) {
    FREEHOLD_ASSIGN(base, integer_argument(context, *args[1], "int"));
    if (base < 2 || base > 36) return context.fail(Fault::kValueError, "int() base out of range");
  }
  std::optional<int64_t> out;
  if (subject.is_integer()) {
    out = subject.integer;
  } else if (subject.is(Kind::kHuge)) {
    return subject;
  } else if (subject.is(Kind::kFloat)) {
    out = truncated(subject.real);
  } else if (subject.is(Kind::kText)) {
    std::string_view digits = subject.bytes();
    const std::string_view prefix = base == 16 ? "0x" : base == 8 ? "0o" : "0b";
    const bool prefixed = base == 16 || base == 8 || base == 2;
    if (prefixed && digits.starts_with(prefix)) digits.remove_prefix(2);
    out = parse_number<int64_t>(digits, static_cast<int>(base));
    if (!out) {
      const auto real = parse_number<double>(subject.bytes());
      if (real) out = truncated(*real);
    }
  } else if (subject.is(Kind::kUndefined)) {
    return context.fail_undefined(*subject.undefined);
  }
  return out ? Value::number(*out) : fallback;
}

Eval<Value> filter_float(Context& context, const Value& subject, const Args& args) {
  if (subject.is_number()) return Value::number(subject.as_double());
  if (subject.is(Kind::kUndefined)) return context.fail_undefined(*subject.undefined);
  if (subject.is(Kind::kText)) {
    if (const auto out = parse_number<double>(subject.bytes())) return Value::number(*out);
  }
  return args[0] != nullptr ? *args[0] : Value::number(0.0);
}

Eval<Value> filter_round(Context& context, const Value& subject, const Args& args) {
  if (subject.is(Kind::kUndefined)) return context.fail_undefined(*subject.undefined);
  if (!subject.is_number()) {
    return context.fail(Fault::kTypeError, "type " + std::string(type_name(subject)) +
                                               " doesn't define __round__ method");
  }
  int64_t precision = 0;
  if (args[0] != nullptr) {
    FREEHOLD_ASSIGN(precision, integer_argument(context, *args[0], "round"));
  }
  const std::string_view method =
      args[1] != nullptr && args[1]->is(Kind::kText) ? args[1]->bytes() : "common";
  if (method != "common" && method != "ceil" && method != "floor") {
    return context.fail(Fault::kRuntime, "method must be common, ceil or floor");
  }
  if (std::abs(precision) > 300) return context.fail(Fault::kValueError, "precision out of range");
  const double value = subject.as_double();
  if (method == "common" && subject.is_integer() && precision >= 0) return subject;
  if (method == "common" && precision >= 0 && std::isfinite(value)) {
    // Correctly rounded in decimal, as Python's round.
    char digits[700];
    const auto end = std::to_chars(digits, digits + sizeof(digits), value, std::chars_format::fixed,
                                   static_cast<int>(precision));
    double out = 0;
    std::from_chars(digits, end.ptr, out);
    return Value::number(out);
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = value * scale;
  const double whole = method == "ceil"    ? std::ceil(scaled)
                       : method == "floor" ? std::floor(scaled)
                                           : std::nearbyint(scaled);
  return Value::number(whole / scale);
}

constexpr Named kNumberFilters[] = {
    {"abs", "", filter_abs},
    {"float", "default", filter_float},
    {"int", "default base", filter_int},
    {"round", "precision method", filter_round},
};

// --- tests

template <auto predicate>
Eval<Value> test(Context&, const Value& subject, const Args&) {
  return Value::boolean(predicate(subject));
}

bool is_defined(const Value& v) { return !v.is(Kind::kUndefined); }
bool is_undefined(const Value& v) { return v.is(Kind::kUndefined); }
bool is_none(const Value& v) { return v.is(Kind::kNone); }
bool is_boolean(const Value& v) { return v.is(Kind::kBool); }
bool is_true(const Value& v) { return v.is(Kind::kBool) && v.integer != 0; }
bool is_false(const Value& v) { return v.is(Kind::kBool) && v.integer == 0; }
bool is_int(const Value& v) { return v.is(Kind::kInt) || v.is(Kind::kHuge); }
bool is_float(const Value& v) { return v.is(Kind::kFloat); }
bool is_any_number(const Value& v) { return v.is_number(); }
bool is_text(const Value& v) { return v.is(Kind::kText); }
bool is_mapping(const Value& v) { return v.is(Kind::kDict); }
bool is_iterable(const Value& v) {
  return v.is(Kind::kText) || v.is(Kind::kSequence) || v.is(Kind::kDict) ||
         v.is(Kind::kUndefined) || v.is(Kind::kLoop);
}
bool is_sequence(const Value& v) {
  return v.is(Kind::kText) || v.is(Kind::kDict) || v.is(Kind::kUndefined) ||
         (v.is(Kind::kSequence) && v.sequence->flavor < Sequence::Flavor::kView);
}
bool is_callable(const Value& v) {
  return v.is(Kind::kFunction) || v.is(Kind::kMethod) || v.is(Kind::kMacro);
}
bool is_escaped(const Value& v) { return v.is(Kind::kText) && v.text->markup; }

template <const char* method>
Eval<Value> test_case(Context& context, const Value& subject, const Args& args) {
  const Value text = to_text(context.heap, subject);
  return find_method(text, method)->call(context, text, args);
}
constexpr char kIsLower[] = "islower";
constexpr char kIsUpper[] = "isupper";

Eval<Value> remainder(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const int64_t n, integer_argument(context, subject, "test"));
  const Value by = args[0] != nullptr ? *args[0] : Value::number(int64_t{2});
  FREEHOLD_ASSIGN(const int64_t divisor, integer_argument(context, by, "test"));
  if (divisor == 0) return context.fail(Fault::kZeroDivision, "integer modulo by zero");
  return Value::number(divisor == -1 ? int64_t{0} : n % divisor);
}

Eval<Value> test_even(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Value rest, remainder(context, subject, args));
  return Value::boolean(!truthy(rest));
}
Eval<Value> test_odd(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Value rest, remainder(context, subject, args));
  return Value::boolean(truthy(rest));
}

// The one argument that a comparison needs.
Eval<Value> other(Context& context, const Args& args) {
  if (args[0] == nullptr) return context.fail(Fault::kTypeError, "the test needs an argument");
  return *args[0];
}

Eval<Value> test_equal(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Value with, other(context, args));
  return Value::boolean(equal(context.heap, subject, with));
}
Eval<Value> test_unequal(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Value with, other(context, args));
  return Value::boolean(!equal(context.heap, subject, with));
}
Eval<Value> ordered(Context& context, const Value& low, const Value& high) {
  const std::optional<bool> out = less(context.heap, low, high);
  if (!out) return context.fail(Fault::kTypeError, "'<' not supported between these types");
  return Value::boolean(*out);
}
Eval<Value> test_less(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Value with, other(context, args));
  return ordered(context, subject, with);
}
Eval<Value> test_greater(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Value with, other(context, args));
  return ordered(context, with, subject);
}
Eval<Value> test_at_most(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Value above, test_greater(context, subject, args));
  return Value::boolean(!truthy(above));
}
Eval<Value> test_at_least(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Value below, test_less(context, subject, args));
  return Value::boolean(!truthy(below));
}
Eval<Value> test_in(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Value container, other(context, args));
  FREEHOLD_ASSIGN(const bool found, contains(context, container, subject));
  return Value::boolean(found);
}
Eval<Value> test_same(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Value with, other(context, args));
  return Value::boolean(subject.kind == with.kind && subject.integer == with.integer);
}
Eval<Value> test_filter(Context&, const Value& subject, const Args&) {
  return Value::boolean(subject.is(Kind::kText) && find_filter(subject.bytes()) != nullptr);
}
Eval<Value> test_test(Context&, const Value& subject, const Args&) {
  return Value::boolean(subject.is(Kind::kText) && find_test(subject.bytes()) != nullptr);
}

constexpr Named kTests[] = {
    {"!=", "other", test_unequal},
    {"<", "other", test_less},
    {"<=", "other", test_at_most},
    {"==", "other", test_equal},
    {">", "other", test_greater},
    {">=", "other", test_at_least},
    {"boolean", "", test<is_boolean>},
    {"callable", "", test<is_callable>},
    {"defined", "", test<is_defined>},
    {"divisibleby", "num", test_even},
    {"eq", "other", test_equal},
    {"equalto", "other", test_equal},
    {"escaped", "", test<is_escaped>},
    {"even", "", test_even},
    {"false", "", test<is_false>},
    {"filter", "", test_filter},
    {"float", "", test<is_float>},
    {"ge", "other", test_at_least},
    {"greaterthan", "other", test_greater},
    {"gt", "other", test_greater},
    {"in", "seq", test_in},
    {"integer", "", test<is_int>},
    {"iterable", "", test<is_iterable>},
    {"le", "other", test_at_most},
    {"lessthan", "other", test_less},
    {"lower", "", test_case<kIsLower>},
    {"lt", "other", test_less},
    {"mapping", "", test<is_mapping>},
    {"ne", "other", test_unequal},
    {"none", "", test<is_none>},
    {"number", "", test<is_any_number>},
    {"odd", "", test_odd},
    {"sameas", "other", test_same},
    {"sequence", "", test<is_sequence>},
    {"string", "", test<is_text>},
    {"test", "", test_test},
    {"true", "", test<is_true>},
    {"undefined", "", test<is_undefined>},
    {"upper", "", test_case<kIsUpper>},
};

// --- global functions

Eval<Value> global_range(Context& context, const Value&, const Args& args) {
  int64_t bounds[3] = {0, 0, 1};
  const size_t n = args[2] != nullptr ? 3 : args[1] != nullptr ? 2 : 1;
  for (size_t i = 0; i < n; ++i) {
    const Value argument = args[i] != nullptr ? *args[i] : Value::none();
    FREEHOLD_ASSIGN(bounds[n == 1 ? 1 : i], integer_argument(context, argument, "range"));
  }
  const auto [begin, end, step] = bounds;
  if (step == 0) return context.fail(Fault::kValueError, "range() arg 3 must not be zero");
  std::vector<Value> items;
  for (int64_t i = begin; step > 0 ? i < end : i > end;) {
    if (static_cast<int64_t>(items.size()) >= kMaxRange) {
      return context.fail(
          Fault::kOverflow,
          "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
    }
    items.push_back(Value::number(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return context.heap.sequence(std::move(items), Sequence::Flavor::kRange);
}

Eval<Value> global_dict(Context& context, const Value&, const Args& args) {
  std::vector<std::pair<Value, Value>> entries;
  for (const Value& base : args.positional) {
    if (!base.is(Kind::kDict)) {
      return context.fail(Fault::kTypeError, "dict() takes a mapping or keywords");
    }
    entries = base.dict->entries;
  }
  for (const auto& [name, value] : args.named) {
    const auto it = std::ranges::find_if(entries, [&](const auto& entry) {
      return entry.first.is(Kind::kText) && entry.first.bytes() == name;
    });
    if (it == entries.end()) {
      entries.emplace_back(context.heap.text(name), value);
    } else {
      it->second = value;
    }
  }
  return context.heap.dict(std::move(entries));
}

Eval<Value> global_namespace(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Value members, global_dict(context, subject, args));
  const Value out = context.heap.space();
  for (const auto& [name, value] : members.dict->entries) {
    out.space->members.emplace_back(to_text(context.heap, name).bytes(), value);
  }
  return out;
}

Eval<Value> global_raise(Context& context, const Value&, const Args& args) {
  if (args[0] == nullptr) return context.fail(Fault::kTypeError, "raise_exception needs a message");
  return context.fail(Fault::kRaised, std::string(to_text(context.heap, *args[0]).bytes()));
}

Eval<Value> global_strftime(Context& context, const Value&, const Args& args) {
  FREEHOLD_ASSIGN(const Text* format,
                  text_argument(context, args[0] != nullptr ? *args[0] : Value::none(), "format"));
  TextBuilder out(context.heap);
  const std::string& bytes = format->bytes();
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != '%' || i + 1 >= bytes.size()) {
      out.append(*format, i, i + 1);
      continue;
    }
    // One directive at a time: no width or flag but the dash, so the buffer is always enough.
    const std::string_view rest = std::string_view(bytes).substr(i);
    const std::string directive(rest.substr(0, rest[1] == '-' ? 3 : 2));
    const bool known =
        std::string_view("aAbBcdDeFGgHIjklmMnNpPrRsStTuUVwWxXyYzZ%").find(directive.back()) !=
        std::string_view::npos;
    if (!known || directive.back() == '-') {
      return context.fail(base::ErrorCode::kUnsupported,
                          "strftime_now does not know `" + directive + "`");
    }
    char buffer[128];
    context.heap.charge(512);
    FREEHOLD_TRY(context.check());
    const size_t n = std::strftime(buffer, sizeof(buffer), directive.c_str(), &context.now);
    out.append(std::string_view(buffer, n), true);
    i += directive.size() - 1;
  }
  return out.finish();
}

constexpr Named kGlobals[] = {
    {"dict", "*", global_dict},
    {"namespace", "*", global_namespace},
    {"raise_exception", "message", global_raise},
    {"range", "start stop step", global_range},
    {"strftime_now", "format", global_strftime},
};

}  // namespace

std::span<const Named> number_filters() { return kNumberFilters; }

const Named* find_test(std::string_view name) {
  const auto it = std::ranges::find(kTests, name, &Named::name);
  return it == std::end(kTests) ? nullptr : &*it;
}

std::span<const Named> global_functions() { return kGlobals; }

}  // namespace freehold::chat
