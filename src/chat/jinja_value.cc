#include "chat/jinja_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace freehold::chat {

namespace {

// Containers inside containers; what walks them recurses that deep.
constexpr uint32_t kMaxDepth = 100;
constexpr size_t kIndexedEntries = 8;
// What appending costs beside its bytes, so that many small pieces count for the time they take.
constexpr uint64_t kCallCost = 32;

}  // namespace

double Value::as_double() const {
  if (kind == Kind::kFloat) return real;
  return kind == Kind::kHuge ? static_cast<double>(huge) : static_cast<double>(integer);
}

std::string_view Value::bytes() const { return text->bytes(); }

const Value* Dict::find(std::string_view key) const {
  if (entries.size() > kIndexedEntries) {
    const auto it = index.find(key);
    return it == index.end() ? nullptr : &entries[it->second].second;
  }
  for (const auto& [name, value] : entries) {
    if (name.is(Kind::kText) && name.bytes() == key) return &value;
  }
  return nullptr;
}

const Value* Dict::find(const Value& key) const {
  if (key.is(Kind::kText)) return find(key.bytes());
  for (const auto& [name, value] : entries) {
    if (name.is_number() ? key.is_number() && name.as_double() == key.as_double()
                         : name.is(Kind::kNone) && key.is(Kind::kNone)) {
      return &value;
    }
  }
  return nullptr;
}

bool Heap::charge(uint64_t bytes) {
  if (bytes > work_left_) exhausted_ = true;
  work_left_ -= std::min(bytes, work_left_);
  return !exhausted_;
}

Value Heap::text(Text text) {
  charge(sizeof(Text) + text.size() + 16 * text.n_runs());
  if (text.size() > limit_) exhausted_ = true;
  Value out = Value::of(Kind::kText, 0);
  out.text = &texts_.emplace_back(std::move(text));
  return out;
}

Value Heap::sequence(std::vector<Value> items, Sequence::Flavor flavor) {
  charge(sizeof(Sequence) + 3 * sizeof(Value) * items.size());
  Sequence& made = sequences_.emplace_back();
  for (const Value& item : items) {
    if (item.is(Kind::kSequence)) made.depth = std::max(made.depth, item.sequence->depth + 1);
    if (item.is(Kind::kDict)) made.depth = std::max(made.depth, item.dict->depth + 1);
  }
  if (made.depth > kMaxDepth) exhausted_ = true;
  made.items = std::move(items);
  made.flavor = flavor;
  Value out = Value::of(Kind::kSequence, 0);
  out.sequence = &made;
  return out;
}

Value Heap::dict(std::vector<std::pair<Value, Value>> entries) {
  charge(sizeof(Dict) + 3 * sizeof(Value) * entries.size());
  Dict& made = dicts_.emplace_back();
  for (const auto& [key, item] : entries) {
    if (item.is(Kind::kSequence)) made.depth = std::max(made.depth, item.sequence->depth + 1);
    if (item.is(Kind::kDict)) made.depth = std::max(made.depth, item.dict->depth + 1);
  }
  if (made.depth > kMaxDepth) exhausted_ = true;
  made.entries = std::move(entries);
  if (made.entries.size() > kIndexedEntries) {
    for (size_t i = 0; i < made.entries.size(); ++i) {
      const Value& key = made.entries[i].first;
      if (key.is(Kind::kText)) made.index.emplace(key.bytes(), i);
    }
  }
  Value out = Value::of(Kind::kDict, 0);
  out.dict = &made;
  return out;
}

Value Heap::undefined(std::string message, bool unsafe) {
  charge(sizeof(Undefined) + message.size());
  Value out = Value::of(Kind::kUndefined, 0);
  out.undefined = &undefineds_.emplace_back(Undefined{std::move(message), unsafe});
  return out;
}

Value Heap::space() {
  charge(sizeof(Namespace));
  Value out = Value::of(Kind::kNamespace, 0);
  out.space = &spaces_.emplace_back();
  return out;
}

Value Heap::method(Method method) {
  charge(sizeof(Method));
  Value out = Value::of(Kind::kMethod, 0);
  out.method = &methods_.emplace_back(method);
  return out;
}

bool TextBuilder::room_for(uint64_t bytes) {
  // The heap is charged for the bytes when the text is finished; here only for the work.
  if (text_.size() + bytes > heap_->text_limit()) return heap_->charge(~uint64_t{0});
  return heap_->charge(kCallCost + bytes / 16);
}

bool TextBuilder::append(std::string_view bytes, bool trusted) {
  if (!room_for(bytes.size())) return false;
  text_.append(bytes, trusted);
  return true;
}

bool TextBuilder::append(const Text& text, size_t begin, size_t end) {
  if (!room_for(end - begin)) return false;
  text_.append(text, begin, end);
  return true;
}

bool TextBuilder::repeat(std::string_view bytes, uint64_t times, bool trusted) {
  if (bytes.empty()) return true;
  if (times > heap_->text_limit() / bytes.size()) return heap_->charge(~uint64_t{0});
  // In blocks, so that a million short ones are not a million steps.
  const uint64_t at_once = std::max<uint64_t>(1, std::min<uint64_t>(times, 4096 / bytes.size()));
  std::string block;
  for (uint64_t i = 0; i < at_once; ++i) block += bytes;
  for (; times >= at_once; times -= at_once) {
    if (!append(block, trusted)) return false;
  }
  return append(std::string_view(block).substr(0, times * bytes.size()), trusted);
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string_view shortest(buffer, static_cast<size_t>(end.ptr - buffer));
  const size_t e = shortest.find('e');
  int exponent = 0;
  const char* digits = shortest.data() + e + (shortest[e + 1] == '+' ? 2 : 1);
  std::from_chars(digits, shortest.data() + shortest.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(shortest);
  const auto fixed =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed);
  std::string out(buffer, fixed.ptr);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

namespace {

void append_escaped(std::string& out, int32_t c, std::string_view raw) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (!is_printable(c)) {
    const int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
    out += c < 0x100 ? "\\x" : c < 0x10000 ? "\\u" : "\\U";
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
      out += kHex[static_cast<size_t>((c >> shift) & 15)];
    }
  } else {
    out += raw;
  }
}

bool append_quoted(TextBuilder& out, const Text& text) {
  const std::string_view bytes = text.bytes();
  const bool has_single = bytes.find('\'') != std::string_view::npos;
  const char quote = has_single && bytes.find('"') == std::string_view::npos ? '"' : '\'';
  out.append(std::string_view(&quote, 1), true);
  std::string piece;
  for (size_t i = 0; i < bytes.size();) {
    const size_t n = code_point_bytes(bytes, i);
    piece.clear();
    if (bytes[i] == '\\' || bytes[i] == quote) piece += '\\';
    append_escaped(piece, code_point_at(bytes, i), bytes.substr(i, n));
    if (!out.append(piece, text.trusted_at(i))) return false;
    i += n;
  }
  return out.append(std::string_view(&quote, 1), true);
}

bool append_sequence(Heap& heap, TextBuilder& out, const Value& value) {
  const Sequence& sequence = *value.sequence;
  const bool tuple = sequence.flavor == Sequence::Flavor::kTuple;
  const bool view = sequence.flavor >= Sequence::Flavor::kView;
  if (sequence.flavor == Sequence::Flavor::kGenerator) {
    return out.append("<generator object>", true);
  }
  if (view) out.append(std::string(type_name(value)) + "(", true);
  out.append(tuple ? "(" : "[", true);
  for (size_t i = 0; i < sequence.items.size(); ++i) {
    if (i > 0) out.append(", ", true);
    if (!append_repr(heap, out, sequence.items[i])) return false;
  }
  out.append(tuple ? (sequence.items.size() == 1 ? ",)" : ")") : "]", true);
  return !view || out.append(")", true);
}

bool append_dict(Heap& heap, TextBuilder& out, const Dict& dict) {
  out.append("{", true);
  bool first = true;
  for (const auto& [key, value] : dict.entries) {
    if (!first) out.append(", ", true);
    first = false;
    append_repr(heap, out, key);
    out.append(": ", true);
    if (!append_repr(heap, out, value)) return false;
  }
  return out.append("}", true);
}

}  // namespace

bool append_str(Heap& heap, TextBuilder& out, const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return true;
    case Kind::kNone:
      return out.append("None", true);
    case Kind::kBool:
      return out.append(value.integer != 0 ? "True" : "False", true);
    case Kind::kInt:
      return out.append(std::to_string(value.integer), true);
    case Kind::kHuge:
      return out.append(std::to_string(value.huge), true);
    case Kind::kFloat:
      return out.append(float_text(value.real), true);
    case Kind::kText:
      return out.append(*value.text);
    case Kind::kSequence:
      return append_sequence(heap, out, value);
    case Kind::kDict:
      return append_dict(heap, out, *value.dict);
    case Kind::kNamespace:
      return out.append("<Namespace>", true);
    case Kind::kMacro:
      return out.append("<Macro>", true);
    case Kind::kLoop:
      return out.append("<LoopContext>", true);
    case Kind::kFunction:
    case Kind::kMethod:
      return out.append("<function>", true);
  }
  return true;
}

bool append_repr(Heap& heap, TextBuilder& out, const Value& value) {
  if (value.is(Kind::kText)) return append_quoted(out, *value.text);
  if (value.is(Kind::kUndefined)) return out.append("Undefined", true);
  return append_str(heap, out, value);
}

Value to_text(Heap& heap, const Value& value) {
  if (value.is(Kind::kText)) return value;
  TextBuilder out(heap);
  append_str(heap, out, value);
  return out.finish();
}

bool truthy(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.integer != 0;
    case Kind::kFloat:
      return value.real != 0;
    case Kind::kText:
      return !value.text->empty();
    case Kind::kSequence:
      return value.sequence->flavor == Sequence::Flavor::kGenerator ||
             !value.sequence->items.empty();
    case Kind::kDict:
      return !value.dict->entries.empty();
    default:
      return true;
  }
}

namespace {

bool equal_sequences(Heap& heap, const Sequence& a, const Sequence& b) {
  if (a.flavor != b.flavor || a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!equal(heap, a.items[i], b.items[i])) return false;
  }
  return true;
}

bool equal_dicts(Heap& heap, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  return std::ranges::all_of(a.entries, [&](const auto& entry) {
    const Value* other = b.find(entry.first);
    return other != nullptr && equal(heap, entry.second, *other);
  });
}

}  // namespace

bool equal(Heap& heap, const Value& a, const Value& b) {
  if (!heap.charge(kCallCost)) return false;
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.integer == b.integer;
    if (a.is(Kind::kHuge) && b.is(Kind::kHuge)) return a.huge == b.huge;
    return a.as_double() == b.as_double();
  }
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kText:
      if (a.text->size() != b.text->size()) return false;
      return heap.charge(a.text->size() / 16) && a.bytes() == b.bytes();
    case Kind::kSequence:
      return a.sequence == b.sequence || equal_sequences(heap, *a.sequence, *b.sequence);
    case Kind::kDict:
      return a.dict == b.dict || equal_dicts(heap, *a.dict, *b.dict);
    case Kind::kNamespace:
      return a.space == b.space;
    case Kind::kMacro:
      return a.macro == b.macro;
    case Kind::kLoop:
      return a.loop == b.loop;
    case Kind::kFunction:
      return a.function == b.function;
    default:
      return a.method == b.method;
  }
}

std::optional<bool> less(Heap& heap, const Value& a, const Value& b) {
  if (!heap.charge(kCallCost)) return false;
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.integer < b.integer;
    if (a.is(Kind::kHuge) && b.is(Kind::kHuge)) return a.huge < b.huge;
    return a.as_double() < b.as_double();
  }
  if (a.is(Kind::kText) && b.is(Kind::kText)) {
    if (!heap.charge(std::min(a.text->size(), b.text->size()) / 16)) return false;
    return a.bytes() < b.bytes();
  }
  if (!a.is(Kind::kSequence) || !b.is(Kind::kSequence)) return std::nullopt;
  const auto& left = a.sequence->items;
  const auto& right = b.sequence->items;
  for (size_t i = 0; i < left.size() && i < right.size(); ++i) {
    if (!equal(heap, left[i], right[i])) return less(heap, left[i], right[i]);
  }
  return left.size() < right.size();
}

std::string_view type_name(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
    case Kind::kHuge:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kText:
      return value.text->markup ? "Markup" : "str";
    case Kind::kDict:
      return "dict";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kMacro:
      return "Macro";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kFunction:
      return "function";
    case Kind::kMethod:
      return "builtin_function_or_method";
    case Kind::kSequence:
      break;
  }
  switch (value.sequence->flavor) {
    case Sequence::Flavor::kTuple:
      return "tuple";
    case Sequence::Flavor::kRange:
      return "range";
    case Sequence::Flavor::kGenerator:
      return "generator";
    case Sequence::Flavor::kView:
      return "dict_items";
    case Sequence::Flavor::kKeys:
      return "dict_keys";
    case Sequence::Flavor::kValues:
      return "dict_values";
    case Sequence::Flavor::kList:
      break;
  }
  return "list";
}

}  // namespace freehold::chat
