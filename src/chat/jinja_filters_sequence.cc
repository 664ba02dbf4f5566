// Filters on lists and dicts. Those that are lazy in Python give generators: they can be read once,
// have no length and no JSON.
#include <algorithm>

#include "chat/jinja_library.h"

namespace freehold::chat {

namespace {

using Flavor = Sequence::Flavor;

Eval<Value> filter_length(Context& context, const Value& subject, const Args&) {
  FREEHOLD_ASSIGN(const int64_t n, length(context, subject));
  return Value::number(n);
}

Eval<Value> filter_first(Context& context, const Value& subject, const Args&) {
  const size_t taken = subject.is(Kind::kSequence) ? subject.sequence->taken : 0;
  FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context, subject));
  if (items.empty()) return context.heap.undefined("No first item, sequence was empty.");
  if (subject.is(Kind::kSequence)) subject.sequence->taken = taken + 1;
  return items.front();
}

Eval<Value> filter_last(Context& context, const Value& subject, const Args&) {
  if (subject.is(Kind::kSequence) && subject.sequence->flavor == Flavor::kGenerator) {
    return context.fail(Fault::kTypeError, "'generator' object is not reversible");
  }
  FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context, subject));
  if (items.empty()) return context.heap.undefined("No last item, sequence was empty.");
  return items.back();
}

Eval<Value> filter_list(Context& context, const Value& subject, const Args&) {
  FREEHOLD_ASSIGN(std::vector<Value> items, iterate(context, subject));
  return context.heap.sequence(std::move(items));
}

Eval<Value> filter_reverse(Context& context, const Value& subject, const Args&) {
  FREEHOLD_ASSIGN(std::vector<Value> items, iterate(context, subject));
  std::ranges::reverse(items);
  if (!subject.is(Kind::kText)) {
    return context.heap.sequence(std::move(items), Flavor::kGenerator);
  }
  TextBuilder out(context.heap);
  for (const Value& item : items) out.append(*item.text);
  return out.finish();
}

Eval<Value> filter_items(Context& context, const Value& subject, const Args& args) {
  if (subject.is(Kind::kUndefined)) return context.heap.sequence({}, Flavor::kGenerator);
  if (!subject.is(Kind::kDict)) {
    return context.fail(Fault::kTypeError, "Can only get item pairs from a mapping.");
  }
  FREEHOLD_ASSIGN(const Value pairs, find_method(subject, "items")->call(context, subject, args));
  return context.heap.sequence(pairs.sequence->items, Flavor::kGenerator);
}

Eval<Value> filter_default(Context& context, const Value& subject, const Args& args) {
  const bool if_false = args[1] != nullptr && truthy(*args[1]);
  if (!subject.is(Kind::kUndefined) && !(if_false && !truthy(subject))) return subject;
  return args[0] != nullptr ? *args[0] : context.heap.text("");
}

// Calls the filter or test that positional[from] names with the arguments after it.
Eval<Value> call_by_name(Context& context, const Value& item, const Args& args, size_t from,
                         bool is_test) {
  FREEHOLD_ASSIGN(const Text* name, text_argument(context, args.positional[from], "name"));
  const Named* callee = is_test ? find_test(name->bytes()) : find_filter(name->bytes());
  if (callee == nullptr) {
    return context.fail(Fault::kRuntime, std::string(is_test ? "No test" : "No filter") +
                                             " named '" + name->bytes() + "' found.");
  }
  return call_named(context, *callee, item, {args.positional.subspan(from + 1), args.named});
}

Eval<Value> filter_map(Context& context, const Value& subject, const Args& args) {
  const Value* attribute = nullptr;
  const Value* fallback = nullptr;
  if (args.positional.empty()) {
    for (const auto& [name, value] : args.named) {
      if (name == "attribute") attribute = &value;
      if (name == "default") fallback = &value;
    }
    if (attribute == nullptr) {
      return context.fail(Fault::kRuntime, "map requires a filter argument");
    }
  }
  if (!truthy(subject)) return context.heap.sequence({}, Flavor::kGenerator);  // even of none
  FREEHOLD_ASSIGN(std::vector<Value> items, iterate(context, subject));
  for (Value& item : items) {
    FREEHOLD_TRY(context.check());
    if (attribute == nullptr) {
      FREEHOLD_ASSIGN(item, call_by_name(context, item, args, 0, false));
      continue;
    }
    FREEHOLD_ASSIGN(item, attribute_path(context, item, *attribute, fallback));
  }
  return context.heap.sequence(std::move(items), Flavor::kGenerator);
}

// select, reject (the item itself) and selectattr, rejectattr (an attribute of it).
Eval<Value> select(Context& context, const Value& subject, const Args& args, bool by_attribute,
                   bool wanted) {
  const size_t from = by_attribute ? 1 : 0;
  if (args.positional.size() < from) {
    return context.fail(Fault::kRuntime, "Missing parameter for attribute name");
  }
  if (!truthy(subject)) return context.heap.sequence({}, Flavor::kGenerator);  // even of none
  FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context, subject));
  std::vector<Value> out;
  for (const Value& item : items) {
    FREEHOLD_TRY(context.check());
    Value tested = item;
    if (by_attribute) {
      FREEHOLD_ASSIGN(tested, attribute_path(context, item, args.positional[0]));
    }
    if (args.positional.size() > from) {
      FREEHOLD_ASSIGN(tested, call_by_name(context, tested, args, from, true));
    }
    if (truthy(tested) == wanted) out.push_back(item);
  }
  return context.heap.sequence(std::move(out), Flavor::kGenerator);
}

Eval<Value> filter_select(Context& context, const Value& subject, const Args& args) {
  return select(context, subject, args, false, true);
}
Eval<Value> filter_reject(Context& context, const Value& subject, const Args& args) {
  return select(context, subject, args, false, false);
}
Eval<Value> filter_selectattr(Context& context, const Value& subject, const Args& args) {
  return select(context, subject, args, true, true);
}
Eval<Value> filter_rejectattr(Context& context, const Value& subject, const Args& args) {
  return select(context, subject, args, true, false);
}

// What an item is sorted by: an attribute of it if asked for, in lower case unless case matters.
Eval<Value> sort_key(Context& context, Value item, const Value* attribute, bool case_sensitive) {
  FREEHOLD_TRY(context.check());
  if (attribute != nullptr && !attribute->is(Kind::kNone)) {
    FREEHOLD_ASSIGN(item, attribute_path(context, item, *attribute));
  }
  if (case_sensitive || !item.is(Kind::kText)) return item;
  return find_filter("lower")->call(context, item, {});
}

using Keyed = std::pair<Value, Value>;  // key, item

Eval<std::vector<Value>> sorted(Context& context, std::vector<Keyed> items, bool reverse) {
  std::optional<Keyed> clash;
  std::ranges::stable_sort(items, [&](const Keyed& a, const Keyed& b) {
    const Value& low = reverse ? b.first : a.first;
    const Value& high = reverse ? a.first : b.first;
    const std::optional<bool> before = less(context.heap, low, high);
    if (!before) clash = {low, high};
    return before.value_or(false);
  });
  if (clash) {
    return context.fail(Fault::kTypeError, "'<' not supported between instances of '" +
                                               std::string(type_name(clash->first)) + "' and '" +
                                               std::string(type_name(clash->second)) + "'");
  }
  std::vector<Value> out;
  out.reserve(items.size());
  for (const Keyed& item : items) out.push_back(item.second);
  return out;
}

Eval<Value> filter_sort(Context& context, const Value& subject, const Args& args) {
  const bool reverse = args[0] != nullptr && truthy(*args[0]);
  const bool case_sensitive = args[1] != nullptr && truthy(*args[1]);
  FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context, subject));
  std::vector<Keyed> keyed;
  for (const Value& item : items) {
    FREEHOLD_ASSIGN(const Value key, sort_key(context, item, args[2], case_sensitive));
    keyed.emplace_back(key, item);
  }
  FREEHOLD_ASSIGN(std::vector<Value> out, sorted(context, std::move(keyed), reverse));
  return context.heap.sequence(std::move(out));
}

Eval<Value> filter_dictsort(Context& context, const Value& subject, const Args& args) {
  if (!subject.is(Kind::kDict)) {
    if (subject.is(Kind::kUndefined)) return context.fail_undefined(*subject.undefined);
    return context.fail(Fault::kUndefined, "'" + std::string(type_name(subject)) +
                                               " object' has no attribute 'items'");
  }
  const bool case_sensitive = args[0] != nullptr && truthy(*args[0]);
  const bool by_value =
      args[1] != nullptr && args[1]->is(Kind::kText) && args[1]->bytes() == "value";
  const bool reverse = args[2] != nullptr && truthy(*args[2]);
  std::vector<Keyed> keyed;
  for (const auto& [name, value] : subject.dict->entries) {
    FREEHOLD_ASSIGN(const Value key,
                    sort_key(context, by_value ? value : name, nullptr, case_sensitive));
    keyed.emplace_back(key, context.heap.sequence({name, value}, Flavor::kTuple));
  }
  FREEHOLD_ASSIGN(std::vector<Value> out, sorted(context, std::move(keyed), reverse));
  return context.heap.sequence(std::move(out));
}

Eval<Value> filter_unique(Context& context, const Value& subject, const Args& args) {
  const bool case_sensitive = args[0] != nullptr && truthy(*args[0]);
  FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context, subject));
  std::vector<Value> keys;
  std::vector<Value> out;
  for (const Value& item : items) {
    FREEHOLD_ASSIGN(const Value key, sort_key(context, item, args[1], case_sensitive));
    const bool seen = std::ranges::any_of(
        keys, [&](const Value& other) { return equal(context.heap, other, key); });
    FREEHOLD_TRY(context.check());
    if (seen) continue;
    keys.push_back(key);
    out.push_back(item);
  }
  return context.heap.sequence(std::move(out), Flavor::kGenerator);
}

Eval<Value> extreme(Context& context, const Value& subject, const Args& args, bool largest) {
  const bool case_sensitive = args[0] != nullptr && truthy(*args[0]);
  FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context, subject));
  if (items.empty()) return context.heap.undefined("No aggregated item, sequence was empty.");
  Value best = items[0];
  FREEHOLD_ASSIGN(Value best_key, sort_key(context, best, args[1], case_sensitive));
  for (const Value& item : items) {
    FREEHOLD_ASSIGN(const Value key, sort_key(context, item, args[1], case_sensitive));
    const auto better =
        largest ? less(context.heap, best_key, key) : less(context.heap, key, best_key);
    if (!better) return context.fail(Fault::kTypeError, "the items can't be compared");
    if (!*better) continue;
    best = item;
    best_key = key;
  }
  return best;
}

Eval<Value> filter_min(Context& context, const Value& subject, const Args& args) {
  return extreme(context, subject, args, false);
}
Eval<Value> filter_max(Context& context, const Value& subject, const Args& args) {
  return extreme(context, subject, args, true);
}

Eval<Value> filter_sum(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context, subject));
  Value total = args[1] != nullptr ? *args[1] : Value::number(int64_t{0});
  for (Value item : items) {
    FREEHOLD_TRY(context.check());
    if (args[0] != nullptr && !args[0]->is(Kind::kNone)) {
      FREEHOLD_ASSIGN(item, attribute_path(context, item, *args[0]));
    }
    FREEHOLD_ASSIGN(total, add(context, total, item));
  }
  return total;
}

// Rows of `n` items, the last one filled up.
Eval<Value> filter_batch(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context, subject));
  FREEHOLD_ASSIGN(
      const int64_t n,
      integer_argument(context, args[0] != nullptr ? *args[0] : Value::none(), "batch"));
  if (n <= 0) return context.fail(Fault::kValueError, "batch needs a positive number");
  std::vector<Value> rows;
  std::vector<Value> row;
  for (const Value& item : items) {
    if (static_cast<int64_t>(row.size()) == n) {
      rows.push_back(context.heap.sequence(std::exchange(row, {})));
    }
    row.push_back(item);
  }
  if (!row.empty()) {
    const bool fill = args[1] != nullptr && !args[1]->is(Kind::kNone);
    while (fill && static_cast<int64_t>(row.size()) < n && context.heap.charge(64)) {
      row.push_back(*args[1]);
    }
    rows.push_back(context.heap.sequence(std::move(row)));
  }
  return context.heap.sequence(std::move(rows), Flavor::kGenerator);
}

Eval<Value> filter_attr(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const Text* name,
                  text_argument(context, args[0] != nullptr ? *args[0] : Value::none(), "attr"));
  if (!subject.is(Kind::kDict)) return get_attribute(context, subject, name->bytes());
  // Unlike the dot, `attr` never looks at items.
  const Value empty = context.heap.dict({});
  return get_attribute(context, find_method(subject, name->bytes()) != nullptr ? subject : empty,
                       name->bytes());
}

constexpr Named kSequenceFilters[] = {
    {"attr", "name", filter_attr},
    {"batch", "linecount fill_with", filter_batch},
    {"count", "", filter_length},
    {"d", "default_value boolean", filter_default},
    {"default", "default_value boolean", filter_default},
    {"dictsort", "case_sensitive by reverse", filter_dictsort},
    {"first", "", filter_first},
    {"items", "", filter_items},
    {"last", "", filter_last},
    {"length", "", filter_length},
    {"list", "", filter_list},
    {"map", "*", filter_map},
    {"max", "case_sensitive attribute", filter_max},
    {"min", "case_sensitive attribute", filter_min},
    {"reject", "*", filter_reject},
    {"rejectattr", "*", filter_rejectattr},
    {"reverse", "", filter_reverse},
    {"select", "*", filter_select},
    {"selectattr", "*", filter_selectattr},
    {"sort", "reverse case_sensitive attribute", filter_sort},
    {"sum", "attribute start", filter_sum},
    {"unique", "case_sensitive attribute", filter_unique},
};

}  // namespace

Eval<Value> attribute_path(Context& context, Value item, const Value& path, const Value* fallback) {
  std::string_view rest = path.is(Kind::kText) ? path.bytes() : std::string_view();
  while (true) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, dot);
    const bool digits = !part.empty() && part.size() < 10 &&
                        part.find_first_not_of("0123456789") == std::string_view::npos;
    const Value key = !path.is(Kind::kText) ? path
                      : digits              ? Value::number(int64_t{std::stoi(std::string(part))})
                                            : context.heap.text(part);
    FREEHOLD_ASSIGN(item, get_item(context, item, key));
    if (item.is(Kind::kUndefined) && fallback != nullptr) item = *fallback;
    if (dot == rest.size()) return item;
    rest.remove_prefix(dot + 1);
  }
}

std::span<const Named> sequence_filters() { return kSequenceFilters; }

}  // namespace freehold::chat
