// Filters that make text.
#include <algorithm>

#include "chat/jinja_library.h"

namespace freehold::chat {

namespace {

// Most of these take anything and speak of its text, as Jinja2's soft_str does.
const Text& as_text(Context& context, const Value& value) {
  return *to_text(context.heap, value).text;
}

using Change = int32_t (*)(int32_t);

void append_changed(TextBuilder& out, const Text& text, size_t begin, size_t end, Change change) {
  const std::string_view bytes = text.bytes();
  std::string piece;
  for (size_t i = begin; i < end; i += code_point_bytes(bytes, i)) {
    const int32_t c = code_point_at(bytes, i);
    const bool trusted = text.trusted_at(i);
    piece.clear();
    if (c == 0xDF && change == to_upper) {
      piece = "SS";
    } else {
      append_code_point(piece, change(c));
    }
    if (!out.append(piece, trusted)) return;
  }
}

Eval<Value> changed(Context& context, const Value& subject, Change change) {
  const Text& text = as_text(context, subject);
  TextBuilder out(context.heap);
  append_changed(out, text, 0, text.size(), change);
  return out.finish();
}

Eval<Value> filter_upper(Context& context, const Value& subject, const Args&) {
  return changed(context, subject, to_upper);
}

Eval<Value> filter_lower(Context& context, const Value& subject, const Args&) {
  return changed(context, subject, to_lower);
}

Eval<Value> filter_capitalize(Context& context, const Value& subject, const Args&) {
  const Text& text = as_text(context, subject);
  TextBuilder out(context.heap);
  const size_t first = offset_of_code_point(text.bytes(), 1);
  append_changed(out, text, 0, first, to_upper);
  append_changed(out, text, first, text.size(), to_lower);
  return out.finish();
}

Eval<Value> filter_title(Context& context, const Value& subject, const Args&) {
  const Text& text = as_text(context, subject);
  const std::string_view bytes = text.bytes();
  TextBuilder out(context.heap);
  bool begins = true;
  for (size_t i = 0; i < bytes.size() && !context.heap.exhausted();) {
    const size_t n = code_point_bytes(bytes, i);
    const int32_t c = code_point_at(bytes, i);
    append_changed(out, text, i, i + n, begins ? to_upper : to_lower);
    begins = is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    i += n;
  }
  return out.finish();
}

Eval<Value> filter_trim(Context& context, const Value& subject, const Args& args) {
  const Value text = to_text(context.heap, subject);
  return find_method(text, "strip")->call(context, text, args);
}

Eval<Value> filter_string(Context& context, const Value& subject, const Args&) {
  return to_text(context.heap, subject);
}

Eval<Value> filter_safe(Context& context, const Value& subject, const Args&) {
  Text text = as_text(context, subject);
  text.markup = true;
  return context.heap.text(std::move(text));
}

Eval<Value> filter_escape(Context& context, const Value& subject, const Args&) {
  const Text& text = as_text(context, subject);
  if (text.markup) return subject;
  return escape_html(context.heap, text);
}

Eval<Value> filter_replace(Context& context, const Value& subject, const Args& args) {
  const Text& text = as_text(context, subject);
  if (args[0] == nullptr || args[1] == nullptr) {
    return context.fail(Fault::kTypeError, "replace expected at least 2 arguments");
  }
  const Text& old = as_text(context, *args[0]);
  const Text& with = as_text(context, *args[1]);
  int64_t count = -1;
  if (args[2] != nullptr && !args[2]->is(Kind::kNone)) {
    FREEHOLD_ASSIGN(count, integer_argument(context, *args[2], "replace"));
  }
  TextBuilder out(context.heap);
  const std::string_view bytes = text.bytes();
  size_t begin = 0;
  size_t at = find_bytes(bytes, old.bytes(), 0);
  for (; at != std::string_view::npos && count != 0; --count) {
    FREEHOLD_TRY(context.check());
    out.append(text, begin, at);
    out.append(with);
    begin = at + old.size();
    if (old.empty()) {  // between all characters
      if (at == bytes.size()) break;
      begin = at;
      at += code_point_bytes(bytes, at);
    } else {
      at = find_bytes(bytes, old.bytes(), begin);
    }
  }
  out.append(text, begin, text.size());
  return out.finish();
}

Eval<Value> filter_indent(Context& context, const Value& subject, const Args& args) {
  const Text& text = as_text(context, subject);
  Text prefix("    ", true);
  if (args[0] != nullptr && args[0]->is(Kind::kText)) {
    prefix = *args[0]->text;
  } else if (args[0] != nullptr) {
    FREEHOLD_ASSIGN(const int64_t width, integer_argument(context, *args[0], "indent"));
    TextBuilder spaces(context.heap);
    spaces.repeat(" ", static_cast<uint64_t>(std::max<int64_t>(0, width)), true);
    prefix = spaces.text();
  }
  const bool first = args[1] != nullptr && truthy(*args[1]);
  const bool blank = args[2] != nullptr && truthy(*args[2]);
  TextBuilder out(context.heap);
  const std::string_view bytes = text.bytes();
  for (size_t begin = 0; begin <= bytes.size();) {
    FREEHOLD_TRY(context.check());
    const size_t end = std::min(bytes.find('\n', begin), bytes.size());
    if (begin == 0 ? first : blank || end > begin) out.append(prefix);
    out.append(text, begin, std::min(end + 1, bytes.size()));
    begin = end + 1;
  }
  return out.finish();
}

Eval<Value> filter_join(Context& context, const Value& subject, const Args& args) {
  FREEHOLD_ASSIGN(const std::vector<Value> items, iterate(context, subject));
  const Text& separator =
      args[0] != nullptr ? as_text(context, *args[0]) : *context.heap.text("").text;
  TextBuilder out(context.heap);
  bool first = true;
  for (Value item : items) {
    FREEHOLD_TRY(context.check());
    if (args[1] != nullptr) {
      FREEHOLD_ASSIGN(item, attribute_path(context, item, *args[1]));
    }
    if (!first) out.append(separator);
    first = false;
    append_str(context.heap, out, item);
  }
  return out.finish();
}

Eval<Value> filter_tojson(Context& context, const Value& subject, const Args& args) {
  JsonStyle style;
  style.ascii = args[0] != nullptr && truthy(*args[0]);
  if (args[1] != nullptr && !args[1]->is(Kind::kNone)) {
    FREEHOLD_ASSIGN(style.indent, integer_argument(context, *args[1], "indent"));
    style.indent = std::max<int64_t>(0, style.indent);
    style.item_separator = ",";
  }
  if (args[2] != nullptr && !args[2]->is(Kind::kNone)) {
    FREEHOLD_ASSIGN(const std::vector<Value> pair, iterate(context, *args[2]));
    if (pair.size() != 2) return context.fail(Fault::kValueError, "separators must be a pair");
    FREEHOLD_ASSIGN(const Text* item, text_argument(context, pair[0], "separator"));
    FREEHOLD_ASSIGN(const Text* key, text_argument(context, pair[1], "separator"));
    style.item_separator = item->bytes();
    style.key_separator = key->bytes();
  }
  style.sort_keys = args[3] != nullptr && truthy(*args[3]);
  return json_text(context, subject, style);
}

Eval<Value> filter_center(Context& context, const Value& subject, const Args& args) {
  int64_t width = 80;
  if (args[0] != nullptr) {
    FREEHOLD_ASSIGN(width, integer_argument(context, *args[0], "center"));
  }
  return pad_text(context, as_text(context, subject), width, '^', " ");
}

Eval<Value> filter_format(Context& context, const Value& subject, const Args& args) {
  const Text& text = as_text(context, subject);
  if (args.named.empty()) return percent_format(context, text, args.positional, nullptr);
  std::vector<std::pair<Value, Value>> entries;
  for (const auto& [name, value] : args.named) {
    entries.emplace_back(context.heap.text(name), value);
  }
  const Value mapping = context.heap.dict(std::move(entries));
  return percent_format(context, text, {}, &mapping);
}

Eval<Value> filter_truncate(Context& context, const Value& subject, const Args& args) {
  const Text& text = as_text(context, subject);
  int64_t limit = 255;
  int64_t leeway = 5;
  if (args[0] != nullptr) {
    FREEHOLD_ASSIGN(limit, integer_argument(context, *args[0], "truncate"));
  }
  const bool kill_words = args[1] != nullptr && truthy(*args[1]);
  const Text& end =
      args[2] != nullptr ? as_text(context, *args[2]) : *context.heap.text("...").text;
  if (args[3] != nullptr && !args[3]->is(Kind::kNone)) {
    FREEHOLD_ASSIGN(leeway, integer_argument(context, *args[3], "truncate"));
  }
  const auto end_size = static_cast<int64_t>(count_code_points(end.bytes()));
  if (limit < end_size || leeway < 0) {
    return context.fail(Fault::kValueError, "truncate: the length is too short");
  }
  const auto size = static_cast<int64_t>(count_code_points(text.bytes()));
  if (size - leeway <= limit) return context.heap.text(text);
  size_t keep = offset_of_code_point(text.bytes(), static_cast<size_t>(limit - end_size));
  if (!kill_words) {
    const size_t space = text.bytes().substr(0, keep).rfind(' ');
    if (space != std::string::npos) keep = space;
  }
  TextBuilder out(context.heap);
  out.append(text, 0, keep);
  out.append(end);
  return out.finish();
}

Eval<Value> filter_wordcount(Context& context, const Value& subject, const Args& args) {
  const Value text = to_text(context.heap, subject);
  FREEHOLD_ASSIGN(const Value words, find_method(text, "split")->call(context, text, args));
  return Value::number(static_cast<int64_t>(words.sequence->items.size()));
}

constexpr Named kTextFilters[] = {
    {"capitalize", "", filter_capitalize},
    {"center", "width", filter_center},
    {"e", "", filter_escape},
    {"escape", "", filter_escape},
    {"format", "*", filter_format},
    {"indent", "width first blank", filter_indent},
    {"join", "d attribute", filter_join},
    {"lower", "", filter_lower},
    {"replace", "old new count", filter_replace},
    {"safe", "", filter_safe},
    {"string", "", filter_string},
    {"title", "", filter_title},
    {"tojson", "ensure_ascii indent separators sort_keys", filter_tojson},
    {"trim", "chars", filter_trim},
    {"truncate", "length killwords end leeway", filter_truncate},
    {"upper", "", filter_upper},
    {"wordcount", "", filter_wordcount},
};

}  // namespace

std::span<const Named> text_filters() { return kTextFilters; }

}  // namespace freehold::chat
