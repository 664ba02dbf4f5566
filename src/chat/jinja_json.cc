// JSON in (a request's variables) and out (tojson, as Python's json.dumps writes).
#include <algorithm>
#include <nlohmann/json.hpp>

#include "chat/jinja_library.h"

namespace freehold::chat {

namespace {

constexpr uint32_t kMaxJsonDepth = 90;

class Reader {
 public:
  Reader(Context& context, bool trusted) : context_(context), trusted_(trusted) {}

  Eval<Value> read(const Json& json, uint32_t depth) {
    if (depth > kMaxJsonDepth) {
      return context_.fail(base::ErrorCode::kLimitExceeded, "a variable is nested too deep");
    }
    context_.grant(json.is_string() ? json.get_ref<const std::string&>().size() : 0);
    switch (json.type()) {
      case Json::value_t::boolean:
        return Value::boolean(json.get<bool>());
      case Json::value_t::number_integer:
        return Value::number(json.get<int64_t>());
      case Json::value_t::number_unsigned:
        return unsigned_number(json.get<uint64_t>());
      case Json::value_t::number_float:
        return Value::number(json.get<double>());
      case Json::value_t::string:
        return context_.heap.text(json.get_ref<const std::string&>(), trusted_);
      case Json::value_t::array:
        return list(json, depth);
      case Json::value_t::object:
        return object(json, depth);
      default:
        return Value::none();
    }
  }

 private:
  static Value unsigned_number(uint64_t number) {
    if (number <= static_cast<uint64_t>(INT64_MAX)) {
      return Value::number(static_cast<int64_t>(number));
    }
    Value out;
    out.kind = Kind::kHuge;
    out.huge = number;
    return out;
  }

  Eval<Value> list(const Json& json, uint32_t depth) {
    std::vector<Value> items;
    items.reserve(json.size());
    for (const Json& item : json) {
      FREEHOLD_ASSIGN(const Value value, read(item, depth + 1));
      items.push_back(value);
    }
    return context_.heap.sequence(std::move(items));
  }

  Eval<Value> object(const Json& json, uint32_t depth) {
    std::vector<std::pair<Value, Value>> entries;
    entries.reserve(json.size());
    for (const auto& [key, item] : json.items()) {
      FREEHOLD_ASSIGN(const Value value, read(item, depth + 1));
      entries.emplace_back(context_.heap.text(key, trusted_), value);
    }
    return context_.heap.dict(std::move(entries));
  }

  Context& context_;
  bool trusted_;
};

class Writer {
 public:
  Writer(Context& context, const JsonStyle& style)
      : context_(context), style_(style), out_(context.heap) {}

  Eval<void> write(const Value& value, int64_t level) {
    FREEHOLD_TRY(context_.check());
    switch (value.kind) {
      case Kind::kNone:
        out_.append("null", kTrusted);
        return {};
      case Kind::kBool:
        out_.append(value.integer != 0 ? "true" : "false", kTrusted);
        return {};
      case Kind::kInt:
        out_.append(std::to_string(value.integer), kTrusted);
        return {};
      case Kind::kHuge:
        out_.append(std::to_string(value.huge), kTrusted);
        return {};
      case Kind::kFloat:
        out_.append(number(value.real), kTrusted);
        return {};
      case Kind::kText:
        quote(*value.text);
        return {};
      case Kind::kDict:
        return object(*value.dict, level);
      case Kind::kSequence:
        if (value.sequence->flavor <= Sequence::Flavor::kTuple) {
          return list(*value.sequence, level);
        }
        break;
      default:
        break;
    }
    return context_.fail(Fault::kTypeError, "Object of type " + std::string(type_name(value)) +
                                                " is not JSON serializable");
  }

  Value finish() { return out_.finish(); }

 private:
  static std::string number(double value) {
    const std::string text = float_text(value);
    if (text == "nan") return "NaN";
    if (text == "inf") return "Infinity";
    return text == "-inf" ? "-Infinity" : text;
  }

  void quote(const Text& text) {
    out_.append("\"", kTrusted);
    const std::string_view bytes = text.bytes();
    size_t plain = 0;  // begin of what needs no escape
    for (size_t i = 0; i < bytes.size();) {
      const auto c = static_cast<unsigned char>(bytes[i]);
      const size_t n = c < 0x80 ? 1 : code_point_bytes(bytes, i);
      if (c == '"' || c == '\\' || c < 0x20 || (c >= 0x7F && style_.ascii && c != 0x7F)) {
        out_.append(text, plain, i);
        out_.append(escape(code_point_at(bytes, i)), text.trusted_at(i));
        plain = i + n;
      }
      i += n;
    }
    out_.append(text, plain, bytes.size());
    out_.append("\"", kTrusted);
  }

  static std::string unit(int32_t code) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string out = "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) {
      out += kHex[static_cast<size_t>((code >> shift) & 15)];
    }
    return out;
  }

  static std::string escape(int32_t c) {
    static constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
    static constexpr std::string_view kNames = "\"\\bfnrt";
    if (c < 0x80) {
      const size_t at = kShort.find(static_cast<char>(c));
      if (at != std::string_view::npos) return std::string("\\") + kNames[at];
    }
    if (c < 0x10000) return unit(c);
    c -= 0x10000;
    return unit(0xD800 + (c >> 10)) + unit(0xDC00 + (c & 0x3FF));
  }

  void new_line(int64_t level) {
    if (style_.indent < 0) return;
    out_.append("\n", kTrusted);
    out_.repeat(" ", static_cast<uint64_t>(std::min<int64_t>(style_.indent, 1 << 24) * level),
                kTrusted);
  }

  Eval<void> list(const Sequence& sequence, int64_t level) {
    if (sequence.items.empty()) {
      out_.append("[]", kTrusted);
      return {};
    }
    out_.append("[", kTrusted);
    bool first = true;
    for (const Value& item : sequence.items) {
      if (!first) out_.append(style_.item_separator, kTrusted);
      first = false;
      new_line(level + 1);
      FREEHOLD_TRY(write(item, level + 1));
    }
    new_line(level);
    out_.append("]", kTrusted);
    return {};
  }

  Eval<void> object(const Dict& dict, int64_t level) {
    if (dict.entries.empty()) {
      out_.append("{}", kTrusted);
      return {};
    }
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys) {
      std::ranges::stable_sort(entries, [&](const auto* a, const auto* b) {
        return less(context_.heap, a->first, b->first).value_or(false);
      });
    }
    out_.append("{", kTrusted);
    bool first = true;
    for (const auto* entry : entries) {
      if (!first) out_.append(style_.item_separator, kTrusted);
      first = false;
      new_line(level + 1);
      FREEHOLD_TRY(key(entry->first));
      out_.append(style_.key_separator, kTrusted);
      FREEHOLD_TRY(write(entry->second, level + 1));
    }
    new_line(level);
    out_.append("}", kTrusted);
    return {};
  }

  Eval<void> key(const Value& value) {
    if (value.is(Kind::kText)) {
      quote(*value.text);
      return {};
    }
    if (!value.is_number() && !value.is(Kind::kNone)) {
      return context_.fail(Fault::kTypeError, "keys must be str, int, float, bool or None, not " +
                                                  std::string(type_name(value)));
    }
    out_.append("\"", kTrusted);
    FREEHOLD_TRY(write(value, 0));
    out_.append("\"", kTrusted);
    return {};
  }

  // Brackets and commas are never control tokens; said to be untrusted, they don't cut the text
  // between the request's strings into pieces.
  static constexpr bool kTrusted = false;

  Context& context_;
  const JsonStyle& style_;
  TextBuilder out_;
};

}  // namespace

Eval<Value> from_json(Context& context, const Json& json, bool trusted) {
  return Reader(context, trusted).read(json, 1);
}

Eval<Value> json_text(Context& context, const Value& value, const JsonStyle& style) {
  Writer writer(context, style);
  FREEHOLD_TRY(writer.write(value, 0));
  return writer.finish();
}

}  // namespace freehold::chat
