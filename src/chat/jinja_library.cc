#include "chat/jinja_library.h"

#include <algorithm>

namespace freehold::chat {

using base::ErrorCode;

namespace {

std::string_view fault_name(Fault fault) {
  switch (fault) {
    case Fault::kTypeError:
      return "TypeError";
    case Fault::kValueError:
      return "ValueError";
    case Fault::kUndefined:
      return "UndefinedError";
    case Fault::kSecurity:
      return "SecurityError";
    case Fault::kRuntime:
      return "TemplateRuntimeError";
    case Fault::kOverflow:
      return "OverflowError";
    case Fault::kZeroDivision:
      return "ZeroDivisionError";
    case Fault::kRaised:
      break;
  }
  return "TemplateError";
}

// "dict object", as Jinja2 speaks of a value's type.
std::string object_name(const Value& value) {
  if (value.is(Kind::kNone)) return "None";
  const std::string_view module = value.is(Kind::kNamespace) ? "jinja2.utils." : "";
  return std::string(module) + std::string(type_name(value)) + " object";
}

const Named* search(std::span<const Named> table, std::string_view name) {
  const auto it = std::ranges::find(table, name, &Named::name);
  return it == table.end() ? nullptr : &*it;
}

Eval<Value> dict_get(Context& context, const Value& subject, const Args& args) {
  if (args[0] == nullptr) {
    return context.fail(Fault::kTypeError, "get expected at least 1 argument, got 0");
  }
  const Value* found = subject.dict->find(*args[0]);
  if (found != nullptr) return *found;
  return args[1] != nullptr ? *args[1] : Value::none();
}

Eval<Value> dict_items(Context& context, const Value& subject, const Args&) {
  std::vector<Value> items;
  for (const auto& [key, value] : subject.dict->entries) {
    items.push_back(context.heap.sequence({key, value}, Sequence::Flavor::kTuple));
  }
  return context.heap.sequence(std::move(items), Sequence::Flavor::kView);
}

Eval<Value> dict_keys(Context& context, const Value& subject, const Args&) {
  std::vector<Value> items;
  for (const auto& [key, value] : subject.dict->entries) items.push_back(key);
  return context.heap.sequence(std::move(items), Sequence::Flavor::kKeys);
}

Eval<Value> dict_values(Context& context, const Value& subject, const Args&) {
  std::vector<Value> items;
  for (const auto& [key, value] : subject.dict->entries) items.push_back(value);
  return context.heap.sequence(std::move(items), Sequence::Flavor::kValues);
}

// Of a dict or a list: nothing can change it, so the copy is itself.
Eval<Value> copy(Context&, const Value& subject, const Args&) { return subject; }

Eval<Value> sequence_index(Context& context, const Value& subject, const Args& args) {
  const auto& items = subject.sequence->items;
  for (size_t i = 0; args[0] != nullptr && i < items.size(); ++i) {
    if (equal(context.heap, items[i], *args[0])) return Value::number(static_cast<int64_t>(i));
  }
  return context.fail(Fault::kValueError, "the value is not in list");
}

Eval<Value> sequence_count(Context& context, const Value& subject, const Args& args) {
  int64_t n = 0;
  for (const Value& item : subject.sequence->items) {
    n += args[0] != nullptr && equal(context.heap, item, *args[0]) ? 1 : 0;
  }
  return Value::number(n);
}

constexpr Named kDictMethods[] = {
    {"copy", "", copy},      {"get", "key default", dict_get}, {"items", "", dict_items},
    {"keys", "", dict_keys}, {"values", "", dict_values},
};
constexpr Named kListMethods[] = {
    {"copy", "", copy}, {"count", "value", sequence_count}, {"index", "value", sequence_index}};

constexpr std::string_view kUnsafeOfDicts[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view kUnsafeOfLists[] = {"append", "clear", "pop",    "reverse",
                                               "insert", "sort",  "extend", "remove"};

// Makes the value that stands for a missing attribute or item.
Value missing(Context& context, const Value& subject, const Value& key) {
  const std::string object = object_name(subject);
  if (key.is(Kind::kText)) {
    return context.heap.undefined("'" + object + "' has no attribute '" + std::string(key.bytes()) +
                                  "'");
  }
  TextBuilder shown(context.heap);
  append_repr(context.heap, shown, key);
  return context.heap.undefined(object + " has no element " + shown.text().bytes());
}

// A bound method, an undefined that says why not, or nothing when there is none of that name.
std::optional<Value> bound_method(Context& context, const Value& subject, std::string_view name) {
  if (is_unsafe_method(subject, name)) {
    return context.heap.undefined("access to attribute '" + std::string(name) + "' of '" +
                                      std::string(type_name(subject)) + "' object is unsafe.",
                                  true);
  }
  const Named* entry = find_method(subject, name);
  if (entry == nullptr) return std::nullopt;
  return context.heap.method({subject, entry});
}

std::optional<Value> member(const Namespace& space, std::string_view name) {
  const auto it = std::ranges::find(space.members, name, &std::pair<std::string, Value>::first);
  return it == space.members.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace

std::unexpected<Failed> Context::fail(ErrorCode code, std::string message) {
  if (!error) {
    error = base::Error{code, "line " + std::to_string(line) + ": " + std::move(message)};
  }
  return std::unexpected(Failed{});
}

std::unexpected<Failed> Context::fail(Fault fault, std::string message) {
  return fail(ErrorCode::kInvalidArgument,
              std::string(fault_name(fault)) + ": " + std::move(message));
}

std::unexpected<Failed> Context::fail_undefined(const Undefined& undefined) {
  return fail(undefined.unsafe ? Fault::kSecurity : Fault::kUndefined, undefined.message);
}

Eval<void> Context::check() {
  if (!heap.exhausted()) return {};
  return fail(ErrorCode::kLimitExceeded, "the template makes too much text, or too deep a value");
}

Eval<Value> call_named(Context& context, const Named& callee, const Value& subject, Args args) {
  FREEHOLD_TRY(context.check());
  if (callee.parameters == "*") return callee.call(context, subject, args);
  std::array<std::string_view, 6> names;
  size_t n = 0;
  for (std::string_view rest = callee.parameters; !rest.empty() && n < names.size(); ++n) {
    const size_t space = std::min(rest.find(' '), rest.size());
    names[n] = rest.substr(0, space);
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  if (args.positional.size() > n) {
    return context.fail(Fault::kTypeError, std::string(callee.name) + "() takes at most " +
                                               std::to_string(n) + " arguments");
  }
  for (size_t i = 0; i < args.positional.size(); ++i) args.bound[i] = &args.positional[i];
  for (const auto& [name, value] : args.named) {
    const auto end = names.begin() + static_cast<ptrdiff_t>(n);
    const auto it = std::find(names.begin(), end, name);
    if (it == end) {
      return context.fail(Fault::kTypeError, std::string(callee.name) +
                                                 "() got an unexpected keyword argument '" +
                                                 std::string(name) + "'");
    }
    args.bound[static_cast<size_t>(it - names.begin())] = &value;
  }
  return callee.call(context, subject, args);
}

const Named* find_filter(std::string_view name) {
  for (const auto table : {text_filters(), sequence_filters(), number_filters()}) {
    if (const Named* found = search(table, name)) return found;
  }
  return nullptr;
}

const Named* find_method(const Value& receiver, std::string_view name) {
  if (receiver.is(Kind::kText)) return search(text_methods(), name);
  if (receiver.is(Kind::kDict)) return search(kDictMethods, name);
  if (!receiver.is(Kind::kSequence)) return nullptr;
  const Sequence::Flavor flavor = receiver.sequence->flavor;
  if (flavor == Sequence::Flavor::kList) return search(kListMethods, name);
  const bool counts = flavor == Sequence::Flavor::kTuple || flavor == Sequence::Flavor::kRange;
  return counts && name != "copy" ? search(kListMethods, name) : nullptr;
}

bool is_unsafe_method(const Value& receiver, std::string_view name) {
  if (receiver.is(Kind::kDict)) return std::ranges::count(kUnsafeOfDicts, name) > 0;
  return receiver.is(Kind::kSequence) && receiver.sequence->flavor == Sequence::Flavor::kList &&
         std::ranges::count(kUnsafeOfLists, name) > 0;
}

Eval<Value> get_attribute(Context& context, const Value& subject, std::string_view name) {
  if (subject.is(Kind::kUndefined)) return context.fail_undefined(*subject.undefined);
  if (const auto method = bound_method(context, subject, name)) return *method;
  if (subject.is(Kind::kDict)) {
    if (const Value* found = subject.dict->find(name)) return *found;
  } else if (subject.is(Kind::kNamespace)) {
    if (const auto found = member(*subject.space, name)) return *found;
  } else if (subject.is(Kind::kLoop)) {
    return loop_attribute(context, *subject.loop, name);
  }
  return missing(context, subject, context.heap.text(name));
}

Eval<Value> get_item(Context& context, const Value& subject, const Value& key) {
  if (subject.is(Kind::kUndefined)) return context.fail_undefined(*subject.undefined);
  if (subject.is(Kind::kDict)) {
    if (const Value* found = subject.dict->find(key)) return *found;
  } else if (key.is_integer() && (subject.is(Kind::kSequence) || subject.is(Kind::kText))) {
    const bool is_text = subject.is(Kind::kText);
    const bool indexed = is_text || subject.sequence->flavor < Sequence::Flavor::kView;
    if (is_text) context.heap.charge(2 * subject.text->size());
    const auto n = static_cast<int64_t>(is_text ? count_code_points(subject.bytes())
                                                : subject.sequence->items.size());
    const int64_t index = key.integer < 0 ? key.integer + n : key.integer;
    if (indexed && index >= 0 && index < n) {
      const auto i = static_cast<size_t>(index);
      if (!is_text) return subject.sequence->items[i];
      const size_t begin = offset_of_code_point(subject.bytes(), i);
      const size_t size = code_point_bytes(subject.bytes(), begin);
      return context.heap.text(subject.text->slice(begin, begin + size));
    }
  }
  if (key.is(Kind::kText)) {
    if (const auto method = bound_method(context, subject, key.bytes())) return *method;
    if (subject.is(Kind::kNamespace)) {
      if (const auto found = member(*subject.space, key.bytes())) return *found;
    }
    if (subject.is(Kind::kLoop)) return loop_attribute(context, *subject.loop, key.bytes());
  }
  return missing(context, subject, key);
}

Eval<std::vector<Value>> iterate(Context& context, const Value& value) {
  std::vector<Value> out;
  if (value.is(Kind::kUndefined)) {
    if (value.undefined->unsafe) return context.fail_undefined(*value.undefined);
    return out;
  }
  if (value.is(Kind::kSequence)) {
    const Sequence& sequence = *value.sequence;
    context.heap.charge(sizeof(Value) * sequence.items.size());
    FREEHOLD_TRY(context.check());
    if (sequence.flavor != Sequence::Flavor::kGenerator) return sequence.items;
    out.assign(sequence.items.begin() + static_cast<ptrdiff_t>(sequence.taken),
               sequence.items.end());
    sequence.taken = sequence.items.size();
    return out;
  }
  if (value.is(Kind::kDict)) {
    context.heap.charge(sizeof(Value) * value.dict->entries.size());
    FREEHOLD_TRY(context.check());
    for (const auto& [key, item] : value.dict->entries) out.push_back(key);
    return out;
  }
  if (value.is(Kind::kText)) {
    const std::string_view bytes = value.bytes();
    for (size_t i = 0; i < bytes.size();) {
      const size_t n = code_point_bytes(bytes, i);
      out.push_back(context.heap.text(value.text->slice(i, i + n)));
      FREEHOLD_TRY(context.check());
      i += n;
    }
    return out;
  }
  return context.fail(Fault::kTypeError,
                      "'" + std::string(type_name(value)) + "' object is not iterable");
}

Eval<int64_t> length(Context& context, const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return 0;
    case Kind::kText:
      context.heap.charge(2 * value.text->size());
      return static_cast<int64_t>(count_code_points(value.bytes()));
    case Kind::kDict:
      return static_cast<int64_t>(value.dict->entries.size());
    case Kind::kSequence:
      if (value.sequence->flavor == Sequence::Flavor::kGenerator) break;
      return static_cast<int64_t>(value.sequence->items.size());
    default:
      break;
  }
  return context.fail(Fault::kTypeError,
                      "object of type '" + std::string(type_name(value)) + "' has no len()");
}

Eval<bool> contains(Context& context, const Value& container, const Value& item) {
  if (container.is(Kind::kText)) {
    if (!item.is(Kind::kText)) {
      return context.fail(Fault::kTypeError, "'in <string>' requires string as left operand, not " +
                                                 std::string(type_name(item)));
    }
    context.heap.charge(container.text->size());
    FREEHOLD_TRY(context.check());
    return find_bytes(container.bytes(), item.bytes(), 0) != std::string_view::npos;
  }
  if (container.is(Kind::kDict)) {
    context.heap.charge(container.dict->entries.size());
    return container.dict->find(item) != nullptr;
  }
  if (container.is(Kind::kUndefined)) return false;
  if (!container.is(Kind::kSequence)) {
    return context.fail(
        Fault::kTypeError,
        "argument of type '" + std::string(type_name(container)) + "' is not iterable");
  }
  const auto& items = container.sequence->items;
  return std::ranges::any_of(
      items, [&](const Value& candidate) { return equal(context.heap, candidate, item); });
}

Eval<int64_t> integer_argument(Context& context, const Value& value, std::string_view what) {
  if (value.is_integer()) return value.integer;
  if (value.is(Kind::kUndefined)) return context.fail_undefined(*value.undefined);
  return context.fail(Fault::kTypeError, std::string(what) + ": '" + std::string(type_name(value)) +
                                             "' object cannot be interpreted as an integer");
}

Eval<const Text*> text_argument(Context& context, const Value& value, std::string_view what) {
  if (value.is(Kind::kText)) return value.text;
  if (value.is(Kind::kUndefined)) return context.fail_undefined(*value.undefined);
  return context.fail(Fault::kTypeError, std::string(what) + " argument must be str, not " +
                                             std::string(type_name(value)));
}

}  // namespace freehold::chat
