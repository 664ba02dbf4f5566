// Python's two ways to format: `"%5.2f" % x` and `"{:>5}".format(x)`. Widths and precisions come
// from the template, so both are bounded.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "chat/jinja_library.h"

namespace freehold::chat {

namespace {

constexpr int64_t kMaxPrecision = 500;

struct Spec {
  std::string fill = " ";
  char align = 0;  // '<', '>', '^', '=' or unset
  char sign = '-';
  bool alternate = false;
  bool grouping = false;
  int64_t width = 0;
  int64_t precision = -1;
  char type = 0;
};

// Reads digits at text[i]; 0 when there are none, and a huge number when there are too many.
int64_t read_number(std::string_view text, size_t& i) {
  int64_t out = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    out = std::min<int64_t>(out * 10 + (text[i] - '0'), INT64_MAX / 100);
  }
  return out;
}

std::string real_digits(double magnitude, char type, int64_t precision) {
  if (std::isinf(magnitude)) return "inf";
  if (std::isnan(magnitude)) return "nan";
  std::string out(static_cast<size_t>(precision) + 330, ' ');
  const char lower = static_cast<char>(type | 0x20);
  const auto style = lower == 'e'   ? std::chars_format::scientific
                     : lower == 'g' ? std::chars_format::general
                                    : std::chars_format::fixed;
  const auto end = std::to_chars(out.data(), out.data() + out.size(), magnitude, style,
                                 static_cast<int>(precision));
  out.resize(static_cast<size_t>(end.ptr - out.data()));
  return out;
}

std::string integer_digits(uint64_t magnitude, const Spec& spec) {
  const char lower = static_cast<char>(spec.type | 0x20);
  const int radix = lower == 'x' ? 16 : lower == 'o' ? 8 : lower == 'b' ? 2 : 10;
  char buffer[72];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), magnitude, radix);
  std::string out(buffer, end.ptr);
  if (spec.alternate && radix != 10) out = std::string("0") + lower + out;
  return out;
}

void group_thousands(std::string& digits) {
  const size_t end = std::min(digits.find_first_not_of("0123456789"), digits.size());
  for (size_t i = end; i > 3; i -= 3) digits.insert(i - 3, ",");
}

Eval<Value> format_number(Context& context, const Value& value, const Spec& spec) {
  const bool real_type =
      std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos && spec.type != 0;
  if (spec.precision > kMaxPrecision) {
    return context.fail(base::ErrorCode::kLimitExceeded, "a number's precision is too large");
  }
  bool negative = false;
  std::string digits;
  if (value.is_integer() && !real_type) {
    negative = value.integer < 0;
    const auto bits = static_cast<uint64_t>(value.integer);
    digits = integer_digits(negative ? 0 - bits : bits, spec);
  } else if (real_type) {
    const double number = value.as_double() * (spec.type == '%' ? 100 : 1);
    negative = std::signbit(number);
    digits = real_digits(std::fabs(number), spec.type, spec.precision < 0 ? 6 : spec.precision);
    if (spec.type == '%') digits += '%';
  } else {
    digits = to_text(context.heap, value).bytes();
    negative = digits.starts_with('-');
    if (negative) digits.erase(0, 1);
  }
  if (spec.grouping) group_thousands(digits);
  if (spec.type == 'X' || spec.type == 'E' || spec.type == 'G' || spec.type == 'F') {
    for (char& c : digits) c = static_cast<char>(to_upper(static_cast<unsigned char>(c)));
  }
  const std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  if (spec.align != '=') {
    const Text whole(sign + digits, true);
    return pad_text(context, whole, spec.width, spec.align == 0 ? '>' : spec.align, spec.fill);
  }
  TextBuilder out(context.heap);
  out.append(sign, true);
  const auto used = static_cast<int64_t>(sign.size() + digits.size());
  if (spec.width > used) out.repeat(spec.fill, static_cast<uint64_t>(spec.width - used), true);
  out.append(digits, true);
  return out.finish();
}

Eval<Value> format_text(Context& context, const Text& text, const Spec& spec) {
  size_t end = text.size();
  if (spec.precision >= 0) {
    end = offset_of_code_point(text.bytes(), static_cast<size_t>(spec.precision));
  }
  return pad_text(context, text.slice(0, end), spec.width, spec.align == 0 ? '<' : spec.align,
                  spec.fill);
}

bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

Eval<Spec> read_spec(Context& context, std::string_view text) {
  Spec spec;
  size_t i = 0;
  const size_t first = text.empty() ? 0 : code_point_bytes(text, 0);
  if (first < text.size() && is_align(text[first])) {
    spec.fill = text.substr(0, first);
    spec.align = text[first];
    i = first + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[i++];
  }
  const auto take = [&](std::string_view set) -> char {
    return i < text.size() && set.find(text[i]) != std::string_view::npos ? text[i++] : '\0';
  };
  if (const char sign = take("+- ")) spec.sign = sign;
  spec.alternate = take("#") != 0;
  if (take("0") != 0 && spec.align == 0) {
    spec.fill = "0";
    spec.align = '=';
  }
  spec.width = read_number(text, i);
  spec.grouping = take(",") != 0;
  if (take(".") != 0) spec.precision = read_number(text, i);
  spec.type = take("bdeEfFgGosxX%");
  if (i != text.size()) {
    return context.fail(Fault::kValueError, "Invalid format specifier '" + std::string(text) + "'");
  }
  return spec;
}

// The flags, width, precision and type after a '%'.
Spec read_percent_spec(std::string_view text, size_t& i) {
  Spec spec;
  spec.align = '>';
  for (; i < text.size(); ++i) {
    if (text[i] == '-') {
      spec.align = '<';
    } else if (text[i] == '0') {
      if (spec.align != '<') spec.align = '=';
    } else if (text[i] == '+' || text[i] == ' ') {
      spec.sign = text[i];
    } else if (text[i] == '#') {
      spec.alternate = true;
    } else {
      break;
    }
  }
  if (spec.align == '=') spec.fill = "0";
  spec.width = read_number(text, i);
  if (i < text.size() && text[i] == '.') spec.precision = read_number(text, ++i);
  if (i < text.size()) spec.type = text[i++];
  return spec;
}

Eval<Value> format_percent(Context& context, const Value& value, Spec spec) {
  if (spec.type == 's' || spec.type == 'r') {
    TextBuilder text(context.heap);
    if (spec.type == 's') {
      append_str(context.heap, text, value);
    } else {
      append_repr(context.heap, text, value);
    }
    if (spec.align == '=') spec.align = '>';
    spec.fill = " ";
    return format_text(context, text.text(), spec);
  }
  const bool known = std::string_view("diuxXofFeEgG").find(spec.type) != std::string_view::npos;
  if (!known || spec.type == 0) {
    return context.fail(Fault::kValueError, "unsupported format character");
  }
  if (!value.is_number()) {
    return context.fail(Fault::kTypeError, std::string("%") + spec.type +
                                               " format: a real number is required, not " +
                                               std::string(type_name(value)));
  }
  Value number = value;
  if (spec.type == 'd' || spec.type == 'i' || spec.type == 'u') {
    if (value.is(Kind::kFloat)) {
      if (!(std::fabs(value.real) < 9e18)) {
        return context.fail(Fault::kOverflow, "cannot convert float to integer");
      }
      number = Value::number(static_cast<int64_t>(value.real));
    }
    spec.type = 'd';
    spec.precision = -1;
  }
  return format_number(context, number, spec);
}

}  // namespace

Value pad_text(Context& context, const Text& text, int64_t width, char align,
               std::string_view fill) {
  context.heap.charge(2 * text.size());
  const int64_t missing = width - static_cast<int64_t>(count_code_points(text.bytes()));
  TextBuilder out(context.heap);
  if (missing <= 0) {
    out.append(text);
    return out.finish();
  }
  int64_t left = align == '<' ? 0 : missing;
  if (align == '^') left = missing / 2;
  out.repeat(fill, static_cast<uint64_t>(left), true);
  out.append(text);
  out.repeat(fill, static_cast<uint64_t>(missing - left), true);
  return out.finish();
}

Eval<Value> format_value(Context& context, const Value& value, std::string_view text) {
  FREEHOLD_ASSIGN(const Spec spec, read_spec(context, text));
  const bool as_number = value.is_number() && (spec.type != 0 || !value.is(Kind::kBool));
  if (as_number) return format_number(context, value, spec);
  if (spec.type != 0 && spec.type != 's') {
    return context.fail(Fault::kValueError, std::string("Unknown format code '") + spec.type +
                                                "' for object of type '" +
                                                std::string(type_name(value)) + "'");
  }
  return format_text(context, *to_text(context.heap, value).text, spec);
}

Eval<Value> percent_format(Context& context, const Text& format, std::span<const Value> values,
                           const Value* mapping) {
  const std::string_view bytes = format.bytes();
  TextBuilder out(context.heap);
  size_t used = 0;
  for (size_t i = 0; i < bytes.size();) {
    FREEHOLD_TRY(context.check());
    const size_t percent = std::min(bytes.find('%', i), bytes.size());
    out.append(format, i, percent);
    i = percent + 1;
    if (percent == bytes.size()) break;
    if (i < bytes.size() && bytes[i] == '%') {
      out.append(format, i, i + 1);
      ++i;
      continue;
    }
    const Value* value = nullptr;
    if (i < bytes.size() && bytes[i] == '(' && mapping != nullptr) {
      const size_t close = std::min(bytes.find(')', i), bytes.size());
      value = mapping->dict->find(bytes.substr(i + 1, close - i - 1));
      i = std::min(close + 1, bytes.size());
    } else if (used < values.size()) {
      value = &values[used++];
    }
    if (value == nullptr) {
      return context.fail(Fault::kTypeError, "not enough arguments for format string");
    }
    const Spec spec = read_percent_spec(bytes, i);
    FREEHOLD_ASSIGN(const Value piece, format_percent(context, *value, spec));
    out.append(*piece.text);
  }
  if (used < values.size() && mapping == nullptr) {
    return context.fail(Fault::kTypeError, "not all arguments converted during string formatting");
  }
  return out.finish();
}

Eval<Value> format_fields(Context& context, const Text& format, const Args& args) {
  const std::string_view bytes = format.bytes();
  TextBuilder out(context.heap);
  size_t next = 0;
  for (size_t i = 0; i < bytes.size();) {
    FREEHOLD_TRY(context.check());
    const size_t brace = std::min(bytes.find_first_of("{}", i), bytes.size());
    out.append(format, i, brace);
    if (brace == bytes.size()) break;
    if (brace + 1 < bytes.size() && bytes[brace + 1] == bytes[brace]) {
      out.append(format, brace, brace + 1);
      i = brace + 2;
      continue;
    }
    const size_t close = bytes.find('}', brace);
    if (bytes[brace] == '}' || close == std::string_view::npos) {
      return context.fail(Fault::kValueError, "Single brace encountered in format string");
    }
    const std::string_view field = bytes.substr(brace + 1, close - brace - 1);
    const size_t colon = std::min(field.find(':'), field.size());
    const std::string_view name = field.substr(0, colon);
    if (name.find_first_of(".[!{") != std::string_view::npos) {
      return context.fail(base::ErrorCode::kUnsupported,
                          "the format field `" + std::string(field) + "` is not supported");
    }
    const Value* value = nullptr;
    size_t digits = 0;
    const auto index = static_cast<size_t>(read_number(name, digits));
    if (digits == name.size()) {
      const size_t position = name.empty() ? next++ : index;
      if (position < args.positional.size()) value = &args.positional[position];
    } else {
      const auto it =
          std::ranges::find(args.named, name, &std::pair<std::string_view, Value>::first);
      if (it != args.named.end()) value = &it->second;
    }
    if (value == nullptr) {
      return context.fail(Fault::kValueError, "no argument for the field `" + std::string(name) +
                                                  "` of the format string");
    }
    FREEHOLD_ASSIGN(const Value piece,
                    format_value(context, *value, field.substr(std::min(colon + 1, field.size()))));
    out.append(*piece.text);
    i = close + 1;
  }
  return out.finish();
}

Value escape_html(Heap& heap, const Text& text) {
  TextBuilder out(heap);
  const std::string_view bytes = text.bytes();
  size_t plain = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string_view entity;
    if (bytes[i] == '&') entity = "&amp;";
    if (bytes[i] == '<') entity = "&lt;";
    if (bytes[i] == '>') entity = "&gt;";
    if (bytes[i] == '"') entity = "&#34;";
    if (bytes[i] == '\'') entity = "&#39;";
    if (entity.empty()) continue;
    out.append(text, plain, i);
    out.append(entity, text.trusted_at(i));
    plain = i + 1;
  }
  out.append(text, plain, bytes.size());
  Text done = out.text();
  done.markup = true;
  return heap.text(std::move(done));
}

}  // namespace freehold::chat
